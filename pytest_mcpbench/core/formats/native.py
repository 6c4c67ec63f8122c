"""The native format: `<tool_use>tool_name(param1='value1', n=3)</tool_use>`, one block a call."""

import json
import math
import re
from collections.abc import Sequence
from typing import Literal

from pytest_mcpbench.core.case import Arguments, Json, Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.literal import LiteralError, read_literal, skip_space
from pytest_mcpbench.errors import FormatError

OPENER = "<tool_use>"
CLOSER = "</tool_use>"
_NAME = re.compile(r"[\w][\w./:-]*")
_KEY = re.compile(r"[^\W\d][\w$.-]*")
_MAX_BLANK = 8
"""So much white space behind the last call means that no other call is coming."""


class Native:
    """Calls written as Python calls with keyword arguments, in a pair of tags.

    Reasons for `unparsed`: unclosed, unopened, empty, not_a_call, trailing_text, positional_argument,
    duplicate_argument, and those of `read_literal`.
    """

    name = "native"

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """The calls in the text. One block that cannot be read makes the whole answer unreadable."""
        calls: list[ToolCall] = []
        prose: list[str] = []
        at = 0
        while (start := text.find(OPENER, at)) >= 0:
            prose.append(text[at:start])
            try:
                call, at = _read_block(text, start + len(OPENER))
            except LiteralError as error:
                return unparsed(error.reason, (start, error.at), text="".join(prose))
            calls.append(call)
        prose.append(text[at:])
        stray = text.find(CLOSER, at) if calls else text.find(CLOSER)
        if stray >= 0:
            return unparsed("unopened", (stray, stray + len(CLOSER)), text="".join(prose))
        return parsed(calls, text="".join(prose)) if calls else no_attempt(text)

    def render(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, a line each. Raises FormatError for names that are no names and for NaN or infinity."""
        return "\n".join(f"{OPENER}{_render_call(call)}{CLOSER}" for call in calls)

    def is_complete(self, text: str) -> bool:
        """Whether calls were made and what follows them is not the beginning of another."""
        end = text.rfind(CLOSER)
        if end < 0:
            return False
        rest = text[end + len(CLOSER) :]
        if not rest.strip():
            return len(rest) > _MAX_BLANK
        begun = OPENER.startswith(rest.strip()) or rest.lstrip().startswith(OPENER)
        return not begun and self.parse(text).status == "parsed"

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """A line a tool; with "schema", its JSON Schema below the line."""
        lines = [
            f"You can call tools. To call one, write {OPENER}tool_name(param1='value1', n=3){CLOSER}, "
            "one block for each call. If no tool applies, answer in plain words.",
            "Tools:",
        ]
        for tool in tools:
            names = (name if name in tool.required else f"{name}?" for name in tool.parameters)
            lines.append(f"- {tool.name}({', '.join(names)}): {tool.description}")
            if detail == "schema":
                lines.append("  " + json.dumps(tool.input_schema, ensure_ascii=False))
        return "\n".join(lines)


def _read_block(text: str, at: int) -> tuple[ToolCall, int]:
    """The call whose opener ends at `at`, and the position behind its closing tag."""
    at = skip_space(text, at)
    if text.startswith(CLOSER, at):
        raise LiteralError("empty", at)
    name = _NAME.match(text, at)
    if name is None:
        raise LiteralError("unclosed" if at >= len(text) else "not_a_call", at)
    at = skip_space(text, name.end())
    if not text.startswith("(", at):
        raise LiteralError("unclosed" if at >= len(text) else "not_a_call", at)
    arguments, at = _read_arguments(text, at + 1)
    at = skip_space(text, at)
    if not text.startswith(CLOSER, at):
        cut = CLOSER.startswith(text[at : at + len(CLOSER)])
        raise LiteralError("unclosed" if cut else "trailing_text", at)
    return ToolCall(name=name.group(), arguments=arguments), at + len(CLOSER)


def _read_arguments(text: str, at: int) -> tuple[Arguments, int]:
    arguments: dict[str, Json] = {}
    at = skip_space(text, at)
    while not text.startswith(")", at):
        key = _KEY.match(text, at)
        if at >= len(text) or (key is not None and key.end() >= len(text)):
            raise LiteralError("unclosed", at)
        after = skip_space(text, key.end()) if key else at
        if key is None or not text.startswith("=", after):
            raise LiteralError("positional_argument", at)
        if key.group() in arguments:
            raise LiteralError("duplicate_argument", at)
        arguments[key.group()], at = read_literal(text, after + 1)
        at = skip_space(text, at)
        if at >= len(text):
            raise LiteralError("unclosed", at)
        if text[at] == ",":
            at = skip_space(text, at + 1)
        elif text[at] != ")":
            raise LiteralError("not_a_literal", at)
    return arguments, at + 1


def _render_call(call: ToolCall) -> str:
    if not _NAME.fullmatch(call.name):
        raise FormatError(f"native: a tool cannot be named {call.name!r}; letters, digits and _ . / : - make a name")
    for key in call.arguments:
        if not _KEY.fullmatch(key):
            raise FormatError(f"native: {call.name}: an argument cannot be named {key!r}")
    return f"{call.name}({', '.join(f'{key}={_render(value)}' for key, value in call.arguments.items())})"


def _render(value: Json) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise FormatError(f"native: {value} is no JSON number")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_render(item) for item in value) + "]"
    return repr(value)
