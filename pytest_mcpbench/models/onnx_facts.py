"""What a graph of another exporter is made of: its files, its weights, whether answers depend on their batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.weights import Weights
from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models.onnx_format import GRAPH, MAX_LENGTH, RECIPE

_ENGINE = "ONNX Runtime"
_DYNAMIC = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat"})
_FLOATS = {"FLOAT": ("float32", 32), "FLOAT16": ("float16", 16), "BFLOAT16": ("bfloat16", 16)}
_INTEGERS = {"INT8": 8, "UINT8": 8, "INT4": 4, "UINT4": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """Facts about a graph that is not loaded. `alone`: its activations are scaled by all that is computed together."""

    path: Path
    size_bytes: int
    weights: Weights
    alone: bool


def graph_facts(folder: Path) -> GraphFacts:
    """The facts of the one graph in the folder.

    Raises ModelError for no graph, several, a broken one, one whose data is not beside it, and one that
    `mcpbench quantize` wrote, whose record got lost; MissingExtraError without the package `onnx`.
    """
    path = _graph_in(folder)
    if find_spec("onnx") is None:
        raise MissingExtraError(f"{folder}: reading its graph needs onnx: pip install 'pytest-mcpbench[onnx]'")
    onnx = import_module("onnx")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own kinds of errors
        raise ModelError(
            f"{path}: could not be loaded ({type(error).__name__}: is no ONNX graph); copy it again"
        ) from error
    if any(note.key == MAX_LENGTH for note in model.metadata_props):
        raise ModelError(f"{folder}: holds no {RECIPE} beside its graph; run mcpbench quantize on its checkpoint again")
    size_bytes = path.stat().st_size + sum(data.stat().st_size for data in _data_files(model, folder))
    kinds = {node.op_type for node in model.graph.node}
    return GraphFacts(
        path=path, size_bytes=size_bytes, weights=_weights(model, size_bytes, onnx), alone=bool(kinds & _DYNAMIC)
    )


def _graph_in(folder: Path) -> Path:
    if (folder / GRAPH).is_file():
        return folder / GRAPH
    found = sorted(folder.glob("*.onnx"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ModelError(f"{folder}: holds several graphs ({names}); rename the one to use to {GRAPH}")
    raise ModelError(f"{folder}: its graphs are in a folder of their own; copy one of them to {folder / GRAPH}")


def _data_files(model: Any, folder: Path) -> list[Path]:
    names = {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    for name in sorted(names):
        if Path(name).name != name or not (folder / name).is_file():
            raise ModelError(f"{folder}: its graph's weights are in {name!r}, which is not in the folder; copy it too")
    return [folder / name for name in sorted(names)]


def _weights(model: Any, size_bytes: int, onnx: Any) -> Weights:
    """How the weights are kept: by the products in blocks, else by integers, else by the largest tensor."""
    kinds = {tensor.name: onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in model.graph.initializer}
    blocks = list(_blocks(model))
    if blocks:
        bits, size, scale, zero = min(blocks)
        return Weights(
            dtype=f"int{bits}",
            bits=bits,
            block_size=size,
            scale_bits=_FLOATS.get(kinds.get(scale, "FLOAT"), ("", 32))[1],
            zero_points=bool(zero),
            size_bytes=size_bytes,
            engine=_ENGINE,
        )
    nodes = model.graph.node
    read = {kinds.get(node.input[0]) for node in nodes if node.op_type == "DequantizeLinear"}
    integers = [_INTEGERS[kind] for kind in read if kind in _INTEGERS]
    if any(node.op_type in _DYNAMIC for node in nodes):
        return Weights(dtype="int8-dynamic", bits=8, size_bytes=size_bytes, engine=_ENGINE)
    if integers:
        return Weights(dtype=f"int{min(integers)}", bits=min(integers), size_bytes=size_bytes, engine=_ENGINE)
    largest = max(model.graph.initializer, key=_items, default=None)
    dtype, bits = _FLOATS.get(kinds[largest.name] if largest is not None else "FLOAT", ("float32", 32))
    return Weights(dtype=dtype, bits=bits, size_bytes=size_bytes, engine=_ENGINE)


def _blocks(model: Any) -> Iterator[tuple[int, int, str, str]]:
    """Bits, block size, scales and zero points of each product in blocks of integers."""
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            numbers = {attribute.name: attribute.i for attribute in node.attribute}
            zero = node.input[3] if len(node.input) > 3 else ""
            yield numbers.get("bits", 4), numbers["block_size"], node.input[2], zero


def _items(tensor: Any) -> int:
    total = 1
    for dimension in tensor.dims:
        total *= dimension
    return total
