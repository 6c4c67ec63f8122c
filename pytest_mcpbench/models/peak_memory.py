"""How much memory a process, or the device it computes on, has held at most."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class PeakMemory:
    """The most memory held from now on.

    On CUDA what PyTorch allocated there. Else the resident memory of the process, weights that are mapped from files
    and all that was there before included; where the peak cannot be reset, it is the peak since the process began.
    """

    def __init__(self, device: str, backend: str) -> None:
        self.of = "cuda" if device.startswith("cuda") else "process"
        self._torch: Any = import_module("torch") if self.of == "cuda" and "torch" in backend else None
        self._device = device
        if self._torch is not None:
            self._torch.cuda.reset_peak_memory_stats(device)
        elif self.of == "process":
            _reset()

    def peak_bytes(self) -> int | None:
        """The peak in bytes; None where it cannot be told."""
        if self._torch is not None:
            return int(self._torch.cuda.max_memory_allocated(self._device))
        return _resident_peak_bytes() if self.of == "process" else None


def _reset() -> None:
    try:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return


def _resident_peak_bytes() -> int | None:
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        resource: Any = import_module("resource")
    except ImportError:
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else 1024 * peak
