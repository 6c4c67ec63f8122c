"""A run in lines of text, for the terminal and wherever else lines are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_mcpbench.core.batching import BATCHING
from pytest_mcpbench.core.comparison_lines import comparison_lines, flip_lines, table_lines
from pytest_mcpbench.core.floors import FloorReport, skill_line
from pytest_mcpbench.core.gate import Verdict, show_target
from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.core.match import Mismatch
from pytest_mcpbench.core.pairs import bits_of, records_of
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.quantized import SIZE, claims_of
from pytest_mcpbench.core.result import ModelResult, Record, RunResult
from pytest_mcpbench.core.score import Score
from pytest_mcpbench.core.speed_limit import SPEED_GATES
from pytest_mcpbench.core.speed_lines import speed_lines
from pytest_mcpbench.core.summary import Rate, Summary, show_percent
from pytest_mcpbench.core.target import Targets
from pytest_mcpbench.core.text import printable

__all__ = ["Line", "Mood", "explain_miss", "explain_record", "printable", "result_lines"]

Mood = Literal["plain", "good", "bad", "doubtful", "title"]

MISSES_SHOWN = 15
"""The most misses a model that are listed without -v, spread over all of them."""

_WIDEST_TEXT = 120
_WIDEST_PATH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to show, and how it feels."""

    text: str
    mood: Mood = "plain"


def explain_miss(score: Score, generation: Generation) -> str:
    """Why the answer is wrong, and what was written, on one line."""
    return _explain(score.error_kind or "", score.reason, score.mismatches, generation.text, generation.error)


def explain_record(record: Record) -> str:
    """Why a recorded answer is wrong, and what was written, on one line."""
    return _explain(record.error_kind or "", record.parse.reason, record.mismatches, record.text, record.error)


def result_lines(result: RunResult, targets: Targets, *, whole: bool, verbose: bool) -> Iterator[Line]:
    """The run model by model: levels, tools, errors, skill, tier, gates; then comparisons and misses.

    `whole` says whether levels 1 and 3 saw the cases where no tool applies; `verbose` lists every miss.
    """
    bits = bits_of(result)
    for label, model in result.models.items():
        yield from _model_lines(label, model, result, targets.for_bits(bits[label]), whole=whole)
    if len(result.models) > 1:
        yield from _comparison_lines(result, verbose=verbose)
    for verdict in result.gates:
        if verdict.gate.startswith("no-regression:"):
            yield Line(text=verdict.line(), mood=_mood(verdict))
    for label in result.models:
        yield from _miss_lines(label, [record for record in result.records if record.model == label], verbose=verbose)


def _model_lines(label: str, model: ModelResult, result: RunResult, targets: Targets, *, whole: bool) -> Iterator[Line]:
    size = f", {model.size_bytes / 1e6:,.0f} MB" if model.size_bytes and model.size_bytes >= 500_000 else ""
    spoken = f", {printable(model.format)} format" if model.format else ""
    yield Line(text=f"{label}: {printable(model.spec)}{size}{spoken}", mood="title")
    summary = model.summary
    asked = any(rate.n for rate in summary.levels.values())
    gates = {verdict.gate: verdict for verdict in result.gates if verdict.model == label}
    if asked:
        yield from _answer_lines(label, model, result, targets, whole=whole)
    for text in speed_lines(model):
        yield Line(text=text)
    for verdict in (gates[name] for name in SPEED_GATES if name in gates):
        yield Line(text=f"  {verdict.line()}", mood=_mood(verdict))
    if asked:
        yield _tier_line(model)
    if BATCHING in gates:
        yield Line(text=f"  batching: {printable(gates[BATCHING].reason)}", mood=_mood(gates[BATCHING]))
    if gates:
        yield _gates_line(gates)


def _answer_lines(
    label: str, model: ModelResult, result: RunResult, targets: Targets, *, whole: bool
) -> Iterator[Line]:
    summary = model.summary
    gates = {verdict.gate: verdict for verdict in result.gates if verdict.model == label}
    for level in LEVELS:
        if whole or level.over == "calls":
            target = targets.levels[level.name]
            rate = summary.levels[level.name]
            yield _rate_line(f"{level.name} {level.title}", rate, target, gates.get(level.name))
    yield from _diagnostics(summary, whole=whole)
    yield from _tool_lines(summary, gates)
    if summary.errors:
        kinds = sorted(summary.errors.items(), key=lambda item: -item[1])
        yield Line(text="  wrong: " + ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in kinds))
    yield from _failure_lines([record for record in result.records if record.model == label])
    if whole:
        yield Line(text="  skill: " + skill_line(summary, FloorReport(floors=result.floors)))


def _rate_line(name: str, rate: Rate, target: float, verdict: Verdict | None) -> Line:
    status = f"  {verdict.status}" if verdict else ""
    return Line(text=f"  {name:19} {rate.describe()}, target {show_target(target)}{status}", mood=_mood(verdict))


def _mood(verdict: Verdict | None) -> Mood:
    if verdict is None:
        return "plain"
    moods: dict[str, Mood] = {"PASS": "good", "FAIL": "bad", "UNDECIDED": "doubtful"}
    return moods[verdict.status]


