"""Commands that have to come whole: long chains, odd first words, last words that look like part of the sentence."""

import re
import shlex

from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.oneliners import actual_fill, actual_value, knows_actual
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import side, value_sections
from pytest_mcpbench.training.generate.quoting import Slot, habit_of, quoted
from pytest_mcpbench.training.generate.timing import span

POOL = "exact_commands"
_PHRASES = "bash_exact"
_KINDS = {"last": 0.46, "chain": 0.3, "front": 0.24}
_SECTIONS = {"end": 0.52, "inside": 0.17, "purpose": 0.17, "timed": 0.14}
_CHAINS = (
    "{a} && {b}", "{a} && {b}", "{a} && {b} || {c}", "{a} && {b} || {c}", "{a} || {b}", "{a}; {b}", "{a} && {b} && {c}",
    "{a}; {b}; {c}", "({a} && {b}) || {c}", "{a} || ({b}; {c})", "! {a} && {b}", "{a} & {b}", "time {a} && {b}",
)  # fmt: skip
_NAMED = re.compile(r"\{([a-z]+)\}")
_MARK = re.compile(r"<([a-z]+)>")
_OPENS_A_RUN = re.compile(r"[:$>→⟩)-] ?$|\b(run|running|execute|exec|with|try|do|says|is|types|line|command|use) $")
_INNER = re.compile(r"[,;]|\. | - | \(")
_FIRST_WORDS = frozenset({"test", "[", "[[", "if", "for", "while", "until", "let", "time", "!", ":", ">", "{"})
_NEEDS_A_NOUN = re.compile(r"\b([Ff]or|[Aa]bout|[Aa]fter|[Pp]rint|[Ww]ants|[Nn]eeds|up|get|shows) \{purpose\}")
_CLAUSE = re.compile(r"(whether|how|what|who|which)\b")
_TRICKY_END = re.compile(r"[^\w)}\]/'\"$]$")


def exact_command(make: Maker) -> tuple[Clause, str, int | None]:
    """A request to run a command, the command to its last word, and the limit of time that it names, if it does."""
    section = make.draw(_SECTIONS)
    text = expand(make.line(_PHRASES, section), make.rng)
    slots: dict[str, Slot] = {}
    timeout: int | None = None
    if section == "purpose":
        purpose, command = _purpose(make)
        if _NEEDS_A_NOUN.search(text) and _CLAUSE.match(purpose):
            raise EmptyPoolError("a clause where a noun has to stand")
        text = text.replace("{purpose}", purpose)
    else:
        command = command_for(make)
    if section == "timed":
        shown, timeout = span(make.rng)
        slots["time"] = Slot(shown)
    slots["cmd"] = _slot(make, command, text)
    return make.clause(Phrasing(text=text, order=False), slots, ()), command, timeout


def command_for(make: Maker) -> str:
    """A command line of the pool, or a chain of short ones."""
    kind = make.draw(_KINDS)
    if kind == "chain":
        parts = [_line(make, "short") for _ in range(3)]
        if len(set(parts)) < 3:
            raise EmptyPoolError("a chain of equal parts")
        command = make.rng.choice(_CHAINS).format(a=parts[0], b=parts[1], c=parts[2])
    else:
        command = _line(make, kind)
    command = actual_fill(make, command)
    if command.endswith(" &"):
        return command
    return _sound(command)


def _line(make: Maker, section: str) -> str:
    entries = side(value_sections(POOL)[section], make.split)
    if not entries:
        raise EmptyPoolError(f"{POOL}.{section}")
    return make.rng.choice(entries)


def _sound(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise EmptyPoolError("the quotes of a command do not close") from error
    return command


def _purpose(make: Maker) -> tuple[str, str]:
    """What a command is for, and the command, with the same names in both."""
    said, _, command = _line(make, "purpose").partition(" => ")
    said = expand(said, make.rng)
    memo: dict[str, str] = {}
    for kind in (*_NAMED.findall(said), *_MARK.findall(command)):
        if kind in memo:
            continue
        known = knows_actual(kind)
        memo[kind] = actual_value(make, kind, tuple(memo.values())) if known else make.values.of(kind)
    shown = _NAMED.sub(lambda match: memo[match.group(1)], said)
    return shown, _sound(_MARK.sub(lambda match: memo[match.group(1)], command))


def _slot(make: Maker, command: str, text: str) -> Slot:
    """The command as shown: bare where the words around it leave no doubt of its ends, else in quotes."""
    before, _, after = text.partition("{cmd}")
    if before.startswith(("$ ", "> ")):
        return Slot(command, "free")
    clear = "`" not in command and (_OPENS_A_RUN.search(before) is not None or _plain_start(before, command))
    clear = clear and not (not before and after)
    if clear and not after and make.chance(0.55) and not re.search(r"[.?!,]$", command):
        return Slot(command, "free")
    divided = after.startswith((", and ", ", but ", " - ", ". ", " ⟨", " (")) and not _INNER.search(command)
    if clear and divided and make.chance(0.4) and not _TRICKY_END.search(command):
        return Slot(command)
    mark = make.draw({"`": 0.74, "'": 0.08, '"': 0.14, "“": 0.04})
    if mark == "'" and "'" in command:
        mark = "`"
    return Slot(command, "plain", quoted(command, mark if mark not in command else habit_of(make.rng).mark["command"]))


def _plain_start(before: str, command: str) -> bool:
    """Whether a command that ends the request bare begins with a word that nobody takes for one of the sentence."""
    return bool(before) and command.split(maxsplit=1)[0] not in _FIRST_WORDS and before.endswith((" ", ": "))
