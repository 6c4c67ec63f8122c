"""gpt-oss: OpenAI's harmony messages; a call is a message to `functions.NAME` whose content is a JSON object.

Sources: the harmony response format guide in openai-cookbook and the openai-harmony library; vLLM's openai tool
parser and its tests.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.family import Family
from pytest_mcpbench.core.formats.jsonread import arguments_of, dump, read_json
from pytest_mcpbench.core.formats.reading import Marks, ReadError, skip_space

MESSAGE = "<|message|>"
_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_PREFIX = "functions."


@dataclass(slots=True)
class _Heard:
    calls: list[ToolCall] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)


class Harmony(Family):
    """The text of whole messages with their tokens. `<|call|>` ends a turn, so decoding may have stripped it.

    The analysis channel is reasoning, whatever stands in it. A message with a recipient is a call on any channel;
    `functions.` in front of the name is stripped, other name spaces (`browser.search`) are kept.
    """

    name = "harmony"

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """What `text` holds."""
        heard = _Heard()
        at = 0
        try:
            marks = Marks(text)
            while (body := marks.find(MESSAGE, at)) >= 0:
                at = self._message(text, at, body, marks, heard)
        except ReadError as error:
            return unparsed(error.reason, (at, max(at, error.at)), text="".join(heard.said), reasoning=_join(heard))
        rest = text[at:]
        recipient = _RECIPIENT.search(rest)
        if recipient is not None and "<|" in rest:
            return unparsed("unclosed", (at, len(text)), text="".join(heard.said), reasoning=_join(heard))
        if heard.calls:
            return parsed(heard.calls, text="".join(heard.said), reasoning=_join(heard))
        return no_attempt("".join(heard.said) if at else text, reasoning=_join(heard))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One message a call; the first begins behind the `<|start|>assistant` that the prompt ends with."""
        return "<|start|>assistant".join(
            f"<|channel|>commentary to={_PREFIX}{call.name} <|constrain|>json"
            f"{MESSAGE}{dump(dict(call.arguments))}<|call|>"
            for call in calls
        )

    @staticmethod
    def _message(text: str, at: int, body: int, marks: Marks, heard: _Heard) -> int:
        """Take in the message whose header begins at `at` and ends at `body`; the position behind it."""
        header = text[at:body]
        start = body + len(MESSAGE)
        recipient = _RECIPIENT.search(header)
        if recipient is not None:
            call, end = _read_call(recipient.group(1), text, start)
            heard.calls.append(call)
            return end
        ends = [found for mark in _ENDS if (found := marks.find(mark, start)) >= 0]
        end = min(ends, default=len(text))
        channel = _CHANNEL.search(header)
        (heard.thought if channel and channel.group(1) == "analysis" else heard.said).append(text[start:end])
        return end


def _read_call(recipient: str, text: str, at: int) -> tuple[ToolCall, int]:
    name = recipient.removeprefix(_PREFIX)
    if not name:
        raise ReadError("no_name", at)
    start = skip_space(text, at)
    if text.startswith(_ENDS, start) or start >= len(text):
        if start >= len(text):
            raise ReadError("unclosed", start)
        return ToolCall(name=name), start
    value, end = read_json(text, start)
    after = skip_space(text, end)
    if after < len(text) and not text.startswith(_ENDS, after):
        raise ReadError("trailing_text", after)
    return ToolCall(name=name, arguments=arguments_of(value, start)), after


def _join(heard: _Heard) -> str:
    return "".join(heard.thought)
