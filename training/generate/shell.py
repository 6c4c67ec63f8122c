"""Rows for the bash tool: commands as given, in a time limit, and well-known ones by what they do."""

import re
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
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import lines, side
from pytest_mcpbench.training.generate.quoting import Look, Slot

_SHARES = {"any": 0.36, "quoted": 0.17, "fence": 0.04, "timeout": 0.11, "described": 0.32}
_SLOT = re.compile(r"\{(\w+?)(\d?)\}")
_LOOKS: dict[str, Look] = {
    "file": "path", "py": "path", "sh": "path", "jsfile": "path", "yaml": "path", "zip": "path", "tgz": "path",
    "folder": "path", "dir": "path", "reqs": "path", "test": "path", "msg": "quoted_text", "phrase": "quoted_text",
    "stem": "symbol", "pip": "symbol", "npm": "symbol", "cargo": "symbol", "branch": "symbol", "host": "path",
    "url": "path", "const": "plain",
}  # fmt: skip
_COMPOSED = 0.55
_INTRODUCED = re.compile(r"\b(re-?)?(run|running|execute|exec|command|shell|bash|terminal|output of)\b", re.IGNORECASE)
_SEARCHING = ("grep", "egrep", "rg ", "find ")
_NEVER_BARE = "\"'$`\\! ()#&;<>*?|~+@"
_NEVER_QUOTED = "\"'$`\\!"
_READS = re.compile(r"(?:cat|less) (\S+)|head -(?:n )?(\d+) (\S+)")
_UNITS: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("second", 1000, (5, 10, 15, 20, 30, 45, 60, 90, 120)),
    ("second", 1000, tuple(range(2, 300))),
    ("minute", 60_000, (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)),
)
_WORDED_TIMES = {
    "two minutes": 120_000, "five minutes": 300_000, "ten minutes": 600_000, "three minutes": 180_000,
    "ten seconds": 10_000, "thirty seconds": 30_000, "five seconds": 5_000, "twenty seconds": 20_000,
    "a minute": 60_000, "one minute": 60_000, "half a minute": 30_000, "one hour": 3_600_000, "an hour": 3_600_000,
    "a second": 1_000, "sixty seconds": 60_000, "ninety seconds": 90_000, "fifteen seconds": 15_000,
}  # fmt: skip


def bash_clause(make: Maker) -> Clause:
    """A request to run a command."""
    kind = make.draw(_SHARES)
    if kind == "described":
        return described(make)
    command = make_command(make)
    if kind == "timeout":
        return _timed(make, command)
    if kind == "fence":
        phrasing = make.phrasing("bash", "fence")
        label = make.rng.choice(("", "", "bash", "sh"))
        command = make.values.snippets.long_command() if make.chance(0.25) else command
        slot = Slot(command, "block", f"```{label}\n{command}\n```")
        return make.clause(Phrasing(text=phrasing.text + "\n{cmd}", order=False), {"cmd": slot}, ran(command))
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
    return make.values.snippets.command() if make.chance(_COMPOSED) else pool_command(make)


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
        value = make.values.of("CONST" if name == "const" else name)
        if set(value) & set(_NEVER_QUOTED if name in ("msg", "phrase") else _NEVER_BARE):
            raise EmptyPoolError("a value that a shell would need in other quotes")
        values[name + number] = value
        slots[name + number] = Slot(value, _LOOKS.get(name, "plain"))
    filled = [_SLOT.sub(lambda match: values.get(match.group(1) + match.group(2), match.group(0)), c) for c in commands]
    return make.clause(Phrasing(text=phrase, order=is_order(phrase)), slots, ran(filled[0], tuple(filled[1:])))


def _command_slot(command: str, kind: str, words: str) -> Slot:
    """The command as shown: bare only where it is known as one, or words say that one comes."""
    unclear = _INTRODUCED.search(words) is None and command.split(maxsplit=1)[0] not in _known_programs()
    return Slot(command, "quoted_text" if unclear or (kind == "quoted" and "`" in command) else "command")


@cache
def _known_programs() -> frozenset[str]:
    return frozenset(line.split()[0] for line in lines("commands"))


def _timed(make: Maker, command: str) -> Clause:
    phrasing = make.phrasing("bash", "timeout")
    rng = make.rng
    if "{timea}" in phrasing.text:
        unit, scale, usual = rng.choice(_UNITS)
        number = rng.choice(usual)
        shown = rng.choice((f"{number} {unit}", f"{number}-{unit}", f"{number}{unit[0]}", f"{number} {unit[:3]}"))
        timeout = number * scale
    elif make.chance(0.2):
        shown = rng.choice(list(_WORDED_TIMES))
        timeout = _WORDED_TIMES[shown]
    else:
        shown, timeout = _time(make)
    slots = {"cmd": Slot(command, "command"), "time": Slot(shown), "timea": Slot(shown)}
    return make.clause(phrasing, slots, ran(command, timeout=timeout))


def _time(make: Maker) -> tuple[str, int]:
    rng = make.rng
    draw = rng.random()
    if draw < 0.6:
        number = rng.choice((5, 10, 15, 20, 30, 45, 60, 90, 120)) if make.chance(0.6) else rng.randrange(2, 600)
        return rng.choice(
            (f"{number} seconds", f"{number} seconds", f"{number}s", f"{number} sec", f"{number} secs")
        ), number * 1000
    if draw < 0.85:
        number = rng.randrange(2, 21)
        return rng.choice(
            (f"{number} minutes", f"{number} minutes", f"{number} min", f"{number} mins", f"{number}m")
        ), number * 60_000
    number = rng.choice(
        (100, 250, 500, 750, 800, 1000, 1500, 2000, 2500, 5000, 10000, 30000, rng.randrange(100, 60000))
    )
    return rng.choice((f"{number} ms", f"{number}ms", f"{number} milliseconds")), number
