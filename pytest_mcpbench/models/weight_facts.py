"""What a loaded model's weights are: of PyTorch's from the model itself, of ONNX Runtime's from the folder's recipe."""

from collections.abc import Mapping
from typing import Any

from pytest_mcpbench.core.weights import Weights

_FLOAT_BITS = 32
_BLOCK = 32


def torch_weights(model: Any) -> Weights:
    """The weights of a transformers model, in the number type that it was loaded in."""
    parameters = list(model.parameters())
    size_bytes = sum(parameter.nbytes for parameter in parameters)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    shared = embedding is None or (head is not None and head.weight is embedding.weight)
    return Weights(
        dtype=str(model.dtype).removeprefix("torch."),
        bits=8 * model.dtype.itemsize,
        parameters=sum(parameter.numel() for parameter in parameters),
        size_bytes=size_bytes,
        read_bytes=size_bytes - (0 if shared else embedding.weight.nbytes),
        engine="PyTorch",
    )


def onnx_weights(recipe: Mapping[str, Any], config: Any, size_bytes: int) -> Weights:
    """The weights of an exported model: `recipe` is its quantization.json, `size_bytes` what graph and data take."""
    quantization = str(recipe.get("quantization", "none"))
    parameters = int(recipe["parameters"]) if "parameters" in recipe else None
    inner = _part(recipe, "", blocks=quantization != "int8-dynamic", symmetric=bool(recipe.get("symmetric", True)))
    head = _part(recipe, "head_")
    least = min(inner, head, key=lambda part: part.bits_a_weight)
    text = config.get_text_config()
    values = 0 if text.tie_word_embeddings else text.vocab_size * text.hidden_size
    return Weights(
        dtype="float32" if quantization == "none" else quantization,
        bits=least.bits,
        block_size=least.block_size,
        scale_bits=_FLOAT_BITS,
        zero_points=least.zero_points,
        parameters=parameters,
        size_bytes=size_bytes,
        read_bytes=size_bytes - round(values * head.bits_a_weight / 8),
        engine="ONNX Runtime",
    )


def _part(recipe: Mapping[str, Any], prefix: str, *, blocks: bool = True, symmetric: bool = True) -> Weights:
    """The form of the linear layers, or under `head_` of the last one and the embedding."""
    bits = int(recipe.get(f"{prefix}bits", _FLOAT_BITS))
    in_blocks = blocks and bits < _FLOAT_BITS
    return Weights(
        dtype="",
        bits=bits,
        block_size=int(recipe.get(f"{prefix}block_size", _BLOCK)) if in_blocks else None,
        scale_bits=_FLOAT_BITS,
        zero_points=in_blocks and not symmetric,
    )
