"""Granite 3: `<|tool_call|>[{"name": …, "arguments": {…}}]`; Granite 20B FC: `<function_call> {…}` for each call.

Granite 4 writes Hermes calls. Sources: the chat templates of ibm-granite/granite-3.0 (token) and 3.1 (`<tool_call>`)
and the card of granite-20b-functioncalling; vLLM's granite and granite-20b-fc tool parsers and their tests.
"""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import dump_call, read_call
from pytest_mcpbench.core.formats.phi4 import bare_list, marked_list
from pytest_mcpbench.core.formats.reading import ReadError, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked


class Granite(Marked):
    """A JSON list behind the marker, never a single object; or a list that is the whole message."""

    name = "granite"
    openers = ("<|tool_call|>", "<tool_call>")

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The list behind one marker."""
        opener = next(opener for opener in self.openers if text.startswith(opener, at))
        block = marked_list(text, at + len(opener))
        after = skip_space(text, block.end)
        closer = opener.replace("<", "</", 1)
        return block._replace(end=after + len(closer)) if text.startswith(closer, after) else block

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """A list that is the whole message, as it stands where decoding has stripped the token."""
        return bare_list(text, at)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One list."""
        return f"{self.openers[0]}[{', '.join(map(dump_call, calls))}]"


class Granite20bFc(Marked):
    """One object behind each marker, and nothing but white space or prose between the calls."""

    name = "granite_20b_fc"
    openers = ("<function_call>",)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The object behind one marker."""
        call, end = read_call(text, at + len(self.openers[0]))
        if text.startswith(("]", "}", ","), skip_space(text, end)):
            raise ReadError("trailing_text", end)
        return Block([call], end)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One marker a call, a line each."""
        return "\n".join(f"{self.openers[0]} {dump_call(call)}" for call in calls)
