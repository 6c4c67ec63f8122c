"""Well-formed and malformed answers of every family, in their own format and in auto."""

import pytest

from pytest_mcpbench.core.case import ToolCall
from pytest_mcpbench.core.formats import format_names, parse
from pytest_mcpbench.core.formats.family import same_call
from tests.core.formats.malformed import MALFORMED
from tests.core.formats.wellformed import ANSWERS, READ_JSON, TOOLS, Answer


def _names(answers: tuple[Answer, ...]) -> list[str]:
    return [f"{answer.fmt}-{index}" for index, answer in enumerate(answers)]


def _same(want: tuple[ToolCall, ...], got: tuple[ToolCall, ...]) -> bool:
    return len(want) == len(got) and all(map(same_call, want, got))


@pytest.mark.parametrize("answer", ANSWERS, ids=_names(ANSWERS))
def test_a_well_formed_answer_is_read_in_its_format(answer):
    result = parse(answer.text, answer.fmt, TOOLS)
    assert result.status == "parsed", result.reason
    assert _same(answer.calls, result.calls)


@pytest.mark.parametrize("answer", ANSWERS, ids=_names(ANSWERS))
def test_auto_reads_it_too_and_says_in_which_format(answer):
    result = parse(answer.text, "auto", TOOLS)
    if answer.auto_name is None:
        assert not result.calls
        return
    assert f"format={answer.auto_name}" in result.notes
    assert _same(answer.calls, result.calls)


@pytest.mark.parametrize(("fmt", "text", "reason"), MALFORMED, ids=[f"{row[0]}-{n}" for n, row in enumerate(MALFORMED)])
def test_a_malformed_answer_holds_no_call_and_says_why(fmt, text, reason):
    result = parse(text, fmt, TOOLS)
    assert not result.calls
    assert result.reason == reason
    assert result.status == ("no_attempt" if reason is None else "unparsed")
    if result.span is not None:
        assert 0 <= result.span[0] <= result.span[1] <= len(text)


def test_every_format_has_well_formed_answers_here():
    assert {answer.fmt for answer in ANSWERS} >= set(format_names()) - {"auto", "mistral_v13", "deepseek_v4"}


def test_words_and_reasoning_are_returned_beside_the_calls():
    result = parse(f"<think>Hm.</think>I look. <tool_call>{READ_JSON}</tool_call> Done.", "hermes")
    assert (result.reasoning, result.text) == ("Hm.", "I look.  Done.")


def test_a_complete_call_in_reasoning_that_never_closes_counts_with_a_note():
    result = parse(f"<think>I call.\n<tool_call>{READ_JSON}</tool_call>", "hermes")
    assert len(result.calls) == 1
    assert result.notes == ("unclosed_reasoning",)


def test_two_formats_in_one_answer_are_read_as_the_first_one():
    text = f"<tool_call>{READ_JSON}</tool_call><tool_use>now()</tool_use>"
    assert [call.name for call in parse(text, "auto").calls] == ["read"]
    assert [call.name for call in parse(text, "native").calls] == ["now"]


def test_text_without_markers_is_returned_as_it_is_in_every_format():
    words = "  Nothing to call here; 2 < 3, a[0] and {x}.\n"
    for name in format_names():
        result = parse(words, name)
        assert (result.status, result.text) == ("no_attempt", words)
