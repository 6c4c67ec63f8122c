"""How people set a value off from the words around it: quotes of all kinds, backticks, or nothing."""

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

Look = Literal["path", "symbol", "text", "regex", "command", "plain", "free", "quoted_text", "block"]
"""What a value looks like. `plain` is always bare, `free` is a text without quotes, `block` stands on its own lines."""

_PAIRS = {
    "'": ("'", "'"),
    '"': ('"', '"'),
    "`": ("`", "`"),
    "“": ("“", "”"),
    "\u2018": ("\u2018", "\u2019"),
    "«": ("«", "»"),
}
_WEIGHTS: dict[str, dict[str, float]] = {
    "path": {"`": 0.42, "'": 0.27, '"': 0.25, "“": 0.05, "\u2018": 0.01},
    "symbol": {"`": 0.45, "'": 0.25, '"': 0.25, "“": 0.04, "\u2018": 0.01},
    "text": {'"': 0.42, "'": 0.38, "`": 0.12, "“": 0.06, "\u2018": 0.02},
    "regex": {"`": 0.4, "'": 0.28, '"': 0.28, "“": 0.04},
    "command": {"`": 0.66, "'": 0.14, '"': 0.17, "“": 0.03},
    "quoted_text": {'"': 0.43, "'": 0.41, "`": 0.09, "“": 0.05, "\u2018": 0.015, "«": 0.005},
}
_BARE_SHARE = {"path": 0.76, "symbol": 0.5, "text": 0.3, "regex": 0.3, "command": 0.42, "quoted_text": 0.0}

_BARE_PATH = re.compile(r"[\w.~/@+\\:{}*?\[\]!,#=-]*[\w/~*}\]-]")
_BARE_WORD = re.compile(r"""[^\s'"`“”\u2018\u2019«»,;:!?.()\[\]<>-][^\s'"`“”\u2018\u2019«»]*""")
_BARE_COMMAND = re.compile(r"""[\w./~][^\n`“”\u2018\u2019]*[\w/~+)}'"*=-]""")
_SENTENCE_END = ".,!?:;…"
_CONNECTIVES = frozenset(
    [
        "and",
        "then",
        "to",
        "in",
        "into",
        "with",
        "by",
        "for",
        "from",
        "of",
        "on",
        "as",
        "instead",
        "should",
        "is",
        "at",
        "also",
        "please",
        "it",
    ]
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A value for a template's slot. `shown` stands in the prompt in its place, where it is not the value itself."""

    value: str
    look: Look = "plain"
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Habit:
    """How one person quotes within one request: which quote, and whether bare where that is clear."""

    mark: dict[str, str]
    bare: dict[str, bool]


def habit_of(rng: Random) -> Habit:
    """A way of quoting, drawn once a request so that its values look alike."""
    mark = {look: rng.choices(list(weights), list(weights.values()))[0] for look, weights in _WEIGHTS.items()}
    mark["symbol"] = mark["symbol"] if rng.random() < 0.3 else mark["text"]
    draw = rng.random()
    bare = {look: draw < share for look, share in _BARE_SHARE.items()}
    bare["path"] = rng.random() < _BARE_SHARE["path"]
    return Habit(mark=mark, bare=bare)


def shown_as(slot: Slot, habit: Habit) -> tuple[str, bool]:
    """The slot's value as the request shows it, and whether it stands there bare."""
    text = slot.value if slot.shown is None else slot.shown
    if slot.look in ("plain", "free", "block") or (habit.bare[slot.look] and clear_without_quotes(text, slot.look)):
        return text, True
    return quoted(text, habit.mark[slot.look]), False


def quoted(text: str, mark: str) -> str:
    """The text in that kind of quotes, or in another where it contains them itself."""
    for choice in (mark, '"', "'", "`", "“", "«"):
        opener, closer = _PAIRS[choice]
        if opener not in text and closer not in text:
            return f"{opener}{text}{closer}"
    return f"``{text}``"


def clear_without_quotes(text: str, look: Look) -> bool:
    """Whether a reader sees where the value begins and ends although nothing marks it."""
    if not text or text[-1] in _SENTENCE_END:
        return False
    if look == "path":
        return _BARE_PATH.fullmatch(text) is not None
    if look == "command":
        return _BARE_COMMAND.fullmatch(text) is not None and not re.search(r" (and|then) |[`]", text)
    if look in ("symbol", "regex"):
        return _BARE_WORD.fullmatch(text) is not None
    return _BARE_WORD.fullmatch(text) is not None and text.lower() not in _CONNECTIVES


def clear_as_words(text: str) -> bool:
    """Whether a text of several words may stand in a sentence without quotes: no connective, no odd sign."""
    if not re.fullmatch(r"\w[\w '@#%$€+=/&_.:-]*\w", text):
        return False
    return not set(text.lower().split()) & _CONNECTIVES
