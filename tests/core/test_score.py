from typing import Any

import pytest

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.plan import FinishReason
from pytest_mcpbench.core.score import Score, score

PATH = {"type": "string", "x-mcpbench": {"match": "path"}}
READ = Tool(name="read", aliases=("Read",), input_schema={"properties": {"path": PATH, "limit": {"type": "integer"}}})
GREP = Tool(name="grep", input_schema={"properties": {"pattern": {"type": "string"}, "path": PATH}})


def want(tool: str, **arguments: Any) -> ExpectedCall:
    return ExpectedCall(name=tool, arguments=arguments)


def case_of(*alternatives: tuple[ExpectedCall, ...]) -> Case:
    return Case(
        id="c",
        messages=(Message(role="user", content="?"),),
        tools=(READ, GREP),
        alternatives=alternatives or ((want("read", path="a"),),),
    )


NO_CALL = case_of(())
TWO = case_of((want("read", path="a"), want("read", path="b", limit=2)))


def scored(case: Case, *calls: str, finish: FinishReason = "stop") -> Score:
    """The score of these calls; a text that is no call stands as it is."""
    text = "".join(f"<tool_use>{call}</tool_use>" if call.endswith(")") else call for call in calls)
    return score(case, parse(text), finish)


def levels(result: Score) -> tuple[bool | None, ...]:
    return result.detected, result.parsed, result.correct, result.parameters


@pytest.mark.parametrize(
    ("answer", "expected", "error"),
    [
        ("read(path='a')", (True, True, True, True), None),
        ("Read(path='a')", (True, True, True, True), None),
        ("read(path='b')", (True, True, True, False), "wrong_value"),
        ("read()", (True, True, True, False), "missing_argument"),
        ("read(path='a', limit=1)", (True, True, True, False), "extra_argument"),
        ("grep(path='a')", (True, True, False, False), "wrong_tool"),
        ("READ(path='a')", (True, True, False, False), "unknown_tool"),
        ("<tool_use>read(path=", (True, False, False, False), "unparsed"),
        ("I will read it.", (False, False, False, False), "no_attempt"),
        ("", (False, False, False, False), "no_attempt"),
    ],
)
def test_an_answer_to_a_case_that_expects_a_call_is_judged_level_by_level(
    answer: str, expected: tuple[bool, ...], error: str | None
) -> None:
    result = scored(case_of(), answer)
    assert (levels(result), result.error_kind) == (expected, error)
    assert result.right is (error is None)


@pytest.mark.parametrize(
    ("answer", "right"),
    [("It is a language.", True), ("", True), ("read(path='a')", False), ("<tool_use>read(", False), ("x()", False)],
)
def test_where_no_tool_applies_only_the_first_and_third_level_ask(answer: str, right: bool) -> None:
    result = scored(NO_CALL, answer)
    assert levels(result) == (right, None, right, None)
    assert result.parameters_strict is None
    assert result.error_kind == (None if right else "false_call")


@pytest.mark.parametrize(("finish", "error"), [("length", "cut"), ("error", "harness_error")])
@pytest.mark.parametrize("case", [case_of(), NO_CALL], ids=["call", "no call"])
@pytest.mark.parametrize("answer", ["read(path='a')", "no call here", ""])
def test_cut_and_failed_answers_are_wrong_whatever_they_say(
    case: Case, answer: str, finish: FinishReason, error: str
) -> None:
    result = scored(case, answer, finish=finish)
    assert result.error_kind == error
    assert not any((result.parsed, result.correct, result.parameters, result.parameters_strict))
    assert result.detected is (case.expects_call and finish == "length" and answer.startswith("read"))
    assert result.called == ()


def test_two_calls_are_right_in_any_order() -> None:
    assert scored(TWO, "read(path='b', limit=2)", "read(path='a')").right


@pytest.mark.parametrize(
    ("calls", "correct", "error"),
    [
        (("read(path='a')",), False, "missing_call"),
        (("read(path='a')", "read(path='b', limit=2)", "read(path='a')"), False, "extra_call"),
        (("read(path='a')", "grep(path='b')"), False, "wrong_tool"),
        (("read(path='a')", "ls()"), False, "unknown_tool"),
        (("read(path='a')", "read(path='b')"), True, "missing_argument"),
        (("read(path='a')", "read(path='a')"), True, "missing_argument"),
    ],
)
def test_two_calls_go_wrong_in_the_way_that_comes_first(calls: tuple[str, ...], correct: bool, error: str) -> None:
    result = scored(TWO, *calls)
    assert (result.correct, result.parameters, result.error_kind) == (correct, False, error)


def test_one_unreadable_call_spoils_the_others() -> None:
    result = scored(TWO, "read(path='a')", "read(path=b)")
    assert levels(result) == (True, False, False, False)
    assert result.called == ()


def test_each_alternative_is_right_and_the_nearest_one_explains_a_miss() -> None:
    case = case_of((want("read", path="a"),), (want("grep", pattern="x", path="a"),))
    assert scored(case, "read(path='a')").right
    near = scored(case, "grep(pattern='x', path='b')")
    assert (near.correct, near.parameters, near.error_kind) == (True, False, "wrong_value")
    assert [(m.path, m.want, m.got) for m in near.mismatches] == [("path", "a", "b")]
    assert (near.wanted, near.tools) == (("grep",), ("read",))


def test_the_alternative_with_the_fewest_differences_and_the_strictest_match_is_taken() -> None:
    apart = case_of((want("read", path="a", limit=1),), (want("read", path="b"),))
    assert [(m.path, m.why) for m in scored(apart, "read(path='b', limit=2)").mismatches] == [("limit", "extra")]
    spelt = case_of((want("read", path="./a"),), (want("read", path="a"),))
    assert scored(spelt, "read(path='a')").parameters_strict


def test_the_strict_answer_is_shown_beside_the_lenient_one() -> None:
    result = scored(case_of(), "read(path='./a/')")
    assert (result.parameters, result.parameters_strict, result.right) == (True, False, True)
    assert scored(case_of(), "read(path='a')").parameters_strict


@pytest.mark.parametrize(
    ("calls", "right"),
    [
        (("read(path='a')", "read(path='b', limit=2)"), 3),
        (("read(path='a')", "read(path='b', limit=3)"), 2),
        (("read(path='a')", "read(path='b')"), 2),
        (("read(path='a')",), 1),
        (("read(path='a')", "grep(pattern='b')"), 1),
        (("grep()", "grep()"), 0),
        (("nothing",), 0),
    ],
)
def test_arguments_are_counted_one_by_one(calls: tuple[str, ...], right: int) -> None:
    result = scored(TWO, *calls)
    assert (result.arguments_right, result.arguments_total) == (right, 3)


def test_every_call_is_listed_under_the_name_it_means() -> None:
    result = scored(TWO, "Read(path='a')", "grep()", "ls()")
    assert result.called == ("read", "grep", "ls")
    assert result.wanted == ("read", "read")
    assert result.tools == ("read",)


def test_ten_thousand_calls_are_judged() -> None:
    assert scored(TWO, *["read(path='a')"] * 10_000).error_kind == "extra_call"
