"""The loss at completion tokens, without ever computing logits anywhere else."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from pytest_mcpbench.training.encode import EncodedRow

_MULTIPLE_ON_CUDA = 8
_MAX_PACKED_TOKENS = 8192
"""A packed batch's attention looks at the square of its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows as one input. `positions` are those of the flattened input that predict a completion token.

    Either the rows are padded on the right, (B, T), with no attention mask: attention looks only back, so a row never
    sees the padding behind it, and without a mask the fastest kernels apply. Or they are packed behind what
    their prompts have in common, (1, T), with `position_ids` (1, T) and a `mask` (1, 1, T, T) that lets each row see
    the common part and itself. `row_of` says which row each of the N targets belongs to.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    row_of: torch.Tensor
    rows: int
    position_ids: torch.Tensor | None = None
    mask: torch.Tensor | None = None


def collate(rows: Sequence[EncodedRow], device: torch.device, *, longest_packed: int = 0) -> Batch:
    """The rows as one batch on the device.

    They are packed if that saves half of the tokens and no row is longer than `longest_packed`. What a row's tokens
    see, and so every loss and gradient, is the same either way.
    """
    shared = _shared_length(rows)
    packed = shared + sum(len(row) - shared for row in rows)
    worth_it = 2 * packed <= sum(len(row) for row in rows) and packed <= _MAX_PACKED_TOKENS
    if worth_it and max(len(row) for row in rows) <= longest_packed:
        return _pack(rows, shared, device)
    return _pad(rows, device)


def _pad(rows: Sequence[EncodedRow], device: torch.device) -> Batch:
    width = _rounded(max(len(row) for row in rows), device)
    ids = [[*row.prompt, *row.completion, *([0] * (width - len(row)))] for row in rows]
    positions = [
        at * width + len(row.prompt) - 1 + step for at, row in enumerate(rows) for step in range(len(row.completion))
    ]
    made = _moved((torch.tensor(ids), torch.tensor(positions), *_targets(rows)), device)
    input_ids, at, wanted, owner = made  # (B, T), (N,), (N,), (N,)
    return Batch(input_ids=input_ids, positions=at, targets=wanted, row_of=owner, rows=len(rows))


def _pack(rows: Sequence[EncodedRow], shared: int, device: torch.device) -> Batch:
    ids: list[int] = [*rows[0].prompt[:shared]]
    owners = [-1] * shared
    places = [*range(shared)]
    positions: list[int] = []
    for at, row in enumerate(rows):
        own = [*row.prompt[shared:], *row.completion]
        first = len(ids) + len(row.prompt) - shared - 1
        positions += range(first, first + len(row.completion))
        ids += own
        owners += [at] * len(own)
        places += range(shared, shared + len(own))
    padding = _rounded(len(ids), device) - len(ids)
    ids, owners, places = ids + [0] * padding, owners + [-2] * padding, places + [0] * padding
    made = _moved((*(torch.tensor(values) for values in (ids, owners, places, positions)), *_targets(rows)), device)
    input_ids, owner_of, place, at_token, wanted, owner = made
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool, device=device).tril()  # (T, T)
    seen = causal & ((owner_of[None, :] == -1) | (owner_of[:, None] == owner_of[None, :]))
    return Batch(
        input_ids=input_ids[None],
        positions=at_token,
        targets=wanted,
        row_of=owner,
        rows=len(rows),
        position_ids=place[None],
        mask=seen[None, None],
    )


def _shared_length(rows: Sequence[EncodedRow]) -> int:
    """How many first tokens all prompts share, short of the last token of the shortest one."""
    prompts = [row.prompt for row in rows]
    least, most = min(prompts), max(prompts)
    limit = min(len(prompt) for prompt in prompts) - 1
    return next((at for at in range(limit) if least[at] != most[at]), limit)


def _targets(rows: Sequence[EncodedRow]) -> tuple[torch.Tensor, torch.Tensor]:
    """The completion tokens of all rows, (N,), and the row of each, (N,)."""
    targets = [token for row in rows for token in row.completion]
    owners = [at for at, row in enumerate(rows) for _ in row.completion]
    return torch.tensor(targets), torch.tensor(owners)


def _rounded(length: int, device: torch.device) -> int:
    multiple = _MULTIPLE_ON_CUDA if device.type == "cuda" else 1
    return -(-length // multiple) * multiple


def _moved(tensors: Sequence[torch.Tensor], device: torch.device) -> Sequence[torch.Tensor]:
    if device.type != "cuda":
        return tensors
    return [tensor.pin_memory().to(device, non_blocking=True) for tensor in tensors]


class CompletionHead:
    """Makes a causal model compute its logits at chosen positions only.

    A hook in front of the output layer hands it the chosen hidden states alone. Whatever the model does behind that
    layer (soft caps, scales) it still does itself, so no family needs code of its own. Gemma's 262,144 logits
    at each of 16,000 positions would take 17 GB in float32; at the completions' they take 2.
    """

    def __init__(self, network: Any) -> None:
        self._positions: torch.Tensor | None = None
        self._longest_packed = _longest_packed(network.config)
        self._handle = network.get_output_embeddings().register_forward_pre_hook(self._select)

    def collate(self, rows: Sequence[EncodedRow], device: torch.device) -> Batch:
        """The rows as one batch, packed where the model can take that."""
        return collate(rows, device, longest_packed=self._longest_packed)

    def logits(self, model: Any, batch: Batch) -> torch.Tensor:
        """The logits at the batch's positions, (N, V)."""
        self._positions = batch.positions
        try:
            packed = {} if batch.mask is None else {"attention_mask": batch.mask, "position_ids": batch.position_ids}
            output = model(input_ids=batch.input_ids, use_cache=False, **packed)
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


def _longest_packed(config: Any) -> int:
    """The longest row, in tokens, that may be packed: a mask of our own knows nothing of a sliding window.

    0 where the model's attention takes no mask of that form.
    """
    if getattr(config, "_attn_implementation", "") != "sdpa":
        return 0
    return getattr(config, "sliding_window", None) or _MAX_PACKED_TOKENS


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
