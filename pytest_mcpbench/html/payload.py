"""Every case and answer for the report's explorer: packed into one text that holds no markup whatever it says."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.case import ExpectedCall, Json
from pytest_mcpbench.core.comparison_lines import flips
from pytest_mcpbench.core.diagnose import SAYS, Miss, diagnose_record, is_miss
from pytest_mcpbench.core.kept import KeptCase
from pytest_mcpbench.core.run import Record, RunResult
from pytest_mcpbench.core.text import visible

BUDGET = 4_000_000
"""The most bytes that the packed text may take; texts are cut shorter until it fits."""

TEXT_LIMITS = (8_000, 2_000, 600, 200, 100, 50, 20)
_LONGEST_WHY = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The packed text, and the number of characters after which single texts were cut."""

    packed: str
    limit: int


def pack(result: RunResult) -> Payload:
    """The explorer's data as base64 of zlib-compressed JSON, with the longest texts that fit the budget."""
    cases = list(result.cases.items) or [_unknown(name) for name in dict.fromkeys(r.case for r in result.records)]
    known = {case.id: case for case in cases}
    rows = [
        (record, diagnose_record(record, known[record.case]) if is_miss(record) else None)
        for record in result.records
        if record.case in known and record.model in result.models
    ]
    for limit in TEXT_LIMITS:
        document = json.dumps(_document(result, cases, rows, limit), separators=(",", ":")).encode("ascii")
        packed = base64.b64encode(zlib.compress(document, 9)).decode("ascii")
        if len(packed) <= BUDGET:
            break
    return Payload(packed=packed, limit=limit)


def show_call(name: str, arguments: Mapping[str, Json], limit: int | None = None) -> str:
    """A call as people write it, its values as JSON."""
    inner = ", ".join(f"{key}={_value(value)}" for key, value in arguments.items())
    return visible(f"{name}({inner})", limit)


def show_expected(case: KeptCase, limit: int | None = None) -> list[str]:
    """What answers the case: one text for each call list that is right."""
    if not case.alternatives or not case.alternatives[0]:
        return ["no call"]
    return [visible("\n".join(_expected_call(call) for call in calls), limit) for calls in case.alternatives]


def show_request(case: KeptCase, limit: int | None = None) -> str:
    """What the model was asked: the prompt, or the conversation with its speakers."""
    if len(case.messages) == 1:
        return visible(case.messages[0].content, limit)
    turns = []
    for turn in case.messages:
        calls = [show_call(call.name, call.arguments) for call in turn.calls]
        turns.append("\n".join(part for part in (f"{turn.role}: {turn.content}", *calls) if part))
    return visible("\n\n".join(turns), limit)


def _document(
    result: RunResult, cases: Sequence[KeptCase], rows: Sequence[tuple[Record, Miss | None]], limit: int
) -> Json:
    numbers = {case.id: number for number, case in enumerate(cases)}
    labels = list(result.models)
    return {
        "models": [visible(label) for label in labels],
        "kinds": dict(SAYS),
        "cases": [_case(case, limit) for case in cases],
        "records": [
            [labels.index(record.model), numbers[record.case], *_record(record, miss, limit)] for record, miss in rows
        ],
        "flips": [
            {
                "name": f"{comparison.before} → {comparison.after}",
                "models": [labels.index(comparison.before), labels.index(comparison.after)],
                "lost": _numbers(flips(comparison, gained=False), numbers),
                "gained": _numbers(flips(comparison, gained=True), numbers),
            }
            for comparison in result.comparisons
            if comparison.before in labels and comparison.after in labels
        ],
    }


def _case(case: KeptCase, limit: int) -> Json:
    tools = [visible(tool, 60) for tool in case.expected_tools] or ["no tool"]
    return [visible(case.id), show_request(case, limit), show_expected(case, limit), tools, list(case.tags)]


def _record(record: Record, miss: Miss | None, limit: int) -> Json:
    """The text, the calls in it, the four levels as letters, and what is wrong: kind, detail, explanation."""
    letters = "".join("-" if right is None else "y" if right else "n" for right in record.levels.values())
    calls = visible("\n".join(show_call(call.name, call.arguments) for call in record.calls[:20]), limit)
    text = visible(record.text, limit)
    if miss is None:
        return [text, calls, letters]
    why = visible(miss.why, min(_LONGEST_WHY, 3 * limit))
    return [text, calls, letters, miss.kind, miss.detail_words, why]


def _unknown(name: str) -> KeptCase:
    """A stand-in for a case of a file that kept none."""
    return KeptCase(id=name, messages=(), tools="", alternatives=())


def _numbers(names: Sequence[str], numbers: Mapping[str, int]) -> list[int]:
    return [numbers[name] for name in names if name in numbers]


def _expected_call(call: ExpectedCall) -> str:
    line = show_call(call.name, call.arguments)
    also = [f"{name} also {' or '.join(map(_value, values))}" for name, values in call.accept.items()]
    may = [f"{name}={' or '.join(map(_value, values))} may be given" for name, values in call.optional.items()]
    return f"{line}   ({'; '.join([*also, *may])})" if also or may else line


def _value(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
