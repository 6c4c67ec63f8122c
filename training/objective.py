"""The loss at completion tokens, without ever computing logits anywhere else."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from pytest_mcpbench.models.prefix import common_prefix
from pytest_mcpbench.training.encode import EncodedRow

_MULTIPLE_ON_CUDA = 8
_FEW_ON_CUDA = 512
"""Lengths are rounded up to a multiple of it where that keeps down the number of shapes."""

_PACK_TOKENS = 1024
"""Attention looks at the square of a pack's length, and each pack holds the common part once: this balances them."""

_AT_ONCE = 1024
"""Completion tokens whose losses are worked out together where no gradient is wanted."""

_NO_TARGET = -100
_COMMON, _PADDING = -1, -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows as one input. `positions` are those of the flattened input that predict a completion token.

    Either the rows are padded on the right, (B, T), with no attention mask: attention looks only back, so a row never
    sees the padding behind it, and without a mask the fastest kernels apply. Or they are packed behind what
    their prompts have in common, a few packs (B, T), with `position_ids` (B, T) and `owners` (B, T) that say which row
    a token is of. `row_of` says which row each of the N targets belongs to. On CUDA, targets are filled up with
    ones that do not count, so that few shapes occur.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    row_of: torch.Tensor
    rows: int
    position_ids: torch.Tensor | None = None
    owners: torch.Tensor | None = None

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Its tensors, in a fixed order."""
        packed = () if self.position_ids is None or self.owners is None else (self.position_ids, self.owners)
        return (self.input_ids, self.positions, self.targets, self.row_of, *packed)

    def mask(self) -> torch.Tensor | None:
        """What each token sees, (B, 1, T, T): the common part and its own row. None where looking back is enough."""
        if self.owners is None:
            return None
        length = self.owners.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.owners.device).tril()  # (T, T)
        looking, seen = self.owners[:, :, None], self.owners[:, None, :]
        return (causal & ((seen == _COMMON) | (looking == seen)))[:, None]


def collate(rows: Sequence[EncodedRow], device: torch.device, *, longest_packed: int = 0) -> Batch:
    """The rows as one batch on the device.

    They are packed if that saves a quarter of the tokens and no row is longer than `longest_packed`. What a token
    sees, and so every loss and gradient, is the same either way.
    """
    if max(len(row) for row in rows) <= longest_packed:
        shared = _shared_length(rows)
        packs = _packs(rows, shared)
        if 4 * len(packs) * _width(rows, shared, packs) <= 3 * sum(len(row) for row in rows):
            return _pack(rows, shared, packs, device)
    return _pad(rows, device)


def _pad(rows: Sequence[EncodedRow], device: torch.device) -> Batch:
    width = _rounded(max(len(row) for row in rows), device)
    ids = [[*row.prompt, *row.completion, *([0] * (width - len(row)))] for row in rows]
    positions = [
        at * width + len(row.prompt) - 1 + step for at, row in enumerate(rows) for step in range(len(row.completion))
    ]
    order = range(len(rows))
    made = _moved((torch.tensor(ids), *_targets(rows, order, positions, device)), device)
    input_ids, at, wanted, owner = made  # (B, T), (N,), (N,), (N,)
    return Batch(input_ids=input_ids, positions=at, targets=wanted, row_of=owner, rows=len(rows))


def _packs(rows: Sequence[EncodedRow], shared: int) -> list[list[int]]:
    """The rows dealt into packs, the longest first, each into the first pack that has room for it."""
    packs: list[list[int]] = []
    room: list[int] = []
    for at in sorted(range(len(rows)), key=lambda row: -len(rows[row])):
        own = len(rows[at]) - shared
        found = next((pack for pack, left in enumerate(room) if own <= left), None)
        if found is None:
            found = len(packs)
            packs.append([])
            room.append(_PACK_TOKENS - shared)
        packs[found].append(at)
        room[found] -= own
    return packs


def _width(rows: Sequence[EncodedRow], shared: int, packs: Sequence[Sequence[int]]) -> int:
    """The length of the longest pack; that of a full one where there are several, so that few shapes occur."""
    longest = max(shared + sum(len(rows[at]) - shared for at in pack) for pack in packs)
    return longest if len(packs) == 1 else max(longest, _PACK_TOKENS)


def _pack(rows: Sequence[EncodedRow], shared: int, packs: Sequence[Sequence[int]], device: torch.device) -> Batch:
    width = _rounded(_width(rows, shared, packs), device, _FEW_ON_CUDA)
    ids, owners, places = ([[fill] * width for _ in packs] for fill in (0, _PADDING, 0))
    positions: list[int] = []
    for number, pack in enumerate(packs):
        ids[number][:shared], places[number][:shared] = rows[0].prompt[:shared], range(shared)
        owners[number][:shared] = [_COMMON] * shared
        start = shared
        for at in pack:
            own = [*rows[at].prompt[shared:], *rows[at].completion]
            part = slice(start, start + len(own))
            ids[number][part], owners[number][part] = own, [at] * len(own)
            places[number][part] = range(shared, shared + len(own))
            first = number * width + start + len(rows[at].prompt) - shared - 1
            positions += range(first, first + len(rows[at].completion))
            start += len(own)
    order = [at for pack in packs for at in pack]
    packed = (torch.tensor(values) for values in (ids, places, owners))
    made = _moved((*packed, *_targets(rows, order, positions, device)), device)
    input_ids, place, owner_of, at_token, wanted, owner = made
    return Batch(
        input_ids=input_ids,
        positions=at_token,
        targets=wanted,
        row_of=owner,
        rows=len(rows),
        position_ids=place,
        owners=owner_of,
    )


def _shared_length(rows: Sequence[EncodedRow]) -> int:
    """How many first tokens all prompts share, short of the last token of the shortest one."""
    return min(common_prefix([row.prompt for row in rows]), min(len(row.prompt) for row in rows) - 1)


def _targets(
    rows: Sequence[EncodedRow], order: Sequence[int], positions: Sequence[int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where the completion tokens of the rows, in that order, are predicted, they themselves, their rows; each (N,)."""
    targets = [token for at in order for token in rows[at].completion]
    owners = [at for at in order for _ in rows[at].completion]
    count = _rounded(len(targets), device, _FEW_ON_CUDA) - len(targets)
    filled = ([*positions, *[0] * count], targets + [_NO_TARGET] * count, owners + [0] * count)
    where, wanted, row_of = (torch.tensor(values) for values in filled)
    return where, wanted, row_of


