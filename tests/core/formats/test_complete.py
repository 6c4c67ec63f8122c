"""When generation may stop: the calls have ended, and what follows begins no other."""

import pytest

from pytest_mcpbench.core.formats import format_names, get_format, render
from tests.core.formats.wellformed import NOW, READ, READ_JSON


@pytest.mark.parametrize("fmt", format_names())
def test_rendered_calls_are_complete_when_prose_or_much_white_space_follows_and_never_before_their_end(fmt):
    made = [READ, NOW]
    text = render(made, fmt)
    family = get_format(fmt)
    for at in range(len(render([READ], fmt)) // 2):
        assert not family.is_complete(text[:at])
    assert not family.is_complete("Nothing to call.")
    if fmt not in (
        "harmony",
        "openai_chat",
        "openai_responses",
        "anthropic",
        "llama3_json",
        "pythonic",
        "gemma3",
        "xlam",
    ):
        assert family.is_complete(f"{text}\nThat was it.")
    if not fmt.startswith("openai") and fmt not in ("harmony", "anthropic"):
        assert family.is_complete(text + "\n" * 9)


@pytest.mark.parametrize("fmt", ["pythonic", "gemma3", "xlam", "auto"])
def test_a_list_that_is_the_whole_message_is_complete_with_its_bracket(fmt):
    text = render([READ, NOW], "xlam" if fmt == "xlam" else "pythonic")
    assert get_format(fmt).is_complete(text)
    assert not get_format(fmt).is_complete(text[:-1])


@pytest.mark.parametrize("rest", ["", "\n", "\n<tool", "\n<tool_call>", "\n<tool_call>\n{"])
def test_while_another_call_may_be_coming_nothing_is_complete(rest):
    assert not get_format("hermes").is_complete(f"<tool_call>\n{READ_JSON}\n</tool_call>{rest}")


def test_a_call_in_unfinished_reasoning_or_code_is_not_complete():
    block = f"<tool_call>{READ_JSON}</tool_call> and then"
    assert get_format("hermes").is_complete(block)
    assert not get_format("hermes").is_complete(f"<think>{block}")
    assert not get_format("hermes").is_complete(f"```\n{block}")
