"""A tokenizer's own response template as a format, where transformers offers one (5.13 and later).

Source: transformers' documentation, "Response parsing": `tokenizer.parse_response(text)` gives a message with
`content`, `reasoning_content` or `thinking`, and `tool_calls` in OpenAI's form.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import Format, ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.detect import detect_format
from pytest_mcpbench.core.formats.family import Family
from pytest_mcpbench.core.formats.jsonread import call_of
from pytest_mcpbench.core.formats.reading import ReadError
from pytest_mcpbench.core.formats.registry import get_format


class ParsingTokenizer(Protocol):
    """The part of a tokenizer that reads its model's answers."""

    chat_template: Any

    def parse_response(self, response: str) -> Any:
        """The message that the text is."""
        ...


class ResponseTemplate(Family):
    """What the tokenizer reads, as lenient or strict as its template is; written as its chat template's format."""

    name = "response_template"

    def __init__(self, tokenizer: ParsingTokenizer) -> None:
        template = tokenizer.chat_template
        found = detect_format(template) if isinstance(template, str) else None
        self._tokenizer = tokenizer
        self._writer: Format = get_format(found or "native")

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """The calls of the message that the tokenizer reads; unparsed if it refuses, or if a call is none of ours."""
        try:
            message = self._tokenizer.parse_response(text)
        except Exception as error:  # whatever a template's rules raise says that the text does not follow them
            return unparsed(f"template_refused:{type(error).__name__}", (0, len(text)))
        if not isinstance(message, Mapping):
            return no_attempt(text)
        words = str(message.get("content") or "")
        thoughts = str(message.get("reasoning_content") or message.get("thinking") or "")
        try:
            calls = [call_of(item.get("function", item), 0) for item in message.get("tool_calls") or ()]
        except (ReadError, AttributeError, TypeError) as error:
            reason = error.reason if isinstance(error, ReadError) else "not_an_object"
            return unparsed(reason, (0, len(text)), text=words, reasoning=thoughts)
        return parsed(calls, text=words, reasoning=thoughts) if calls else no_attempt(words, reasoning=thoughts)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """The calls in the format of the tokenizer's chat template."""
        return self._writer.render(calls)

    def is_complete(self, text: str) -> bool:
        """Whether the calls have ended, by the format of the chat template."""
        return self._writer.is_complete(text)


def response_template(tokenizer: Any) -> ResponseTemplate | None:
    """The tokenizer's own format, None if it has no response template or transformers is too old to read one."""
    has_rules = getattr(tokenizer, "response_template", None) or getattr(tokenizer, "response_schema", None)
    return ResponseTemplate(tokenizer) if has_rules and hasattr(tokenizer, "parse_response") else None
