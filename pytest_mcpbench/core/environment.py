"""Where a run takes place: found without importing anything heavy."""

import contextlib
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path

from pytest_mcpbench.core.run import Environment

PACKAGE = "pytest-mcpbench"

_PACKAGES = (
    "accelerate",
    "datasets",
    "jsonschema",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "optimum",
    "optimum-onnx",
    "optuna",
    "peft",
    "pytest",
    "pytest-benchmark",
    "pytest-xdist",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
)


def environment() -> Environment:
    """This interpreter, machine and the versions of the packages that can change a result."""
    versions = {name: _version(name) for name in _PACKAGES}
    cpu, count = _cpu_name(), os.cpu_count() or 1
    traits = (platform.machine(), cpu, str(count), str(_memory_gib()))
    return Environment(
        accelerator=_accelerator(),
        threads=usable_cpus(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=cpu,
        cpu_count=count,
        machine=hashlib.sha256("\n".join(traits).encode()).hexdigest()[:12],
        plugin=_version(PACKAGE) or "not installed",
        packages={name: version for name, version in versions.items() if version},
    )


def machine_fingerprint(environment: Environment, threads: int | None = None) -> str:
    """Twelve hexadecimal digits that are equal where times compare.

    They stand for the processor, its cores, the memory, the accelerator and the threads: those of the model where they
    are given, else the processors that the process may use.
    """
    traits = (environment.machine, environment.accelerator, str(threads or environment.threads))
    return hashlib.sha256("\n".join(traits).encode()).hexdigest()[:12]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    """The processor's name; on Linux from /proc, as `platform.processor` is empty there."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _memory_gib() -> int | None:
    """The machine's memory, rounded so that what the kernel keeps for itself plays no part; None if unknown."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, OSError, ValueError):
        return None


def usable_cpus() -> int:
    """How many processors this process may use, which in a container may be fewer than there are."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _accelerator() -> str:
    """The names of NVIDIA's accelerators, as their driver lists them on Linux; empty where there are none."""
    names = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with contextlib.suppress(OSError):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]
    return ", ".join(names)
