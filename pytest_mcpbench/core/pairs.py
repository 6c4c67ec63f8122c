"""Comparisons of recorded answers: of two models of one run, or of two runs."""

from collections.abc import Sequence

from pytest_mcpbench.core.compare import Comparison, Pair, paired, quantized_bits
from pytest_mcpbench.core.kept import CaseSet
from pytest_mcpbench.core.level import LEVEL_NAMES
from pytest_mcpbench.core.run import Record, RunResult
from pytest_mcpbench.errors import ResultError


def compare_records(
    pair: Pair, before: Sequence[Record], after: Sequence[Record], cases: CaseSet, margin: float | None = None
) -> Comparison:
    """What changed from one model's records to another's, over the cases that both answered."""
    levels = {
        level: paired(*({record.case: record.levels[level] for record in side} for side in (before, after)))
        for level in LEVEL_NAMES
    }
    tools_of = {case.id: case.expected_tools for case in cases.items}
    tools = {}
    for tool in sorted({tool for names in tools_of.values() for tool in names}):
        sides = [
            {record.case: record.levels["level3"] for record in side if tool in tools_of.get(record.case, ())}
            for side in (before, after)
        ]
        tools[tool] = paired(sides[0], sides[1])
    return Comparison(
        before=pair.before, after=pair.after, relation=pair.relation, margin=margin, levels=levels, tools=tools
    )


def bits_of(result: RunResult) -> dict[str, int | None]:
    """The bits of each quantized model by its label, by its weights or else its label; None for the others."""
    return {
        label: (model.weights.quantized_bits if model.weights else None) or quantized_bits(label)
        for label, model in result.models.items()
    }


def records_of(result: RunResult, label: str) -> tuple[Record, ...]:
    """The records of one model."""
    return tuple(record for record in result.records if record.model == label)


def common_cases(before: RunResult, after: RunResult) -> tuple[str, ...]:
    """The ids of the cases that two runs share, with equal words and equal answers.

    Raises ResultError where they share none, or where files too old to hold their cases ran different ones.
    """
    if before.cases.items and after.cases.items:
        first, second = before.cases.by_id(), after.cases.by_id()
        same = tuple(
            name
            for name, case in first.items()
            if name in second
            and (case.messages, case.alternatives) == (second[name].messages, second[name].alternatives)
        )
    elif before.cases.hash == after.cases.hash:
        same = tuple({record.case: None for record in before.records})
    else:
        raise ResultError(
            "the two files hold no cases and ran different ones (their hashes differ); run both again with --mcp-json"
        )
    if not same:
        raise ResultError("the two runs have no case in common, by id and content; run both on the same cases")
    return same
