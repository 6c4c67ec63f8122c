"""What went wrong, answer by answer: each miss gets exactly one kind, and a detail that narrows it down."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pytest_mcpbench.core.kept import KeptCase
from pytest_mcpbench.core.match import Mismatch
from pytest_mcpbench.core.report import explain_record
from pytest_mcpbench.core.run import Record, RunResult
from pytest_mcpbench.core.score import ErrorKind
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.core.valuefault import ValueFault, value_fault

KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)

SAYS: Mapping[ErrorKind, str] = {
    "harness_error": "the generation failed",
    "cut": "cut at the token limit",
    "unparsed": "unparsable call",
    "no_attempt": "no attempt at a call",
    "false_call": "false call: no tool applies",
    "unknown_tool": "a tool that is not offered",
    "wrong_tool": "wrong tool",
    "missing_call": "a call is missing",
    "extra_call": "one call too many",
    "missing_argument": "missing argument",
    "extra_argument": "extra argument",
    "wrong_value": "wrong value",
}
"""What each kind means."""

EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One wrong answer. `detail` is the reason's code, the tools, the argument or the way a value is wrong.

    `line` says why it is wrong and what was written; `why` leaves out what was written.
    """

    model: str
    case: str
    kind: ErrorKind
    detail: str
    line: str
    why: str
    tools: tuple[str, ...] = ()

    @property
    def detail_words(self) -> str:
        """The detail as people read it."""
        return _detail_words(self.kind, self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The misses of one kind and detail: how many, which share of all misses in [0, 1], and a few of them."""

    kind: ErrorKind
    detail: str
    n: int
    share: float
    examples: tuple[Miss, ...]

    @property
    def title(self) -> str:
        """The kind and its detail in words."""
        return _title(self.kind, self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that one model got wrong in `n` cases."""

    model: str
    n: int
    misses: tuple[Miss, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The misses by kind and detail, the most frequent first."""
        by_group: dict[tuple[ErrorKind, str], list[Miss]] = {}
        for miss in self.misses:
            by_group.setdefault((miss.kind, miss.detail), []).append(miss)
        order = sorted(by_group.items(), key=lambda item: (-len(item[1]), KINDS.index(item[0][0]), item[0][1]))
        return tuple(
            Group(
                kind=kind,
                detail=detail,
                n=len(found),
                share=len(found) / len(self.misses),
                examples=tuple(found[:EXAMPLES]),
            )
            for (kind, detail), found in order
        )

    def counts(self) -> dict[ErrorKind, int]:
        """How many misses there are of each kind, in the order of the kinds; kinds without any are left out."""
        found = Counter(miss.kind for miss in self.misses)
        return {kind: found[kind] for kind in KINDS if found[kind]}


def diagnose(result: RunResult, label: str) -> Diagnosis:
    """What the model with this label got wrong."""
    records = [record for record in result.records if record.model == label]
    cases = result.cases.by_id()
    misses = [diagnose_record(record, cases.get(record.case)) for record in records if is_miss(record)]
    return Diagnosis(model=label, n=len(records), misses=tuple(misses))


def is_miss(record: Record) -> bool:
    """Whether some level calls the answer wrong."""
    return False in record.levels.values()


def diagnose_record(record: Record, case: KeptCase | None = None) -> Miss:
    """The kind and detail of one wrong answer. Raises ValueError for an answer that is right."""
    if record.error_kind is None:
        raise ValueError(f"{record.model} answered {record.case} rightly")
    detail, line = _detail(record.error_kind, record, case), explain_record(record)
    return Miss(
        model=record.model,
        case=record.case,
        kind=record.error_kind,
        detail=detail,
        line=line,
        why=line if record.mismatches or record.error else _title(record.error_kind, detail),
        tools=case.expected_tools if case else (),
    )


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The counts, shares and examples, the most frequent kind first."""
    n = len(diagnosis.misses)
    yield f"{diagnosis.model}: {n} of {diagnosis.n} cases missed"
    for group in diagnosis.groups:
        yield f"  {group.n:5} {100 * group.share:5.1f} %  {group.title}"
        for miss in group.examples:
            yield f"                 {miss.case}: {printable(miss.line, 160)}"


def _title(kind: ErrorKind, detail: str) -> str:
    words = _detail_words(kind, detail)
    return SAYS[kind] + (f" ({words})" if words else "")


def _detail_words(kind: ErrorKind, detail: str) -> str:
    """Codes in words. The names of tools and arguments stay as they are: they are looked for in data and schemas."""
    coded = kind in ("unparsed", "wrong_value")
    return printable(detail.replace("_", " ") if coded else detail, 80)


def _detail(kind: ErrorKind, record: Record, case: KeptCase | None) -> str:
    found = record.mismatches
    if kind == "unparsed":
        return record.parse.reason or ""
    if kind == "harness_error":
        return printable((record.error or "").partition(":")[0], 60)
    if kind in ("wrong_tool", "unknown_tool"):
        return next((_tools(mismatch) for mismatch in found if mismatch.why in ("wrong_tool", "extra_call")), "")
    if kind == "false_call":
        return "+".join(sorted({printable(call.name, 40) for call in record.calls}))
    if kind in ("missing_argument", "extra_argument"):
        why = kind.partition("_")[0]
        return next((printable(mismatch.path, 40) for mismatch in found if mismatch.why == why), "")
    return _worst_value(found, case) if kind == "wrong_value" else ""


def _tools(mismatch: Mismatch) -> str:
    got = printable(str(mismatch.got), 40)
    return f"{got} for {mismatch.want}" if mismatch.want else got


def _worst_value(mismatches: Sequence[Mismatch], case: KeptCase | None) -> str:
    """The gravest fault of the wrong values, each held to the right value that it comes closest to."""
    order = get_args(ValueFault)
    request = "\n".join(message.content for message in case.messages) if case else ""
    faults = [
        min((value_fault(want, m.got, m.path, request) for want in _right_values(m, case)), key=order.index)
        for m in mismatches
        if m.why in ("wrong_value", "wrong_type")
    ]
    return max(faults, key=order.index, default="")


def _right_values(mismatch: Mismatch, case: KeptCase | None) -> list[object]:
    """The value that was wanted, and the others that the case accepts in its place."""
    values = [mismatch.want]
    for calls in case.alternatives if case else ():
        if mismatch.call < len(calls) and mismatch.want == calls[mismatch.call].arguments.get(mismatch.path):
            values += calls[mismatch.call].accept.get(mismatch.path, ())
    return values
