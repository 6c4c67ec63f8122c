"""The weights of a checkpoint, one at a time and with an adapter merged in, so that a large model fits into memory."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, check_checkpoint, read_json

_PEFT_PREFIX = "base_model.model."
_UNMERGEABLE = ("use_dora", "use_qalora", "fan_in_fan_out", "alora_invocation_tokens", "layer_replication")


class CheckpointTensors:
    """The tensors of a checkpoint, in float32, with a LoRA adapter's products added where it has any."""

    def __init__(self, files: dict[str, Any], adapter: "LoraAdapter | None") -> None:
        self._files = files
        self._adapter = adapter

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._files

    def get(self, name: str) -> NDArray[np.float32]:
        """The tensor. Raises ModelError if there is none, or it holds what is no number."""
        value = self._merged(name)
        # An infinity or a NaN among them is one in their sum.
        if not np.isfinite(value.sum(dtype=np.float64)):
            raise ModelError(f"the tensor {name!r} holds values that are no numbers; train or save the model again")
        return value

    def _merged(self, name: str) -> NDArray[np.float32]:
        if name not in self._files:
            raise ModelError(f"the checkpoint has no tensor {name!r}; it is not of the architecture that it names")
        replaced = self._adapter.replacement(name) if self._adapter else None
        if replaced is not None:
            return replaced
        value: NDArray[np.float32] = self._files[name].get_tensor(name).float().numpy()
        delta = self._adapter.delta(name) if self._adapter else None
        return value if delta is None else value + delta

    def count(self) -> int:
        """The number of values in all tensors."""
        return sum(int(np.prod(file.get_slice(name).get_shape())) for name, file in self._files.items())


class LoraAdapter:
    """The matrices of a LoRA adapter. Source: E. Hu et al., arXiv 2106.09685: W + (alpha / r) B A."""

    def __init__(self, folder: Path, file: Any) -> None:
        config = read_json(folder / ADAPTER_CONFIG)
        if config.get("peft_type") != "LORA":
            raise ModelError(f"{folder}: a {config.get('peft_type')} adapter cannot be merged here; use LoRA")
        special = [name for name in _UNMERGEABLE if config.get(name)]
        special += ["rank_pattern"] if config.get("rank_pattern") or config.get("alpha_pattern") else []
        special += ["bias"] if config.get("bias", "none") != "none" else []
        if special:
            raise ModelError(f"{folder}: uses {special[0]}; merge it with PEFT first and give the merged checkpoint")
        rank, alpha = float(config["r"]), float(config["lora_alpha"])
        self._scale = np.float32(alpha / (rank**0.5 if config.get("use_rslora") else rank))
        self._file = file
        self._names = frozenset(file.keys())
        self._used: set[str] = set()

    def delta(self, name: str) -> NDArray[np.float32] | None:
        """What the adapter adds to that tensor; None if nothing."""
        module = _PEFT_PREFIX + name.removesuffix(".weight")
        down, up = f"{module}.lora_A.weight", f"{module}.lora_B.weight"
        if down not in self._names or up not in self._names:
            return None
        self._used |= {down, up}
        a, b = (self._file.get_tensor(key).float().numpy() for key in (down, up))
        product: NDArray[np.float32] = (b @ a) * self._scale
        return product

    def replacement(self, name: str) -> NDArray[np.float32] | None:
        """The tensor that the adapter holds in place of the base's; None if it holds none."""
        whole = _PEFT_PREFIX + name
        if whole not in self._names:
            return None
        self._used.add(whole)
        value: NDArray[np.float32] = self._file.get_tensor(whole).float().numpy()
        return value

    def unused(self) -> list[str]:
        """The adapter's tensors that nothing asked for. Left over, they would be missing from the result."""
        return sorted(self._names - self._used)


@contextmanager
def open_tensors(base: Path, adapter: Path | None) -> Iterator[CheckpointTensors]:
    """The tensors of the checkpoint, with the adapter's merged in. Raises ModelError for an adapter of another kind.

    Also raises it at the end if some of the adapter's tensors found no place.
    """
    safe_open = import_module("safetensors").safe_open
    with ExitStack() as stack:
        files = _by_name([stack.enter_context(safe_open(path, framework="pt")) for path in check_checkpoint(base)])
        lora = None
        if adapter is not None:
            lora = LoraAdapter(adapter, stack.enter_context(safe_open(adapter / ADAPTER_WEIGHTS, framework="pt")))
        yield CheckpointTensors(files, lora)
        left = lora.unused() if lora else []
        if left:
            raise ModelError(f"{adapter}: {len(left)} of its tensors have no place in {base} ({left[0]})")


def _by_name(files: Sequence[Any]) -> dict[str, Any]:
    return {name: file for file in files for name in file.keys()}  # noqa: SIM118  # not a dict: it cannot be iterated
