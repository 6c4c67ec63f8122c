"""Exports that are whole or not there: checked before they begin, written aside, moved to their place at the end."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models.onnx_version import need_runtime

_MODULES = ("onnx", "onnxruntime", "torch", "transformers", "safetensors")
_MEMINFO = Path("/proc/meminfo")


def need_exporter(spec: str) -> None:
    """Nothing, if everything that exporting takes is installed; else raises MissingExtraError or ModelError."""
    missing = [name for name in _MODULES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{spec}: exporting needs {', '.join(missing)}: pip install 'pytest-mcpbench[onnx]'")
    need_runtime(spec)


def check_output(folder: Path) -> None:
    """Nothing, if the folder can be made: it is not there, or empty. Else raises ModelError."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file; give a folder for the model")
    if folder.is_dir() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is not empty; give a new or empty folder")
    if not os.access(_nearest(folder), os.W_OK):
        raise ModelError(f"{folder}: cannot be written; give another folder")


_MORE_MEMORY = "end other programs or use a larger machine"


def check_room(folder: Path, *, disk_bytes: int, memory_bytes: int, advice: str = _MORE_MEMORY) -> None:
    """Nothing, if there is so much free on the folder's disk and in memory; else raises ModelError.

    `advice` is what to do where memory is short.
    """
    free = shutil.disk_usage(_nearest(folder)).free
    if free < disk_bytes:
        raise ModelError(
            f"{folder}: its disk has {free / 1e6:,.0f} MB free and the model needs {disk_bytes / 1e6:,.0f}; free some"
        )
    available = available_memory_bytes()
    if available is not None and available < memory_bytes:
        raise ModelError(
            f"{folder}: {available / 1e6:,.0f} MB of memory are free and the export needs {memory_bytes / 1e6:,.0f}; "
            f"{advice}"
        )


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the given one's place at the end, or is gone if the end is not reached.

    What a killed process left is removed. Raises ModelError if another process is writing the same folder, or the
    place cannot be written.
    """
    work = folder.with_name(f"{folder.name}.unfinished")
    held = folder.with_name(f"{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(held, timeout=0):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                yield work
                check_output(folder)
                if folder.is_dir():
                    folder.rmdir()
                work.rename(folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
                held.unlink(missing_ok=True)
    except Timeout:
        raise ModelError(
            f"{folder}: is being written by another process; wait for it, or give another folder"
        ) from None
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error}); give another folder or free some disk") from error


def available_memory_bytes() -> int | None:
    """Memory that programs can still have without swapping; None where the system does not say."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) * 1024 if found else None


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
