"""What the exporter has to know of a decoder, read from its transformers configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.errors import ModelError

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text", "phi3")
"""The values of `model_type` whose models can be exported."""

_MAX_LENGTH = 8192
"""Positions that the graph can hold. A tool call with its prompt needs some thousands at most."""

_ACTIVATIONS = MappingProxyType({"silu": "silu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Rotary positions: frequencies per position, (R / 2,) of the R rotated values of a head, and a factor on both."""

    frequencies: NDArray[np.float32]
    scaling: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one layer has of its own: which of the ropes it uses, and how many tokens back it sees (None: all)."""

    rope: int
    window: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """A decoder of one of the supported families.

    `norm_offset` is added to every norm's weight; `qk_norm` normalizes each head of queries and keys;
    `sandwich` normalizes what attention and MLP give, before it is added; `packed` names the families that store
    queries, keys and values in one matrix, and gate and up in another.
    """

    family: str
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    epsilon: float
    activation: str
    attention_scale: float
    embedding_scale: float
    norm_offset: float
    qk_norm: bool
    sandwich: bool
    packed: bool
    tied: bool
    max_length: int
    ropes: tuple[Rope, ...]
    layers: tuple[Layer, ...]


def read_arch(config: Any) -> Arch:
    """The decoder that a transformers configuration describes. Raises ModelError if it cannot be exported."""
    family = str(config.model_type)
    if family not in SUPPORTED:
        raise ModelError(
            f"architecture {family!r} cannot be exported to ONNX (supported: {', '.join(SUPPORTED)}); "
            "for others export with optimum-cli, whose folders --mcp-model takes"
        )
    activation = str(getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", "silu"))
    if activation not in _ACTIVATIONS:
        raise ModelError(f"activation {activation!r} cannot be exported to ONNX (supported: {', '.join(_ACTIVATIONS)})")
    for softcap in ("final_logit_softcapping", "attn_logit_softcapping"):
        if getattr(config, softcap, None):
            raise ModelError(
                f"{softcap}={getattr(config, softcap)} cannot be exported to ONNX; no shipped model has it"
            )
    gemma = family == "gemma3_text"
    head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    scaled_by = float(config.query_pre_attn_scalar) if gemma else float(head_dim)
    ropes = _ropes(config, head_dim)
    return Arch(
        family=family,
        hidden=int(config.hidden_size),
        heads=int(config.num_attention_heads),
        kv_heads=int(config.num_key_value_heads),
        head_dim=head_dim,
        vocabulary=int(config.vocab_size),
        epsilon=float(config.rms_norm_eps),
        activation=_ACTIVATIONS[activation],
        attention_scale=scaled_by**-0.5,
        embedding_scale=float(config.hidden_size) ** 0.5 if gemma else 1.0,
        norm_offset=1.0 if gemma else 0.0,
        qk_norm=family in ("qwen3", "gemma3_text"),
        sandwich=gemma,
        packed=family == "phi3",
        tied=bool(config.tie_word_embeddings),
        max_length=_max_length(config),
        ropes=ropes,
        layers=_layers(config, local=len(ropes) - 1),
    )


def _layers(config: Any, local: int) -> tuple[Layer, ...]:
    """Every layer; the sliding ones use the last of the ropes, the others the first."""
    n, window = int(config.num_hidden_layers), getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        kinds = ["sliding_attention" if window else "full_attention"] * n
    unknown = sorted(set(kinds) - {"sliding_attention", "full_attention"})
    if unknown:
        raise ModelError(f"layers of type {unknown[0]!r} cannot be exported to ONNX")
    sliding = [kind == "sliding_attention" and bool(window) for kind in kinds]
    width = int(window or 0)
    return tuple(Layer(rope=local if slides else 0, window=width if slides else None) for slides in sliding)


def _max_length(config: Any) -> int:
    """Positions of the graph. Beyond a long-rope model's original length its frequencies would be others."""
    scaling = _rope_settings(config, "full_attention")
    original = getattr(config, "original_max_position_embeddings", None) if _kind(scaling) == "longrope" else None
    return min(int(config.max_position_embeddings if original is None else original), _MAX_LENGTH)


def _ropes(config: Any, head_dim: int) -> tuple[Rope, ...]:
    if config.model_type == "gemma3_text":
        near = Rope(frequencies=_default(float(_local_theta(config)), head_dim), scaling=1.0)
        return (_rope(config, head_dim), near)
    return (_rope(config, head_dim),)


def _rope(config: Any, head_dim: int) -> Rope:
    settings = _rope_settings(config, "full_attention")
    kind = _kind(settings)
    if kind == "default":
        share = float(settings.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", None) or 1.0)
        theta = settings.get("rope_theta") or config.rope_theta
        return Rope(frequencies=_default(float(theta), int(head_dim * share)), scaling=1.0)
    functions = import_module("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS
    if kind not in functions or kind == "dynamic":
        raise ModelError(f"rotary positions of type {kind!r} cannot be exported to ONNX")
    frequencies, scaling = functions[kind](config, "cpu")
    return Rope(frequencies=frequencies.float().numpy(), scaling=float(scaling))


def _rope_settings(config: Any, kind: str) -> Mapping[str, Any]:
    """The rotary settings, from where transformers 4 or transformers 5 keeps them."""
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    settings: Mapping[str, Any] = found.get(kind, found)
    return settings


def _local_theta(config: Any) -> float:
    local = getattr(config, "rope_local_base_freq", None)
    return float(local if local is not None else _rope_settings(config, "sliding_attention")["rope_theta"])


def _kind(settings: Mapping[str, Any]) -> str:
    return str(settings.get("rope_type") or settings.get("type") or "default")


def _default(theta: float, rotated: int) -> NDArray[np.float32]:
    """Source: J. Su et al., RoFormer, arXiv 2104.09864, section 3.2.2. Computed in float32, as transformers does."""
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    frequencies: NDArray[np.float32] = np.float32(1) / np.power(np.float32(theta), exponents)
    return frequencies
