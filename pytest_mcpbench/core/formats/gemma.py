"""FunctionGemma: `<start_function_call>call:NAME{KEY:<escape>TEXT<escape>,N:3}<end_function_call>`, and Gemma 4.

Gemma 4: `<|tool_call>call:NAME{KEY:<|"|>TEXT<|"|>}<tool_call|>`, with reasoning between `<|channel>` and `<channel|>`.
Sources: ai.google.dev's pages on FunctionGemma's formatting and on Gemma 4's prompt structure, and both chat
templates; vLLM's functiongemma and gemma4 tool parsers and their tests.
"""

import json
import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import read_json
from pytest_mcpbench.core.formats.pythoncall import NAME
from pytest_mcpbench.core.formats.reading import MAX_DEPTH, THOUGHTS, ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked
from pytest_mcpbench.errors import FormatError

_KEY = re.compile(r"[\w$][\w$. /@-]*")
_BARE = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null|None")


class FunctionGemma(Marked):
    """Text between two escape tokens, which it cannot contain; numbers, true, false, null, {…} and […] as in JSON.

    What stands between the escape tokens is text, also if it reads as a number.
    """

    name = "functiongemma"
    openers = ("<start_function_call>",)
    closers = ("<end_function_call>",)
    escape = "<escape>"

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The call of one block."""
        at = skip_space(text, at + len(self.openers[0]))
        if text.startswith(self.closers[0], at):
            raise ReadError("empty", at)
        at = expect(text, at, "call:", "not_a_call")
        name = NAME.match(text, at)
        if name is None:
            raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
        at = expect(text, name.end(), "{", "not_a_call")
        arguments, at = self._fields(text, at, 0)
        return Block([ToolCall(name=name.group(), arguments=arguments)], expect(text, at, self.closers[0]))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, one behind the other."""
        return "".join(
            f"{self.openers[0]}call:{call.name}{self._object(dict(call.arguments))}{self.closers[0]}" for call in calls
        )

    def _fields(self, text: str, at: int, depth: int) -> tuple[dict[str, Json], int]:
        """The fields of an object whose brace ends at `at`, and the position behind its closing brace."""
        fields: dict[str, Json] = {}
        at = skip_space(text, at)
        if text.startswith("}", at):
            return fields, at + 1
        while True:
            key, after = self._key(text, at)
            if key in fields:
                raise ReadError("duplicate_key" if depth else "duplicate_argument", at)
            fields[key], at = self._value(text, expect(text, after, ":", "no_key"), depth)
            at, more = _after_item(text, at, "}")
            if not more:
                return fields, at

    def _key(self, text: str, at: int) -> tuple[str, int]:
        at = skip_space(text, at)
        if text.startswith(self.escape, at):
            return self._text(text, at)
        key = _KEY.match(text, at)
        if key is None:
            raise ReadError("unclosed" if at >= len(text) else "no_key", at)
        return key.group().rstrip(), key.end()

    def _value(self, text: str, at: int, depth: int) -> tuple[Json, int]:
        at = skip_space(text, at)
        if text.startswith(self.escape, at):
            return self._text(text, at)
        if text.startswith(("{", "["), at) and depth >= MAX_DEPTH:
            raise ReadError("too_deep", at)
        if text.startswith("{", at):
            return self._fields(text, at + 1, depth + 1)
        if text.startswith("[", at):
            return self._items(text, at + 1, depth + 1)
        bare = _BARE.match(text, at)
        if bare is None:
            raise ReadError("unclosed" if at >= len(text) else "not_a_value", at)
        if bare.group() == "None":
            return None, bare.end()
        return read_json(text, at)

    def _items(self, text: str, at: int, depth: int) -> tuple[list[Json], int]:
        items: list[Json] = []
        at = skip_space(text, at)
        if text.startswith("]", at):
            return items, at + 1
        while True:
            item, at = self._value(text, at, depth)
            items.append(item)
            at, more = _after_item(text, at, "]")
            if not more:
                return items, at

    def _text(self, text: str, at: int) -> tuple[str, int]:
        start = at + len(self.escape)
        end = text.find(self.escape, start)
        if end < 0:
            raise ReadError("unclosed", len(text))
        return text[start:end], end + len(self.escape)

    def _object(self, value: dict[str, Json]) -> str:
        return "{" + ",".join(f"{self._write_key(key)}:{self._write(item)}" for key, item in value.items()) + "}"

    def _write_key(self, key: str) -> str:
        return key if _KEY.fullmatch(key) and key == key.strip() else self._write(key)

    def _write(self, value: Json) -> str:
        if isinstance(value, str):
            if self.escape in value:
                raise FormatError(f"{self.name}: text cannot contain {self.escape}; render it in another format")
            return f"{self.escape}{value}{self.escape}"
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            return "[" + ",".join(map(self._write, value)) + "]"
        return json.dumps(value)


class Gemma4(FunctionGemma):
    """The same structure between other tokens."""

    name = "gemma4"
    openers = ("<|tool_call>",)
    closers = ("<tool_call|>",)
    thoughts = (*THOUGHTS, ("<|channel>", "<channel|>"))
    escape = '<|"|>'


def _after_item(text: str, at: int, closer: str) -> tuple[int, bool]:
    """The position behind the comma or the closer that follows an item, and whether it was a comma."""
    at = skip_space(text, at)
    if text.startswith(",", at):
        return at + 1, True
    if text.startswith(closer, at):
        return at + 1, False
    raise ReadError("unclosed" if at >= len(text) else "not_a_value", at)
