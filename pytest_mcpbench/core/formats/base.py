"""What every wire format answers: the result of parsing, and the protocol that a format fulfils."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pytest_mcpbench.core.case import Tool, ToolCall

Status = Literal["no_attempt", "unparsed", "parsed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseResult:
    """What a model's text holds: no attempt at a call, an attempt that cannot be read, or calls.

    `reason` and `span` (start and end in characters of the text) are set exactly if the status is `unparsed`;
    `calls` is non-empty exactly if it is `parsed`. `text` is the prose outside calls and reasoning.
    """

    status: Status
    calls: tuple[ToolCall, ...] = ()
    reason: str | None = None
    span: tuple[int, int] | None = None
    text: str = ""
    reasoning: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.calls) != (self.status == "parsed") or (self.reason is not None) != (self.status == "unparsed"):
            raise ValueError(
                f"a parse result that is {self.status!r} with {len(self.calls)} calls, reason {self.reason}"
            )

    @property
    def attempted(self) -> bool:
        """Whether the model tried to call a tool, readable or not."""
        return self.status != "no_attempt"


def no_attempt(text: str, *, reasoning: str = "", notes: tuple[str, ...] = ()) -> ParseResult:
    """A result that holds no attempt at a call."""
    return ParseResult(status="no_attempt", text=text, reasoning=reasoning, notes=notes)


def unparsed(reason: str, span: tuple[int, int], *, text: str = "", reasoning: str = "") -> ParseResult:
    """A result whose attempt at a call cannot be read, with the reason's code and the place in the text."""
    return ParseResult(status="unparsed", reason=reason, span=span, text=text, reasoning=reasoning)


def parsed(
    calls: Sequence[ToolCall], *, text: str = "", reasoning: str = "", notes: tuple[str, ...] = ()
) -> ParseResult:
    """A result with at least one call, all of them readable."""
    return ParseResult(status="parsed", calls=tuple(calls), text=text, reasoning=reasoning, notes=notes)


@runtime_checkable
class Format(Protocol):
    """A wire format: how one family of models writes calls, both ways.

    `parse` never raises and is linear in the length of the text. `render` raises FormatError for calls that
    the format cannot carry. `is_complete` says whether nothing that follows `text` belongs to its calls, so that
    generation may stop.
    """

    name: str

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """What `text` holds. `tools` types raw values where the format carries none."""
        ...

    def render(self, calls: Sequence[ToolCall]) -> str:
        """The text with which a model of this family makes these calls."""
        ...

    def is_complete(self, text: str) -> bool:
        """Whether the calls in `text` have ended for good."""
        ...

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """The system text that offers the tools and explains how to call them."""
        ...


def uses_own_template(fmt: Format) -> bool:
    """Whether the family's chat templates offer the tools themselves, so that no instructions need to be added."""
    return bool(getattr(fmt, "native_template", False))
