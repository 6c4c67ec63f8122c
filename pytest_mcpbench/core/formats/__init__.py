"""How models write tool calls: `parse(text, fmt)` and `render(calls, fmt)` for every wire format."""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import Format, ParseResult, no_attempt, parsed, unparsed, uses_own_template
from pytest_mcpbench.core.formats.detect import detect_format
from pytest_mcpbench.core.formats.registry import format_names, get_format, register

__all__ = [
    "Format",
    "ParseResult",
    "detect_format",
    "format_names",
    "get_format",
    "no_attempt",
    "parse",
    "parsed",
    "register",
    "render",
    "unparsed",
    "uses_own_template",
]


def parse(text: str, fmt: str = "auto", tools: Sequence[Tool] | None = None) -> ParseResult:
    """What the text holds, read in that format. Never raises for any text; FormatError for an unknown format.

    `tools` give the types of raw values, for the formats that write values without their types.
    """
    return get_format(fmt).parse(text, tools)


def render(calls: Sequence[ToolCall], fmt: str) -> str:
    """The text with which a model makes these calls. Raises FormatError for what the format cannot carry."""
    return get_format(fmt).render(calls)
