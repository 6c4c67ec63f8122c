"""Rows that no tool answers: small talk, general questions, and near misses that name files, commands and tools."""

from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing, context_line
from pytest_mcpbench.training.generate.phrases import Piece, expand, slots_of
from pytest_mcpbench.training.generate.quoting import Look, Slot
from pytest_mcpbench.training.generate.shell import make_command

_SHARES = {
    "far": 0.24, "act": 0.18, "tools": 0.21, "files": 0.13, "commands": 0.1, "code": 0.05, "glue": 0.06,
    "context": 0.03,
}  # fmt: skip
_LOOKS: dict[str, Look] = {
    "file": "path", "special": "path", "cmd": "command", "sym": "symbol", "phrase": "quoted_text", "email": "path",
}  # fmt: skip


def refused_clause(make: Maker) -> Clause:
    """A message that calls for no tool."""
    kind = make.draw(_SHARES)
    if kind == "context":
        return _only_context(make)
    text = expand(make.line("none", kind), make.rng)
    slots = {name: _slot(make, name) for name in slots_of(text)}
    return make.clause(Phrasing(text=text, order=kind == "act" and make.chance(0.55)), slots, ((),))


def _slot(make: Maker, name: str) -> Slot:
    kind = name.rstrip("0123456789")
    if kind == "cmd":
        command = make_command(make)
        while len(command) > 60:
            command = make_command(make)
        return Slot(command, "command")
    if kind == "sym":
        return Slot(make.values.search("sym"), "symbol")
    if kind == "lang":
        return Slot(make.values.language()[0])
    if kind == "code":
        return Slot(make.values.snippets.line().strip(), "quoted_text")
    if kind == "regex":
        return Slot(make.values.search("regex"), "quoted_text")
    return Slot(make.values.of(kind), _LOOKS.get(kind, "plain"))


def _only_context(make: Maker) -> Clause:
    """One or two sentences that other requests are surrounded with, and no request."""
    sentences = [
        context_line(make, make.rng.choice(("before", "after")), "none") for _ in range(make.rng.randrange(1, 3))
    ]
    pieces = [piece for sentence in sentences if sentence for piece in (*sentence, Piece(" "))]
    if not pieces:
        raise EmptyPoolError("no context")
    return Clause(pieces=tuple(pieces[:-1]), alternatives=((),), end="open")
