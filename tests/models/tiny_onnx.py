"""Random models of the families that can be exported, each with what is its own: windows, norms, biases, ropes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from pytest_mcpbench.models.base import LoadOptions, Source
from pytest_mcpbench.models.onnx import GreedyDecoder
from pytest_mcpbench.models.onnx_export import export, plan_export
from pytest_mcpbench.models.onnx_recipe import Recipe
from tests.models.tiny import tiny_tokenizer

_ROPES = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_LONG_ROPE = {
    "type": "longrope",
    "short_factor": [1 + n / 10 for n in range(24)],
    "long_factor": [2.0] * 24,
}
CONFIGS: dict[str, tuple[type, dict[str, Any]]] = {
    "llama": (transformers.LlamaConfig, {"rope_scaling": _ROPES, "attention_bias": True, "mlp_bias": True}),
    "mistral": (transformers.MistralConfig, {"sliding_window": 7}),
    "qwen2": (transformers.Qwen2Config, {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "qwen3": (transformers.Qwen3Config, {"head_dim": 32, "tie_word_embeddings": True}),
    "gemma3": (
        transformers.Gemma3TextConfig,
        {
            "head_dim": 16,
            "query_pre_attn_scalar": 24,
            "sliding_window": 6,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "phi3": (transformers.Phi3Config, {}),
    "phi4-mini": (
        transformers.Phi3Config,
        {
            "hidden_size": 128,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "partial_rotary_factor": 0.75,
            "max_position_embeddings": 2048,
            "original_max_position_embeddings": 512,
            "rope_scaling": _LONG_ROPE,
            "tie_word_embeddings": True,
        },
    ),
}
"""Name to configuration class and its own settings. phi3 is of Phi-4's shape: fewer key heads than query heads."""


def tiny_exportable(name: str) -> Any:
    """A random model, float32, with norms and biases that are not what they begin as."""
    kind, own = CONFIGS[name]
    common = {
        "vocab_size": 259,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "initializer_range": 0.2,
    }
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(kind(**common | own), attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def save_exportable(folder: Path, name: str) -> tuple[Path, Any]:
    """The folder with the model and a tokenizer in it, and the model."""
    model = tiny_exportable(name)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder, model


def exported(checkpoint: Path, folder: Path, recipe: Recipe) -> Path:
    """The folder, with the checkpoint in it as ONNX."""
    folder.mkdir(parents=True)
    source = Source(spec=str(checkpoint), kind="checkpoint", default_label="model", path=checkpoint)
    export(plan_export(source, recipe), folder, lambda done, total: None)
    return folder


CPU = LoadOptions(device="cpu", threads=1)


def tokens(seed: int, n: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(2, 259, n)]


def reference(model: Any, prompt: Sequence[int], n: int) -> list[int]:
    """What PyTorch writes greedily, computing everything again for each token."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(n):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def written(decoder: GreedyDecoder, prompts: Sequence[Sequence[int]], lengths: Sequence[int]) -> list[list[int]]:
    """What the decoder writes for each prompt, each up to its own length."""
    rows: list[list[int]] = [[] for _ in prompts]

    def push(row: int, token: int) -> bool:
        rows[row].append(token)
        return len(rows[row]) < lengths[row]

    decoder.decode(prompts, max(lengths), push)
    return rows
