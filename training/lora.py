"""LoRA on every linear layer: put on, merged for as long as an evaluation takes, read out, taken off."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import peft
import torch
from peft.tuners.lora import LoraLayer

from pytest_mcpbench.models.memory import available_bytes
from pytest_mcpbench.training.config import MCPFineTuningConfig

_ADAPTER = "default"


def add_lora(network: Any, config: MCPFineTuningConfig) -> Any:
    """The network with trainable LoRA matrices on all its linear layers but the output layer; the rest is frozen.

    The matrices are float32 for the optimizer's sake, whatever the network is. Their start is decided by the seed.
    """
    torch.manual_seed(config.seed)
    settings = peft.LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(network, settings)
    for layer in _lora_layers(model):
        # Autocast brings the matrices to the input's type; PEFT would widen every input first, only to narrow it again.
        layer.cast_input_dtype_enabled = False
    if config.gradient_checkpointing:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        network.enable_input_require_grads()
    return model


def remove_lora(model: Any, config: MCPFineTuningConfig) -> Any:
    """The network as it was before."""
    network = model.unload()
    if config.gradient_checkpointing:
        network.gradient_checkpointing_disable()
        network.disable_input_require_grads()
    return network


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """For as long as it lasts, the network's own weights include the adapter's, as an evaluation loads them.

    That halves the kernels of a decoding step. The weights are put aside, not subtracted from afterwards, so not a
    bit of rounding is left behind; where the device has no room for the linear layers a second time, in main memory.
    They stay at their addresses, which recorded passes know.
    """
    layers = [(layer, layer.get_base_layer().weight) for layer in _lora_layers(model)]
    place = _room_for([weight for _, weight in layers])
    put_aside: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    try:
        with torch.no_grad():
            for layer, weight in layers:
                put_aside.append((weight, weight.data.to(place or weight.device, copy=True)))
                weight.data += layer.get_delta_weight(_ADAPTER).to(weight.dtype)
        with model.disable_adapter():
            yield
    finally:
        for weight, data in put_aside:
            weight.data.copy_(data)


def _room_for(weights: Sequence[torch.Tensor]) -> torch.device | None:
    """Where copies of the weights go: beside them (None) if that leaves a quarter of what is free, else the CPU."""
    free = available_bytes(str(weights[0].device))
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    return None if free is None or size <= free * 3 // 4 else torch.device("cpu")


def adapter_tensors(model: Any) -> dict[str, torch.Tensor]:
    """The adapter's tensors on the CPU, by the names that an adapter file gives them. All processes call it."""
    state = peft.get_peft_model_state_dict(model)
    return {name: whole(tensor).detach().cpu().clone() for name, tensor in state.items()}


def set_adapter(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put those tensors in the adapter's place."""
    peft.set_peft_model_state_dict(model, dict(tensors))


def target_modules(model: Any) -> list[str]:
    """The names of the linear layers that carry LoRA, sorted."""
    return sorted(model.peft_config[_ADAPTER].target_modules)


def trainable(model: Any) -> dict[str, torch.nn.Parameter]:
    """The parameters that training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, gathered from all processes where they share it."""
    gather = getattr(tensor, "full_tensor", None)
    return gather() if gather is not None else tensor


def _lora_layers(model: Any) -> Iterator[Any]:
    return (module for module in model.modules() if isinstance(module, LoraLayer))
