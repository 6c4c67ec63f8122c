"""Hermes: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`; also Qwen2.5, Qwen3 and Granite 4.

Sources: the chat templates of NousResearch/Hermes-2-Pro, Qwen/Qwen2.5, Qwen/Qwen3 and ibm-granite/granite-4.0;
vLLM's hermes and granite4 tool parsers and their tests.
"""

import json
from collections.abc import Sequence
from typing import Literal

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import dump_call, read_call
from pytest_mcpbench.core.formats.messages import tool_object
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

OPENER = "<tool_call>"
CLOSER = "</tool_call>"


class Hermes(Marked):
    """One JSON object in each pair of tags. The closing tag is required: it is no end-of-turn token."""

    name = "hermes"
    openers = (OPENER,)
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The call of one block."""
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        call, at = read_call(text, at)
        return Block([call], expect(text, at, CLOSER))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, as Qwen's templates space them."""
        return "\n".join(f"{OPENER}\n{dump_call(call)}\n{CLOSER}" for call in calls)

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """The tools as JSON objects between `<tools>` tags, and the form of a call, as the family's templates do."""
        if detail == "line":
            return super().instructions(tools, detail)
        objects = "\n".join(json.dumps(tool_object(tool), ensure_ascii=False) for tool in tools)
        return (
            f"# Tools\n\nThe functions you may call:\n<tools>\n{objects}\n</tools>\n\n"
            f"For each call, return its name and arguments as JSON between tags:\n{OPENER}\n"
            f'{{"name": <function-name>, "arguments": <args-json-object>}}\n{CLOSER}'
        )
