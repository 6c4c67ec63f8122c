"""Formats that mark their calls: prose, reasoning, code fences and calls, told apart in one walk through the text."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats.base import ParseResult, no_attempt, parsed, unparsed
from pytest_mcpbench.core.formats.family import Family
from pytest_mcpbench.core.formats.reading import FENCE, THOUGHTS, Marks, ReadError, content_end, skip_space

MAX_BLANK = 8
"""So much white space behind the last call means that no other call is coming."""


class Block(NamedTuple):
    """What was read from an opener on: calls, the position behind them, and a note where the form was unusual."""

    calls: Sequence[ToolCall]
    end: int
    note: str = ""


class Marked(Family):
    """A format whose calls begin with one of its openers, or are the whole message where it allows bare calls.

    A block that cannot be read makes the whole answer unreadable: nothing is repaired and nothing is left out.
    """

    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    """Markers that are an error outside a call."""
    thoughts: tuple[tuple[str, str], ...] = THOUGHTS

    @abstractmethod
    def read(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """The calls whose opener stands at `at`; None if it opens no calls. Raises ReadError."""

    def read_bare(self, text: str, at: int, tools: Sequence[Tool] | None) -> Block | None:
        """The calls at the beginning of a message without markers; None if it is no attempt. Raises ReadError."""
        return None

    def parse(self, text: str, tools: Sequence[Tool] | None = None) -> ParseResult:
        """What `text` holds."""
        return Walk(self, text, tools).result()

    def is_complete(self, text: str) -> bool:
        """Whether calls were made, none of them in unfinished reasoning, and what follows begins no other.

        A list that is the whole message is complete with its bracket, as anything behind it would spoil it.
        """
        walk = Walk(self, text, None)
        if walk.result().status != "parsed" or walk.unclosed:
            return False
        if walk.closed_list:
            return True
        rest = text[walk.calls_end :]
        if not rest.strip():
            return len(rest) > MAX_BLANK
        rest = rest.strip()
        return not any(opener.startswith(rest) or rest.startswith(opener) for opener in (*self.openers, ",", ";"))


@cache
def _vocabulary(
    openers: tuple[str, ...], closers: tuple[str, ...], thoughts: tuple[tuple[str, str], ...], *, fences: bool
) -> tuple[re.Pattern[str], Mapping[str, "Kind"]]:
    """A pattern that finds the next mark, the longest one where several begin, and what each mark is."""
    kinds: dict[str, Kind] = dict.fromkeys(closers, "call_end")
    if fences:
        kinds[FENCE] = "fence"
    for opener, closer in thoughts:
        kinds[opener], kinds[closer] = "thought", "thought_end"
    kinds.update(dict.fromkeys(openers, "call"))
    marks = (re.escape(mark) if mark != FENCE else "`{3,}" for mark in sorted(kinds, key=len, reverse=True))
    return re.compile("|".join(marks) or "(?!)"), kinds


_NOTHING = re.compile(r"(?!)")
Kind = Literal["call", "thought", "fence", "thought_end", "call_end"]


@dataclass(slots=True)
class Walk:
    """One walk through a text: each marker in turn, from the first to the last."""

    fmt: Marked
    text: str
    tools: Sequence[Tool] | None
    calls: list[ToolCall] = field(default_factory=list)
    calls_end: int = 0
    prose: list[tuple[int, int]] = field(default_factory=list)
    thoughts: list[tuple[int, int]] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    unclosed: bool = False
    closed_list: bool = False
    _at: int = 0
    _end: int = 0
    _stray: tuple[int, int] | None = None
    _thought_ended: bool = False
    _said: bool = False
    _failed_bare: tuple[int, ReadError] | None = None
    _live: tuple[tuple[str, str], ...] = ()
    _fences: bool = True
    _pattern: re.Pattern[str] = _NOTHING
    _kinds: Mapping[str, Kind] = field(default_factory=dict)

    def result(self) -> ParseResult:
        """The calls and the words of the text. Never raises."""
        whole, self._end = self.text, content_end(self.text)
        self.text = whole[: self._end]
        try:
            self._walk()
            if self._failed_bare is not None and not self.calls:
                self._at, error = self._failed_bare
                raise error
        except ReadError as error:
            start = min(self._at, error.at)
            return unparsed(error.reason, (start, error.at), text=self._words(), reasoning=self._join(self.thoughts))
        if self._stray is not None:
            return unparsed("unopened", self._stray, text=self._words(), reasoning=self._join(self.thoughts))
        found = {"reasoning": self._join(self.thoughts), "notes": tuple(self.notes)}
        if self.calls:
            return parsed(self.calls, text=self._words(), **found)  # type: ignore[arg-type]  # a str and a tuple
        return no_attempt(self._words() if self.thoughts else whole, **found)  # type: ignore[arg-type]  # as above

    def _walk(self) -> None:
        marks = Marks(self.text)
        self._listen(self.fmt.thoughts, fences=True)
        while not self._bare():
            found = self._pattern.search(self.text, self._at)
            if found is None:
                self._say(len(self.text))
                return
            self._say(found.start())
            mark = found.group()
            self._pass(mark, self._kinds.get(mark, "fence"), marks)

    def _listen(self, thoughts: tuple[tuple[str, str], ...], *, fences: bool) -> None:
        """Look for these pairs from now on. A pair that is not closed any more is not looked for again."""
        self._live, self._fences = thoughts, fences
        self._pattern, self._kinds = _vocabulary(self.fmt.openers, self.fmt.closers, thoughts, fences=fences)

    def _pass(self, mark: str, kind: Kind, marks: Marks) -> None:
        """Take in what the mark at the current position begins, and go behind it."""
        start = self._at
        behind = start + len(mark)
        if kind == "call" and not self._quoted(marks) and self._read(marks):
            return
        if kind == "thought_end" and not self._thought_ended:
            self._thought_until(start, behind)
        elif kind == "call_end":
            self._stray = self._stray or (start, behind)
            self._at = behind
        elif kind in ("thought", "fence") or mark.startswith(FENCE):
            closer = dict(self.fmt.thoughts).get(mark, FENCE)
            self._enclosed(behind, marks.find(closer, behind), closer)
        elif self._at == start:
            self._say(behind)

    def _enclosed(self, behind: int, close: int, closer: str) -> None:
        if close < 0:
            live = tuple(pair for pair in self._live if pair[1] != closer)
            self._listen(live, fences=self._fences and closer != FENCE)
            self.unclosed = True
            self.notes["unclosed_fence" if closer == FENCE else "unclosed_reasoning"] = None
            self._at = behind
        elif closer == FENCE:
            self._say(close + len(closer))
        else:
            self.thoughts.append((behind, close))
            self._at = close + len(closer)

    def _quoted(self, marks: Marks) -> bool:
        """Whether the opener is an example in single backticks, which is then passed."""
        if self._at == 0 or self.text[self._at - 1] != "`":
            return False
        close = marks.find("`", self._at)
        if close < 0:
            return False
        self._say(close + 1)
        return True

    def _read(self, marks: Marks) -> bool:
        try:
            block = self.fmt.read(self.text, self._at, self.tools)
        except ReadError:
            ends = [(at, closer) for _, closer in self.fmt.thoughts if (at := marks.find(closer, self._at)) >= 0]
            if self._thought_ended or not ends:
                raise
            close, closer = min(ends)
            self._thought_until(close, close + len(closer))
            return True
        if block is None:
            return False
        self.calls.extend(block.calls)
        self._at = self.calls_end = block.end
        if block.note:
            self.notes[block.note] = None
        return True

    def _thought_until(self, close: int, behind: int) -> None:
        """Everything so far was reasoning that the prompt had opened."""
        self._thought_ended = True
        self.thoughts = [(0, close)]
        self.prose.clear()
        self.calls.clear()
        self.notes.clear()
        self._stray, self.unclosed, self._said, self._failed_bare = None, False, False, None
        self._at = behind

    def _bare(self) -> bool:
        """Whether all that is left is calls without markers, which is asked as long as nothing has been said."""
        start = skip_space(self.text, self._at)
        if self._said or self.calls or start >= len(self.text):
            return False
        try:
            block = self.fmt.read_bare(self.text, start, self.tools)
            if block is None:
                return False
            if self.text[block.end :].strip():
                raise ReadError("trailing_text", block.end)
        except ReadError as error:
            self._failed_bare = (start, error)
            return False
        self.calls.extend(block.calls)
        self.calls_end = block.end
        self.closed_list = self.text[block.end - 1] == "]"
        if block.note:
            self.notes[block.note] = None
        return True

    def _say(self, until: int) -> None:
        if until > self._at:
            self.prose.append((self._at, until))
            self._said = self._said or bool(self.text[self._at : until].strip())
        self._at = max(self._at, until)

    def _words(self) -> str:
        return self._join(self.prose)

    def _join(self, spans: Sequence[tuple[int, int]]) -> str:
        return "".join(self.text[start:end] for start, end in spans)
