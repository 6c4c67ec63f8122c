"""What prompts have in common: the longest prefix of some, and which of many to compute together."""

from collections.abc import Sequence
from itertools import pairwise

Ids = Sequence[int]

APART_TOKENS = 256
"""What a group of its own costs, in prompt tokens: about one more batch that is not full."""


def common_prefix(prompts: Sequence[Ids]) -> int:
    """How many tokens all the prompts begin with alike; 0 for no prompts."""
    # Of sorted sequences the first and the last differ the soonest.
    rows = [tuple(prompt) for prompt in prompts] or [()]
    first, last = min(rows), max(rows)
    shortest = min(len(first), len(last))
    return next((at for at in range(shortest) if first[at] != last[at]), shortest)


def prefix_groups(prompts: Sequence[Ids]) -> list[list[int]]:
    """The prompts' places, in groups that are worth computing together for the prefix that each shares.

    A group breaks up where a part of it shares so much more that computing this once saves more than `APART_TOKENS`.
    What is left over stays together.
    """
    rows = [tuple(prompt) for prompt in prompts]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    common = [common_prefix([rows[a], rows[b]]) for a, b in pairwise(order)]
    groups: list[list[int]] = []
    waiting = [(0, len(order))] if order else []
    while waiting:
        start, end = waiting.pop()
        shared = min(common[start : end - 1], default=len(rows[order[start]]))
        left: list[int] = []
        for part in _parts(common, start, end, shared):
            if _saved(common, part, shared) > APART_TOKENS:
                waiting.append(part)
            else:
                left += order[slice(*part)]
        if left:
            groups.append(left)
    return groups


def _parts(common: Sequence[int], start: int, end: int, shared: int) -> list[tuple[int, int]]:
    """The range cut wherever neighbours have no more in common than all have."""
    cuts = [start, *(at + 1 for at in range(start, end - 1) if common[at] == shared), end]
    return list(pairwise(cuts))


def _saved(common: Sequence[int], part: tuple[int, int], shared: int) -> int:
    """The prompt tokens that computing the part for itself saves."""
    start, end = part
    return (end - start - 1) * (min(common[start : end - 1], default=shared) - shared)
