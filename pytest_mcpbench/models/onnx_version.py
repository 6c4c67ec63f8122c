"""The oldest ONNX Runtime that runs the graphs of this project's making."""

from importlib import import_module

from pytest_mcpbench.errors import ModelError

_OLDEST = (1, 32)
"""The first ONNX Runtime whose GroupQueryAttention takes each row's number of new tokens, its input 17."""


def need_runtime(spec: str) -> None:
    """Nothing, if this ONNX Runtime can run graphs of the project's own making; else raises ModelError."""
    found: str = import_module("onnxruntime").__version__
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ModelError(
            f"{spec}: ONNX Runtime {found} cannot run its graph, which takes {oldest} or later: "
            f"pip install 'onnxruntime>={oldest}'"
        )
