"""The native format: `<tool_use>tool_name(param1='value1', n=3)</tool_use>`, one block a call.

Source: this project; the form is the one that the guide's detection and parsing tests look for.
"""

from collections.abc import Sequence
from typing import Literal

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.family import tool_lines
from pytest_mcpbench.core.formats.pythoncall import read_python_call, text_as_it_stands, write_python_call
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

OPENER = "<tool_use>"
CLOSER = "</tool_use>"


class Native(Marked):
    """Calls written as Python calls with keyword arguments, in a pair of tags.

    Reasons for `unparsed`: unclosed, unopened, empty, trailing_text, and those of `read_python_call`.
    """

    name = "native"
    native_template = False
    openers = (OPENER,)
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The call of one block."""
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        call, at = read_python_call(text, at)
        return Block([call], expect(text, at, CLOSER))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, a line each."""
        return "\n".join(f"{OPENER}{write_python_call(call, self.name, text_as_it_stands)}{CLOSER}" for call in calls)

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """A line a tool; with "schema", its JSON Schema below the line."""
        lines = [
            f"You can call tools. To call one, write {OPENER}tool_name(param1='value1', n=3){CLOSER}, "
            "one block for each call. If no tool applies, answer in plain words.",
            "Tools:",
            *tool_lines(tools, detail),
        ]
        return "\n".join(lines)
