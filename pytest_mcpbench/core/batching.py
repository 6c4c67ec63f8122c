"""Whether a model answers alone what it answers in a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.text import printable

BATCHING = "batching"
"""The gate's name."""

NAMED = 10
"""The most cases that a verdict names."""

_WIDEST = 80

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A case that was answered in two ways."""

    case: str
    alone: str
    together: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingCheck:
    """How `n` cases were answered alone and together. `note` says why there was no batch, where there was none."""

    n: int
    differences: tuple[Difference, ...]
    note: str = ""


def spread(items: Sequence[Item], n: int) -> list[Item]:
    """At most `n` of the items at even distances, so that all kinds and lengths among them have a part."""
    count = min(n, len(items))
    return [items[at * len(items) // count] for at in range(count)]


def compare_answers(
    alone: Mapping[str, Generation], together: Mapping[str, Generation], note: str = ""
) -> BatchingCheck:
    """What differs between two answers to each case, by text or by how they ended."""
    sides = {case: (_shown(first), _shown(together[case])) for case, first in alone.items()}
    differences = [
        Difference(case=case, alone=sides[case][0], together=sides[case][1])
        for case, first in alone.items()
        if (first.text, first.finish_reason) != (together[case].text, together[case].finish_reason)
    ]
    return BatchingCheck(n=len(alone), differences=tuple(differences), note=note)


def batching_verdict(check: BatchingCheck, model: str) -> Verdict:
    """PASS if every case was answered alike, else FAIL with the cases and the first one's two texts."""
    wrong, n = len(check.differences), check.n
    cases = f"{n} case{'' if n == 1 else 's'}"
    note = f" ({check.note})" if check.note else ""
    reason = f"{cases} answered alike alone and together{note}" if n else "no data: no case was selected"
    step = "" if n else "select cases to answer"
    if wrong:
        first = check.differences[0]
        named = ", ".join(each.case for each in check.differences[:NAMED])
        more = f" and {wrong - NAMED} more" if wrong > NAMED else ""
        reason = (
            f"{wrong} of {cases} answered differently alone and together{note}: {named}{more}; "
            f"{first.case} alone: {first.alone}; together: {first.together}"
        )
        step = "its rates depend on the batch: measure with --mcp-batch-size=1, or find what mixes rows of a batch"
    return Verdict(
        gate=BATCHING,
        model=model,
        status="PASS" if n and not wrong else "FAIL",
        rate=(n - wrong) / n if n else None,
        n=n,
        correct=n - wrong,
        interval=None,
        target=1.0,
        reason=reason,
        next_step=step,
    )


def _shown(answer: Generation) -> str:
    if answer.finish_reason == "error":
        return f"error, {printable(answer.error or 'unknown', _WIDEST)}"
    cut = " (cut)" if answer.finish_reason == "length" else ""
    return (printable(answer.text, _WIDEST) or "nothing") + cut
