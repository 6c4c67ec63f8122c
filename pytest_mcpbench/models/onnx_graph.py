"""An ONNX graph as it is written: nodes in memory, weights straight to the disk, so that a large model needs little."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from pytest_mcpbench.models.onnx_format import DATA, GRAPH

CONTRIB = "com.microsoft"
"""The domain of the operators that ONNX Runtime adds to ONNX."""

_OPSET = 21
_INLINE_BYTES = 1024
_ALIGNMENT = 4096
"""A weight begins at a page of the file, so that it can be mapped into memory."""


class GraphWriter:
    """Collects nodes and writes weights into the folder. A context manager, which closes the file of weights."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._known: set[str] = set()
        self._count = 0
        self._data = (folder / DATA).open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._data.close()

    def node(self, op: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:
        """The name of the one output of a new node."""
        return self.nodes(op, inputs, [""], domain=domain, **attributes)[0]

    def nodes(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """The names of the outputs of a new node; "" is given a name, "-" leaves an optional output out."""
        self._count += 1
        names = [f"{op}_{self._count}_{at}" if name == "" else name for at, name in enumerate(outputs)]
        written = ["" if name == "-" else name for name in names]
        self._nodes.append(
            helper.make_node(op, inputs, written, name=f"{op}_{self._count}", domain=domain, **attributes)
        )
        return names

    def weight(self, name: str, value: NDArray[Any]) -> str:
        """The name, after the value is written. A name that was written before is not written again."""
        if name in self._known:
            return name
        self._known.add(name)
        value = np.asarray(value, order="C")  # not ascontiguousarray, which makes a vector of a scalar
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        if value.nbytes <= _INLINE_BYTES:
            self._weights.append(helper.make_tensor(name, kind, value.shape, value.tobytes(), raw=True))
            return name
        self._data.write(b"\0" * (-self._data.tell() % _ALIGNMENT))
        tensor = TensorProto(name=name, data_type=kind, dims=value.shape, data_location=TensorProto.EXTERNAL)
        for key, entry in (("location", DATA), ("offset", self._data.tell()), ("length", value.nbytes)):
            tensor.external_data.add(key=key, value=str(entry))
        self._data.write(value.data)
        self._weights.append(tensor)
        return name

    def known(self, name: str) -> bool:
        """Whether a weight of that name was written."""
        return name in self._known

    def save(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        notes: Mapping[str, str],
    ) -> None:
        """Write the graph and its notes beside its weights."""
        graph = helper.make_graph(self._nodes, "decoder", inputs, outputs, initializer=self._weights)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="pytest-mcpbench")
        helper.set_model_props(model, dict(notes))
        (self._folder / GRAPH).write_bytes(model.SerializeToString())


def value_info(name: str, dtype: Any, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """The description of an input or output; a string in the shape names a size that varies."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
