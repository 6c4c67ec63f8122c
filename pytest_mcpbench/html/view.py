"""What the page shows, worked out before the template sees it: bars, a matrix, failures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pytest_mcpbench.core.diagnose import Miss
from pytest_mcpbench.core.floors import FloorReport
from pytest_mcpbench.core.headline import Headline
from pytest_mcpbench.core.kept import KeptCase
from pytest_mcpbench.core.run import ModelResult, Record, RunResult
from pytest_mcpbench.core.summary import NO_TOOL, Confusion, Rate, show_percent
from pytest_mcpbench.core.text import visible
from pytest_mcpbench.html.payload import show_expected, show_request

MATRIX_NAMES = 14
"""The most rows or columns of a confusion matrix; what is rarer is put together."""

REASONS = 3
"""How many gates that did not pass stand under the decision."""

_QUESTIONS = {
    "level1": "Detection",
    "level2": "Parsing",
    "level3": "Tool accuracy",
    "level4": "Parameter accuracy",
    "batching": "Same answers alone and in batches",
}

SKILLS: tuple[Literal["level3", "level4"], ...] = ("level3", "level4")

SEVERAL, WRONG_SEVERAL, OTHERS = "several", "other calls", "other"
_TAIL = (SEVERAL, WRONG_SEVERAL, "no call", "unparsable", "cut", "error")
_LONGEST = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rate as a dot with its interval on a scale of 0 to 100; `key` names it in the page, to be read back."""

    key: str
    rate: Rate
    percent: str
    dot: float
    low: float
    width: float
    target: float | None

    @property
    def words(self) -> str:
        """The rate in words, for those who cannot see the bar."""
        return self.rate.describe()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """So many cases of a row's; `share` is of the row, in [0, 1]."""

    n: int
    share: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What was wanted (rows) against what was called (columns)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One miss with all that it takes to understand it."""

    case: str
    prompt: str
    text: str
    expected: tuple[str, ...]
    why: str


def bar(key: str, rate: Rate, target: float | None = None) -> Bar | None:
    """The bar of a rate; None without data."""
    if rate.n == 0 or rate.rate is None:
        return None
    low, high = rate.interval or (rate.rate, rate.rate)
    return Bar(
        key=visible(key),
        rate=rate,
        percent=show_percent(rate.exact),
        dot=round(100 * rate.rate, 2),
        low=round(100 * low, 2),
        width=round(100 * (high - low), 2),
        target=None if target is None else round(100 * target, 2),
    )


def level_bars(label: str, model: ModelResult, result: RunResult) -> list[tuple[str, Bar | None]]:
    """Name and bar of each level, with the target that its gate had."""
    targets = {verdict.gate: verdict.target for verdict in result.gates if verdict.model == label}
    names = {"level1": "detection", "level2": "parsing", "level3": "tool", "level4": "parameters"}
    return [
        (names.get(level, level), bar(f"{label}|{level}", rate, targets.get(level)))
        for level, rate in model.summary.levels.items()
    ]


def gate_title(gate: str) -> str:
    """What a gate asks, in words: `no-worse-than:finetuned:level3` is "Tool accuracy no worse than finetuned"."""
    kind, _, rest = gate.partition(":")
    if gate in _QUESTIONS:
        return _QUESTIONS[gate]
    if kind == "tool":
        return f"Right tool where {rest} is asked for"
    if kind in ("better-than", "no-worse-than"):
        other, _, level = rest.rpartition(":")
        return f"{_QUESTIONS.get(level, level)} {kind.replace('-', ' ')} {other}"
    if kind == "no-regression":
        return f"{_QUESTIONS.get(rest, rest.capitalize())} no worse than in the earlier run"
    return f"The guide's {rest.replace('-', ' ')}" if kind == "guide" else gate.capitalize()


def because_of(top: Headline) -> tuple[list[tuple[str, str, str]], int]:
    """Model, gate and reason of the gates that decide against shipping, the worst first, and how many are left out."""
    stopped = [(model.label, verdict) for model in top.models for verdict in model.stopped]
    stopped.sort(key=lambda entry: (entry[1].status != top.decision, entry[1].gate.startswith("tool:")))
    shown = [(label, gate_title(verdict.gate), verdict.reason) for label, verdict in stopped[:REASONS]]
    return shown, len(stopped) - len(shown)


def skill_rows(result: RunResult) -> list[tuple[str, list[str]]]:
    """For each model, at levels 3 and 4: its rate, the best floor's with its name, and the points between them."""
    report = FloorReport(floors=result.floors)
    rows = []
    for label, model in result.models.items():
        cells = []
        for level in SKILLS:
            floor = report.level3 if level == "level3" else report.level4
            rate = model.summary.levels[level]
            if rate.n == 0 or floor.n == 0:
                cells += ["-", "-", "-"]
                continue
            best = f"{show_percent(floor.exact)} % ({report.best_at(level).name})"
            cells += [f"{show_percent(rate.exact)} %", best, f"{float((rate.exact - floor.exact) * 100):+.1f}"]
        rows.append((label, cells))
    return rows