def _rounded(length: int, device: torch.device, on_cuda: int = _MULTIPLE_ON_CUDA) -> int:
    multiple = on_cuda if device.type == "cuda" else 1
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
            mask = batch.mask()
            packed = {} if mask is None else {"attention_mask": mask, "position_ids": batch.position_ids}
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
    return getattr(config, "sliding_window", None) or _PACK_TOKENS


def loss_sum(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The summed cross entropy of the completion tokens, in nats; a scalar."""
    return functional.cross_entropy(logits.float(), batch.targets, ignore_index=_NO_TARGET, reduction="sum")


def row_results(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row's summed loss, (B,), and how many of its tokens are not the model's first choice, (B,)."""
    # In parts: in float32 all of them at once would take five times what the logits take in bfloat16.
    parts = zip(torch.split(logits, _AT_ONCE), torch.split(batch.targets, _AT_ONCE), strict=True)
    found = [_token_results(some, targets) for some, targets in parts]
    losses, missed = (torch.cat(values).cpu() for values in zip(*found, strict=True))  # (N,), (N,)
    # Summed on the processor, in one order: a GPU adds in any, so that the last bits would differ from run to run.
    zeros, row_of = torch.zeros(batch.rows), batch.row_of.cpu()
    return zeros.index_add(0, row_of, losses), zeros.index_add(0, row_of, missed)


def _token_results(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    losses = functional.cross_entropy(logits.float(), targets, ignore_index=_NO_TARGET, reduction="none")  # (n,)
    return losses, ((logits.argmax(dim=-1) != targets) & (targets != _NO_TARGET)).float()


def arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 where that is the run's dtype: LoRA's own weights stay in float32 for the optimizer."""
    # No weight is used twice in a pass, so there is nothing to keep; and what is kept could not be recorded.
    enabled = dtype == torch.bfloat16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)
