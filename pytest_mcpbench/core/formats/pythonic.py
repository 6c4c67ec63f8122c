"""Lists of Python calls, `[name(key=value), …]`: Llama 3.2 and 4, ToolACE; in wrappers of their own, Olmo 3 and LFM2.

Sources: Meta's prompt format pages for Llama 3.2 and 4 (llama-models), the chat templates of allenai/Olmo-3 and
LiquidAI/LFM2; vLLM's pythonic, llama4_pythonic, olmo3 and lfm2 tool parsers and their tests.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import read_calls
from pytest_mcpbench.core.formats.pythoncall import read_python_call, write_python_call
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

_LIST = re.compile(r"\[\s*\w[\w./:-]*\s*\(")
_JSON_LIST = re.compile(r"\[\s*\{")


class Wrapper(NamedTuple):
    """The markers around a list."""

    opener: str
    closer: str
    needs_closer: bool = True


LLAMA4 = Wrapper("<|python_start|>", "<|python_end|>", needs_closer=False)
"""Decoding may strip either token; the list's own bracket ends it."""


def read_list(text: str, at: int) -> tuple[list[ToolCall], int]:
    """The calls in the brackets at `at`, at least one, and the position behind them."""
    calls = []
    at = expect(text, at, "[", "not_a_list")
    at = skip_space(text, at)
    if text.startswith("]", at):
        raise ReadError("empty", at)
    while not text.startswith("]", at):
        call, at = read_python_call(text, at)
        calls.append(call)
        at = skip_space(text, at)
        if text.startswith(",", at):
            at = skip_space(text, at + 1)
        elif not text.startswith("]", at):
            raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
    return calls, at + 1


class Pythonic(Marked):
    """A list that is the whole message, or stands between Llama 4's markers."""

    name = "pythonic"
    wrapper = LLAMA4
    wrapped = False
    openers = (LLAMA4.opener,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls between the wrapper's markers."""
        calls, end = read_list(text, at + len(self.wrapper.opener))
        after = skip_space(text, end)
        if self.wrapper.needs_closer or text.startswith(self.wrapper.closer, after):
            end = expect(text, after, self.wrapper.closer)
        return Block(calls, end)

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """The calls of a list that is the whole message; None for brackets that hold no call."""
        return Block(*read_list(text, at)) if _LIST.match(text, at) else None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One list, in the wrapper if the family writes it."""
        text = f"[{', '.join(write_python_call(call, self.name) for call in calls)}]"
        return f"{self.wrapper.opener}{text}{self.wrapper.closer}" if self.wrapped else text


class Llama4Pythonic(Pythonic):
    """Llama 4, which writes its markers."""

    name = "llama4_pythonic"
    wrapped = True


class Lfm2(Pythonic):
    """LFM2: the list between two tokens; a JSON list in their place where the prompt asked for one."""

    name = "lfm2"
    wrapper = Wrapper("<|tool_call_start|>", "<|tool_call_end|>")
    wrapped = True
    openers = ("<|tool_call_start|>",)
    closers = ("<|tool_call_end|>",)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls between the two tokens."""
        start = skip_space(text, at + len(self.wrapper.opener))
        if not _JSON_LIST.match(text, start):
            return super().read(text, at, tools)
        calls, end = read_calls(text, start)
        return Block(calls, expect(text, end, self.wrapper.closer))


class Olmo3(Marked):
    """Olmo 3: one call a line between `<function_calls>` tags, without brackets."""

    name = "olmo3"
    openers = ("<function_calls>",)
    closers = ("</function_calls>",)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls between the tags."""
        closer = self.closers[0]
        calls = []
        at = skip_space(text, at + len(self.openers[0]))
        if text.startswith(closer, at):
            raise ReadError("empty", at)
        while not text.startswith(closer, at):
            call, end = read_python_call(text, at)
            calls.append(call)
            at = skip_space(text, end)
            if "\n" not in text[end:at]:
                expect(text, at, closer)
        return Block(calls, at + len(closer))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One call a line."""
        return f"{self.openers[0]}{chr(10).join(write_python_call(call, self.name) for call in calls)}{self.closers[0]}"
