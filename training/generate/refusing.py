"""Rows that no tool answers: small talk, general questions, and near misses that name files, commands and tools."""

import re

from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing, context_line
from pytest_mcpbench.training.generate.oneliners import actual_value, topic_value
from pytest_mcpbench.training.generate.phrases import Piece, expand, slots_of
from pytest_mcpbench.training.generate.quoting import Look, Slot
from pytest_mcpbench.training.generate.shell import make_command

_SHARES = {
    "far": 0.24,
    "act": 0.18,
    "tools": 0.21,
    "files": 0.13,
    "commands": 0.1,
    "code": 0.05,
    "glue": 0.06,
    "context": 0.03,
}
_TOLD = {"chat": 0.38, "tech": 0.29, "commands": 0.15, "files": 0.06, "code": 0.04, "act": 0.08}
_TOLD_SHARE = 0.62
_QUOTED = frozenset({"globpat"})
_SEARCHED: dict[str, Look] = {"sym": "symbol", "regex": "quoted_text"}
_MAX_COMMAND = 60
_ARTICLE = re.compile(r"\b[Aa]n? \{(animal\d?)\}")  # fmt: skip
_LOOKS: dict[str, Look] = {
    "file": "path", "special": "path", "cmd": "command", "sym": "symbol", "phrase": "quoted_text", "email": "path",
}  # fmt: skip


def refused_clause(make: Maker) -> Clause:
    """A message that calls for no tool."""
    if make.chance(_TOLD_SHARE):
        return _told(make)
    kind = make.draw(_SHARES)
    if kind == "context":
        return _only_context(make)
    text = expand(make.line("none", kind), make.rng)
    slots = {name: _slot(make, name) for name in slots_of(text)}
    return make.clause(Phrasing(text=text, order=kind == "act" and make.chance(0.55)), slots, ((),))


def _told(make: Maker) -> Clause:
    """A message about one of the many things that people chat and wonder about."""
    kind = make.draw(_TOLD)
    text = expand(make.line("none_told", kind), make.rng)
    taken: list[str] = []
    slots: dict[str, Slot] = {}
    for name in slots_of(text):
        slots[name] = _topic(make, name, tuple(taken))
        taken.append(slots[name].value)
    text = _ARTICLE.sub(lambda found: f"{article(slots[found[1]].value)} {{{found[1]}}}", text)
    return make.clause(Phrasing(text=text, order=kind == "act" and make.chance(0.55)), slots, ((),))


def article(word: str) -> str:
    """The indefinite article for a word."""
    return "an" if word[0] in "aeiou" else "a"


def _topic(make: Maker, name: str, taken: tuple[str, ...]) -> Slot:
    kind = name.rstrip("0123456789")
    if topic := topic_value(make, kind, taken):
        return Slot(topic, "quoted_text" if kind in _QUOTED else "plain")
    return _slot(make, name)


def _slot(make: Maker, name: str) -> Slot:
    kind = name.rstrip("0123456789")
    if kind == "cmd":
        return Slot(_short_command(make), "command")
    if kind == "file" and make.chance(0.5):
        return Slot(actual_value(make, "file"), "path")
    if kind in _SEARCHED:
        return Slot(make.values.search(kind), _SEARCHED[kind])
    if kind == "code":
        return Slot(make.values.snippets.line().strip(), "quoted_text")
    value = make.values.language()[0] if kind == "lang" else make.values.of(kind)
    return Slot(value, _LOOKS.get(kind, "plain"))


def _short_command(make: Maker) -> str:
    command = make_command(make)
    while len(command) > _MAX_COMMAND:
        command = make_command(make)
    return command


def _only_context(make: Maker) -> Clause:
    """One or two sentences that other requests are surrounded with, and no request."""
    sentences = [
        context_line(make, make.rng.choice(("before", "after")), "none") for _ in range(make.rng.randrange(1, 3))
    ]
    pieces = [piece for sentence in sentences if sentence for piece in (*sentence, Piece(" "))]
    if not pieces:
        raise EmptyPoolError("no context")
    return Clause(pieces=tuple(pieces[:-1]), alternatives=((),), end="open")
