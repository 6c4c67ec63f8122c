"""What a run runs on: devices, processes, the dtype that suits them, and versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.report import Machine

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "pytest-mcpbench")


def processes_started() -> int:
    """How many processes the launcher started for this run: what torchrun and accelerate say by `WORLD_SIZE`."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_of_run() -> Any:
    """Accelerate's view of the processes that take part. Raises TrainingError if it is not theirs.

    Where several were started and there is no accelerator, they train on processors.
    """
    # Here, not above: the input is checked before these are loaded.
    import accelerate  # noqa: PLC0415
    import torch  # noqa: PLC0415

    started = processes_started()
    accelerator = accelerate.Accelerator(mixed_precision="no", cpu=started > 1 and not torch.accelerator.is_available())
    if accelerator.num_processes != started:
        # Each would take itself for the only one, and all would write into one folder.
        raise TrainingError(
            f"{started} processes were started (WORLD_SIZE) and accelerate knows of {accelerator.num_processes}; "
            "set ACCELERATE_USE_CPU=true, or start one"
        )
    return accelerator


def shares_weights(accelerator: Any) -> bool:
    """Whether processes share the weights. Raises TrainingError for a way of sharing that the loop does not know."""
    kind = accelerator.distributed_type.value
    if kind in ("DEEPSPEED", "MEGATRON_LM") or (kind == "FSDP" and not accelerator.is_fsdp2):
        raise TrainingError(
            f"accelerate is set to {kind}{' version 1' if kind == 'FSDP' else ''}; finetune shares a step's rows "
            "between processes, or the weights too with FSDP version 2 (fsdp_version: 2)"
        )
    return bool(kind == "FSDP")


def run_dtype(name: str, device: "torch.device") -> "torch.dtype":
    """The dtype of that setting on that device."""
    # Here, not above: the settings are read without it.
    import torch  # noqa: PLC0415

    chosen = ("bfloat16" if device.type == "cuda" else "float32") if name == "auto" else name
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[chosen]


def machine_of(accelerator: Any, dtype: str) -> Machine:
    """What the run runs on, for its report."""
    import torch  # noqa: PLC0415

    cuda = accelerator.device.type == "cuda"
    name = torch.cuda.get_device_name(accelerator.device) if cuda else f"{os.cpu_count()} CPU cores"
    return Machine(
        device=name,
        processes=accelerator.num_processes,
        dtype=dtype,
        platform=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions={package: found for package in _PACKAGES if (found := _version(package))},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
