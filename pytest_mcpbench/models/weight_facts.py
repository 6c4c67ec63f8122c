"""What a loaded model's weights are: of PyTorch's from the model itself, of ONNX Runtime's from the folder's recipe."""

from collections.abc import Mapping
from typing import Any

from pytest_mcpbench.core.weights import Weights

_FLOAT_BYTES = 4


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
    quantization, bits = str(recipe.get("quantization", "none")), int(recipe.get("bits", 32))
    head_bits, head_block = int(recipe.get("head_bits", 32)), int(recipe.get("head_block_size", 32))
    in_blocks = bits < 32 and quantization != "int8-dynamic"
    text = config.get_text_config()
    values = 0 if text.tie_word_embeddings else text.vocab_size * text.hidden_size
    per_value = _FLOAT_BYTES if head_bits == 32 else (head_bits + 8 * _FLOAT_BYTES / head_block) / 8
    return Weights(
        dtype="float32" if quantization == "none" else quantization,
        bits=bits,
        block_size=int(recipe["block_size"]) if in_blocks and "block_size" in recipe else None,
        scale_bits=8 * _FLOAT_BYTES,
        zero_points=in_blocks and not recipe.get("symmetric", True),
        parameters=int(recipe["parameters"]) if "parameters" in recipe else None,
        size_bytes=size_bytes,
        read_bytes=size_bytes - round(values * per_value),
        engine="ONNX Runtime",
    )
