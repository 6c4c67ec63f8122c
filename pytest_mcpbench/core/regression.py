"""A run held against an earlier one: whether a model has become worse or slower since."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_mcpbench.core.alike import Circumstances, circumstances, forbids, remarks
from pytest_mcpbench.core.compare import COMPARED_LEVELS, Paired, paired
from pytest_mcpbench.core.earlier import Earlier
from pytest_mcpbench.core.gate import Status, Verdict
from pytest_mcpbench.core.latency import Latency, read_latency
from pytest_mcpbench.core.pairs import records_of
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed import SHARED_TOLERANCE, SpeedComparison, compare_apart
from pytest_mcpbench.core.summary import rate_of, show_percent

PREFIX = "no-regression:"
SPEED_GATE = f"{PREFIX}speed"
ANSWER_GATES = tuple(f"{PREFIX}{level}" for level in COMPARED_LEVELS)
"""The gates of a model whose answers an earlier run has, and before them the one of a model that it timed."""

NOT_IN_TURN = 3
"""By how much the tolerance grows for times that were not measured in turn: the machine may have been busier."""

_LOOK = "read the flips: mcpbench compare {earlier} RUN.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How fast a model was found to be: alone, and beside others of its run, by their fingerprints."""

    latency: Latency | None
    beside: Mapping[str, SpeedComparison]


def accuracy_verdict(
    earlier: Earlier, label: str, gate: str, now: Mapping[str, bool | None], alike: tuple[Circumstances, frozenset[str]]
) -> Verdict:
    """Whether a model has become worse at a level, case by case, since the earlier run.

    FAIL with McNemar's p < .05 and a net loss of a point or more, else PASS; UNDECIDED, with the reason, where the two
    do not compare. `now` are its answers by case; `alike` its circumstances and the cases that both runs have.
    """
    level = gate.removeprefix(PREFIX)
    present, shared = alike
    then = circumstances(earlier.result, label)
    before = {r.case: r.levels[level] for r in records_of(earlier.result, label) if r.case in shared}
    found = paired(before, {case: right for case, right in now.items() if case in shared})
    refused = forbids(then, present)
    status: Status = "UNDECIDED"
    if refused is not None:
        reason, step = f"not compared: {refused}", "run the earlier model again as this one, or name another run"
    elif found.n == 0:
        reason, step = "not compared: no case in common, by id and content", "name a run of these cases"
    else:
        status, step = ("FAIL", _LOOK.format(earlier=earlier.path)) if found.regressed else ("PASS", "")
        word = "worse beyond chance" if found.regressed else "no regression"
        reason = f"{_sides(found)}, {found.describe()}: {word}{_notes(found, then, present, (before, now))}"
    rate, was = rate_of(found.after, found.n), rate_of(found.before, found.n)
    return Verdict(
        gate=gate,
        model=label,
        status=status,
        rate=rate.rate,
        n=found.n,
        correct=found.after,
        interval=rate.interval,
        target=was.rate or 0.0,
        reason=f"since {earlier.name}: {reason}",
        next_step=step,
    )


def timed_in(result: RunResult, label: str) -> Timed:
    """How fast a model of a result was found to be."""
    beside = {
        result.models[comparison.before].fingerprint: comparison.speed
        for comparison in result.comparisons
        if comparison.after == label and comparison.speed is not None and comparison.before in result.models
    }
    return Timed(latency=read_latency(result.models[label].latency), beside=beside)


