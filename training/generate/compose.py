"""From a phrasing and values to a request: choices, quotes, polite frames, context around it, slips."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from pytest_mcpbench.core.case import ExpectedCall, Json
from pytest_mcpbench.training.generate.phrases import (
    Piece,
    expand,
    lower_first,
    noisy,
    split_slots,
    tidy,
    upper_first,
)
from pytest_mcpbench.training.generate.pools import Split, lines, sections, side
from pytest_mcpbench.training.generate.quoting import Habit, Slot, habit_of, shown_as
from pytest_mcpbench.training.generate.values import Values

Alternatives = tuple[tuple[ExpectedCall, ...], ...]
End = Literal["closed", "bare", "open"]

_SAFE_AFTER_BARE = re.compile(r"(,|\?|\.$|\.\.\. |:| please\b| pls\b| for me\b|$| — | - )")
_NO_ORDER = re.compile(
    r"(shell|bash|terminal|run|(re-)?run command|grep -c style)?:|\{(file|name|lang)"
    r"|(let's|can|could|would|please|I|I'd|what|where|we|mind|first|before|two|these|is|which|how)\b"
)
"""How phrasings begin that no frame for orders fits around."""

_CONTRADICTIONS = {
    "bash": ("Don't run", "Don't change", "No need to run"),
    "edit": ("Don't change", "Don't explain, just"),
    "write": ("Don't change",),
    "none": (":", ","),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One request before anything is put around it. `order` says that it is an order that frames can take.

    `end` says how it ends: "closed" by words or quotes, "bare" by a command without quotes, "open" by a text that
    nothing may follow.
    """

    pieces: tuple[Piece, ...]
    alternatives: Alternatives
    order: bool = False
    end: End = "closed"

    @property
    def text(self) -> str:
        """The request's words and values."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrasing:
    """A chosen template with its choices made; `order` as in Clause."""

    text: str
    order: bool


class EmptyPoolError(Exception):
    """This side of a pool has nothing of the kind; another kind has to be drawn."""


def is_order(text: str) -> bool:
    """Whether a phrasing begins as an order does, so that "could you …?" may stand around it."""
    return not text.endswith("?") and _NO_ORDER.match(text) is None


class Maker:
    """What a builder of rows draws from: chance, one side of the pools, and the values composed from it."""

    def __init__(self, rng: Random, split: Split) -> None:
        self.rng = rng
        self.split = split
        self.values = Values(rng, split)

    def chance(self, share: float) -> bool:
        """True in that share of the draws."""
        return self.rng.random() < share

    def draw(self, weights: Mapping[str, float]) -> str:
        """One of the names, in the proportion of their weights."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def line(self, pool: str, section: str) -> str:
        """A line of a pool of phrasings as it stands. Raises EmptyPoolError where this side has none."""
        entries = side(sections(pool)[section], self.split)
        if not entries:
            raise EmptyPoolError(f"{pool}.{section}")
        return self.rng.choice(entries)

    def phrasing(self, pool: str, section: str, *, orders_only: bool = False) -> Phrasing:
        """A phrasing from `section.imp` or `section.ask`. Raises EmptyPoolError where this side has none."""
        orders = side(sections(pool).get(f"{section}.imp", ()), self.split)
        others = () if orders_only else side(sections(pool).get(f"{section}.ask", ()), self.split)
        if not orders and not others:
            raise EmptyPoolError(f"{pool}.{section}")
        take_order = bool(orders) and (not others or self.chance(0.6))
        template = self.rng.choice(orders if take_order else others)
        text = expand(template, self.rng)
        return Phrasing(text=text, order=take_order and is_order(text))

    def clause(
        self, phrasing: Phrasing, slots: Mapping[str, Slot], alternatives: Alternatives, habit: Habit | None = None
    ) -> Clause:
        """The phrasing with its slots shown as this person quotes."""
        habit = habit or habit_of(self.rng)
        pieces: list[Piece] = []
        end: End = "closed"
        for part, is_slot in split_slots(tidy(phrasing.text)):
            if not is_slot:
                pieces.append(Piece(part))
                end = "closed"
                continue
            slot = slots[part] if part in slots else _mentioned(self, part)
            shown, bare = shown_as(slot, habit)
            pieces.append(Piece(shown, literal=False))
            is_open = slot.look in ("free", "block")
            end = "open" if is_open else "bare" if bare and slot.look == "command" else "closed"
        return Clause(pieces=tuple(pieces), alternatives=alternatives, order=phrasing.order, end=end)


def one_call(
    name: str,
    arguments: Mapping[str, Json],
    accept: Mapping[str, Sequence[Json]] | None = None,
    optional: Mapping[str, Sequence[Json]] | None = None,
) -> ExpectedCall:
    """An expected call; empty lists of other values are left out."""
    return ExpectedCall(
        name=name,
        arguments=dict(arguments),
        accept={key: tuple(values) for key, values in (accept or {}).items() if values},
        optional={key: tuple(values) for key, values in (optional or {}).items() if values},
    )


