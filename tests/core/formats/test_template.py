"""A tokenizer's own response template as a format."""

from types import SimpleNamespace

import pytest

from pytest_mcpbench.core.case import ToolCall
from pytest_mcpbench.core.formats import Format
from pytest_mcpbench.core.formats.template import response_template

CALL = {"type": "function", "function": {"name": "read", "arguments": {"path": "a"}}}


def _tokenizer(answer):
    def parse_response(text):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(chat_template="<tool_call>", response_template={"x": 1}, parse_response=parse_response)


def test_the_calls_words_and_reasoning_of_the_message_are_taken_over():
    message = {"role": "assistant", "content": "Hm.", "reasoning_content": "So.", "tool_calls": [CALL]}
    result = response_template(_tokenizer(message)).parse("whatever")
    assert result.calls == (ToolCall(name="read", arguments={"path": "a"}),)
    assert (result.text, result.reasoning) == ("Hm.", "So.")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"content": "Hi."}, "no_attempt"),
        (None, "no_attempt"),
        (ValueError("no match"), "unparsed"),
        ({"tool_calls": [{"function": {"name": "read"}}]}, "unparsed"),
        ({"tool_calls": ["read"]}, "unparsed"),
        ({"tool_calls": 3}, "unparsed"),
    ],
)
def test_a_refusal_or_half_a_call_is_a_result_and_no_exception(answer, status):
    assert response_template(_tokenizer(answer)).parse("x").status == status


def test_it_writes_in_the_format_of_the_chat_template():
    made = [ToolCall(name="read", arguments={"path": "a"})]
    fmt = response_template(_tokenizer({"tool_calls": [CALL]}))
    assert isinstance(fmt, Format)
    assert fmt.render(made).startswith("<tool_call>\n")
    assert not fmt.is_complete("<tool_call>")


def test_a_tokenizer_without_a_template_or_without_the_reader_offers_no_format():
    assert response_template(SimpleNamespace(chat_template="", parse_response=print)) is None
    assert response_template(SimpleNamespace(chat_template="", response_template={})) is None
    assert response_template(SimpleNamespace(chat_template="", response_template={"x": 1})) is None
