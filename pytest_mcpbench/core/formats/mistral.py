"""Mistral: `[TOOL_CALLS]` with a JSON array (tokenizers before v11), or `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{…}`.

Sources: mistral-common's instruct tokenizers v3 to v13 (v11 writes [CALL_ID], v13 does not); the chat templates of
Mistral 7B v0.3, Nemo and Small 3.x; vLLM's mistral tool parser and its tests.
"""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import arguments_of, dump, dump_call, read_json
from pytest_mcpbench.core.formats.phi4 import bare_list, marked_list
from pytest_mcpbench.core.formats.pythoncall import NAME
from pytest_mcpbench.core.formats.reading import ReadError, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked

MARK = "[TOOL_CALLS]"
ARGS = "[ARGS]"
_CALL_ID = re.compile(r"\s*\[CALL_ID\]\s*([\w-]+)\s*")


class Mistral(Marked):
    """Both generations are read, the array is written. Decoding may have stripped `[ARGS]` and `[CALL_ID]`.

    An array holds all calls: a second `[TOOL_CALLS]` behind it is an error, as it is in vLLM.
    """

    name = "mistral"
    openers = (MARK,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The array of calls, or the one call with its name in front."""
        at = skip_space(text, at + len(MARK))
        if text.startswith("[", at) and not text.startswith(MARK, at):
            block = marked_list(text, at)
            if text.startswith(MARK, skip_space(text, block.end)):
                raise ReadError("repeated_marker", block.end)
            return block
        name = NAME.match(text, at)
        if name is None:
            raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
        call_id = _CALL_ID.match(text, name.end())
        at = skip_space(text, call_id.end() if call_id else name.end())
        if text.startswith(ARGS, at):
            at = skip_space(text, at + len(ARGS))
        if not text.startswith("{", at):
            raise ReadError("unclosed" if at >= len(text) else "no_arguments", at)
        value, end = read_json(text, at)
        return Block([ToolCall(name=name.group(), arguments=arguments_of(value, at))], end)

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """An array that is the whole message, as it stands where decoding has stripped the marker."""
        return bare_list(text, at)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One array."""
        return f"{MARK}[{', '.join(map(dump_call, calls))}]"


class MistralArgs(Mistral):
    """The form of tokenizers from v13 on is written: a marker, a name and an object for each call."""

    name = "mistral_v13"

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One marker a call."""
        return "".join(f"{MARK}{call.name}{ARGS}{dump(dict(call.arguments))}" for call in calls)
