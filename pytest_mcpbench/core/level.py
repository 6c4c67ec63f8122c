"""The four levels: what each asks, over which cases, and what it has to reach."""

from dataclasses import dataclass
from typing import Literal

from pytest_mcpbench.core.score import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One question about an answer.

    `target` is the rate in [0, 1] that a model should reach; `over` says whether the question arises for every
    case or only for those that expect a call.
    """

    name: str
    title: str
    question: str
    target: float
    over: Literal["all", "calls"]


LEVELS: tuple[Level, ...] = (
    Level(
        name="level1",
        title="detection",
        question="Did it attempt a call exactly when one is expected?",
        target=0.97,
        over="all",
    ),
    Level(
        name="level2",
        title="parsing",
        question="Was there an attempt, and did all of it parse?",
        target=0.95,
        over="calls",
    ),
    Level(
        name="level3",
        title="correctness",
        question="Did it call the right tools, or rightly none?",
        target=0.95,
        over="all",
    ),
    Level(
        name="level4",
        title="parameters",
        question="Is every argument right?",
        target=0.90,
        over="calls",
    ),
)

LEVEL_NAMES: tuple[str, ...] = tuple(level.name for level in LEVELS)


def answer(score: Score, level_name: str) -> bool | None:
    """The level's answer for this case; None if the case is not in the level's denominator.

    Raises ValueError for a level that does not exist.
    """
    match level_name:
        case "level1":
            return score.detected
        case "level2":
            return score.parsed
        case "level3":
            return score.correct
        case "level4":
            return score.parameters
    raise ValueError(f"no level is named {level_name!r} (levels: {', '.join(LEVEL_NAMES)})")
