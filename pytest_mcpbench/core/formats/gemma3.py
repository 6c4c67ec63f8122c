"""Gemma 3, which has no tool syntax of its own: the prompted forms that Google documents.

A list of Python calls or `{"name": …, "parameters": {…}}` as the whole message, or calls in a `tool_code` fence.
Sources: ai.google.dev, "Function calling with Gemma" (list, JSON) and the Gemma cookbook (`tool_code`).
"""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import read_call
from pytest_mcpbench.core.formats.pythoncall import read_python_call, write_python_call
from pytest_mcpbench.core.formats.pythonic import Pythonic, read_list
from pytest_mcpbench.core.formats.reading import FENCE, ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

TOOL_CODE = f"{FENCE}tool_code"


class Gemma3(Marked):
    """The list is written. Other code fences are not calls."""

    name = "gemma3"
    native_template = False
    openers = (TOOL_CODE,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls in one fence: a list, or one call a line."""
        at = skip_space(text, at + len(TOOL_CODE))
        if text.startswith(FENCE, at):
            raise ReadError("empty", at)
        if text.startswith("[", at):
            calls, at = read_list(text, at)
            return Block(calls, expect(text, at, FENCE))
        calls = []
        while not text.startswith(FENCE, at):
            call, end = read_python_call(text, at)
            calls.append(call)
            at = skip_space(text, end)
            if "\n" not in text[end:at]:
                expect(text, at, FENCE)
        return Block(calls, at + len(FENCE))

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """A list of Python calls or one JSON object that is the whole message."""
        if not text.startswith("{", at):
            return Pythonic().read_bare(text, at, tools)
        if not text.startswith('"name"', skip_space(text, at + 1)):
            return None
        call, end = read_call(text, at)
        return Block([call], end)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One list of Python calls."""
        return f"[{', '.join(write_python_call(call, self.name) for call in calls)}]"
