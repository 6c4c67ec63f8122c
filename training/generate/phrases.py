"""The small language of phrasings: `(a|b)` chooses, `[a]` may be left out, `{slot}` is filled later."""

import re
from dataclasses import dataclass
from random import Random

from pytest_mcpbench.training.generate.pools import words

KEEP = frozenset(words("keep"))
"""Words that no slip of the finger falls on: what a row expects hangs on them."""

_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[A-Za-z]{4,}")
_APOSTROPHE = re.compile(r"(?<=[a-zI])'(?=(s|m|t|re|d|ll|ve)\b)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a prompt. Only literal ones, the words around the values, may be changed by noise."""

    text: str
    literal: bool = True


def expand(template: str, rng: Random) -> str:
    """The template with each choice made; slots stay, and `⟨…⟩` become round brackets.

    Raises ValueError for brackets that do not match.
    """
    text, at = _sequence(template, 0, "", rng)
    if at != len(template):
        raise ValueError(f"unbalanced brackets in the phrasing {template!r}")
    for written, meant in (("\\n", "\n"), ("\\t", "\t"), ("⟨", "("), ("⟩", ")")):
        text = text.replace(written, meant)
    return tidy(text)


def slots_of(text: str) -> tuple[str, ...]:
    """The names of a text's slots, in order."""
    return tuple(_SLOT.findall(text))


def split_slots(text: str) -> list[tuple[str, bool]]:
    """The text in stretches: words, and names of slots with True beside them."""
    parts = _SLOT.split(text)
    return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]


def tidy(text: str) -> str:
    """The text without the gaps that left-out options leave."""
    text = re.sub(r" {2,}", " ", text)
    text = re.sub(r" +([?,;]|\.(?=\s|$)|!(?=\s|$))", r"\1", text)
    return re.sub(r" *\n *", "\n", text).strip(" ")


def _sequence(text: str, at: int, closers: str, rng: Random) -> tuple[str, int]:
    """The text from `at` up to a closing bracket or bar, with its choices made, and where it stopped."""
    out: list[str] = []
    while at < len(text) and text[at] not in closers:
        if text[at] in "([":
            closer = ")" if text[at] == "(" else "]"
            options, at = _options(text, at + 1, closer, rng)
            chosen = rng.choice(options)
            out.append(chosen if closer == ")" or rng.random() < 0.5 else "")
        else:
            out.append(text[at])
            at += 1
    return "".join(out), at


def _options(text: str, at: int, closer: str, rng: Random) -> tuple[list[str], int]:
    options: list[str] = []
    while True:
        option, at = _sequence(text, at, "|" + closer, rng)
        options.append(option)
        if at >= len(text):
            raise ValueError(f"unbalanced brackets in the phrasing {text!r}")
        at += 1
        if text[at - 1] == closer:
            return options, at


def lower_first(text: str) -> str:
    """The text with a small first letter, unless it begins with "I" or an abbreviation."""
    if text[:1].isupper() and not re.match(r"I\b|[A-Z]{2}", text):
        return text[0].lower() + text[1:]
    return text


def upper_first(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def noisy(pieces: tuple[Piece, ...], rng: Random, *, slips: bool = True) -> tuple[Piece, ...]:
    """The pieces as somebody in a hurry types them: slips, missing apostrophes, all small or all capital letters."""
    if rng.random() < 0.05 and slips:
        pieces = _with_slips(pieces, rng)
    if rng.random() < 0.08:
        pieces = _mapped(pieces, lambda text: _APOSTROPHE.sub("", text))
    if rng.random() < 0.10:
        pieces = _mapped(pieces, str.lower)
    elif rng.random() < 0.012:
        pieces = _mapped(pieces, str.upper)
    return pieces


def _mapped(pieces: tuple[Piece, ...], change: object) -> tuple[Piece, ...]:
    assert callable(change)
    return tuple(Piece(change(piece.text)) if piece.literal else piece for piece in pieces)


def _with_slips(pieces: tuple[Piece, ...], rng: Random) -> tuple[Piece, ...]:
    spots = [
        (number, match.span())
        for number, piece in enumerate(pieces)
        if piece.literal
        for match in _WORD.finditer(piece.text)
        if match.group().lower() not in KEEP
    ]
    if not spots:
        return pieces
    number, (start, end) = rng.choice(spots)
    text = pieces[number].text
    changed = Piece(text[:start] + slip(text[start:end], rng) + text[end:])
    return (*pieces[:number], changed, *pieces[number + 1 :])


def slip(word: str, rng: Random) -> str:
    """The word with one letter lost, doubled or swapped with its neighbour; never its first."""
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
