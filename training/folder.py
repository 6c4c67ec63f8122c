"""The output folder of a run: unfinished until its last file is there, and resumed from where it was."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.core.curves import REPORT_FILE
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.folder import ADAPTER_CONFIG
from pytest_mcpbench.training.report import write_text

if TYPE_CHECKING:
    import torch

WORK = "unfinished"
"""The subfolder that a run works in, and that only an unfinished run has."""

_RUN, _STATE, _BEST = "run.json", "state.safetensors", "best.safetensors"
_NEEDED_BYTES = 500_000_000
"""An adapter of rank 64 for a 14B model, its optimizer's state and the best so far take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where one run writes. `identity` is a hash of everything that decides what the run computes."""

    path: Path
    identity: str

    @property
    def work(self) -> Path:
        """The subfolder of what is not finished."""
        return self.path / WORK

    def check(self, extra_bytes: int = 0) -> bool:
        """Whether an unfinished run of this identity is there to go on with. Writes nothing.

        Raises TrainingError if the folder holds another run, a finished one, or anything else, or the disk is full.
        """
        place = self.path
        if place.exists() and not place.is_dir():
            raise TrainingError(f"{place}: is a file; give a folder for the adapter")
        self._check_disk(_NEEDED_BYTES + extra_bytes)
        if (self.work / _RUN).is_file():
            self._check_identity()
            return (self.work / _STATE).is_file()
        if (place / REPORT_FILE).is_file() or (place / ADAPTER_CONFIG).is_file():
            raise TrainingError(f"{place}: already holds a finished run; give another folder, or delete this one")
        if place.is_dir() and any(entry.name != WORK for entry in place.iterdir()):
            raise TrainingError(f"{place}: is not empty and holds no unfinished run; give a new or empty folder")
        return False

    def begin(self, config: Mapping[str, Any]) -> None:
        """Mark the folder as this run's. Harmless where it is already."""
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            if not (self.work / _RUN).is_file():
                write_text(self.work / _RUN, json.dumps({"identity": self.identity, "config": dict(config)}, indent=1))
        except OSError as error:
            raise TrainingError(f"{self.path}: cannot be written ({error.strerror}); give another folder") from error

    def save(self, tensors: Mapping[str, "torch.Tensor"], state: Mapping[str, Any]) -> None:
        """Keep what is needed to go on from here: in one file, which replaces the one before at once."""
        _write_tensors(self.work / _STATE, tensors, {"state": json.dumps(state)})

    def load(self) -> tuple[dict[str, "torch.Tensor"], dict[str, Any]]:
        """What was kept last. Raises TrainingError if it cannot be read."""
        tensors, metadata = _read_tensors(self.work / _STATE)
        state: dict[str, Any] = json.loads(metadata["state"])
        return tensors, state

    def save_best(self, tensors: Mapping[str, "torch.Tensor"]) -> None:
        """Keep the best adapter so far."""
        _write_tensors(self.work / _BEST, tensors, {})

    def load_best(self) -> dict[str, "torch.Tensor"]:
        """The best adapter so far."""
        return _read_tensors(self.work / _BEST)[0]

    def finish(self) -> None:
        """Drop what only an unfinished run needs."""
        shutil.rmtree(self.work)

    def _check_identity(self) -> None:
        try:
            found = json.loads((self.work / _RUN).read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(f"{self.work / _RUN}: cannot be read ({error}); delete {self.work}") from None
        if found != self.identity:
            raise TrainingError(
                f"{self.path}: holds an unfinished run with another configuration or other data; give another folder, "
                f"or delete {self.work}"
            )

    def _check_disk(self, needed: int) -> None:
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.is_dir())
        free = shutil.disk_usage(there).free
        if free < needed:
            raise TrainingError(
                f"{self.path}: its disk has {free / 1e6:.0f} MB free and the run needs {needed / 1e6:.0f}; free some"
            )
        if not os.access(there, os.W_OK):
            raise TrainingError(f"{self.path}: cannot be written; give another folder")


def _write_tensors(path: Path, tensors: Mapping[str, "torch.Tensor"], metadata: dict[str, str]) -> None:
    # Here, not above: safetensors brings torch.
    from safetensors.torch import save_file  # noqa: PLC0415

    part = path.with_name(path.name + ".part")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata=metadata)
        part.replace(path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error}); the run can be resumed") from error


def _read_tensors(path: Path) -> tuple[dict[str, "torch.Tensor"], dict[str, str]]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); delete {path.parent} and start again") from None
