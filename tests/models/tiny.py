"""Random models of a few thousand weights, and the requests that the tests put to them."""

from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from pytest_mcpbench.core.case import Message, Tool
from pytest_mcpbench.core.plan import Request, request_of

FAMILIES = ("llama", "qwen2", "qwen3", "gemma3", "phi3")
SPECIAL = ["<bos>", "<eos>", "<|im_end|>"]
READ = Tool(
    name="read",
    description="Read a file.",
    input_schema={"properties": {"path": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["path"]},
)

_CONFIGS = {
    "llama": transformers.LlamaConfig,
    "qwen2": transformers.Qwen2Config,
    "qwen3": transformers.Qwen3Config,
    "gemma3": transformers.Gemma3TextConfig,
    "phi3": transformers.Phi3Config,
}
_OWN: dict[str, dict[str, Any]] = {
    "qwen3": {"head_dim": 8},
    "gemma3": {
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "sliding_window": 16,
        "tie_word_embeddings": False,
        "layer_types": ["sliding_attention", "full_attention"],
    },
}


def tiny_tokenizer(*, bos: bool = True, template: str | None = None, **kwargs: Any) -> Any:
    """A tokenizer with one token a byte, no token for padding, and a beginning of text if asked for."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(SPECIAL + alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if bos:
        inner.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", additional_special_tokens=["<|im_end|>"], **kwargs
    )
    if template:
        tokenizer.chat_template = template
    return tokenizer


def tiny_model(family: str = "llama", seed: int = 0) -> Any:
    """A random model whose greedy text wanders, so that a wrong mask or position would show in it."""
    config = _CONFIGS[family](
        vocab_size=len(SPECIAL) + 256,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        initializer_range=0.4,
        **_OWN.get(family, {}),
    )
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(config)


def save_tiny(folder: Path, family: str = "llama", **tokenizer: Any) -> Path:
    """The folder, with a tiny checkpoint and its tokenizer in it."""
    tiny_model(family).save_pretrained(folder)
    tiny_tokenizer(**tokenizer).save_pretrained(folder)
    return folder


def save_adapter(folder: Path, base: str, *, model: Any = None) -> Path:
    """The folder, with a LoRA adapter in it whose weights are not zero."""
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(1)
    wrapped = peft.get_peft_model(model or tiny_model(), config)
    wrapped.peft_config["default"].base_model_name_or_path = base
    wrapped.save_pretrained(folder)
    return folder


def ask(text: str) -> Request:
    """A request with one tool."""
    return request_of([Message(role="user", content=text)], [READ])
