"""From a finished run to its result."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import margin_of
from pytest_mcpbench.core.contamination import trained_cases, withhold_if_trained
from pytest_mcpbench.core.dataset import cases_hash
from pytest_mcpbench.core.floors import FloorReport, floor_report, withhold
from pytest_mcpbench.core.gate import TierResult, certified_tier, tier_of
from pytest_mcpbench.core.kept import keep
from pytest_mcpbench.core.latency import to_mapping as latency_mapping
from pytest_mcpbench.core.pairs import compare_records
from pytest_mcpbench.core.result import ModelResult, Record, RunResult, environment, record_of
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.core.throughput import to_mapping as throughput_mapping
from pytest_mcpbench.session import BenchSession


def make_result(bench: BenchSession) -> RunResult | None:
    """The run's result over every model that answered or was timed; None if none was."""
    labels = [label for label in bench.labels if bench.complete(label) or label in bench.speed.infos]
    if not labels:
        return None
    cases = _cases_of(bench, labels)
    floors = floor_report(cases)
    gates = [
        pair for label in labels for pair in sorted(set(bench.gates_run)) if pair[0] == label and bench.is_gated(*pair)
    ]
    kept = keep(cases, cases_hash(cases))
    records = {label: _records(bench, label) for label in labels}
    pairs = () if bench.setup.only_missed else bench.pairs  # what one model missed says nothing of the other
    return RunResult(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment(),
        cases=kept,
        models={label: _model_result(bench, label, floors) for label in labels},
        floors=floors.floors,
        comparisons=tuple(
            replace(
                compare_records(
                    pair, records[pair.before], records[pair.after], kept, margin_of(pair, bench.setup.targets)
                ),
                speed=bench.speed.comparisons.get((pair.before, pair.after)),
            )
            for pair in pairs
            if pair.before in records and pair.after in records
        ),
        gates=tuple(bench.verdict_of(label, gate) for label, gate in gates),
        records=tuple(record for label in labels for record in records[label]),
        settings=bench.setup.settings,
    )


def _cases_of(bench: BenchSession, labels: Sequence[str]) -> list[Case]:
    """What was asked for levels; where nothing was, what was timed."""
    ids = {case.id for label in labels for case in _answered(bench, label)} or bench.speed.timed_cases.keys()
    return [case for case in bench.cases.values() if case.id in ids]


def _answered(bench: BenchSession, label: str) -> list[Case]:
    return bench.run_cases(label) if bench.complete(label) else []


def _model_result(bench: BenchSession, label: str, floors: FloorReport) -> ModelResult:
    info, cases = bench.info_of(label), _answered(bench, label)
    assert info is not None, "a model that answered was loaded"
    summary = bench.summary_of(label) if cases else summarize([])
    partial = _why_partial(bench, cases)
    if partial is None:
        tier, certified = withhold(tier_of(summary), floors), withhold(certified_tier(summary), floors)
    else:
        tier = certified = TierResult(tier=None, set_by=None, reason=partial)
    latency, throughput = bench.speed.latencies.get(label), bench.speed.throughputs.get(label)
    seen = trained_cases(cases, info.trained_on)
    return ModelResult(
        spec=info.spec,
        fingerprint=info.fingerprint,
        size_bytes=info.size_bytes,
        format=info.format,
        tier=withhold_if_trained(tier, seen, len(cases)),
        certified_tier=withhold_if_trained(certified, seen, len(cases)),
        summary=summary,
        latency=latency_mapping(latency) if latency else None,
        throughput=throughput_mapping(throughput) if throughput else None,
        trained_cases=seen,
        weights=info.weights,
        prompt=info.prompt,
    )


def _why_partial(bench: BenchSession, cases: Sequence[Case]) -> str | None:
    """Why the cases that the model was given are too biased a selection for a tier; None if they are not."""
    if bench.setup.only_missed:
        return "only cases that the last run missed were run"
    if not cases:
        return "only its speed was measured"
    without_tool = any(not case.expects_call for case in bench.cases.values())
    if without_tool and all(case.expects_call for case in cases):
        return "the cases where no tool applies were left out; run all of level3"
    return None


def _records(bench: BenchSession, label: str) -> list[Record]:
    return [
        record_of(label, bench.answer_of(label, case), bench.parsed_of(label, case), bench.score_of(label, case))
        for case in _answered(bench, label)
    ]
