# ruff: noqa: RUF001 - DeepSeek's tokens are spelled with a full-width bar
"""Calls between tokens, each in a pair of its own, all of them in a section: DeepSeek V3 and V3.1, Kimi K2.

Sources: the chat templates of deepseek-ai/DeepSeek-V3, R1 and V3.1; moonshotai/Kimi-K2's tool call guidance; vLLM's
deepseek_v3, deepseek_v31 and kimi_k2 tool parsers and their tests.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import arguments_of, dump, read_json
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked


class Sectioned(Marked):
    """A section of calls, which must be closed; or calls alone, where the model left the section's tokens out."""

    section, section_end = "", ""
    call, call_end = "", ""

    @abstractmethod
    def read_inner(self, text: str, at: int) -> tuple[ToolCall, int]:
        """The call behind its opening token, and the position in front of its closing one."""

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls of one section, or one call that stands alone."""
        if text.startswith(self.call, at):
            call, at = self._call(text, at)
            return Block([call], at, "no_section")
        calls = []
        at = skip_space(text, at + len(self.section))
        if text.startswith(self.section_end, at):
            raise ReadError("empty", at)
        while not text.startswith(self.section_end, at):
            expect(text, at, self.call, "not_a_call")
            call, at = self._call(text, at)
            calls.append(call)
            at = skip_space(text, at)
        return Block(calls, at + len(self.section_end))

    def _call(self, text: str, at: int) -> tuple[ToolCall, int]:
        call, at = self.read_inner(text, at + len(self.call))
        return call, expect(text, at, self.call_end)


class DeepSeekV3(Sectioned):
    """DeepSeek V3 and R1: the word `function`, the name, and the arguments in a `json` code fence."""

    name = "deepseek_v3"
    section, section_end = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
    call, call_end = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
    separator = "<｜tool▁sep｜>"
    openers = (section, call)
    closers = (section_end, call_end)

    def read_inner(self, text: str, at: int) -> tuple[ToolCall, int]:
        """The name on the line of the separator, and the object in the fence."""
        at = expect(text, at, "function", "not_a_call")
        at = expect(text, at, self.separator, "not_a_call")
        line_end = text.find("\n", at)
        name = text[at : line_end if line_end >= 0 else len(text)].strip()
        if not name or "<｜" in name:
            raise ReadError("no_name", at)
        at = skip_space(text, expect(text, line_end if line_end >= 0 else len(text), "```json", "not_a_call"))
        value, end = read_json(text, at)
        call = ToolCall(name=name, arguments=arguments_of(value, at))
        return call, expect(text, end, "```")

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One section."""
        return self.section + "\n".join(map(self._write_call, calls)) + self.section_end

    def _write_call(self, call: ToolCall) -> str:
        arguments = dump(dict(call.arguments))
        return f"{self.call}function{self.separator}{call.name}\n```json\n{arguments}\n```{self.call_end}"


class DeepSeekV31(DeepSeekV3):
    """DeepSeek V3.1: the name, the separator, and the object."""

    name = "deepseek_v31"

    def read_inner(self, text: str, at: int) -> tuple[ToolCall, int]:
        """The name in front of the separator, and the object behind it."""
        end = text.find(self.separator, at)
        if end < 0:
            raise ReadError("unclosed", len(text))
        name = text[at:end].strip()
        if not name or "<｜" in name:
            raise ReadError("no_name", at)
        at = end + len(self.separator)
        value, end = read_json(text, at)
        return ToolCall(name=name, arguments=arguments_of(value, at)), end

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One section, the calls one behind the other."""
        blocks = (f"{self.call}{c.name}{self.separator}{dump(dict(c.arguments))}{self.call_end}" for c in calls)
        return self.section + "".join(blocks) + self.section_end


class KimiK2(Sectioned):
    """Kimi K2: an id `functions.NAME:INDEX`, of which the prefix may be missing, and the object."""

    name = "kimi_k2"
    section, section_end = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
    call, call_end = "<|tool_call_begin|>", "<|tool_call_end|>"
    openers = (section, call)
    closers = (section_end, call_end)
    thoughts = (*Marked.thoughts, ("◁think▷", "◁/think▷"))
    _ID = re.compile(r"\s*(?:functions\.)?([^\s:<>][^\s<>]*?):([0-9]+)\s*<\|tool_call_argument_begin\|>")

    def read_inner(self, text: str, at: int) -> tuple[ToolCall, int]:
        """The name in the id, and the object."""
        found = self._ID.match(text, at)
        if found is None:
            raise ReadError("bad_id", at)
        value, end = read_json(text, found.end())
        return ToolCall(name=found.group(1), arguments=arguments_of(value, found.end())), end

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One section, the calls numbered from 0."""
        blocks = (
            f"{self.call}functions.{call.name}:{index}<|tool_call_argument_begin|>"
            f"{dump(dict(call.arguments))}{self.call_end}"
            for index, call in enumerate(calls)
        )
        return self.section + "".join(blocks) + self.section_end
