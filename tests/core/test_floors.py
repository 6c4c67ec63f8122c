from typing import Any

import pytest

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool
from pytest_mcpbench.core.floors import echo, first_tool, floor_report, silent, skill_line, withhold
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.gate import Tier, tier_of
from pytest_mcpbench.core.plan import plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import summarize

SCHEMA = {
    "properties": {
        "path": {"type": "string"},
        "limit": {"type": "integer"},
        "mode": {"enum": ["fast", "slow"]},
        "deep": {"type": "boolean"},
        "maybe": {"type": ["null", "string"]},
        "list": {"type": "array"},
        "map": {"type": "object"},
        "free": True,
        "spare": {"type": "string"},
    },
    "required": ["path", "limit", "mode", "deep", "maybe", "list", "map", "free"],
}
READ, PING = Tool(name="read", input_schema=SCHEMA), Tool(name="ping")


def case_of(case_id: str, *calls: ExpectedCall, prompt: str = "please", tools: tuple[Tool, ...] = (PING, READ)) -> Case:
    return Case(id=case_id, messages=(Message(role="user", content=prompt),), tools=tools, alternatives=(calls,))


def test_the_null_models_answer_nothing_the_first_tool_or_the_users_words() -> None:
    case = case_of("a", tools=(READ, PING))
    assert silent(case) == ""
    assert echo(case) == "please"
    (call,) = parse(first_tool(case), "native").calls
    assert call.name == "read"
    assert call.arguments == {
        "path": "",
        "limit": 0,
        "mode": "fast",
        "deep": False,
        "maybe": None,
        "list": [],
        "map": {},
        "free": "",
    }


def test_a_request_gets_the_same_answers_as_its_case() -> None:
    case = case_of("a")
    request = plan([case])["a"]
    assert [answer(request) for answer in (silent, first_tool, echo)] == [
        answer(case) for answer in (silent, first_tool, echo)
    ]


@pytest.mark.parametrize("tools", [(), (Tool(name="not a name"),)])
def test_without_a_tool_that_can_be_called_the_first_tool_model_is_silent(tools: tuple[Tool, ...]) -> None:
    assert first_tool(case_of("a", tools=tools)) == ""


def test_the_best_floor_is_found_at_each_level() -> None:
    report = floor_report([case_of("a"), case_of("b"), case_of("c", ExpectedCall(name="ping")), *reads(7)])
    assert (report.best, report.best_at("level4").name) == ("silent", "first-tool")
    assert (report.level3.correct, report.level3.n) == (2, 10)
    assert (report.level4.correct, report.level4.n) == (1, 8)
    assert report.too_easy is None


def reads(n: int) -> list[Case]:
    return [case_of(f"read-{i}", ExpectedCall(name="read", arguments={"path": f"{i}"})) for i in range(n)]


def test_the_line_says_how_far_the_model_is_above_the_best_floor() -> None:
    cases = [case_of("a"), case_of("c", ExpectedCall(name="ping")), *reads(2)]
    answers = ["", "<tool_use>ping()</tool_use>", "<tool_use>read(path='0')</tool_use>", "<tool_use>read()</tool_use>"]
    summary = summarize([score(case, parse(text)) for case, text in zip(cases, answers, strict=True)])
    assert skill_line(summary, floor_report(cases)) == (
        "level3 100.0 % is 75.0 points above the best floor, null:silent with 25.0 %; "
        "level4 66.7 % is 33.3 points above the best floor, null:first-tool with 33.3 %"
    )
    assert "25.0 points below the best floor" in skill_line(
        summarize([score(case, parse("x")) for case in reads(2)]), floor_report(cases)
    )


def test_a_case_set_that_a_null_model_passes_withholds_the_tier_and_says_why() -> None:
    easy = [case_of(str(number), ExpectedCall(name="ping")) for number in range(4)]
    report = floor_report(easy)
    perfect = tier_of(summarize([score(case, parse("<tool_use>ping()</tool_use>")) for case in easy]))
    assert perfect.tier is Tier.EXCELLENT
    withheld = withhold(perfect, report)
    assert withheld.tier is None
    assert withheld.line().startswith("no tier: withheld, as null:first-tool, which understands nothing, is EXCELLENT")


def test_an_honest_case_set_leaves_the_tier_alone() -> None:
    result = tier_of(summarize([score(case, parse("")) for case in reads(3)]))
    assert withhold(result, floor_report(reads(3))) is result


@pytest.mark.parametrize("cases", [[], [case_of("a")]])
def test_without_cases_that_expect_a_call_no_floor_is_too_good(cases: list[Any]) -> None:
    report = floor_report(cases)
    assert report.too_easy is None
    assert "level4 no data" in skill_line(summarize([]), report)
