"""What the families' formats have in common: rendering that is checked by reading it back, and a prompt."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult
from pytest_mcpbench.core.formats.jsonread import check_depth
from pytest_mcpbench.core.formats.reading import MAX_DIGITS, ReadError
from pytest_mcpbench.core.formats.values import tools_for
from pytest_mcpbench.errors import FormatError

_LARGEST = 10**MAX_DIGITS
_EXAMPLE = ToolCall(name="tool_name", arguments={"param1": "value1", "n": 3})


class Family(ABC):
    """A format whose `render` gives only what its `parse` reads back."""

    name = ""
    native_template = True

    @abstractmethod
    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """What `text` holds."""

    @abstractmethod
    def write(self, calls: Sequence[ToolCall]) -> str:
        """The text of one or more calls that are known to be JSON."""

    def render(self, calls: Sequence[ToolCall]) -> str:
        """The text with which a model of this family makes these calls; "" for none.

        Raises FormatError for what no JSON can carry, and for what this format would read back differently.
        """
        if not calls:
            return ""
        for call in calls:
            check_call(call, self.name)
        text = self.write(calls)
        back = self.parse(text, tools_for(calls)).calls
        for index, call in enumerate(calls):
            if index >= len(back) or not same_call(call, back[index]):
                raise FormatError(
                    f"{self.name}: {call.name}: these arguments would not be read back as they are; "
                    "render them in another format, native carries any JSON"
                )
        return text

    def is_complete(self, text: str) -> bool:
        """Whether the calls in `text` have ended for good."""
        return self.parse(text).status == "parsed"

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """A system text for a model without a chat template: how to call, by example, and a line a tool."""
        lines = [
            "You can call tools. To call one, answer exactly like this:",
            self.render([_EXAMPLE]),
            "If no tool applies, answer in plain words.",
            "Tools:",
            *tool_lines(tools, detail),
        ]
        return "\n".join(lines)


def tool_lines(tools: Sequence[Tool], detail: Literal["line", "schema"]) -> list[str]:
    """A line a tool; with "schema", its JSON Schema on the next line. Optional parameters end in `?`."""
    lines = []
    for tool in tools:
        names = (name if name in tool.required else f"{name}?" for name in tool.parameters)
        lines.append(f"- {tool.name}({', '.join(names)}): {tool.description}")
        if detail == "schema":
            lines.append("  " + json.dumps(tool.input_schema, ensure_ascii=False))
    return lines


def check_call(call: ToolCall, format_name: str) -> None:
    """Raise FormatError for a call without a name, or whose arguments are not JSON within the readers' limits."""
    if not call.name.strip():
        raise FormatError(f"{format_name}: a tool cannot be named {call.name!r}; give it a name")
    for key, value in call.arguments.items():
        problem = _json_problem(value) if isinstance(key, str) else "is named by no text"
        if problem:
            raise FormatError(f"{format_name}: {call.name}: argument {key!r} {problem}; change the value")


def _json_problem(value: Any) -> str | None:
    try:
        check_depth(value)
    except ReadError:
        return "is nested too deep"
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                return "has a key that is no text"
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            return f"holds {item}, which is no JSON number"
        elif isinstance(item, int) and not -_LARGEST < item < _LARGEST:
            return f"holds a number of more than {MAX_DIGITS} digits"
        elif not isinstance(item, str | int | float | None):
            return f"holds a {type(item).__name__}, which is not JSON"
    return None


def same_call(want: ToolCall, got: ToolCall) -> bool:
    """Whether two calls are equal, with their values' types: 1 is neither 1.0 nor true."""
    return want.name == got.name and same_json(dict(want.arguments), dict(got.arguments))


def same_json(want: Json, got: Json) -> bool:
    """Whether two JSON values are equal with their types."""
    if type(want) is not type(got):
        return False
    if isinstance(want, dict):
        return want.keys() == got.keys() and all(same_json(value, got[key]) for key, value in want.items())
    if isinstance(want, list):
        return len(want) == len(got) and all(map(same_json, want, got))
    return bool(want == got)