def finished(clause: Clause, make: Maker, tool: str) -> str:
    """The prompt of a row: the clause in a frame, with words before and after it, typed more or less well."""
    rng = make.rng
    if clause.order and make.chance(0.42):
        clause = framed(clause, make)
    clause = with_tail(clause, make)
    # A command's own name may stand among the words: a slip in it would make another command of it.
    pieces = noisy(clause.pieces, rng, slips=tool != "bash")
    pieces = _capitalised(pieces, rng)
    pieces = _around(pieces, clause, make, tool)
    return "".join(piece.text for piece in pieces).strip()


def framed(clause: Clause, make: Maker) -> Clause:
    """The clause in one of the frames for orders ("could you …?"), if one is found that its end allows."""
    for _ in range(8):
        frame = make.line("frames", "frame")
        before, _, after = frame.partition("{imp}")
        if (clause.end == "open" and after not in ("", "?")) or (
            clause.end == "bare" and not _SAFE_AFTER_BARE.match(after)
        ):
            continue
        if clause.end == "open":
            after = ""
        if after == "?" and make.chance(0.25):
            after = ""
        pieces = (Piece(before), *clause.pieces, Piece(after))
        return replace(
            clause, pieces=tuple(p for p in pieces if p.text), order=False, end="closed" if after else clause.end
        )
    return clause


def with_tail(clause: Clause, make: Maker) -> Clause:
    """The clause with what ends a sentence: a mark, a word of thanks, or nothing."""
    last, rng = clause.pieces[-1], make.rng
    if last.literal and last.text.endswith("?") and make.chance(0.22):
        return replace(clause, pieces=(*clause.pieces[:-1], Piece(last.text[:-1])))
    if clause.end == "open" or (last.literal and last.text.endswith((".", "?", "!", ":)", ";)"))):
        return clause
    draw = rng.random()
    if draw < 0.09:
        tail = make.line("frames", "tail")
        if clause.end != "bare" or _SAFE_AFTER_BARE.match(tail):
            return replace(clause, pieces=(*clause.pieces, Piece(tail)), end="closed")
    if draw < 0.36:
        return replace(clause, pieces=(*clause.pieces, Piece("!" if draw < 0.1 else ".")), end="closed")
    return clause


def _capitalised(pieces: tuple[Piece, ...], rng: Random) -> tuple[Piece, ...]:
    first = pieces[0]
    if not first.literal or rng.random() < 0.45:
        return pieces
    return (Piece(upper_first(first.text)), *pieces[1:])


def _around(pieces: tuple[Piece, ...], clause: Clause, make: Maker, tool: str) -> tuple[Piece, ...]:
    """Sentences before and after. After an open end nothing may stand; a mark closes what comes before."""
    block_first = not pieces[0].literal and "\n" in pieces[0].text
    fenced = pieces[0].text.startswith("```")
    before = make.draw({"0": 0.8, "1": 0.17, "2": 0.03}) if fenced or not block_first else "0"
    for _ in range(int(before)):
        if context := context_line(make, "before", tool):
            pieces = (*context, Piece("\n" if block_first or make.chance(0.08) else " "), *pieces)
            block_first = False
    if clause.end != "open" and make.chance(0.12) and (context := context_line(make, "after", tool)):
        closed = pieces[-1].literal and pieces[-1].text.rstrip()[-1:] in ".?!"
        pieces = (*pieces, Piece(" " if closed else ". "), *context)
    return pieces


def context_line(make: Maker, section: str, tool: str) -> tuple[Piece, ...]:
    """A sentence from the pool of contexts; empty where it would contradict the request."""
    line = make.line("frames", section)
    if any(word in line if len(word) > 1 else line.endswith(word) for word in _CONTRADICTIONS.get(tool, ())):
        return ()
    habit = habit_of(make.rng)
    pieces = []
    for part, is_slot in split_slots(line):
        if is_slot:
            pieces.append(Piece(shown_as(_mentioned(make, part), habit)[0], literal=False))
        else:
            pieces.append(Piece(part))
    return (
        tuple(pieces)
        if make.chance(0.75)
        else tuple(Piece(lower_first(p.text)) if p.literal and number == 0 else p for number, p in enumerate(pieces))
    )


def _mentioned(make: Maker, kind: str) -> Slot:
    """Something that a sentence around the request names: a file, a command in backticks, an identifier."""
    if kind == "ran":
        command = make.values.fill(make.rng.choice(side(lines("commands"), make.split)))
        return Slot(command, "quoted_text")
    if kind == "symbol":
        return Slot(make.values.search("sym"), "symbol")
    if kind == "Name":
        return Slot(make.values.of(kind))
    if kind == "num":
        return Slot(make.values.of("n"))
    if kind == "lang":
        return Slot(make.values.language()[0])
    if kind != "mention":
        raise KeyError(kind)
    return Slot(make.values.path(), "path")
