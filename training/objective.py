"""The loss at completion tokens, without ever computing logits anywhere else."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from pytest_mcpbench.training.encode import EncodedRow

_MULTIPLE_ON_CUDA = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows padded on the right. `positions` are those of the flattened batch that predict a completion token.

    There is no attention mask: attention looks only back, so a row never sees the padding behind it, and without
    a mask the fastest attention kernels apply. `row_of` says which row each of the N targets belongs to.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    row_of: torch.Tensor
    rows: int


def collate(rows: Sequence[EncodedRow], device: torch.device, pad: int = 0) -> Batch:
    """The rows as one batch on the device."""
    multiple = _MULTIPLE_ON_CUDA if device.type == "cuda" else 1
    width = -(-max(len(row) for row in rows) // multiple) * multiple
    ids = [[*row.prompt, *row.completion, *([pad] * (width - len(row)))] for row in rows]
    positions = [
        at * width + len(row.prompt) - 1 + step for at, row in enumerate(rows) for step in range(len(row.completion))
    ]
    targets = [token for row in rows for token in row.completion]
    owners = [at for at, row in enumerate(rows) for _ in row.completion]
    made = [torch.tensor(values) for values in (ids, positions, targets, owners)]
    if device.type == "cuda":
        made = [tensor.pin_memory().to(device, non_blocking=True) for tensor in made]
    input_ids, at, wanted, owner = made  # (B, T), (N,), (N,), (N,)
    return Batch(input_ids=input_ids, positions=at, targets=wanted, row_of=owner, rows=len(rows))


class CompletionHead:
    """Makes a causal model compute its logits at chosen positions only.

    A hook in front of the output layer hands it the chosen hidden states alone. Whatever the model does behind that
    layer (soft caps, scales) it still does itself, so no family needs code of its own. Gemma's 262,144 logits
    at each of 16,000 positions would take 17 GB in float32; at the completions' they take 2.
    """

    def __init__(self, network: Any) -> None:
        self._positions: torch.Tensor | None = None
        self._handle = network.get_output_embeddings().register_forward_pre_hook(self._select)

    def logits(self, model: Any, batch: Batch) -> torch.Tensor:
        """The logits at the batch's positions, (N, V)."""
        self._positions = batch.positions
        try:
            output = model(input_ids=batch.input_ids, use_cache=False)
        finally:
            self._positions = None
        logits: torch.Tensor = output.logits.squeeze(0)  # (1, N, V) -> (N, V)
        return logits

    def remove(self) -> None:
        """Leave the model as it was."""
        self._handle.remove()

    def _select(self, module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._positions is None:
            return None
        hidden = inputs[0]  # (B, T, H)
        return (hidden.flatten(0, 1).index_select(0, self._positions).unsqueeze(0), *inputs[1:])  # (1, N, H)


def loss_sum(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The summed cross entropy of the completion tokens, in nats; a scalar."""
    return functional.cross_entropy(logits.float(), batch.targets, reduction="sum")


def row_results(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row's summed loss, (B,), and how many of its tokens are not the model's first choice, (B,)."""
    losses = functional.cross_entropy(logits.float(), batch.targets, reduction="none")  # (N,)
    missed = (logits.argmax(dim=-1) != batch.targets).float()  # (N,)
    zeros = torch.zeros(batch.rows, device=logits.device)
    return zeros.index_add(0, batch.row_of, losses), zeros.index_add(0, batch.row_of, missed)


def arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 where that is the run's dtype: LoRA's own weights stay in float32 for the optimizer."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
