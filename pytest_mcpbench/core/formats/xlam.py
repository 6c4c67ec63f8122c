"""xLAM: `[{"name": …, "arguments": {…}}, …]` as the whole message, or at its end in one of four wrappers.

The wrappers are a `json` code fence, `[TOOL_CALLS]`, and `<tool_call>` tags; reasoning may stand in front.
xLAM 1 wraps the list in `{"tool_calls": […]}`. Sources: the cards and chat templates of Salesforce/xLAM-1b-fc-r and
Llama-xLAM-2-8b-fc-r; vLLM's xlam tool parser and its tests.
"""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import call_of, dump_call, read_calls, read_json
from pytest_mcpbench.core.formats.phi4 import bare_list
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

_WRAPPERS = {"```json": "```", "[TOOL_CALLS]": "", "<tool_call>": "</tool_call>"}


class Xlam(Marked):
    """The only family whose calls may stand in a `json` code fence; a fence that holds no list of objects is prose."""

    name = "xlam"
    openers = tuple(_WRAPPERS)
    closers = ("</tool_call>",)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """The list in one wrapper."""
        opener = next(opener for opener in _WRAPPERS if text.startswith(opener, at))
        at = skip_space(text, at + len(opener))
        if opener.startswith("`") and bare_list_start(text, at) is False:
            return None
        calls, end = read_calls(text, at)
        return Block(calls, expect(text, end, _WRAPPERS[opener]))

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """A list that is the whole message, also as the only field of an object."""
        if not text.startswith("{", at) or not text.startswith('"tool_calls"', skip_space(text, at + 1)):
            return bare_list(text, at)
        value, end = read_json(text, at)
        calls = value["tool_calls"]
        if not isinstance(calls, list) or not calls:
            raise ReadError("not_an_array" if not isinstance(calls, list) else "empty", at)
        return Block([call_of(call, at) for call in calls], end)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One list."""
        return f"[{', '.join(map(dump_call, calls))}]"


def bare_list_start(text: str, at: int) -> bool:
    """Whether a list of objects begins at `at`."""
    return text.startswith("[", at) and text.startswith("{", skip_space(text, at + 1))
