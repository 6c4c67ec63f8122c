from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.gate import Tier, tier_of
from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.core.score import Score, score
from pytest_mcpbench.core.summary import Confusion, Rate, rate_of, rate_over, show_percent, summarize

PATH = {"type": "string", "x-mcpbench": {"match": "path"}}
TOOLS = (
    Tool(name="read", input_schema={"properties": {"path": PATH}}),
    Tool(name="grep", input_schema={"properties": {"pattern": {}}}),
)


def case_of(*alternatives: tuple[tuple[str, dict[str, Any]], ...]) -> Case:
    expected = tuple(
        tuple(ExpectedCall(name=name, arguments=arguments) for name, arguments in calls) for calls in alternatives
    )
    return Case(id="c", messages=(Message(role="user", content="?"),), tools=TOOLS, alternatives=expected)


READ = case_of((("read", {"path": "a"}),))
GREP = case_of((("grep", {"pattern": "x"}),))
BOTH = case_of((("read", {"path": "a"}), ("grep", {"pattern": "x"})))
TWICE = case_of((("read", {"path": "a"}), ("read", {"path": "b"})))
EITHER = case_of((("read", {"path": "a"}),), (("grep", {"pattern": "x"}),))
NONE = case_of(())

R, LOOSE, OTHER, G = "read(path='a')", "read(path='./a')", "read(path='z')", "grep(pattern='x')"
TEXTS = ["", "words", "<tool_use>read(", *(f"<tool_use>{c}</tool_use>" for c in (R, LOOSE, OTHER, G, "ls()"))]
TEXTS += [f"<tool_use>{R}</tool_use><tool_use>{G}</tool_use>"]

scores = st.lists(
    st.builds(
        lambda case, text, finish: score(case, parse(text), finish),
        st.sampled_from([READ, GREP, BOTH, TWICE, EITHER, NONE]),
        st.sampled_from(TEXTS),
        st.sampled_from(["stop", "stop", "stop", "length", "error"]),
    ),
    max_size=30,
)


def scored(case: Case, *calls: str) -> Score:
    return score(case, parse("".join(f"<tool_use>{call}</tool_use>" for call in calls)))


def counts(rate: Rate) -> tuple[int, int]:
    return rate.correct, rate.n


@given(scores)
def test_no_case_drops_out_of_a_denominator(found: list[Score]) -> None:
    summary = summarize(found)
    calls = sum(score.expects_call for score in found)
    for level in LEVELS:
        assert summary.levels[level.name].n == (len(found) if level.over == "all" else calls)
    assert (summary.call_recall.n, summary.false_call_rate.n) == (calls, len(found) - calls)
    assert summary.level4_strict.n == calls
    assert sum(pair.n for pair in summary.confusion) == len(found)
    assert sum(summary.errors.values()) == sum(not score.right for score in found)
    assert all(summary.errors.values())


@given(scores)
def test_a_level_is_never_easier_than_what_it_builds_on(found: list[Score]) -> None:
    summary = summarize(found)
    right = {name: rate.correct for name, rate in summary.levels.items()}
    assert right["level4"] <= right["level2"]
    assert right["level4"] <= right["level3"] <= right["level1"]
    assert summary.level4_strict.correct <= right["level4"]
    assert summary.level4_given_level3.correct == right["level4"]


@given(scores)
def test_each_tool_counts_every_case_that_expects_it_once(found: list[Score]) -> None:
    tools = summarize(found).tools
    for name in ("read", "grep"):
        expecting = [score for score in found if name in score.tools]
        assert (name in tools) is bool(expecting)
        if expecting:
            assert counts(tools[name]["level3"]) == (sum(score.correct for score in expecting), len(expecting))
            assert tools[name]["level4"].n == len(expecting)
    others = [score for score in found if not score.expects_call]
    assert list(tools.get("none", {})) == (["level3"] if others else [])


@given(scores)
def test_the_order_of_the_scores_changes_nothing(found: list[Score]) -> None:
    assert summarize(found) == summarize(found[::-1])


@given(scores, scores)
def test_what_is_added_adds_up(one: list[Score], more: list[Score]) -> None:
    apart, together = [summarize(part).levels for part in (one, more)], summarize(one + more).levels
    for name, rate in together.items():
        assert rate.correct == sum(part[name].correct for part in apart)
        assert rate.n == sum(part[name].n for part in apart)


@given(st.lists(st.sampled_from([READ, GREP, BOTH, TWICE, EITHER, NONE]), max_size=20))
def test_a_model_that_never_calls_gets_nothing_where_a_call_is_expected_and_no_tier_above_poor(
    cases: list[Case],
) -> None:
    summary = summarize([score(case, parse("")) for case in cases])
    calls = sum(case.expects_call for case in cases)
    assert summary.call_recall.correct == 0
    assert summary.levels["level2"].correct == summary.levels["level4"].correct == 0
    assert summary.levels["level3"].correct == summary.levels["level1"].correct == len(cases) - calls
    assert summary.false_call_rate.correct == 0
    assert tier_of(summary).tier in (None, Tier.POOR)