def compare_times(
    earlier: Earlier, label: str, now: Timed, here: Circumstances, tolerance: float
) -> SpeedComparison | str:
    """How much faster a model is than in the earlier run, or why that cannot be said.

    If both runs timed it in turn with one and the same other model, the two speedups are compared, which cancels how
    busy the machine was. Else single requests are, and only a slowdown of three times the tolerance counts.
    `here` is under what it was timed now. Nothing compares across machines or prompts.
    """
    then = timed_in(earlier.result, label)
    common = next((key for key in then.beside if key in now.beside), None)
    was = circumstances(earlier.result, label)
    moved = f"another machine: {was.machine} then, {here.machine} now" if was.machine != here.machine else None
    apart = moved or forbids(was, here) or _why_apart(then, now)
    if apart is not None:
        return apart
    labels = (f"{label} in {earlier.name}", label)
    if common is not None:
        # A ratio is reference over candidate: where times fall as the model gets faster, ratios grow.
        ratios = [_ratios(timed.beside[common]) for timed in (now, then)]
        return compare_apart(ratios[0], ratios[1], labels=labels, tolerance=tolerance)
    if then.latency is None or now.latency is None:
        return "no model was timed beside it in both runs"
    times = (then.latency.e2e_s.samples_s, now.latency.e2e_s.samples_s)
    return compare_apart(times[0], times[1], labels=labels, tolerance=NOT_IN_TURN * tolerance)


def speed_verdict(earlier: Earlier, found: SpeedComparison, now: Circumstances) -> Verdict:
    """Whether a model has become slower since the earlier run, as `compare_times` found it."""
    then = circumstances(earlier.result, found.candidate)
    notes = "".join(f"; {remark}" for remark in remarks(then, now))
    return Verdict(
        gate=SPEED_GATE,
        model=found.candidate,
        status=found.status,
        rate=found.speedup,
        n=found.pairs,
        correct=0,
        interval=found.interval,
        target=1 / (1 + found.tolerance),
        reason=f"since {earlier.name}: {found.reason}{notes}",
        next_step="" if found.status == "PASS" else "time both in one run: --mcp-model=old=OLD --mcp-model=new=NEW",
    )


def accuracy_between(earlier: Earlier, now: RunResult, label: str) -> Iterator[Verdict]:
    """The verdicts on a model's answers in a finished run, since an earlier one."""
    alike = (circumstances(now, label), earlier.shared_cases(now.cases.items))
    for level in COMPARED_LEVELS:
        answers = {record.case: record.levels[level] for record in records_of(now, label)}
        yield accuracy_verdict(earlier, label, f"{PREFIX}{level}", answers, alike)


def speed_between(earlier: Earlier, now: RunResult, label: str, tolerance: float = SHARED_TOLERANCE) -> Verdict | None:
    """The verdict on a model's times in a finished run, since an earlier one; None where they do not compare."""
    here = circumstances(now, label)
    found = compare_times(earlier, label, timed_in(now, label), here, tolerance)
    return None if isinstance(found, str) else speed_verdict(earlier, found, here)


def _why_apart(then: Timed, now: Timed) -> str | None:
    """Why two timings of one machine do not compare, in words; None if they do."""
    if then.latency is None and not then.beside:
        return "the earlier run did not time it"
    if now.latency is None and not now.beside:
        return "it was not timed in this run: add -m latency"
    if then.latency is None or now.latency is None:
        return None
    if then.latency.cases != now.latency.cases:
        return "other requests were timed"
    if (then.latency.device, then.latency.threads) != (now.latency.device, now.latency.threads):
        return "another device or number of threads"
    return None


def _ratios(speed: SpeedComparison) -> list[float]:
    return [was / now for was, now in zip(speed.reference_s, speed.candidate_s, strict=True)]


def _sides(found: Paired) -> str:
    was, now = (show_percent(rate_of(count, found.n).exact) for count in (found.before, found.after))
    return f"{was} % -> {now} %"


def _notes(
    found: Paired,
    then: Circumstances,
    now: Circumstances,
    answers: tuple[Mapping[str, bool | None], Mapping[str, bool | None]],
) -> str:
    """What has to be known beside the numbers: cases that only one run has, versions that differ."""
    asked = sum(right is not None for right in answers[1].values())
    notes = [f"{found.n} of {asked} cases are in both"] if found.n < asked else []
    return "".join(f"; {note}" for note in (*notes, *remarks(then, now)))
