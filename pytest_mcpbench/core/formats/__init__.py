"""How models write tool calls: `parse(text, fmt)` and `render(calls, fmt)` for every wire format."""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import Format, ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.native import Native
from pytest_mcpbench.errors import FormatError

__all__ = ["Format", "ParseResult", "get_format", "no_attempt", "parse", "parsed", "register", "render", "unparsed"]

_FORMATS: dict[str, Format] = {}


def register(fmt: Format) -> None:
    """Make a format known under its name. Raises FormatError if another has that name."""
    if _FORMATS.get(fmt.name, fmt) is not fmt:
        raise FormatError(f"a format named {fmt.name!r} exists already")
    _FORMATS[fmt.name] = fmt


def get_format(name: str) -> Format:
    """The format of that name. Raises FormatError, with the names there are, for an unknown one."""
    if name not in _FORMATS:
        raise FormatError(f"unknown format {name!r} (known: auto, {', '.join(sorted(_FORMATS))})")
    return _FORMATS[name]


def parse(text: str, fmt: str = "auto", tools: Sequence[Tool] | None = None) -> ParseResult:
    """What the text holds, read in that format. Never raises for any text; FormatError for an unknown format."""
    return get_format("native" if fmt == "auto" else fmt).parse(text, tools)


def render(calls: Sequence[ToolCall], fmt: str) -> str:
    """The text with which a model makes these calls. Raises FormatError for what the format cannot carry."""
    return get_format(fmt).render(calls)


register(Native())
