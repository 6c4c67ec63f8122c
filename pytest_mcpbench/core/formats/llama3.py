"""Llama 3.1 to 3.3: `{"name": …, "parameters": {…}}`, several joined by `;`, alone or behind `<|python_tag|>`.

Sources: Meta's prompt format pages for Llama 3.1, 3.2 and 3.3 (llama-models) and the models' chat templates; vLLM's
llama3_json tool parser and its tests. Built-in tools are called as `<|python_tag|>NAME.call(KEY="VALUE")`.
"""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import dump_call, read_call
from pytest_mcpbench.core.formats.pythoncall import read_python_call
from pytest_mcpbench.core.formats.reading import ReadError, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

TAG = "<|python_tag|>"
_BUILT_IN = re.compile(r"\w+\.call\(")
_LOOKS_CALLED = re.compile(r'\{\s*"(?:name|parameters|arguments|type)"')


class Llama3Json(Marked):
    """Objects that are the whole message, or all of it behind the tag. `arguments` is read as `parameters` is."""

    name = "llama3_json"
    openers = (TAG,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls behind the tag, to the end of the message."""
        at = skip_space(text, at + len(TAG))
        if _BUILT_IN.match(text, at):
            call, end = read_python_call(text, at)
            block = Block([ToolCall(name=call.name.removesuffix(".call"), arguments=call.arguments)], end)
        elif text.startswith("{", at):
            block = self._objects(text, at)
        else:
            raise ReadError("unclosed" if at >= len(text) else "not_an_object", at)
        if skip_space(text, block.end) < len(text):
            raise ReadError("trailing_text", block.end)
        return block

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """The calls that are the whole message; None for an object that does not begin as a call does."""
        return self._objects(text, at) if _LOOKS_CALLED.match(text, at) else None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """The objects, joined by `; `."""
        return "; ".join(dump_call(call, "parameters") for call in calls)

    @staticmethod
    def _objects(text: str, at: int) -> Block:
        calls = []
        while True:
            call, end = read_call(text, at)
            calls.append(call)
            at = skip_space(text, end)
            for separator in (";", TAG):
                if text.startswith(separator, at):
                    at = skip_space(text, at + len(separator))
            joined = at > end and ("\n" in text[end:at] or ";" in text[end:at] or TAG in text[end:at])
            if not joined or not text.startswith("{", at):
                return Block(calls, end)