def share(count: int, n: int) -> str:
    """So many of n in percent, without the sign."""
    return show_percent(Fraction(count, n))


def tool_bars(result: RunResult) -> list[tuple[str, list[tuple[str, int, Bar | None, Bar | None]]]]:
    """For each tool, for each model: its label, its number, and the bars of level 3 and level 4."""
    names = sorted({tool for model in result.models.values() for tool in model.summary.tools if tool != NO_TOOL})
    if any(NO_TOOL in model.summary.tools for model in result.models.values()):
        names.append(NO_TOOL)
    return [
        (tool, [_tool_row(number, label, tool, model) for number, (label, model) in enumerate(result.models.items())])
        for tool in names
    ]


def _tool_row(number: int, label: str, tool: str, model: ModelResult) -> tuple[str, int, Bar | None, Bar | None]:
    rates: Mapping[str, Rate] = model.summary.tools.get(tool, {})
    bars = [
        bar(f"{label}|tool:{tool}|{level}", rates[level]) if level in rates else None for level in ("level3", "level4")
    ]
    return label, number, bars[0], bars[1]


def matrix_of(confusion: Sequence[Confusion]) -> Matrix:
    """The confusion as a matrix: several calls together in one row and column, and so what is rarest."""
    pairs = [(_row_name(entry), _column_name(entry), entry.n, entry.want == entry.got) for entry in confusion]
    rows = _names([(want, n) for want, _, n, _ in pairs])
    columns = _names([(got, n) for _, got, n, _ in pairs])
    counts: dict[tuple[str, str], int] = {}
    right: set[tuple[str, str]] = set()
    for want, got, n, same in pairs:
        place = (want if want in rows else OTHERS, got if got in columns else OTHERS)
        counts[place] = counts.get(place, 0) + n
        if same and OTHERS not in place:
            right.add(place)
    totals = {want: sum(n for (row, _), n in counts.items() if row == want) for want in rows}
    return Matrix(
        columns=tuple(visible(name) for name in columns),
        rows=tuple(
            (visible(want), totals[want], tuple(_cell(counts, right, (want, got), totals[want]) for got in columns))
            for want in rows
        ),
    )


def _cell(counts: Mapping[tuple[str, str], int], right: set[tuple[str, str]], place: tuple[str, str], of: int) -> Cell:
    n = counts.get(place, 0)
    return Cell(n=n, share=n / of if of else 0.0, right=place in right)


def _row_name(entry: Confusion) -> str:
    return SEVERAL if "+" in entry.want else entry.want


def _column_name(entry: Confusion) -> str:
    if "+" not in entry.got:
        return entry.got
    return SEVERAL if entry.want == entry.got else WRONG_SEVERAL


def failures_of(result: RunResult, misses: Sequence[Miss]) -> list[Failure]:
    """The misses with request, answer, expectation and explanation."""
    cases: dict[str, KeptCase] = result.cases.by_id()
    records: dict[tuple[str, str], Record] = {(record.model, record.case): record for record in result.records}
    shown = []
    for miss in misses:
        case, record = cases.get(miss.case), records[miss.model, miss.case]
        shown.append(
            Failure(
                case=miss.case,
                prompt=show_request(case, _LONGEST) if case else "",
                text=visible(record.text, _LONGEST) or (record.error or "(nothing)"),
                expected=tuple(show_expected(case, _LONGEST)[:2]) if case else (),
                why=miss.why,
            )
        )
    return shown


def _names(counted: Sequence[tuple[str, int]]) -> list[str]:
    totals: dict[str, int] = {}
    for name, n in counted:
        totals[name] = totals.get(name, 0) + n
    kept = sorted(totals, key=lambda name: (-totals[name], name))[:MATRIX_NAMES]
    order = sorted(kept, key=lambda name: (_TAIL.index(name) + 1 if name in _TAIL else 0, name))
    return order + ([OTHERS] if len(totals) > len(kept) else [])
