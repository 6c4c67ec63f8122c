"""`mcpbench compare`, `debug` and `rescore`: what changed, what is wrong, what it would be under new rules."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands.shared import labels_of, load, new_app, read_targets, show
from pytest_mcpbench.core.compare import COMPARED_LEVELS, Comparison, Pair, Relation, compare_verdict
from pytest_mcpbench.core.comparison_lines import comparison_lines, flip_lines, table_lines
from pytest_mcpbench.core.curves import Curves, read_curves
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.diagnose import diagnose, diagnosis_lines
from pytest_mcpbench.core.gate import GateMode
from pytest_mcpbench.core.pairs import common_cases, compare_records, records_of
from pytest_mcpbench.core.quantized import claims_of
from pytest_mcpbench.core.remedy import remedies
from pytest_mcpbench.core.rescore import Rules, changed_cases, rescore
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.core.run import Record
from pytest_mcpbench.core.summary import show_percent
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.publish import curves_of
from pytest_mcpbench.session import FIXTURES

app = new_app()

_CHANGED_SHOWN = 10
_MARKS = (" (A)", " (B)")


@app.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A result, the earlier one if there are two.")],
    second: Annotated[Path | None, typer.Argument(metavar="B.json", help="The later result.")] = None,
    before: Annotated[str | None, typer.Option(help="The earlier model's label.", metavar="LABEL")] = None,
    after: Annotated[str | None, typer.Option(help="The later model's label.", metavar="LABEL")] = None,
    margin: Annotated[
        float | None, typer.Option(help="The net loss in points that is forgiven.", min=0, max=50, metavar="POINTS")
    ] = None,
    flips: Annotated[bool, typer.Option("--all", help="List every case that flipped.")] = False,
) -> None:
    """Compare two models case by case; exit code 1 if the later one is worse beyond chance or the margin."""
    result, other = load(first), load(second) if second else None
    failed = False
    found = _comparisons(result, other, (before, after), margin)
    for line in _head_lines(result, other, [comparison for comparison, _ in found]):
        show(line)
    for comparison, sides in found:
        claims = claims_of(result, comparison) if other is None else ()
        rows = (f"  {row.line()}" for row in claims)
        for line in (*comparison_lines(comparison), *rows, *flip_lines(comparison, *sides, every=flips)):
            show(line)
        failed = _verdicts(comparison) or failed
    if failed:
        raise typer.Exit(1)


@app.command("debug")
def debug(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="The result of a run.")],
    model: Annotated[str | None, typer.Option(help="Only this model.", metavar="LABEL")] = None,
    training: Annotated[
        Path | None, typer.Option(help="The folder that mcpbench train wrote, for its curves.", metavar="FOLDER")
    ] = None,
) -> None:
    """Say what kind of error each miss is, how many there are of each, and what to change first."""
    result = load(run)
    curves: Curves | None = read_curves(training) if training else None
    for label in labels_of(result, run, model):
        found = diagnose(result, label)
        for line in diagnosis_lines(found):
            show(line)
        known = curves or curves_of(result.models[label].spec)
        advice = remedies(found, result.models[label], known)
        if advice:
            show("  what to change, best supported first:")
        for number, remedy in enumerate(advice, 1):
            show(f"    {number}. {remedy.line()}")


@app.command("rescore")
def rescore_run(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="The result of a run.")],
    cases: Annotated[
        list[Path] | None,
        typer.Option(help="Cases to score against, in place of those kept.", metavar="FILE_OR_FOLDER"),
    ] = None,
    fmt: Annotated[str | None, typer.Option("--format", help="Read the texts in this format.", metavar="NAME")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A gate's target.", metavar="NAME=RATE")] = None,
    certified: Annotated[bool, typer.Option(help="Ask the gates for proof, as --mcp-gate=certified.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the new result there.", metavar="FILE")] = None,
) -> None:
    """Score a run's stored texts again, without a model; exit code 1 if a gate fails now."""
    old = load(run)
    mode: GateMode = "certified" if certified else "point"
    given = CaseReader(shipped_tools=FIXTURES / "tools").read(cases) if cases else None
    new = rescore(old, Rules(cases=given, fmt=fmt, targets=read_targets(target), mode=mode))
    for line in _rescored_lines(old, new):
        show(line)
    if out is not None:
        write_result(new, out)
        show(f"written: {out}")
    if not all(verdict.passed for verdict in new.gates):
        raise typer.Exit(1)