def _diagnostics(summary: Summary, *, whole: bool) -> Iterator[Line]:
    parts = [f"calls seen {summary.call_recall.describe()}"] if summary.call_recall.n else []
    if whole and summary.false_call_rate.n:
        parts.append(f"false calls {summary.false_call_rate.describe(word='called')}")
    if parts:
        yield Line(text="  " + "; ".join(parts))
    if summary.level4_strict.n:
        yield Line(
            text=f"  level4 byte for byte {_short(summary.level4_strict)}; where the tool is right "
            f"{_short(summary.level4_given_level3)}; single arguments {_short(summary.arguments)}"
        )


def _tool_lines(summary: Summary, gates: Mapping[str, Verdict]) -> Iterator[Line]:
    for tool, rates in summary.tools.items():
        verdict = gates.get(f"tool:{tool}")
        parameters = f"; parameters {_short(rates['level4'])}" if "level4" in rates else ""
        status = f"  {verdict.status}" if verdict else ""
        shown = "no tool" if tool == "none" else printable(tool, 40)
        yield Line(text=f"    {shown:8} {_short(rates['level3'])}{parameters}{status}", mood=_mood(verdict))


def _gates_line(gates: Mapping[str, Verdict]) -> Line:
    stopped = [f"{name} {verdict.status}" for name, verdict in gates.items() if not verdict.passed]
    more = f": {printable(', '.join(stopped))}" if stopped else ""
    return Line(
        text=f"  gates: {len(gates) - len(stopped)} of {len(gates)} passed{more}", mood="bad" if stopped else "good"
    )


def _failure_lines(records: Sequence[Record]) -> Iterator[Line]:
    failed = [record for record in records if record.error_kind == "harness_error"]
    if failed:
        answers = f"{len(failed)} answer{'' if len(failed) == 1 else 's'}"
        count = "counts" if len(failed) == 1 else "count"
        first = f"{failed[0].case}: {printable(failed[0].error or 'unknown', _WIDEST_TEXT)}"
        yield Line(text=f"  errors: {answers} could not be generated and {count} as wrong; first {first}", mood="bad")


def _tier_line(model: ModelResult) -> Line:
    tier = model.tier.tier
    if tier is None:
        return Line(text=f"  {model.tier.line()}", mood="doubtful")
    certified = model.certified_tier.tier
    proof = f"; certified {certified.name}" if certified else ""
    mood: Mood = "good" if tier.name == "EXCELLENT" else "bad" if tier.name == "POOR" else "doubtful"
    return Line(text=f"  tier {model.tier.line()}{proof}", mood=mood)


def _comparison_lines(result: RunResult, *, verbose: bool) -> Iterator[Line]:
    yield Line(text="comparison", mood="title")
    for text in table_lines(result.models):
        yield Line(text=text)
    for comparison in result.comparisons:
        for text in comparison_lines(comparison):
            yield Line(text=f"  {text}")
        if comparison.relation == "no-worse-than":
            sides = records_of(result, comparison.before), records_of(result, comparison.after)
            for text in flip_lines(comparison, *sides, every=verbose):
                yield Line(text=f"  {text}")
        for row in claims_of(result, comparison):
            gates = (v for v in result.gates if (v.model, v.gate) == (comparison.after, row.claim.gate))
            yield Line(text=f"    {row.line()}", mood=_mood(next(gates, None)))
    for verdict in result.gates:
        if verdict.gate.startswith(("better-than:", "no-worse-than:")) or verdict.gate == SIZE:
            yield Line(text=f"  {verdict.line()}", mood=_mood(verdict))


def _miss_lines(label: str, records: Sequence[Record], *, verbose: bool) -> Iterator[Line]:
    missed = [record for record in records if False in record.levels.values()]
    if not missed:
        return
    shown = missed if verbose else missed[:: -(-len(missed) // MISSES_SHOWN)]
    more = "" if len(shown) == len(missed) else f"; {len(shown)} of them, all with -v"
    yield Line(text=f"{label}: {len(missed)} of {len(records)} cases missed{more}", mood="title")
    for record in shown:
        lost = next(name for name, right in record.levels.items() if right is False)
        yield Line(text=f"  {record.case} {lost}: {explain_record(record)}")


def _explain(kind: str, reason: str | None, mismatches: Sequence[Mismatch], text: str, error: str | None) -> str:
    wrote = f"; wrote {printable(text, _WIDEST_TEXT)}" if text else "; wrote nothing"
    if kind == "harness_error":
        return f"error: {printable(error or 'unknown')}"
    if kind == "unparsed":
        return f"unparsed, {reason}{wrote}"
    if not mismatches:
        return kind.replace("_", " ") + wrote
    shown = [_mismatch(mismatch) for mismatch in mismatches[:3]]
    return "; ".join(shown) + (f"; and {len(mismatches) - 3} more" if len(mismatches) > 3 else "")


def _mismatch(mismatch: Mismatch) -> str:
    want, got = (printable(repr(value), _WIDEST_TEXT) for value in (mismatch.want, mismatch.got))
    path = printable(mismatch.path, _WIDEST_PATH)
    match mismatch.why:
        case "wrong_tool":
            return f"wanted {want}, called {got}"
        case "missing_call":
            return f"no call of {want}"
        case "extra_call":
            return f"an extra call of {got}"
        case "missing":
            return f"{path} is missing, wanted {want}"
        case "extra":
            return f"{path} is extra, got {got}"
    return f"{path}: wanted {want}, got {got}"


def _short(rate: Rate) -> str:
    return f"{rate.correct}/{rate.n} ({show_percent(rate.exact)} %)" if rate.n else "no data"
