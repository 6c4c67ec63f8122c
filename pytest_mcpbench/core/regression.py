"""A run held against an earlier one: which one, and whether a model has become worse or slower since."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_mcpbench.core.alike import Circumstances, circumstances, forbids, remarks
from pytest_mcpbench.core.case import ExpectedCall, Message
from pytest_mcpbench.core.compare import COMPARED_LEVELS, Paired, paired
from pytest_mcpbench.core.gate import Status, Verdict
from pytest_mcpbench.core.latency import Latency, read_latency
from pytest_mcpbench.core.pairs import records_of
from pytest_mcpbench.core.result import read_result
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed import SpeedComparison, compare_apart
from pytest_mcpbench.core.summary import rate_of, show_percent
from pytest_mcpbench.errors import OptionError, ResultError

PREFIX = "no-regression:"
SPEED_GATE = f"{PREFIX}speed"
GATES = (*(f"{PREFIX}{level}" for level in COMPARED_LEVELS), SPEED_GATE)
"""The gates of a model that an earlier run has too."""

LAST = "last"

NOT_IN_TURN = 3
"""By how much the tolerance grows for times that were not measured in turn: the machine may have been busier."""

_LOOK = "read the flips: mcpbench compare {earlier} RUN.json"


class Asked(Protocol):
    """What two runs' cases have in common: an id, what is asked and what answers it."""

    @property
    def id(self) -> str:
        """The case's id."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""
        ...

    @property
    def alternatives(self) -> tuple[tuple[ExpectedCall, ...], ...]:
        """The right answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier run: the name it goes by, and its file."""

    name: str
    path: Path
    result: RunResult

    def shared_cases(self, cases: Iterable[Asked]) -> frozenset[str]:
        """The ids of those cases that it ran too, with equal words and equal answers."""
        known = {case.id: (case.messages, case.alternatives) for case in self.result.cases.items}
        return frozenset(case.id for case in cases if known.get(case.id) == (case.messages, case.alternatives))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How fast a model was found to be: alone, and beside others of its run, by their fingerprints."""

    latency: Latency | None
    beside: Mapping[str, SpeedComparison]


def find_earlier(text: str, folder: Path, cases: Sequence[Asked], labels: Sequence[str]) -> Earlier:
    """The run that a text names: a result file, `last`, a kept run's name or its beginning, or a model's label.

    `last` is the kept run that ran the most of these cases, a label the latest that has a model so named; both are
    looked for among the runs in the folder that share a label and a case with this one.
    Raises OptionError if there is none, or if the run has none of the labels; ResultError for a file that is broken.
    """
    if Path(text).is_file():
        return _sharing(Path(text), text, labels)
    kept = sorted(folder.glob("*.json"), reverse=True) if folder.is_dir() else []
    named = [path for path in kept if path.stem == text] or [path for path in kept if path.stem.startswith(text)]
    if text != LAST and len(named) > 1:
        raise OptionError(f"{text!r} begins the names of {len(named)} runs in {folder}; write more of one's name")
    if text != LAST and named:
        return _sharing(named[0], named[0].stem, labels)
    best: Earlier | None = None
    most = 0
    for path in kept:
        found = _read_kept(path, labels)
        if found is None or (text != LAST and text not in found.result.models):
            continue
        count = len(found.shared_cases(cases))
        if count > most:
            best, most = found, count
        if most == len(cases) or (most and text != LAST):
            break
    if best is None:
        raise OptionError(
            f"{text!r}: no such file, and no run in {folder} {_wanted(text)} has a model ({', '.join(labels)}) and a "
            "case in common with this one; run once without --mcp-compare, or name a result file"
        )
    return best


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


def compare_times(earlier: Earlier, label: str, now: Timed, machine: str, tolerance: float) -> SpeedComparison | str:
    """How much faster a model is than in the earlier run, or why that cannot be said.

    If both runs timed it in turn with one and the same other model, the two speedups are compared, which cancels how
    busy the machine was. Else single requests are, and only a slowdown of three times the tolerance counts.
    `machine` is the fingerprint of where it was timed now. Nothing compares across machines.
    """
    then = timed_in(earlier.result, label)
    common = next((key for key in then.beside if key in now.beside), None)
    was = circumstances(earlier.result, label).machine
    apart = f"another machine: {was} then, {machine} now" if was != machine else _why_apart(then, now)
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


def verdicts_between(earlier: Earlier, now: RunResult, label: str, tolerance: float = 0.1) -> Iterator[Verdict | str]:
    """The verdicts on a model of a finished run, since an earlier one; in place of the speed's, why there is none."""
    here = circumstances(now, label)
    shared = earlier.shared_cases(now.cases.items)
    for level in COMPARED_LEVELS:
        answers = {record.case: record.levels[level] for record in records_of(now, label)}
        yield accuracy_verdict(earlier, label, f"{PREFIX}{level}", answers, (here, shared))
    found = compare_times(earlier, label, timed_in(now, label), here.machine, tolerance)
    yield found if isinstance(found, str) else speed_verdict(earlier, found, here)


def _read_kept(path: Path, labels: Sequence[str]) -> Earlier | None:
    """A kept run with one of the labels; None for anything else, broken files too."""
    try:
        result = read_result(path)
    except ResultError:
        return None
    return Earlier(name=path.stem, path=path, result=result) if set(labels) & set(result.models) else None


def _sharing(path: Path, name: str, labels: Sequence[str]) -> Earlier:
    earlier = Earlier(name=name, path=path, result=read_result(path))
    has = tuple(earlier.result.models)
    if not set(labels) & set(has):
        raise OptionError(
            f"{name} has none of the models {', '.join(labels)} (it has: {', '.join(has) or 'none'}); "
            "give a model the label it had: --mcp-model=LABEL=SPEC"
        )
    return earlier


def _wanted(text: str) -> str:
    return "" if text == LAST else f"of a model {text!r} or a name that begins so"


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
