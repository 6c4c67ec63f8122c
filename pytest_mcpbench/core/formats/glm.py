"""GLM 4.5 to 4.7: `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`, raw values.

Sources: the chat templates of zai-org/GLM-4.5 and GLM-4.7; vLLM's glm45 and glm47 tool parsers and their tests.
"""

from collections.abc import Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.pythoncall import NAME
from pytest_mcpbench.core.formats.reading import ReadError, expect, skip_space
from pytest_mcpbench.core.formats.scan import Block, Marked
from pytest_mcpbench.core.formats.values import RawTypes, raw_text

OPENER = "<tool_call>"
CLOSER = "</tool_call>"
KEY, KEY_END = "<arg_key>", "</arg_key>"
VALUE, VALUE_END = "<arg_value>", "</arg_value>"


class Glm45(Marked):
    """Values typed by the tool's schema and kept to the byte; without a schema, JSON that is no text is read as such.

    GLM 4.5 writes each tag on a line of its own, GLM 4.7 all of them on one; both are read, the first is written.
    """

    name = "glm45"
    openers = (OPENER,)
    closers = (CLOSER,)

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block:
        """The call of one block."""
        types = RawTypes(tools, untyped_json=True)
        at = skip_space(text, at + len(OPENER))
        if text.startswith(CLOSER, at):
            raise ReadError("empty", at)
        name = NAME.match(text, at)
        if name is None:
            raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
        arguments: dict[str, Json] = {}
        at = skip_space(text, name.end())
        while text.startswith(KEY, at):
            key, raw, after = self._argument(text, at)
            if key in arguments:
                raise ReadError("duplicate_argument", at)
            arguments[key] = types.value(name.group(), key, raw)
            at = skip_space(text, after)
        call = ToolCall(name=name.group(), arguments=arguments)
        return Block([call], expect(text, at, CLOSER, "bad_tag"))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """One block a call, each tag on a line of its own."""
        return "\n".join(self._write_call(call) for call in calls)

    @staticmethod
    def _argument(text: str, at: int) -> tuple[str, str, int]:
        """The key and the raw value that start at `at`, and the position behind them."""
        start = at + len(KEY)
        end = text.find(KEY_END, start)
        if end < 0:
            raise ReadError("unclosed", len(text))
        key = text[start:end].strip()
        if not key or "<" in key:
            raise ReadError("bad_tag", start)
        start = at = expect(text, end + len(KEY_END), VALUE, "bad_tag")
        while (end := text.find(VALUE_END, at)) >= 0:
            at = skip_space(text, end + len(VALUE_END))
            if text.startswith((KEY, CLOSER), at):
                break
        else:
            raise ReadError("unclosed", len(text))
        raw = text[start:end]
        if KEY in raw or VALUE in raw:
            raise ReadError("crossed_tags", start)
        return key, raw, at

    @staticmethod
    def _write_call(call: ToolCall) -> str:
        pairs = "".join(
            f"{KEY}{key}{KEY_END}\n{VALUE}{raw_text(value)}{VALUE_END}\n" for key, value in call.arguments.items()
        )
        return f"{OPENER}{call.name}\n{pairs}{CLOSER}"
