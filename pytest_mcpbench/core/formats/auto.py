"""The format `auto`: each text is read in the format that its own markers name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult, no_attempt
from pytest_mcpbench.core.formats.detect import BARE_LISTS, BARE_OBJECTS, PAIRS, marked_format
from pytest_mcpbench.core.formats.reading import ReadError
from pytest_mcpbench.core.formats.registry import get_format
from pytest_mcpbench.core.formats.scan import Block, Marked, Walk


class _Bare(Marked):
    """Calls without markers in any format that has them. The note of what was read is the format's name."""

    thoughts = tuple(PAIRS.items())

    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """Nothing: there are no openers."""
        return None

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """What the first format reads that can; the first one's error if some can only begin."""
        failure: ReadError | None = None
        for name in BARE_OBJECTS if text.startswith("{", at) else BARE_LISTS if text.startswith("[", at) else ():
            fmt = get_format(name)
            try:
                if isinstance(fmt, Marked):
                    block = fmt.read_bare(text, at, tools)
                    if block is not None:
                        return block._replace(note=name)
                elif (result := fmt.parse(text[at:], tools)).calls:
                    return Block(result.calls, len(text), name)
            except ReadError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return None

    def write(self, calls: Sequence[ToolCall]) -> str:
        """Nothing: nobody writes in an unknown format."""
        return ""


class Auto:
    """Reads every format and writes the native one, which is what a model without a family is prompted for.

    1. A message that, after closed reasoning, is all JSON or a list of Python calls: the first format that reads it.
    2. Else the format of the first marker outside closed reasoning and code fences; if there is no call in that
       format, the format of the first marker behind the end of reasoning.
    3. Else there is no attempt.
    """

    name = "auto"
    native_template = False

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """What `text` holds, with the note `format=NAME` that says which format read it."""
        name, result = self._read(text, tools)
        return result if name is None else replace(result, notes=(*result.notes, f"format={name}"))

    def render(self, calls: Sequence[ToolCall]) -> str:
        """The calls in the native format."""
        return get_format("native").render(calls)

    def is_complete(self, text: str) -> bool:
        """Whether the calls in `text` have ended for good, in the format that its markers name."""
        name, result = self._read(text, None)
        return name is not None and result.status == "parsed" and get_format(name).is_complete(text)

    def instructions(self, tools: Sequence[Tool], detail: Literal["line", "schema"]) -> str:
        """The native format's."""
        return get_format("native").instructions(tools, detail)

    @staticmethod
    def _read(text: str, tools: Sequence[Tool] | None) -> tuple[str | None, ParseResult]:
        bare = Walk(_Bare(), text, tools).result()
        if bare.status == "parsed":
            return bare.notes[-1], replace(bare, notes=bare.notes[:-1])
        name = marked_format(text)
        result = no_attempt(text) if name is None else get_format(name).parse(text, tools)
        ends = [text.find(closer) + len(closer) for closer in PAIRS.values() if closer in text]
        if not result.calls and ends:
            answering = marked_format(text, max(ends))
            if answering not in (None, name):
                name, result = answering, get_format(answering).parse(text, tools)
        if name is not None:
            return name, result
        return ("bare", bare) if bare.status == "unparsed" else (None, no_attempt(text))
