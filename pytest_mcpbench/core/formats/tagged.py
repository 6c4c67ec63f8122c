"""Calls whose arguments stand raw between tags, one pair a parameter."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pytest_mcpbench.core.case import Json, ToolCall
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space

ValueOf = Callable[[str, re.Match[str], str], Json]
"""The value of a raw text, given the tool's name and the match of the parameter's opening tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """A family's tags. Both patterns have the name as their first group."""

    call: re.Pattern[str]
    call_end: str
    parameter: re.Pattern[str]
    parameter_start: str
    parameter_end: str


def read_tagged_call(text: str, at: int, tags: Tags, value_of: ValueOf) -> tuple[ToolCall, int]:
    """The call whose opening tag stands at `at`, and the position behind its closing tag.

    A value ends at the closing tag that the next parameter or the end of the call follows, so it may hold one.
    Raises ReadError: unclosed, bad_tag, duplicate_argument, crossed_tags (a value that holds the next opening tag).
    """
    head = tags.call.match(text, at)
    if head is None:
        raise ReadError("unclosed" if text.find(">", at) < 0 else "bad_tag", at)
    name = head.group(1)
    arguments: dict[str, Json] = {}
    at = skip_space(text, head.end())
    while text.startswith(tags.parameter_start, at):
        tag = tags.parameter.match(text, at)
        if tag is None:
            raise ReadError("unclosed" if text.find(">", at) < 0 else "bad_tag", at)
        if tag.group(1) in arguments:
            raise ReadError("duplicate_argument", at)
        end = _value_end(text, tag.end(), tags)
        raw = text[tag.end() : end]
        if tags.parameter_start in raw:
            raise ReadError("crossed_tags", tag.end() + raw.find(tags.parameter_start))
        arguments[tag.group(1)] = value_of(name, tag, raw)
        at = skip_space(text, end + len(tags.parameter_end))
    return ToolCall(name=name, arguments=arguments), expect(text, at, tags.call_end, "bad_tag")


def _value_end(text: str, at: int, tags: Tags) -> int:
    while (end := text.find(tags.parameter_end, at)) >= 0:
        after = skip_space(text, end + len(tags.parameter_end))
        if text.startswith((tags.parameter_start, tags.call_end), after):
            return end
        at = end + len(tags.parameter_end)
    raise ReadError("unclosed", len(text))
