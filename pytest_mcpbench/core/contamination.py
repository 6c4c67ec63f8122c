"""Whether a model was trained on the cases that it is measured on."""

import hashlib
import json
from collections.abc import Collection, Iterable

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.gate import TierResult


def row_hash(case: Case) -> str:
    """The first 64 bits, in hex, of a SHA-256 over what the row asks: its turns, in one case and with single spaces.

    Ids, tools and answers play no part: a model that saw the words in training has seen the case. With 64 bits, a
    thousand cases and a million rows share one by chance with odds of one in ten billion.
    """
    turns = [(turn.role, " ".join(turn.content.split()).casefold()) for turn in case.messages if turn.role != "system"]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()[:16]


def trained_cases(cases: Iterable[Case], trained_on: Collection[str]) -> tuple[str, ...]:
    """The ids of the cases whose hash is among those of the rows that a model was trained on."""
    rows = frozenset(trained_on)
    return tuple(case.id for case in cases if row_hash(case) in rows) if rows else ()


def withhold_if_trained(result: TierResult, seen: Collection[str], n: int) -> TierResult:
    """The tier, or none with the reason where the model was trained on some of the `n` cases."""
    if not seen:
        return result
    some = ", ".join(sorted(seen)[:3]) + (", …" if len(seen) > 3 else "")
    reason = (
        f"withheld, as the model was trained on {len(seen)} of these {n} cases ({some}); "
        "measure it on cases that are not among its training rows"
    )
    return TierResult(tier=None, set_by=None, reason=reason)
