"""MiniMax M2: `<minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>…`, raw values.

Sources: MiniMax-AI/MiniMax-M2's tool calling guide and chat template; vLLM's minimax_m2 tool parser and its tests.
"""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked
from pytest_mcpbench.core.formats.tagged import Tags, read_tagged_call
from pytest_mcpbench.core.formats.values import RawTypes, raw_text

OPENER = "<minimax:tool_call>"
CLOSER = "</minimax:tool_call>"
_TAGS = Tags(
    call=re.compile(r'<invoke name="([^"<>]+)">'),
    call_end="</invoke>",
    parameter=re.compile(r'<parameter name="([^"<>]+)">'),
    parameter_start="<parameter name=",
    parameter_end="</parameter>",
)


class MiniMaxM2(Marked):
    """One pair of tags around all calls. Values are typed by the tool's schema and kept to the byte."""

    name = "minimax_m2"
    openers = (OPENER,)
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls of one block."""
        types = RawTypes(tools)

        def value_of(tool: str, tag: re.Match[str], raw: str) -> Json:
            return types.value(tool, tag.group(1), raw)

        calls = []
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        while not text.startswith(CLOSER, at):
            call, at = read_tagged_call(text, at, _TAGS, value_of)
            calls.append(call)
            at = skip_space(text, at)
        return Block(calls, expect(text, at, CLOSER))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """All calls in one block, each tag on a line of its own."""
        return "\n".join([OPENER, *map(self._write_call, calls), CLOSER])

    @staticmethod
    def _write_call(call: ToolCall) -> str:
        parameters = "".join(
            f'<parameter name="{key}">{raw_text(value)}</parameter>\n' for key, value in call.arguments.items()
        )
        return f'<invoke name="{call.name}">\n{parameters}</invoke>'
