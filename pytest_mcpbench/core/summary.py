"""What many scores add up to: rates with their n and interval, per level, per tool and per kind of error."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from pytest_mcpbench.core.level import LEVEL_NAMES, answer
from pytest_mcpbench.core.score import ErrorKind, Score
from pytest_mcpbench.core.stats import wilson_interval

NO_TOOL = "none"
"""The row of the cases where no tool applies."""

_SHOWN_CALLS = 4
_SHOWN_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`correct` of `n`. `rate` is in [0, 1] and None if n is 0: no data is not a rate of 0.

    `interval` is the Wilson 95 % interval; None where n is 0 or what is counted is not independent.
    """

    n: int
    correct: int
    rate: float | None
    interval: tuple[float, float] | None

    @property
    def exact(self) -> Fraction:
        """The rate without rounding. Raises ZeroDivisionError if n is 0."""
        return Fraction(self.correct, self.n)

    def describe(self, *marks: Fraction, word: str = "right") -> str:
        """Counts, percentage and interval in words, as `143/200 right (71.5 %, 95 % interval 64.9 to 77.3)`.

        The percentage has as many decimals as it takes to tell the rate from the marks.
        """
        if self.n == 0:
            return "no data"
        spread = ""
        if self.interval is not None:
            low, high = (show_percent(Fraction(bound)) for bound in self.interval)
            spread = f", 95 % interval {low} to {high}"
        return f"{self.correct}/{self.n} {word} ({show_percent(self.exact, *marks)} %{spread})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """`n` cases that wanted some tools got some calls. Names are joined by "+"."""

    want: str
    got: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How one model did on a set of cases.

    `levels` holds the four levels. `false_call_rate` counts calls where none is expected, so less is better.
    `level4_strict` leaves the equivalences out that tool schemas opt into. `level4_given_level3` and `arguments`
    (right ones of those expected) are diagnostics. `tools` has a row per expected tool with its level 3 and level 4,
    a case that expects several tools in each of their rows, and the row `none` with level 3 alone.
    `errors` counts the cases by what went wrong, `confusion` by what was wanted and what was called.
    """

    levels: Mapping[str, Rate]
    call_recall: Rate
    false_call_rate: Rate
    level4_strict: Rate
    level4_given_level3: Rate
    arguments: Rate
    tools: Mapping[str, Mapping[str, Rate]]
    errors: Mapping[ErrorKind, int]
    confusion: tuple[Confusion, ...]


def rate_of(correct: int, n: int) -> Rate:
    """The rate of so many right ones, with its interval. Raises ValueError if correct is outside 0..n."""
    if n == 0 and correct == 0:
        return Rate(n=0, correct=0, rate=None, interval=None)
    return Rate(n=n, correct=correct, rate=correct / n if n else None, interval=wilson_interval(correct, n))


def rate_over(answers: Iterable[bool | None]) -> Rate:
    """The rate of True among the answers that are not None."""
    counts = Counter(answers)
    return rate_of(counts[True], counts[True] + counts[False])


def show_percent(rate: Fraction, *marks: Fraction) -> str:
    """The rate in percent, without the sign: one decimal, more if it would be rounded onto a mark, onto 0 or 100."""
    apart = (*marks, Fraction(0), Fraction(1))
    for decimals in range(1, 7):
        text = f"{float(rate * 100):.{decimals}f}"
        shown = Fraction(text) / 100
        if all((shown > mark) == (rate > mark) and (shown < mark) == (rate < mark) for mark in apart):
            break
    return text


def summarize(scores: Sequence[Score]) -> Summary:
    """What the scores add up to; no case drops out of a denominator it belongs to."""
    calls = [score for score in scores if score.expects_call]
    others = [score for score in scores if not score.expects_call]
    total = sum(score.arguments_total for score in calls)
    right = sum(score.arguments_right for score in calls)
    kinds = Counter(score.error_kind for score in scores)
    pairs = Counter((_wanted(score), _got(score)) for score in scores)
    return Summary(
        levels={name: rate_over(answer(score, name) for score in scores) for name in LEVEL_NAMES},
        call_recall=rate_over(score.detected for score in calls),
        false_call_rate=rate_over(score.attempted for score in others),
        level4_strict=rate_over(score.parameters_strict for score in calls),
        level4_given_level3=rate_over(score.parameters for score in calls if score.correct),
        arguments=Rate(n=total, correct=right, rate=right / total if total else None, interval=None),
        tools=_tool_rows(calls, others),
        errors={kind: kinds[kind] for kind in get_args(ErrorKind) if kinds[kind]},
        confusion=tuple(Confusion(want=want, got=got, n=n) for (want, got), n in sorted(pairs.items())),
    )


def _tool_rows(calls: Sequence[Score], others: Sequence[Score]) -> dict[str, Mapping[str, Rate]]:
    by_tool: dict[str, list[Score]] = {}
    for score in calls:
        for tool in score.tools:
            by_tool.setdefault(tool, []).append(score)
    rows: dict[str, Mapping[str, Rate]] = {
        tool: {name: rate_over(answer(score, name) for score in by_tool[tool]) for name in ("level3", "level4")}
        for tool in sorted(by_tool)
    }
    if others:
        rows[NO_TOOL] = {"level3": rate_over(score.correct for score in others)}
    return rows


def _wanted(score: Score) -> str:
    return _joined(score.wanted or score.tools) or "no call"


def _got(score: Score) -> str:
    if score.error_kind == "harness_error":
        return "error"
    if score.error_kind == "cut":
        return "cut"
    return "unparsable" if score.reason is not None else _joined(score.called) or "no call"


def _joined(names: Sequence[str]) -> str:
    """The names in order, each in a readable length, and only so many: a model may write 10,000 calls."""
    shown = [name if len(name) <= _SHOWN_NAME else name[: _SHOWN_NAME - 1] + "…" for name in sorted(names)]
    return "+".join(shown[:_SHOWN_CALLS]) + (f"+{len(shown) - _SHOWN_CALLS} more" if len(shown) > _SHOWN_CALLS else "")
