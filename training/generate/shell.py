"""Rows for the bash tool: commands as given, in a time limit, and well-known ones by what they do."""

import re
from dataclasses import replace
from functools import cache

from pytest_mcpbench.core.case import ExpectedCall
from pytest_mcpbench.training.generate.compose import (
    Alternatives,
    Clause,
    EmptyPoolError,
    Maker,
    Phrasing,
    is_order,
    one_call,
)
from pytest_mcpbench.training.generate.exact_commands import exact_command
from pytest_mcpbench.training.generate.oneliners import actual_value, knows_actual, one_liner
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import lines, side
from pytest_mcpbench.training.generate.quoting import Look, Slot
from pytest_mcpbench.training.generate.timing import adjective, span
from pytest_mcpbench.training.generate.told_commands import block, told

_SHARES = {"any": 0.08, "quoted": 0.05, "fence": 0.03, "timeout": 0.07, "described": 0.27, "told": 0.5}
_EXACT = 0.3
"""The share of the rows whose command is one of those that easily lose their ends."""

_TOLD = {"end": 0.27, "reason": 0.23, "block": 0.13, "timed": 0.37}
_SLOT = re.compile(r"\{(\w+?)(\d?)\}")
_LOOKS: dict[str, Look] = {
    "file": "path", "py": "path", "sh": "path", "jsfile": "path", "yaml": "path", "zip": "path", "tgz": "path",
    "folder": "path", "dir": "path", "reqs": "path", "test": "path", "msg": "quoted_text", "phrase": "quoted_text",
    "stem": "symbol", "pip": "symbol", "npm": "symbol", "cargo": "symbol", "branch": "symbol", "host": "path",
    "url": "path", "const": "plain",
}  # fmt: skip
_ACTUAL = 0.5
_COMMANDS = {"real": 0.5, "coined": 0.25, "pool": 0.25}
_INTRODUCED = re.compile(r"\b(re-?)?(run|running|execute|exec|command|shell|bash|terminal|output of)\b", re.IGNORECASE)
_SEARCHING = ("grep", "egrep", "rg ", "find ")
_NEVER_BARE = "\"'$`\\! ()#&;<>*?|~+@"
_NEVER_QUOTED = "\"'$`\\!"
_READS = re.compile(r"(?:cat|less) (\S+)|head -(?:n )?(\d+) (\S+)")


def bash_clause(make: Maker) -> Clause:
    """A request to run a command."""
    kind = make.draw(_SHARES)
    if kind != "described" and make.chance(_EXACT):
        clause, command, timeout = exact_command(make)
        return replace(clause, alternatives=ran(command, timeout=timeout))
    if kind == "described":
        return described(make)
    command = make_command(make)
    if kind == "told":
        clause, timeout = told(make, command, make.draw(_TOLD))
        return replace(clause, alternatives=ran(command, timeout=timeout))
    if kind == "timeout":
        return _timed(make, command)
    if kind == "fence":
        phrasing = make.phrasing("bash", "fence")
        command = make.values.snippets.long_command() if make.chance(0.4) else command
        return make.clause(
            Phrasing(text=phrasing.text + "\n{cmd}", order=False), {"cmd": block(make, command)}, ran(command)
        )
    phrasing = make.phrasing("bash", kind)
    bare = phrasing.text == "{cmd}"
    if bare and (command.startswith(_SEARCHING) or command.split()[0] not in _known_programs()):
        raise EmptyPoolError("a bare searching command could be meant for another tool")
    return make.clause(phrasing, {"cmd": _command_slot(command, kind, phrasing.text)}, ran(command))


def short_bash(make: Maker) -> Clause:
    """A short order to run a command, for requests of two parts."""
    if make.chance(0.4):
        return described(make)
    command = make_command(make)
    phrasing = make.phrasing("bash", "any", orders_only=True)
    return make.clause(phrasing, {"cmd": _command_slot(command, "any", phrasing.text)}, ran(command))


def make_command(make: Maker) -> str:
    """A command line of one of the many kinds that people type, or one that nobody ever typed."""
    kind = make.draw(_COMMANDS)
    if kind == "real":
        return one_liner(make)
    return make.values.snippets.command() if kind == "coined" else pool_command(make)


def pool_command(make: Maker) -> str:
    """A command line that people type, from the pool."""
    return make.values.fill(make.rng.choice(side(lines("commands"), make.split)))


def ran(command: str, others: tuple[str, ...] = (), timeout: int | None = None) -> Alternatives:
    """The right answers to a request for a command; reading the file is right too where it is `cat` or `head`."""
    arguments = {"command": command, **({"timeout": timeout} if timeout else {})}
    calls: list[tuple[ExpectedCall, ...]] = [(one_call("bash", arguments, {"command": others}),)]
    if match := _READS.fullmatch(command):
        path = match.group(1) or match.group(3)
        limit = {"limit": int(match.group(2))} if match.group(2) else {}
        calls.append((one_call("read", {"file_path": path, **limit}, optional={"offset": (0, 1)}),))
    return tuple(calls)


def described(make: Maker) -> Clause:
    """A request that names a well-known command by what it does. The command may be known, its wording is not."""
    what, _, how = make.rng.choice(side(lines("described"), make.split)).partition(" => ")
    commands = how.split(" || ")
    values: dict[str, str] = {}
    slots: dict[str, Slot] = {}
    phrase = expand(what, make.rng)
    for name, number in _SLOT.findall(phrase):
        value = _described_value(make, name, tuple(values.values()))
        if set(value) & set(_NEVER_QUOTED if name in ("msg", "phrase") else _NEVER_BARE):
            raise EmptyPoolError("a value that a shell would need in other quotes")
        values[name + number] = value
        slots[name + number] = Slot(value, _LOOKS.get(name, "plain"))
    filled = [_SLOT.sub(lambda match: values.get(match.group(1) + match.group(2), match.group(0)), c) for c in commands]
    return make.clause(Phrasing(text=phrase, order=is_order(phrase)), slots, ran(filled[0], tuple(filled[1:])))


def _described_value(make: Maker, kind: str, taken: tuple[str, ...]) -> str:
    if knows_actual(kind) and (not make.values.knows(kind) or (kind != "url" and make.chance(_ACTUAL))):
        return actual_value(make, kind, taken)
    return make.values.of("CONST" if kind == "const" else kind)


def _command_slot(command: str, kind: str, words: str) -> Slot:
    """The command as shown: bare only where it is known as one, or words say that one comes."""
    unclear = _INTRODUCED.search(words) is None and command.split(maxsplit=1)[0] not in _known_programs()
    return Slot(command, "quoted_text" if unclear or (kind == "quoted" and "`" in command) else "command")


@cache
def _known_programs() -> frozenset[str]:
    return frozenset(line.split()[0] for line in lines("commands"))


def _timed(make: Maker, command: str) -> Clause:
    phrasing = make.phrasing("bash", "timeout")
    shown, timeout = (adjective if "{timea}" in phrasing.text else span)(make.rng)
    slots = {"cmd": Slot(command, "command"), "time": Slot(shown), "timea": Slot(shown)}
    return make.clause(phrasing, slots, ran(command, timeout=timeout))
