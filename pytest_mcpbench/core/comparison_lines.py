"""Comparisons in lines of text: the guide's table, and the cases that flipped."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from pytest_mcpbench.core.compare import Comparison, Paired
from pytest_mcpbench.core.run import ModelResult, Record
from pytest_mcpbench.core.summary import Rate, show_percent
from pytest_mcpbench.core.text import printable

FLIPS_SHOWN = 5
"""The most flips in each direction that are listed unless all are asked for."""

LEAST_SIZE = 500_000
"""The fewest bytes that are shown as a model's size: recorded answers are no weights."""

COLUMNS = ("tool", "parameters", "detection", "parsing")
LEVEL_OF = {"tool": "level3", "parameters": "level4", "detection": "level1", "parsing": "level2"}


def rates_of(model: ModelResult) -> dict[str, Rate]:
    """The model's rates by the columns of the comparison table."""
    return {column: model.summary.levels[LEVEL_OF[column]] for column in COLUMNS}


def average_latency_s(model: ModelResult) -> float | None:
    """The mean time of one request in seconds; None where it was not measured."""
    latency = model.latency or {}
    found = next((latency[key] for key in ("mean_s", "e2e_mean_s") if key in latency), None)
    entry = latency.get("e2e_s")
    if found is None and isinstance(entry, Mapping):
        found = entry.get("mean")
    return float(found) if isinstance(found, int | float) else None


def size_text(model: ModelResult) -> str:
    """The size in MB, a dash where there is none to speak of."""
    return f"{model.size_bytes / 1e6:,.0f} MB" if model.size_bytes and model.size_bytes >= LEAST_SIZE else "-"


def table_lines(models: Mapping[str, ModelResult]) -> Iterator[str]:
    """One row a model: tool, parameters, detection and parsing accuracy, average latency, size."""
    width = max(len(label) for label in models)
    yield _row("", width, (*COLUMNS, "latency", "size"))
    for label, model in models.items():
        latency = average_latency_s(model)
        timed = "-" if latency is None else f"{1000 * latency:,.0f} ms"
        yield _row(label, width, (*(_percent(rate) for rate in rates_of(model).values()), timed, size_text(model)))


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """What changed at levels 3 and 4 and in speed, then tool by tool."""
    yield f"{comparison.before} -> {comparison.after}"
    for level, name in (("level3", "tool"), ("level4", "parameters")):
        found = comparison.levels[level]
        if found.n:
            yield f"  {name:10} {_sides(found)}  {found.describe()}"
    if comparison.speed is not None:
        yield f"  speed      {comparison.speed.reason}"
    for tool, found in comparison.tools.items():
        if found.n:
            yield f"    {printable(tool, 40):8} {_sides(found)}  {float(found.exact_change * 100):+.1f} points"


def flip_lines(
    comparison: Comparison, before: Sequence[Record], after: Sequence[Record], *, every: bool = False
) -> Iterator[str]:
    """The cases that flipped at level 4, or at level 3 where no call is expected, each with both texts."""
    texts = [{record.case: record.text for record in side} for side in (before, after)]
    for word, gained in (("lost", False), ("gained", True)):
        cases = flips(comparison, gained=gained)
        shown = cases if every else cases[:FLIPS_SHOWN]
        if cases:
            more = "" if len(shown) == len(cases) else f", {len(shown)} shown"
            yield f"  {word}: {len(cases)} case{'s' if len(cases) > 1 else ''}{more}"
        for case in shown:
            yield f"    {case}"
            for label, side in zip((comparison.before, comparison.after), texts, strict=True):
                yield f"      {label}: {printable(side.get(case, ''), 160) or '(nothing)'}"


def flips(comparison: Comparison, *, gained: bool) -> list[str]:
    """The ids of the cases that became right (or wrong) at level 3 or level 4."""
    sides = [comparison.levels[level] for level in ("level3", "level4")]
    return sorted({case for side in sides for case in (side.gained if gained else side.lost)})


def _row(label: str, width: int, cells: Sequence[str]) -> str:
    return f"  {label:{width}}" + "".join(f"  {cell:>10}" for cell in cells)


def _sides(found: Paired) -> str:
    was, now = (show_percent(Fraction(count, found.n)) for count in (found.before, found.after))
    return f"{was:>5} % -> {now:>5} %"


def _percent(rate: Rate) -> str:
    return f"{show_percent(rate.exact)} %" if rate.n else "-"
