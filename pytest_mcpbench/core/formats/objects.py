"""Calls as chat APIs return them: OpenAI Chat and Responses objects, Anthropic content blocks.

The text is the JSON of one item, a list of items, or the message or response around them.
Sources: the API references of OpenAI (Chat Completions, Responses) and Anthropic (Messages, tool use).
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.family import Family
from pytest_mcpbench.core.formats.jsonread import call_of, dump, whole_json
from pytest_mcpbench.core.formats.reading import ReadError


class ApiObjects(Family):
    """Items of several types in a list; those of one type are calls. Text that is no JSON object or list is prose."""

    native_template = False
    containers: tuple[str, ...] = ()
    """Keys that hold the items, from the outside to the inside."""
    signs: tuple[str, ...] = ()
    """Words in quotes that show that a text which is no JSON was meant as calls."""

    @abstractmethod
    def call(self, item: Mapping[str, Json]) -> ToolCall | None:
        """The call that an item is; None for an item of another type. Raises ReadError."""

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """The calls among the items, and the text of the others."""
        stripped = text.strip()
        if not stripped.startswith(("{", "[")):
            return no_attempt(text)
        try:
            items, words = self._unpacked(whole_json(stripped))
            calls = [call for item in items if (call := self.call(item)) is not None]
        except ReadError as error:
            marked = any(f'"{key}"' in stripped for key in (*self.containers, *self.signs))
            return unparsed(error.reason, (0, len(text))) if marked else no_attempt(text)
        return parsed(calls, text=words) if calls else no_attempt(words or text)

    def _unpacked(self, value: Json) -> tuple[list[Mapping[str, Json]], str]:
        """The items in a value's containers, and the text that stood beside them."""
        items: list[Json] = value if isinstance(value, list) else [value]
        words = []
        for key in (*self.containers, None):
            inner: list[Json] = []
            for item in items:
                if not isinstance(item, dict):
                    continue
                words += [item[said] for said in ("content", "text") if isinstance(item.get(said), str)]
                found = item.get(key) if key else None
                inner += found if isinstance(found, list) else [found] if isinstance(found, dict) else [item]
            items = inner
        return items, "".join(dict.fromkeys(words))


class OpenAiChat(ApiObjects):
    """`{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name", "arguments": "{…}"}}]}`."""

    name = "openai_chat"
    containers = ("choices", "message", "tool_calls")
    signs = ("function",)

    def call(self, item: Mapping[str, Json]) -> ToolCall | None:
        """The call in `function`."""
        return call_of(_with_arguments(item["function"]), 0) if isinstance(item.get("function"), dict) else None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """An assistant message."""
        items = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": dump(dict(call.arguments))},
            }
            for index, call in enumerate(calls)
        ]
        return dump({"role": "assistant", "content": None, "tool_calls": items})


class OpenAiResponses(ApiObjects):
    """`{"output": [{"type": "function_call", "call_id", "name", "arguments": "{…}"}]}`."""

    name = "openai_responses"
    containers = ("output",)
    signs = ("function_call",)

    def call(self, item: Mapping[str, Json]) -> ToolCall | None:
        """The call of a `function_call` item."""
        return call_of(_with_arguments(item), 0) if item.get("type") == "function_call" else None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """A list of output items."""
        return dump(
            [
                {
                    "type": "function_call",
                    "call_id": f"call_{index}",
                    "name": call.name,
                    "arguments": dump(dict(call.arguments)),
                }
                for index, call in enumerate(calls)
            ]
        )


class Anthropic(ApiObjects):
    """`{"content": [{"type": "tool_use", "id", "name", "input": {…}}]}`."""

    name = "anthropic"
    containers = ("content",)
    signs = ("tool_use",)

    def call(self, item: Mapping[str, Json]) -> ToolCall | None:
        """The call of a `tool_use` block."""
        return call_of(dict(item), 0, argument_keys=("input",)) if item.get("type") == "tool_use" else None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """A list of content blocks."""
        return dump(
            [
                {"type": "tool_use", "id": f"toolu_{index}", "name": call.name, "input": dict(call.arguments)}
                for index, call in enumerate(calls)
            ]
        )


def _with_arguments(item: Mapping[str, Json]) -> dict[str, Json]:
    """The item with `{}` for the empty text that the APIs return where a tool takes no arguments."""
    return {**item, "arguments": "{}"} if item.get("arguments") == "" else dict(item)
