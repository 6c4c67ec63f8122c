"""How a model does where it is used: rates over windows of a call log, with control limits and alerts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from pytest_mcpbench.core.case import Case, Json
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.formats import ParseResult, get_format
from pytest_mcpbench.core.formats.base import Format
from pytest_mcpbench.core.plan import FinishReason
from pytest_mcpbench.core.rows import Place
from pytest_mcpbench.core.run import Record
from pytest_mcpbench.core.score import Score, score
from pytest_mcpbench.core.stats import predictive_range
from pytest_mcpbench.core.summary import Rate, rate_over, show_percent
from pytest_mcpbench.errors import CaseError, ResultError

Metric = Literal["attempts", "parsing", "detection", "tool", "parameters"]
"""`attempts`: calls tried, of all requests; `parsing`: those that could be read; the others need labelled entries."""

METRICS: tuple[Metric, ...] = get_args(Metric)

ALERT_BELOW = 0.90
"""The guide's limit for an alert."""

LEAST = 20
"""A window with fewer entries than this raises no alert."""

COVERAGE = 0.9973
"""How much of what a window gives lies within its control limits while nothing changes: as three sigmas hold."""

_WORDS: dict[str, str] = {"attempts": "attempted", "parsing": "readable"}
_KEYS = ("prompt", "messages", "text", "expected", "expected_any", "tools", "finish_reason", "time", "model", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One logged answer. The answers are None where the question does not arise: nothing is known without a label.

    `attempted` says that a call was tried, `parsed` that the attempt could be read.
    """

    model: str | None
    time: str | None
    attempted: bool
    parsed: bool | None
    detection: bool | None
    tool: bool | None
    parameters: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log that was read: its entries in order, and the places of lines that could not be."""

    entries: tuple[Entry, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One metric over consecutive entries, from `first` to `last` (counted from 1), with its control limits in [0, 1].

    The limits are None where there is nothing to take them from.
    """

    metric: Metric
    first: int
    last: int
    rate: Rate
    low: float | None
    high: float | None

    @property
    def out_of_control(self) -> bool:
        """Whether the rate lies below the lower limit, worse than chance explains; for attempts, outside of both."""
        if self.low is None or self.high is None or self.rate.rate is None:
            return False
        return self.rate.rate < self.low or (self.metric == "attempts" and self.rate.rate > self.high)

    def describe(self) -> str:
        """The window in words."""
        limits = (
            "" if self.low is None or self.high is None else f", limits {100 * self.low:.1f} to {100 * self.high:.1f} %"
        )
        rate = self.rate.describe(word=_WORDS.get(self.metric, "right"))
        return f"{self.metric} {rate}{limits}, entries {self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something to act on: the window, and why."""

    window: Window
    reason: str

    def line(self) -> str:
        """The alert in one line."""
        return f"ALERT {self.window.metric}: {self.reason}; {self.window.describe()}"


def read_log(path: Path, reader: CaseReader, fmt: str = "auto") -> Log:
    """The entries of a JSONL log, scored. Lines that cannot be read are counted, not fatal.

    Raises ResultError where the file cannot be opened or no line of it can be read, FormatError for an unknown format.
    """
    known = get_format(fmt)
    entries: list[Entry] = []
    unreadable: list[str] = []
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    _read_line(line, Place(path=str(path), line=number), (reader, known), (entries, unreadable))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror or error}; give a log in JSONL") from None
    if not entries:
        first = f": {unreadable[0]}" if unreadable else ""
        raise ResultError(f"{path}: no entry can be read{first}; a line is an object with 'prompt' and 'text'")
    return Log(entries=tuple(entries), unreadable=tuple(unreadable))


def windows(entries: Sequence[Entry], size: int, baseline: dict[Metric, Rate] | None = None) -> Iterator[Window]:
    """The metrics over blocks of `size` entries, the last block ending at the last entry, with control limits.

    The limits of a metric are taken from the baseline, or else from all blocks but the last: between them lies what
    blocks of that size give 99.73 times in 100 while nothing changes, as between the three sigmas of a p-chart, which
    is too narrow where nothing has been wrong yet.
    """
    starts = sorted(range(len(entries), 0, -size))
    blocks = [(max(0, end - size), end) for end in starts]
    for metric in METRICS:
        rates = [_rate(entries[start:end], metric) for start, end in blocks]
        earlier = [rate for rate in rates[:-1] if rate.n]
        centre = (baseline or {}).get(metric)
        if centre is None and earlier:
            centre = _pooled(earlier)
        for (start, end), rate in zip(blocks, rates, strict=True):
            if rate.n:
                low, high = _limits(centre, rate.n)
                yield Window(metric=metric, first=start + 1, last=end, rate=rate, low=low, high=high)


def alerts(found: Iterable[Window], below: float = ALERT_BELOW) -> tuple[Alert, ...]:
    """What the latest window of each metric gives cause for: a rate below the limit, or out of control.

    How many calls are attempted depends on what is asked: there only the control limits count.
    """
    raised = []
    for window in {window.metric: window for window in found}.values():
        if window.rate.n < LEAST:
            continue
        if window.metric != "attempts" and window.rate.exact < Fraction(str(below)):
            shown = show_percent(window.rate.exact, Fraction(str(below)))
            raised.append(Alert(window=window, reason=f"{shown} % is below {100 * below:g} %"))
        elif window.out_of_control:
            raised.append(Alert(window=window, reason="outside its control limits"))
    return tuple(raised)


def baseline_of(records: Sequence[Record]) -> dict[Metric, Rate]:
    """What the metrics were in a benchmark run of the model, for the centre of the control limits."""
    return {
        "detection": rate_over(record.levels["level1"] for record in records),
        "parsing": rate_over(
            record.parse.status == "parsed" for record in records if record.parse.status != "no_attempt"
        ),
        "tool": rate_over(record.levels["level3"] for record in records),
        "parameters": rate_over(record.levels["level4"] for record in records),
    }


def _read_line(line: str, place: Place, how: tuple[CaseReader, Format], into: tuple[list[Entry], list[str]]) -> None:
    reader, fmt = how
    entries, unreadable = into
    try:
        entries.append(_entry(json.loads(line), place, reader, fmt))
    except CaseError as error:
        unreadable.append(str(error))
    except (ValueError, RecursionError) as error:
        unreadable.append(f"{place.path}:{place.line}: no JSON: {str(error)[:80]}")


def _entry(row: Json, place: Place, reader: CaseReader, fmt: Format) -> Entry:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        place.fail("an entry is an object with the texts 'prompt' and 'text'")
    if stray := next((key for key in row if key not in _KEYS), None):
        place.fail(f"an entry has no key {stray!r} (keys: {', '.join(_KEYS)})")
    labelled = "expected" in row or "expected_any" in row
    case = reader.case_of(_case_row(row, place, labelled=labelled), place)
    reason = row.get("finish_reason", "stop")
    if reason not in get_args(FinishReason):
        place.fail(f"'finish_reason' is {reason!r}; it is one of {', '.join(get_args(FinishReason))}")
    parsed = fmt.parse(row["text"], case.tools)
    found = score(case, parsed, reason) if labelled else None
    return _answers(row, parsed, case, found)


def _answers(row: dict[str, Json], parsed: ParseResult, case: Case, found: Score | None) -> Entry:
    return Entry(
        model=str(row["model"]) if row.get("model") is not None else None,
        time=str(row["time"]) if row.get("time") is not None else None,
        attempted=parsed.attempted,
        parsed=parsed.status == "parsed" if parsed.attempted else None,
        detection=found.detected if found else None,
        tool=found.correct if found else None,
        parameters=found.parameters if found and case.expects_call else None,
    )


def _case_row(row: dict[str, Json], place: Place, *, labelled: bool) -> dict[str, Json]:
    asked: dict[str, Json] = {key: row[key] for key in row if key in ("prompt", "messages", "expected", "expected_any")}
    return {
        "id": f"line-{place.line}",
        "tools": row.get("tools", "coding"),
        **asked,
        **({} if labelled else {"expected": []}),
    }


def _rate(entries: Sequence[Entry], metric: Metric) -> Rate:
    if metric == "parsing":
        return rate_over(entry.parsed for entry in entries)
    if metric == "attempts":
        return rate_over(entry.attempted for entry in entries)
    return rate_over(getattr(entry, metric) for entry in entries)


def _pooled(rates: Sequence[Rate]) -> Rate:
    answers = [True] * sum(rate.correct for rate in rates) + [False] * sum(rate.n - rate.correct for rate in rates)
    return rate_over(answers)


def _limits(centre: Rate | None, n: int) -> tuple[float | None, float | None]:
    if centre is None or centre.n == 0:
        return None, None
    low, high = _range(centre.correct, centre.n, n)
    return low / n, high / n


@cache
def _range(correct: int, of: int, n: int) -> tuple[int, int]:
    return predictive_range(correct, of, n, COVERAGE)
