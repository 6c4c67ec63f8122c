"""Phi-4-mini: `<|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>`, `functools[…]`, or one object a tag.

Sources: the model card and tokenizer of microsoft/Phi-4-mini-instruct (both tags are tokens, neither ends a turn);
vLLM's tool_chat_template_phi4_mini and phi4_mini_json tool parser and their tests (`functools`).
"""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import dump_call, read_call, read_calls
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

OPENER = "<|tool_call|>"
CLOSER = "<|/tool_call|>"
FUNCTOOLS = "functools"


class Phi4MiniJson(Marked):
    """The three dialects of one model, which leaves out closing tags and brackets.

    Behind the tag: a list with its closing tag, its closing bracket, both or neither, as long as its last object is
    complete; objects without brackets. Behind `functools`: a list, always in brackets.
    """

    name = "phi4_mini_json"
    openers = (OPENER, f"{FUNCTOOLS}[", f"{FUNCTOOLS} [", f"{FUNCTOOLS}\n[", f"{FUNCTOOLS}{{")
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The calls behind one tag or one `functools`."""
        if text.startswith(FUNCTOOLS, at):
            calls, at = read_calls(text, skip_space(text, at + len(FUNCTOOLS)))
            return Block(calls, _list_end(text, at))
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        bracket = text.startswith("[", at)
        calls, at, closed = self._objects(text, skip_space(text, at + 1) if bracket else at, bracket=bracket)
        after = skip_space(text, at)
        if text.startswith(CLOSER, after):
            return Block(calls, after + len(CLOSER), "" if bracket and closed else "no_bracket")
        if bracket and not closed:
            if after < len(text):
                raise ReadError("unclosed" if CLOSER.startswith(text[after:]) else "trailing_text", after)
            return Block(calls, at, "no_bracket")
        cut = after < len(text) and CLOSER.startswith(text[after:])
        if cut or (not bracket and after < len(text) and not text.startswith(OPENER, after)):
            expect(text, after, CLOSER)
        return Block(calls, _list_end(text, at), "no_closer")

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """A list that is the whole message, as it stands where decoding has stripped the tags."""
        return bare_list(text, at)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One list between the tags."""
        return f"{OPENER}[{', '.join(map(dump_call, calls))}]{CLOSER}"

    @staticmethod
    def _objects(text: str, at: int, *, bracket: bool) -> tuple[list[ToolCall], int, bool]:
        """The calls of a list without its opening bracket, the position behind them, and whether the bracket closed."""
        calls: list[ToolCall] = []
        if bracket and text.startswith("]", at):
            raise ReadError("empty", at)
        while True:
            call, at = read_call(text, at)
            calls.append(call)
            after = skip_space(text, at)
            if bracket and text.startswith("]", after):
                return calls, after + 1, True
            if not text.startswith(",", after):
                return calls, at, False
            at = after + 1


def _list_end(text: str, at: int) -> int:
    """The end of a list that no tag closes: what follows is prose, if it does not go on like JSON."""
    if text.startswith(("]", "}", ","), skip_space(text, at)):
        raise ReadError("trailing_text", at)
    return at


def bare_list(text: str, at: int) -> Block | None:
    """The calls of a JSON list that is the whole message; None for a list whose first item is no object."""
    if not text.startswith("[", at) or not text.startswith("{", skip_space(text, at + 1)):
        return None
    return Block(*read_calls(text, at))


def marked_list(text: str, at: int) -> Block:
    """The calls of a JSON list that a marker in front of `at` opened and only its bracket closes."""
    calls, end = read_calls(text, at)
    return Block(calls, _list_end(text, end))
