"""What prompts have in common: the longest prefix of some, and which of many to compute together."""

from array import array
from collections.abc import Sequence
from itertools import pairwise

Ids = Sequence[int]

APART_TOKENS = 256
"""What a group of its own costs, in prompt tokens: about one more batch that is not full."""


def common_prefix(prompts: Sequence[Ids]) -> int:
    """How many tokens all the prompts begin with alike; 0 for no prompts."""
    # Of sorted sequences the first and the last differ the soonest.
    rows = [array("i", prompt) for prompt in prompts] or [array("i")]
    first, last = min(rows), max(rows)
    shortest = min(len(first), len(last))
    return next((at for at in range(shortest) if first[at] != last[at]), shortest)


def prefix_groups(prompts: Sequence[Ids]) -> list[list[int]]:
    """The prompts' places, in groups that are worth computing together for the prefix that each shares.

    A group breaks up where a part of it shares so much more that computing this once saves more than `APART_TOKENS`.
    What is left over stays together.
    """
    rows = [array("i", prompt) for prompt in prompts]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    common = [common_prefix([rows[a], rows[b]]) for a, b in pairwise(order)]
    groups: list[list[int]] = []
    waiting = [(0, len(order))] if order else []
    while waiting:
        group = waiting.pop()
        shared = _shared(common, group, len(rows[order[group[0]]]))
        left: list[int] = []
        parts = [group]
        while parts:
            part = parts.pop()
            start, end = part
            if (end - start - 1) * (_shared(common, part, shared) - shared) > APART_TOKENS:
                waiting.append(part)
            elif end - start == 1:
                left.append(order[start])
            else:
                parts += _parts(common, part)
        if left:
            groups.append(left)
    return groups


def _shared(common: Sequence[int], part: tuple[int, int], alone: int) -> int:
    """How many tokens all of the part begin with; `alone` for a single prompt."""
    start, end = part
    return min(common[start : end - 1], default=alone)


def _parts(common: Sequence[int], part: tuple[int, int]) -> list[tuple[int, int]]:
    """The part cut wherever neighbours have no more in common than all have."""
    start, end = part
    shared = _shared(common, part, 0)
    return list(pairwise([start, *(at + 1 for at in range(start, end - 1) if common[at] == shared), end]))
