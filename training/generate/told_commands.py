"""Commands told of in whole sentences: stories, labels, reasons, blocks of their own, limits of time."""

import re
from dataclasses import replace
from functools import cache

from pytest_mcpbench.training.generate.compose import Clause, Maker, Phrasing
from pytest_mcpbench.training.generate.phrases import Piece, expand
from pytest_mcpbench.training.generate.pools import lines
from pytest_mcpbench.training.generate.quoting import Slot, quoted
from pytest_mcpbench.training.generate.timing import adjective, span

_MARKS = {"`": 0.74, "'": 0.09, '"': 0.14, "“": 0.03}
_SEPARATORS = (", ", " - ", " — ", " (", " -> ", " <-", " => ", ": ", "; ", ". ")
_ENDS_SENTENCE = re.compile(r"[^\s.][.,!?:;…]+$")
_CLEAR_AFTER = (", ", " - ", " — ", " (", "\n", " -> ", " <-", ". ", "; ")
_RUNNING = re.compile(
    r"\b(run|running|re-?run|execut\w+|exec|command|shell|bash|terminal|console|one-?liner)\b", re.IGNORECASE
)
_SEARCHING = ("grep", "egrep", "rg ", "find ", "cat ", "head ", "tail ", "less ")
_FENCES = ("", "", "bash", "sh", "shell", "console", "zsh")


def told(make: Maker, command: str, section: str) -> tuple[Clause, int | None]:
    """A request in whole sentences that gives the command, and the limit of time that it names, if it does."""
    text = expand(make.line("bash_told", section), make.rng)
    slots: dict[str, Slot] = {}
    timeout: int | None = None
    for name, draw in (("timea", adjective), ("time", span)):
        if f"{{{name}}}" in text:
            shown, timeout = draw(make.rng)
            slots[name] = Slot(shown)
    after = text.partition("{cmd}")[2]
    slots["cmd"] = _slot(make, command, text, after)
    clause = make.clause(Phrasing(text=text, order=False), slots, ())
    if after and not make.chance(0.12):
        if after[-1].isalnum() and make.chance(0.35):
            clause = replace(clause, pieces=(*clause.pieces, Piece(".")))
        clause = replace(clause, end="open")
    return clause, timeout


def block(make: Maker, command: str) -> Slot:
    """The command on lines of its own, in a fence or without."""
    if make.chance(0.5) or "```" in command:
        return Slot(command, "block")
    return Slot(command, "block", f"```{make.rng.choice(_FENCES)}\n{command}\n```")


def _slot(make: Maker, command: str, text: str, after: str) -> Slot:
    """The command as shown: bare where words and signs around it leave no doubt of its ends, else in quotes."""
    before = text.partition("{cmd}")[0]
    if before.endswith("\n") and not after:
        return block(make, command)
    clear = "\n" not in command and not _ENDS_SENTENCE.search(command) and "`" not in command
    clear = clear and (_RUNNING.search(text) is not None or _known(command)) and make.chance(0.5)
    clear = clear and (bool(before) or _known(command))
    if clear and not after:
        return Slot(command, "free")
    if clear and after.startswith(_CLEAR_AFTER) and not any(sign in command for sign in _SEPARATORS):
        return Slot(command)
    return Slot(command, "plain", quoted(command, make.draw(_MARKS)))


@cache
def _programs() -> frozenset[str]:
    return frozenset(line.split()[0] for line in lines("commands"))


def _known(command: str) -> bool:
    """Whether a reader knows it for a command without being told, and not for a search of another tool."""
    return not command.startswith(_SEARCHING) and command.split(maxsplit=1)[0] in _programs()
