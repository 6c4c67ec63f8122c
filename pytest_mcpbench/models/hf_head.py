"""The most likely token, exactly, without all logits in float32 at once.

A small model with a large vocabulary spends most of a step in its last product. Rounded to bfloat16 that product is
several times faster on processors that multiply bfloat16, and how far it may be off is known; only the tokens that
could still be the first are then computed in full. On others it is computed in parts whose logits stay in the
processor's cache until the highest is found: on two cores with AVX2, 262,144 logits of 64 rows take 264 ms in place
of 390.
"""

import time
from collections.abc import Callable
from typing import Any

import torch

_LARGE = 1 << 24
"""Weights from which on it is worth keeping a second copy of them, of half the size."""

_ROWS = 32
_PART = 1 << 13
_SAMPLE = 1 << 15
_HALF_STEP = 2.0**-9
"""What rounding to bfloat16 changes at most, as a part of the number."""

_CANDIDATES = 64
"""If rounding leaves more tokens a row than this to compute, computing all is cheaper."""


class PartedHead:
    """A head without bias, (V, D) in float32."""

    def __init__(self, weight: torch.Tensor) -> None:
        self._parts = torch.split(weight, _PART)

    def choose(self, hidden: torch.Tensor) -> list[int]:
        """The index of each row's highest logit, for hidden states (B, D)."""
        columns = hidden.T
        found = [(part @ columns).max(dim=0) for part in self._parts]  # (B,) each
        best = torch.stack([each.values for each in found]).argmax(dim=0)  # (B,): the part it is in
        places = torch.stack([each.indices for each in found]).gather(0, best[None])[0]
        return [int(token) for token in best * _PART + places]


class Shortlist:
    """A head without bias, (V, D) in float32, and its rounded copy."""

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight
        self._whole = PartedHead(weight)
        self._rough = weight.bfloat16()
        parts = list(zip(torch.split(weight, _PART), torch.split(self._rough, _PART), strict=True))
        self._longest = max(float(part.norm(dim=1).max()) for part, _ in parts)
        self._rounded_off = max(float((part - rough.float()).norm(dim=1).max()) for part, rough in parts)

    def choose(self, hidden: torch.Tensor) -> list[int]:
        """The index of each row's highest logit, for hidden states (B, D)."""
        rounded = hidden.bfloat16()
        rough = rounded @ self._rough.T  # (B, V)
        best = rough.max(dim=1).values.float()  # (B,)
        rows, tokens = torch.where(rough >= (best - self._doubt(hidden, rounded.float(), best)).bfloat16()[:, None])
        if len(tokens) > _CANDIDATES * len(hidden):
            return self._whole.choose(hidden)
        logits = (hidden[rows] * self._weight[tokens]).sum(dim=1)
        found: dict[int, tuple[float, int]] = {}
        for row, token, logit in zip(rows.tolist(), tokens.tolist(), logits.tolist(), strict=True):
            if row not in found or logit > found[row][0]:
                found[row] = logit, token
        # Logits that are no numbers are not even equal to themselves.
        return (
            [found[row][1] for row in range(len(hidden))] if len(found) == len(hidden) else self._whole.choose(hidden)
        )

    def _doubt(self, hidden: torch.Tensor, rounded: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
        """How far below the best rough logit the highest exact one's may be, (B,).

        By Cauchy and Schwarz from what rounding took off the hidden states and the weights; then the rounding of
        the result, of the threshold, and of sums in float32. Twice, since the best may be too high by as much.
        """
        lost = (hidden - rounded).norm(dim=1) * self._longest + rounded.norm(dim=1) * self._rounded_off
        summed = hidden.shape[1] * 2.0**-23 * rounded.norm(dim=1) * self._longest
        doubt: torch.Tensor = 2.02 * (lost + summed + 2 * _HALF_STEP * best.abs())
        return doubt


def fast_head(model: Any) -> PartedHead | Shortlist | None:
    """What takes the place of the model's head, if it has a large one in float32 on a CPU."""
    head: Any = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None or head.weight.numel() < _LARGE:
        return None
    if head.weight.device.type != "cpu" or head.weight.dtype != torch.float32:
        return None
    with torch.inference_mode():
        weight = head.weight.detach()
        return Shortlist(weight) if rounding_pays(weight) else PartedHead(weight)


def rounding_pays(weight: torch.Tensor) -> bool:
    """Whether the rounded product takes less than half the time of the exact one, for a batch and some tokens."""
    some = weight[:_SAMPLE]
    rough, hidden = some.bfloat16(), torch.ones(_ROWS, weight.shape[1])
    whole_s = min(_seconds(lambda: hidden @ some.T) for _ in range(3))
    rough_s = min(_seconds(lambda: hidden.bfloat16() @ rough.T) for _ in range(3))
    return rough_s < whole_s / 2


def _seconds(action: Callable[[], torch.Tensor]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