def _comparisons(
    result: RunResult, other: RunResult | None, labels: tuple[str | None, str | None], margin: float | None
) -> list[tuple[Comparison, tuple[tuple[Record, ...], tuple[Record, ...]]]]:
    """Each comparison with the records of its two sides."""
    pairs = _pairs(result, other, labels)
    cases = set(common_cases(result, other)) if other else None
    found = []
    for first, second, relation in pairs:
        sides = records_of(result, first), records_of(other or result, second)
        if cases is not None:
            sides = tuple(r for r in sides[0] if r.case in cases), tuple(r for r in sides[1] if r.case in cases)
        names = (first + _MARKS[0], second + _MARKS[1]) if other else (first, second)
        pair = Pair(before=names[0], after=names[1], relation="no-worse-than" if margin is not None else relation)
        limit = margin / 100 if margin is not None else _margin_in(result, first, second)
        found.append((compare_records(pair, sides[0], sides[1], result.cases, limit), sides))
    return found


def _head_lines(result: RunResult, other: RunResult | None, found: Sequence[Comparison]) -> Iterator[str]:
    """The table of all models; of two runs, of those that are compared, and how many cases count."""
    if other is None:
        yield from table_lines(result.models)
        return
    sides = {}
    for each in found:
        sides[each.before] = result.models[each.before.removesuffix(_MARKS[0])]
        sides[each.after] = other.models[each.after.removesuffix(_MARKS[1])]
    yield from table_lines(sides)
    shared = len(common_cases(result, other))
    yield f"compared over the {shared} cases that both ran (A ran {result.cases.n}, B {other.cases.n})"


def _margin_in(result: RunResult, before: str, after: str) -> float | None:
    return next((c.margin for c in result.comparisons if (c.before, c.after) == (before, after)), None)


def _pairs(
    result: RunResult, other: RunResult | None, labels: tuple[str | None, str | None]
) -> list[tuple[str, str, Relation]]:
    """The labels to compare, and what is asked of the later one."""
    first, second = list(result.models), list((other or result).models)
    before, after = labels
    for label, known in ((before, first), (after, second)):
        if label is not None and label not in known:
            raise OptionError(f"there is no model {label!r} (there are: {', '.join(known) or 'none'})")
    if before and after:
        return [(before, after, "beside")]
    if other is None:
        pairs = [
            c
            for c in result.comparisons
            if before in (None, c.before) and after in (None, c.after) and {c.before, c.after} <= set(first)
        ]
        if not pairs:
            raise OptionError(
                f"nothing to compare in one run of {', '.join(first) or 'no model'}: "
                "give a second result, or --before and --after"
            )
        return [(c.before, c.after, c.relation) for c in pairs]
    if before or after or len(first) == len(second) == 1:
        return [(before or first[0], after or second[0], "beside")]
    same = [label for label in first if label in second]
    if not same:
        raise OptionError(f"no label in both ({', '.join(first)}; {', '.join(second)}): give --before and --after")
    return [(label, label, "beside") for label in same]


def _verdicts(comparison: Comparison) -> bool:
    """Show the verdicts, and whether the comparison fails."""
    failed = False
    for level in COMPARED_LEVELS:
        found = comparison.levels[level]
        if comparison.relation == "beside":
            failed = failed or found.regressed
            if found.regressed:
                show(f"  FAIL {level}: worse beyond chance: {found.describe()}")
            continue
        verdict = compare_verdict(comparison.pair, level, found, comparison.margin)
        show(f"  {verdict.line()}")
        failed = failed or not verdict.passed
    return failed


def _rescored_lines(old: RunResult, new: RunResult) -> list[str]:
    lines = []
    for label, model in new.models.items():
        lines.append(f"{label}: {model.tier.line()}")
        for level, rate in model.summary.levels.items():
            was = old.models[label].summary.levels[level]
            shown = f"{show_percent(was.exact)} % -> {show_percent(rate.exact)} %" if was.n and rate.n else "no data"
            lines.append(f"  {level} {shown}, {rate.describe()}")
    changed = changed_cases(old, new)
    lines.append(f"{len(changed)} answers are judged differently")
    for (label, case), (_, right) in list(changed.items())[:_CHANGED_SHOWN]:
        lines.append(f"  {label} {case}: {'right now' if right else 'wrong now'}")
    for verdict in new.gates:
        if not verdict.passed:
            lines.append(verdict.line())
    return lines
