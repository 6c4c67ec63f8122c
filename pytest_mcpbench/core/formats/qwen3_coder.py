"""Qwen3-Coder: `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`, raw values.

Sources: the chat template and the reference parser of Qwen/Qwen3-Coder-30B-A3B-Instruct; vLLM's qwen3_coder and
qwen3_xml tool parsers and their tests.
"""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked
from pytest_mcpbench.core.formats.tagged import Tags, read_tagged_call
from pytest_mcpbench.core.formats.values import RawTypes, raw_text

OPENER = "<tool_call>"
CLOSER = "</tool_call>"
FUNCTION = "<function="
_TAGS = Tags(
    call=re.compile(r"<function=([^\s<>]+)>"),
    call_end="</function>",
    parameter=re.compile(r"<parameter=([^<>\n]+)>"),
    parameter_start="<parameter=",
    parameter_end="</parameter>",
)


class Qwen3Coder(Marked):
    """Values typed by the tool's schema. One newline on either side of a value belongs to the tags.

    The opening `<tool_call>` may be missing, as the models tend to leave it out; nothing else may.
    """

    name = "qwen3_coder"
    openers = (OPENER, FUNCTION)
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The functions of one block, or one function that stands alone."""
        types = RawTypes(tools)
        if text.startswith(FUNCTION, at):
            call, at = self._function(text, at, types)
            after = skip_space(text, at)
            return Block([call], after + len(CLOSER) if text.startswith(CLOSER, after) else at, "no_opener")
        calls = []
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        if not text.startswith(FUNCTION, at):
            expect(text, at, FUNCTION, "bad_tag")
        while text.startswith(FUNCTION, at):
            call, at = self._function(text, at, types)
            calls.append(call)
            at = skip_space(text, at)
        return Block(calls, expect(text, at, CLOSER))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, each tag and value on lines of their own."""
        return "\n".join(self._write_call(call) for call in calls)

    @staticmethod
    def _function(text: str, at: int, types: RawTypes) -> tuple[ToolCall, int]:
        def value_of(tool: str, tag: re.Match[str], raw: str) -> Json:
            return types.value(tool, tag.group(1), raw.removeprefix("\n").removesuffix("\n"))

        return read_tagged_call(text, at, _TAGS, value_of)

    @staticmethod
    def _write_call(call: ToolCall) -> str:
        parameters = "".join(
            f"<parameter={key}>\n{raw_text(value)}\n</parameter>\n" for key, value in call.arguments.items()
        )
        return f"{OPENER}\n{FUNCTION}{call.name}>\n{parameters}</function>\n{CLOSER}"