def test_no_data_is_no_rate_and_not_0() -> None:
    summary = summarize([])
    assert summary.levels["level3"] == Rate(n=0, correct=0, rate=None, interval=None)
    assert summary.arguments.rate is None
    assert summary.levels["level3"].describe() == "no data"
    assert (summary.tools, summary.errors, summary.confusion) == ({}, {}, ())
    assert summarize([scored(NONE)]).levels["level4"].rate is None


def test_a_case_with_two_tools_counts_for_both_and_one_with_two_calls_of_a_tool_once() -> None:
    tools = summarize([scored(BOTH, R), scored(TWICE, R, "read(path='b')")]).tools
    assert counts(tools["read"]["level3"]) == (1, 2)
    assert counts(tools["grep"]["level3"]) == (0, 1)


def test_the_diagnostics_are_conditional_and_per_argument() -> None:
    summary = summarize([scored(BOTH, R, "grep(pattern='y')"), scored(READ, LOOSE), scored(GREP, R), scored(NONE, R)])
    assert counts(summary.levels["level4"]) == (1, 3)
    assert counts(summary.level4_strict) == (0, 3)
    assert counts(summary.level4_given_level3) == (1, 2)
    assert counts(summary.arguments) == (2, 4)
    assert summary.arguments.rate == 0.5
    assert summary.arguments.interval is None
    assert counts(summary.call_recall) == (3, 3)
    assert counts(summary.false_call_rate) == (1, 1)


def test_errors_are_listed_in_the_order_in_which_they_are_looked_for() -> None:
    wrong = [scored(READ, OTHER), scored(READ, G), scored(READ), score(READ, parse(""), "length"), scored(READ)]
    assert list(summarize(wrong).errors.items()) == [
        ("cut", 1),
        ("no_attempt", 2),
        ("wrong_tool", 1),
        ("wrong_value", 1),
    ]


@pytest.mark.parametrize(
    ("found", "want", "got"),
    [
        (scored(READ, R), "read", "read"),
        (scored(READ, G), "read", "grep"),
        (scored(READ), "read", "no call"),
        (scored(READ, "read("), "read", "unparsable"),
        (score(READ, parse(""), "error"), "read", "error"),
        (score(READ, parse(""), "length"), "read", "cut"),
        (scored(NONE), "no call", "no call"),
        (scored(NONE, G), "no call", "grep"),
        (scored(NONE, "grep("), "no call", "unparsable"),
        (scored(BOTH, R, G), "grep+read", "grep+read"),
        (scored(TWICE, R), "read+read", "read"),
        (scored(EITHER, G), "grep", "grep"),
        (scored(READ, *["ls()"] * 9), "read", "ls+ls+ls+ls+5 more"),
        (scored(READ, "x" * 99 + "()"), "read", "x" * 39 + "…"),
    ],
)
def test_the_confusion_tells_what_was_wanted_and_what_came(found: Score, want: str, got: str) -> None:
    assert summarize([found]).confusion == (Confusion(want=want, got=got, n=1),)


@given(st.lists(st.sampled_from([True, False, None])))
def test_a_rate_passes_over_the_questions_that_do_not_arise(answers: list[bool | None]) -> None:
    assert counts(rate_over(answers)) == (answers.count(True), answers.count(True) + answers.count(False))


def test_a_rate_says_its_counts_percentage_and_interval() -> None:
    assert rate_of(143, 200).describe() == "143/200 right (71.5 %, 95 % interval 64.9 to 77.3)"
    assert rate_of(0, 3).describe(word="called") == "0/3 called (0.0 %, 95 % interval 0.0 to 56.1)"


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="2 of 1"):
        rate_of(2, 1)
    with pytest.raises(ValueError, match="1 of 0"):
        rate_of(1, 0)


@given(st.integers(1, 99_999).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_percentage_never_seems_to_reach_what_it_does_not(counts: tuple[int, int]) -> None:
    rate, target = Fraction(*counts), Fraction(95, 100)
    shown = Fraction(show_percent(rate, target)) / 100
    assert (shown < target, shown > target) == (rate < target, rate > target)
    assert (shown == 1) == (rate == 1)
    assert (shown == 0) == (rate == 0)
    assert abs(shown - rate) <= Fraction(1, 2000)


def test_a_percentage_has_one_decimal_where_that_is_enough() -> None:
    shown = [show_percent(Fraction(hits, 10_000), Fraction(95, 100)) for hits in (9499, 9500, 9494, 9999, 10_000, 1)]
    assert shown == ["94.99", "95.0", "94.9", "99.99", "100.0", "0.01"]
