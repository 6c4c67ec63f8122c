"""How one answer went: the four levels' questions, each answered on its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_mcpbench.core.case import Case, ExpectedCall, Tool, ToolCall
from pytest_mcpbench.core.formats import ParseResult
from pytest_mcpbench.core.match import Mismatch, match_calls
from pytest_mcpbench.core.plan import FinishReason
from pytest_mcpbench.core.schema import canonical_name

ErrorKind = Literal[
    "harness_error",
    "cut",
    "unparsed",
    "no_attempt",
    "false_call",
    "unknown_tool",
    "wrong_tool",
    "missing_call",
    "extra_call",
    "missing_argument",
    "extra_argument",
    "wrong_value",
]
"""What went wrong, the first that applies in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one case went. Each field is a separate question, so a suite can ask only its own.

    `parsed` and `parameters` are None where the case expects no call, so that the question does not arise.
    `tools` are those of the canonical answer; `wanted` and `called` have an entry per call, `wanted` for the
    alternative that the answer comes closest to. `parameters_strict` is `parameters` without the equivalences
    that the tools' schemas opt into.
    `arguments_right` of `arguments_total` expected arguments are right, a diagnostic.
    """

    case_id: str
    expects_call: bool
    tools: tuple[str, ...]
    attempted: bool
    detected: bool
    parsed: bool | None
    correct: bool
    parameters: bool | None
    parameters_strict: bool | None
    arguments_right: int = 0
    arguments_total: int = 0
    wanted: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    error_kind: ErrorKind | None = None
    reason: str | None = None

    @property
    def right(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.error_kind is None


def score(case: Case, parsed: ParseResult, finish_reason: FinishReason = "stop") -> Score:
    """How the answer did at each level. Errors, cut output and unreadable calls count as wrong, never as absent.

    An attempt that was seen is seen even if the output was cut behind it; that no call was made is only
    known of an answer that ended.
    """
    finished = finish_reason == "stop"
    attempted = parsed.attempted and finish_reason != "error"
    calls = _canonical(parsed.calls, case.tools) if finished else ()
    base = Score(
        case_id=case.id,
        expects_call=case.expects_call,
        tools=tuple(sorted(case.expected_tools)),
        attempted=attempted,
        detected=attempted if case.expects_call else finished and not attempted,
        parsed=(finished and parsed.status == "parsed") if case.expects_call else None,
        correct=not case.expects_call and finished and not attempted,
        parameters=False if case.expects_call else None,
        parameters_strict=False if case.expects_call else None,
        arguments_total=sum(len(expected.arguments) for expected in case.expected),
        wanted=tuple(sorted(call.name for call in case.expected)),
        called=tuple(call.name for call in calls),
        error_kind=_early_error(case, parsed, finish_reason),
        reason=parsed.reason,
    )
    if base.error_kind is not None or not case.expects_call:
        return base
    return max((_compare(base, case, expected, calls) for expected in case.alternatives), key=_goodness)


def _early_error(case: Case, parsed: ParseResult, finish_reason: FinishReason) -> ErrorKind | None:
    """What is wrong before any call is compared."""
    if finish_reason == "error":
        return "harness_error"
    if finish_reason == "length":
        return "cut"
    if parsed.status == "no_attempt":
        return "no_attempt" if case.expects_call else None
    if not case.expects_call:
        return "false_call"
    return "unparsed" if parsed.status == "unparsed" else None


def _compare(base: Score, case: Case, expected: Sequence[ExpectedCall], calls: Sequence[ToolCall]) -> Score:
    tools = {tool.name: tool for tool in case.tools}
    mismatches = match_calls(expected, calls, tools)
    total = sum(len(call.arguments) for call in expected)
    wanted = tuple(sorted(call.name for call in expected))
    return replace(
        base,
        wanted=wanted,
        correct=list(wanted) == sorted(call.name for call in calls),
        parameters=not mismatches,
        parameters_strict=not mismatches and not match_calls(expected, calls, tools, strict=True),
        arguments_right=total - _arguments_lost(expected, mismatches),
        arguments_total=total,
        mismatches=mismatches,
        error_kind=_comparison_error(mismatches, tools),
    )


def _arguments_lost(expected: Sequence[ExpectedCall], mismatches: Sequence[Mismatch]) -> int:
    lost = 0
    for mismatch in mismatches:
        if mismatch.why in ("wrong_tool", "missing_call"):
            lost += len(expected[mismatch.call].arguments)
        elif mismatch.why in ("missing", "wrong_value", "wrong_type"):
            lost += 1
    return lost


def _comparison_error(mismatches: Sequence[Mismatch], tools: dict[str, Tool]) -> ErrorKind | None:
    if not mismatches:
        return None
    whys = {mismatch.why for mismatch in mismatches}
    if any(m.why in ("wrong_tool", "extra_call") and m.got not in tools for m in mismatches):
        return "unknown_tool"
    order: tuple[tuple[str, ErrorKind], ...] = (
        ("wrong_tool", "wrong_tool"),
        ("missing_call", "missing_call"),
        ("extra_call", "extra_call"),
        ("missing", "missing_argument"),
        ("extra", "extra_argument"),
    )
    return next((kind for why, kind in order if why in whys), "wrong_value")


def _goodness(candidate: Score) -> tuple[bool, bool, bool, int]:
    return (
        candidate.correct,
        bool(candidate.parameters),
        bool(candidate.parameters_strict),
        -len(candidate.mismatches),
    )


def _canonical(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> tuple[ToolCall, ...]:
    """The calls under the names of the tools they mean: declared aliases count as the tool."""
    offered = {tool.name: tool for tool in tools}
    return tuple(ToolCall(name=canonical_name(call.name, offered), arguments=call.arguments) for call in calls)
