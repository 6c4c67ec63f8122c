"""A Gemma 3 GGUF made into a transformers checkpoint: weights, configuration and a tokenizer that is right.

Written by hand, file by file, rather than through a library's GGUF reader: the bytes are then the same under
every version of every library, so they can be verified by hash; and transformers 4.57 makes a wrong tokenizer of
this file. The names of tensors are those of llama.cpp's Gemma 3 conversion, which also adds 1 to each norm.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Json

_NORMAL, _SPECIAL, _ADDED = 1, 3, 4
"""GGUF's kinds of token: a plain piece, a control token, a token that is found in the text before all others."""

_SPACE = "\u2581"
_LAYER_PARTS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_PATTERN = 6
"""Every sixth layer attends to all of the text, the others to a window."""


def convert(gguf_file: Path, folder: Path) -> None:
    """Write a checkpoint into the folder: bfloat16 weights, configuration, tokenizer. Takes about half a minute.

    bfloat16 and not float32: half the disk and half the hashing, and the rounding (1 part in 512 at most) is an
    order of magnitude below the step of the 4 to 8 bits that the weights were stored in.
    """
    # Here, not above: only making the demo model needs it.
    from gguf import GGUFReader  # noqa: PLC0415

    reader = GGUFReader(gguf_file)
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    _write_json(folder / "config.json", _config(fields))
    ends = {name: fields[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos")}
    _write_json(folder / "generation_config.json", {f"{name}_token_id": token for name, token in ends.items()})
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(fields))
    _write_json(folder / "tokenizer.json", _tokenizer(fields))
    _write_weights(folder / "model.safetensors", reader.tensors)


def _write_json(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n")


def _config(fields: Mapping[str, Any]) -> Json:
    """The configuration, with rotary settings both where transformers 4 and where transformers 5 looks for them."""
    wide, near = fields["gemma3.rope.freq_base"], 10000.0
    layers = fields["gemma3.block_count"]
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "dtype": "bfloat16",
        "transformers_version": "5.0.0",  # without one, 4.57 takes the tokenizer for a broken one of Mistral's
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "hidden_size": fields["gemma3.embedding_length"],
        "intermediate_size": fields["gemma3.feed_forward_length"],
        "num_hidden_layers": layers,
        "num_attention_heads": fields["gemma3.attention.head_count"],
        "num_key_value_heads": fields["gemma3.attention.head_count_kv"],
        "head_dim": fields["gemma3.attention.key_length"],
        "query_pre_attn_scalar": fields["gemma3.attention.key_length"],
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": fields["gemma3.context_length"],
        "rms_norm_eps": round(fields["gemma3.attention.layer_norm_rms_epsilon"], 9),
        "sliding_window": fields["gemma3.attention.sliding_window"],
        "layer_types": ["full_attention" if n % _PATTERN == 0 else "sliding_attention" for n in range(1, layers + 1)],
        "rope_theta": wide,
        "rope_local_base_freq": near,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": wide},
            "sliding_attention": {"rope_type": "default", "rope_theta": near},
        },
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
    }


def _tokenizer_config(fields: Mapping[str, Any]) -> Json:
    tokens = fields["tokenizer.ggml.tokens"]
    named = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": fields["gemma3.context_length"],
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
        **{f"{ours}_token": tokens[fields[f"tokenizer.ggml.{theirs}_token_id"]] for theirs, ours in named.items()},
    }


def _tokenizer(fields: Mapping[str, Any]) -> Json:
    """The tokenizer in the form of the tokenizers library: BPE with byte fallback over the GGUF's own vocabulary."""
    tokens = fields["tokenizer.ggml.tokens"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(tokens, fields["tokenizer.ggml.token_type"]),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": _bos_in_front(tokens, fields["tokenizer.ggml.bos_token_id"]),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": _bpe(fields),
    }


def _added_tokens(tokens: list[str], kinds: list[int]) -> Json:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": at, "content": token, **flags, "special": kind == _SPECIAL}
        for at, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (_SPECIAL, _ADDED)
    ]


def _bos_in_front(tokens: list[str], bos: int) -> Json:
    begin = {"SpecialToken": {"id": tokens[bos], "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": at}} for at, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [begin, first],
        "pair": [begin, first, second],
        "special_tokens": {tokens[bos]: {"id": tokens[bos], "ids": [bos], "tokens": [tokens[bos]]}},
    }


def _bpe(fields: Mapping[str, Any]) -> Json:
    tokens = fields["tokenizer.ggml.tokens"]
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": tokens[fields["tokenizer.ggml.unknown_token_id"]],
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": True,
        "ignore_merges": False,
        "vocab": {token: at for at, token in enumerate(tokens)},
        "merges": _merges(tokens, fields["tokenizer.ggml.scores"], fields["tokenizer.ggml.token_type"]),
    }


def _merges(tokens: list[str], scores: list[float], kinds: list[int]) -> list[list[str]]:
    """Every split of a piece into two pieces, the best piece's first: what a BPE trained by sentencepiece does."""
    pieces = {token: at for at, (token, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind == _NORMAL}
    ranked: list[tuple[float, int, int, int, str, str]] = []
    for piece, at in pieces.items():
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in pieces and right in pieces:
                ranked.append((-scores[at], at, pieces[left], pieces[right], left, right))
    return [[left, right] for *_, left, right in sorted(ranked)]


def _tensor_name(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{_LAYER_PARTS[part]}.{kind}"


def _write_weights(path: Path, tensors: list[Any]) -> None:
    """A safetensors file of the tensors, in the order of their names."""
    named = sorted((_tensor_name(tensor.name), tensor) for tensor in tensors)
    header: dict[str, Json] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in named:
        shape = [int(size) for size in reversed(tensor.shape)]
        start, end = end, end + 2 * int(tensor.n_elements)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, tensor in named:
            for part in _bfloat16(name, tensor):
                file.write(part)


def _bfloat16(name: str, tensor: Any) -> Iterator[bytes]:
    """The tensor's values, rounded to the nearest bfloat16, ties to even; some rows at a time to spare memory."""
    # Here, not above: only making the demo model needs them.
    import numpy as np  # noqa: PLC0415
    from gguf.quants import dequantize  # noqa: PLC0415

    rows_at_once = 16384
    for at in range(0, len(tensor.data), rows_at_once):
        values = dequantize(tensor.data[at : at + rows_at_once], tensor.tensor_type)
        if "norm" in name:
            values = values - np.float32(1)
        bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
        yield ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
