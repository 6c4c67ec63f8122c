"""A run's tensors between two processes' lives: the adapter and what the optimizer remembers of it."""

from collections.abc import Mapping
from typing import Any

import torch

from pytest_mcpbench.training.lora import trainable, whole

_MOMENTS = ("exp_avg", "exp_avg_sq")


def optimizer_tensors(network: Any, optimizer: Any) -> dict[str, torch.Tensor]:
    """The trainable parameters and AdamW's two moments of each, on the CPU. All processes call it."""
    tensors: dict[str, torch.Tensor] = {}
    states = optimizer.state
    for name, parameter in trainable(network).items():
        tensors[f"parameter.{name}"] = _kept(parameter)
        state = states.get(parameter, {})
        if "step" in state:
            tensors[f"step.{name}"] = state["step"].detach().cpu().clone()
            tensors.update({f"{moment}.{name}": _kept(state[moment]) for moment in _MOMENTS})
    return tensors


def restore(network: Any, optimizer: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put the tensors back where `optimizer_tensors` took them from."""
    with torch.no_grad():
        for name, parameter in trainable(network).items():
            parameter.copy_(_like(tensors[f"parameter.{name}"], parameter))
            if f"step.{name}" not in tensors:
                continue
            step = tensors[f"step.{name}"]
            # Fused AdamW keeps its step counts on the device, the plain one on the CPU.
            fused = any(group.get("fused") for group in optimizer.param_groups)
            optimizer.state[parameter] = {
                "step": step.to(parameter.device) if fused else step,
                **{moment: _like(tensors[f"{moment}.{name}"], parameter) for moment in _MOMENTS},
            }


def _kept(tensor: torch.Tensor) -> torch.Tensor:
    return whole(tensor.detach()).cpu().clone()


def _like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """The tensor on the parameter's device, in its type, and spread over processes as it is."""
    moved = tensor.to(device=parameter.device, dtype=parameter.dtype)
    mesh = getattr(parameter, "device_mesh", None)
    if mesh is None:
        return moved
    # Here, not above: only a sharded run needs it.
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415

    return distribute_tensor(moved, mesh, parameter.placements)  # type: ignore[attr-defined]
