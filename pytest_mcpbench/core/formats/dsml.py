# ruff: noqa: RUF001, RUF002 - DeepSeek's tokens are spelled with a full-width bar
"""DeepSeek V3.2 and later: DSML, `<｜DSML｜invoke name="NAME"><｜DSML｜parameter name="KEY" string="true">VALUE…`.

Sources: the encoding guide and encoder in deepseek-ai/DeepSeek-V3.2; vLLM's deepseek_v32 and deepseek_v4 tool
parsers and their tests (V4 names the outer block `tool_calls` in place of `function_calls`).
"""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import check_depth, dump, whole_json
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked
from pytest_mcpbench.core.formats.tagged import Tags, read_tagged_call
from pytest_mcpbench.core.formats.values import RawTypes

_TAGS = Tags(
    call=re.compile(r'<｜DSML｜invoke name="([^"<>]+)">'),
    call_end="</｜DSML｜invoke>",
    parameter=re.compile(r'<｜DSML｜parameter name="([^"<>]+)"(?: string="(true|false)")?>'),
    parameter_start="<｜DSML｜parameter name=",
    parameter_end="</｜DSML｜parameter>",
)
_BLOCKS = {f"<｜DSML｜{word}>": f"</｜DSML｜{word}>" for word in ("function_calls", "tool_calls")}


class DeepSeekV32(Marked):
    """Each parameter says whether it is text as it stands or JSON; the schema decides only where it does not."""

    name = "deepseek_v32"
    openers = tuple(_BLOCKS)
    closers = tuple(_BLOCKS.values())
    block = "function_calls"

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls of one block."""
        types = RawTypes(tools)

        def value_of(tool: str, tag: re.Match[str], raw: str) -> Json:
            if tag.group(2) is None:
                return types.value(tool, tag.group(1), raw)
            if tag.group(2) == "true":
                return raw
            value = whole_json(raw, tag.end())
            check_depth(value, tag.end())
            return value

        opener = next(opener for opener in _BLOCKS if text.startswith(opener, at))
        closer = _BLOCKS[opener]
        calls = []
        at = skip_space(text, at + len(opener))
        if text.startswith(closer, at):
            raise ReadError("empty", at)
        while not text.startswith(closer, at):
            call, at = read_tagged_call(text, at, _TAGS, value_of)
            calls.append(call)
            at = skip_space(text, at)
        return Block(calls, expect(text, at, closer))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """All calls in one block, each tag on a line of its own."""
        return "\n".join([f"<｜DSML｜{self.block}>", *map(self._write_call, calls), f"</｜DSML｜{self.block}>"])

    @staticmethod
    def _write_call(call: ToolCall) -> str:
        parameters = "".join(
            f'<｜DSML｜parameter name="{key}" string="{str(isinstance(value, str)).lower()}">'
            f"{value if isinstance(value, str) else dump(value)}</｜DSML｜parameter>\n"
            for key, value in call.arguments.items()
        )
        return f'<｜DSML｜invoke name="{call.name}">\n{parameters}</｜DSML｜invoke>'


class DeepSeekV4(DeepSeekV32):
    """The same calls in a block that is named `tool_calls`. Both names are read by both."""

    name = "deepseek_v4"
    block = "tool_calls"
