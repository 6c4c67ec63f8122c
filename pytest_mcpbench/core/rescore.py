"""A run scored again from its stored texts, without a model: under new rules, new cases or another format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import compare_verdict, margin_of, paired, pairs_of
from pytest_mcpbench.core.contamination import withhold_if_trained
from pytest_mcpbench.core.dataset import cases_hash
from pytest_mcpbench.core.floors import FloorReport, floor_report, withhold
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.gate import GateMode, TierResult, Verdict, certified_tier, check_gate, tier_of
from pytest_mcpbench.core.kept import keep, restore
from pytest_mcpbench.core.pairs import bits_of, compare_records, records_of
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.quantized import quantized_verdict, subjects_of
from pytest_mcpbench.core.run import ModelResult, Record, RunResult, record_of
from pytest_mcpbench.core.score import Score, score
from pytest_mcpbench.core.summary import Summary, rate_of, summarize
from pytest_mcpbench.core.target import Targets
from pytest_mcpbench.errors import ResultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run is scored under: the cases (None: those it kept), the format (None: each model's), targets, gates."""

    cases: Sequence[Case] | None = None
    fmt: str | None = None
    targets: Targets
    mode: GateMode = "point"


def rescore(result: RunResult, rules: Rules) -> RunResult:
    """The run as it would be under these rules. Answers to cases that the rules do not have are left out.

    Raises ResultError where no answered case is left, FormatError for an unknown format.
    """
    answered = {record.case for record in result.records}
    cases = {case.id: case for case in rules.cases or restore(result.cases) if case.id in answered}
    if not cases:
        raise ResultError(
            "no answer of this run belongs to these cases, by id; give the cases that it ran with --cases"
            if rules.cases
            else "the file holds no cases (it was written before results kept them); give them with --cases"
        )
    floors = floor_report(list(cases.values()))
    models, records = {}, []
    for label, model in result.models.items():
        scored = _score_again(records_of(result, label), cases, rules.fmt or model.format)
        models[label] = _model_again(model, summarize([found for _, found in scored]), floors, len(scored))
        records += [record for record, _ in scored]
    again = replace(
        result,
        cases=keep(cases.values(), cases_hash(cases.values())),
        models=models,
        floors=floors.floors,
        records=tuple(records),
    )
    return _decide_again(again, result.gates, rules)


def changed_cases(before: RunResult, after: RunResult) -> dict[tuple[str, str], tuple[bool, bool]]:
    """Whether an answer was right at every level before and is now, by label and case, where that changed."""
    was = {(record.model, record.case): record.error_kind is None for record in before.records}
    now = {(record.model, record.case): record.error_kind is None for record in after.records}
    return {key: (was[key], right) for key, right in now.items() if key in was and was[key] != right}


def _score_again(records: Sequence[Record], cases: Mapping[str, Case], fmt: str) -> list[tuple[Record, Score]]:
    reader = get_format(fmt)
    scored = []
    for record in records:
        case = cases.get(record.case)
        if case is None:
            continue
        generation = Generation(
            text=record.text,
            finish_reason=record.finish_reason,
            prompt_tokens=record.prompt_tokens,
            output_tokens=record.output_tokens,
            error=record.error,
        )
        parsed = reader.parse(record.text, case.tools)
        found = score(case, parsed, record.finish_reason)
        scored.append((record_of(record.model, generation, parsed, found), found))
    return scored


def _model_again(model: ModelResult, summary: Summary, floors: FloorReport, n: int) -> ModelResult:
    def tier(found: TierResult, before: TierResult) -> TierResult:
        if before.tier is None and not before.reason.startswith(("withheld", "no data")):
            return before  # the selection of cases is as biased as it was
        return withhold_if_trained(withhold(found, floors), model.trained_cases, n)

    return replace(
        model,
        summary=summary,
        tier=tier(tier_of(summary), model.tier),
        certified_tier=tier(certified_tier(summary), model.certified_tier),
    )


def _decide_again(result: RunResult, gates: Sequence[Verdict], rules: Rules) -> RunResult:
    timed = {(found.before, found.after): found.speed for found in result.comparisons}
    comparisons = tuple(
        replace(
            compare_records(
                pair,
                records_of(result, pair.before),
                records_of(result, pair.after),
                result.cases,
                margin_of(pair, rules.targets),
            ),
            speed=timed.get((pair.before, pair.after)),
        )
        for pair in pairs_of(list(result.models), bits_of(result))
    )
    compared = replace(result, comparisons=comparisons)
    return replace(compared, gates=tuple(_verdict_again(compared, verdict, rules) for verdict in gates))


def _verdict_again(result: RunResult, old: Verdict, rules: Rules) -> Verdict:
    summary = result.models[old.model].summary
    subject = next((found for found in subjects_of(result) if found.label == old.model), None)
    if subject and old.gate.endswith("-loss"):
        return quantized_verdict(old.gate, subject, rules.targets)
    for pair in pairs_of(list(result.models), bits_of(result)):
        for level in summary.levels:
            if pair.after == old.model and pair.gate(level) == old.gate:
                answers = [
                    {record.case: record.levels[level] for record in records_of(result, side)}
                    for side in (pair.before, pair.after)
                ]
                margin = margin_of(pair, rules.targets)
                return compare_verdict(pair, level, paired(answers[0], answers[1]), margin)
    targets = rules.targets.for_bits(bits_of(result)[old.model])
    if old.gate.startswith("tool:"):
        tool = old.gate.removeprefix("tool:")
        rate = summary.tools.get(tool, {}).get("level3", rate_of(0, 0))
        return check_gate(old.gate, old.model, rate, targets.for_tool(tool), rules.mode)
    if old.gate not in summary.levels:
        return old  # it judges sizes, times or the way of measuring, which new rules do not change
    return check_gate(old.gate, old.model, summary.levels[old.gate], targets.levels[old.gate], rules.mode)
