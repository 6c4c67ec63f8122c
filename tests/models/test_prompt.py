from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool, ToolCall
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.plan import request_of
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.prompt import NO_CALL_ANSWER, PromptStyle, build_prompt, completion_text, prompt_digest

NATIVE = get_format("native")
READ = Tool(name="read", description="Read a file.", input_schema={"properties": {"p": {}}, "required": ["p"]})
PLAIN = PromptStyle(fmt=NATIVE)
END = "{% if add_generation_prompt %}[assistant]{% endif %}"
TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}" + END
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + TURNS
)
DROPS_SYSTEM = TURNS.replace(
    "[{{ m.role }}]{{ m.content }}", "{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}"
)


class Tokenizer:
    """Renders a template as a transformers tokenizer does."""

    eos_token = "<eos>"

    def __init__(self, template: str) -> None:
        self.chat_template = template

    def apply_chat_template(self, conversation: list[dict[str, Any]], *, tokenize: bool, **kwargs: Any) -> str:
        assert not tokenize

        def fail(message: str) -> None:
            raise ValueError(message)

        return (
            Environment().from_string(self.chat_template).render(messages=conversation, raise_exception=fail, **kwargs)
        )


def through(template: str, *turns: Message) -> str:
    style = PromptStyle(fmt=NATIVE, tokenizer=Tokenizer(template))
    return build_prompt(request_of(turns or [Message(role="user", content="hi")], [READ]), style).text


def test_a_plain_prompt_lists_the_tools_and_then_the_conversation() -> None:
    turns = [
        Message(role="user", content="read a"),
        Message(role="assistant", calls=(ToolCall(name="read", arguments={"p": "a"}),)),
        Message(role="tool", content="text of a", name="read"),
        Message(role="user", content="thanks"),
    ]
    prompt = build_prompt(request_of(turns, [READ]), PLAIN)
    assert prompt.text.startswith(NATIVE.instructions([READ], "line") + "\n\nUser: read a\nAssistant: <tool_use>")
    assert prompt.text.endswith("\nTool: text of a\nUser: thanks\nAssistant:")
    assert prompt.adds_bos


@given(st.text(max_size=50))
def test_a_plain_prompt_never_ends_in_white_space(words: str) -> None:
    text = build_prompt(request_of([Message(role="user", content=words)], [READ]), PLAIN).text
    assert text == text.rstrip()


def test_the_users_own_system_text_stands_before_the_tools() -> None:
    turns = [Message(role="system", content="Be brief."), Message(role="user", content="hi")]
    assert build_prompt(request_of(turns, [READ]), PLAIN).text.startswith(
        "Be brief.\n\n" + NATIVE.instructions([READ], "line")
    )


def test_a_template_renders_the_conversation_and_writes_its_own_beginning() -> None:
    style = PromptStyle(fmt=NATIVE, tokenizer=Tokenizer(TURNS))
    prompt = build_prompt(request_of([Message(role="user", content="hi")], [READ]), style)
    assert prompt.text == f"[system]{NATIVE.instructions([READ], 'line')}[user]hi[assistant]"
    assert not prompt.adds_bos
    assert prompt.stops == ()


@pytest.mark.parametrize("template", [REFUSES_SYSTEM, DROPS_SYSTEM])
def test_a_template_without_a_system_turn_still_offers_the_tools(template: str) -> None:
    assert through(template) == f"[user]{NATIVE.instructions([READ], 'line')}\n\nhi[assistant]"


def test_a_template_that_trims_is_not_taken_for_one_that_drops() -> None:
    assert through(TURNS.replace("m.content", "m.content | trim")).startswith("[system]")


def test_a_template_that_can_say_nothing_is_an_error_in_one_line() -> None:
    with pytest.raises(
        ModelError, match=r"the chat template cannot render this conversation \(ValueError: no, never\)"
    ):
        through("{{ raise_exception('no,\nnever') }}")


def test_a_template_that_would_think_first_is_told_not_to() -> None:
    assert through(TURNS + "{% if enable_thinking is false %}<think></think>{% endif %}").endswith("<think></think>")


def test_a_completion_is_the_canonical_calls_or_words() -> None:
    call = ExpectedCall(name="read", arguments={"p": "a"})
    case = Case(id="a", messages=(Message(role="user", content="x"),), tools=(READ,), alternatives=((call,),))
    assert completion_text(case, PLAIN) == " <tool_use>read(p='a')</tool_use>"
    templated = PromptStyle(fmt=NATIVE, tokenizer=Tokenizer(TURNS))
    assert completion_text(case, templated) == "<tool_use>read(p='a')</tool_use>"
    none = Case(id="b", messages=case.messages, tools=(READ,), alternatives=((),))
    assert completion_text(none, PLAIN) == f" {NO_CALL_ANSWER}"


def test_the_digest_of_a_prompt_changes_with_template_format_and_tool_detail_alone() -> None:
    styles = [
        PLAIN,
        PromptStyle(fmt=NATIVE, detail="schema"),
        PromptStyle(fmt=get_format("hermes")),
        PromptStyle(fmt=NATIVE, tokenizer=Tokenizer(TURNS)),
        PromptStyle(fmt=NATIVE, tokenizer=Tokenizer(DROPS_SYSTEM)),
    ]
    assert len({prompt_digest(style) for style in styles}) == len(styles)
    assert prompt_digest(PromptStyle(fmt=NATIVE)) == prompt_digest(PLAIN)
    dated = PromptStyle(fmt=NATIVE, tokenizer=Tokenizer("{{ strftime_now('%d %b %Y') }}" + TURNS))
    assert prompt_digest(dated) == prompt_digest(dated)
