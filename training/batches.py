"""Which rows each optimizer step sees: known in advance, the same for every number of processes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

_BUCKET_STEPS = 40
"""So many steps' rows are sorted by length together: long enough for even batches, short enough to stay random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One process's part of one optimizer step.

    `micro_batches` are the rows of each forward pass; `tokens` counts the completion tokens of the whole step over
    all processes, so that every process divides its loss by the same number.
    """

    micro_batches: tuple[tuple[int, ...], ...]
    tokens: int


def plan_epoch(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The rows of each step of an epoch: every row once, rows of like length together, steps in random order."""
    order = list(range(len(lengths)))
    draw = random.Random(f"{seed} {epoch}")
    draw.shuffle(order)
    span = batch_size * _BUCKET_STEPS
    steps: list[list[int]] = []
    for start in range(0, len(order), span):
        bucket = sorted(order[start : start + span], key=lambda row: lengths[row])
        steps += [bucket[at : at + batch_size] for at in range(0, len(bucket), batch_size)]
    draw.shuffle(steps)
    return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How a step is taken apart: over how many processes, and into forward passes of how many rows and tokens.

    `targets` bounds the completion tokens of a pass, since each of them has a logit for every word.
    """

    rank: int
    processes: int
    rows: int
    tokens: int
    targets: int


def share_of_step(
    rows: Sequence[int], lengths: Sequence[int], completion_lengths: Sequence[int], split: Split
) -> StepPlan:
    """What one process does of a step's rows.

    Every process has as many micro batches, empty ones where it runs out of rows: where they share the weights they
    gather them together in each pass, and one that made fewer passes would leave the others waiting.
    """
    shares = [
        _micro_batches(rows[rank :: split.processes], lengths, completion_lengths, split)
        for rank in range(split.processes)
    ]
    mine = shares[split.rank]
    empty: list[tuple[int, ...]] = [()] * (max(map(len, shares)) - len(mine))
    return StepPlan(micro_batches=(*mine, *empty), tokens=sum(completion_lengths[row] for row in rows))


def _micro_batches(
    rows: Sequence[int], lengths: Sequence[int], completion_lengths: Sequence[int], split: Split
) -> list[tuple[int, ...]]:
    batches: list[list[int]] = [[]]
    for row in rows:
        width = max(lengths[row] for row in (*batches[-1], row))
        targets = sum(completion_lengths[row] for row in (*batches[-1], row))
        full = len(batches[-1]) == split.rows or width * (len(batches[-1]) + 1) > split.tokens
        if batches[-1] and (full or targets > split.targets):
            batches.append([])
        batches[-1].append(row)
    return [tuple(batch) for batch in batches]


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """All rows in batches of like length, the longest first, so that a batch too big for memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    return [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
