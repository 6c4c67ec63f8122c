"""Edits that say how many places they touch, and two edits or two commands with values of their own."""

from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.edit_values import edited, old_and_new
from pytest_mcpbench.training.generate.exact_commands import command_for
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import lines, side
from pytest_mcpbench.training.generate.quoting import Slot, quoted
from pytest_mcpbench.training.generate.shell import ran
from pytest_mcpbench.training.generate.stories import clear_bare, domain_of, natural_file, natural_value, told
from pytest_mcpbench.training.generate.timing import span

POOL = "edit_exact"
_PAIRS = {"two": 0.5, "parallel": 0.2, "ran": 0.23, "rantimed": 0.07}
_MARKS = {"`": 0.42, '"': 0.34, "'": 0.24}


def exact_edit(make: Maker) -> Clause:
    """A request to change the first place of a text, or every place."""
    section = make.draw({"first": 0.5, "every": 0.5})
    text = expand(make.line(POOL, section), make.rng)
    path, old, new = _change(make)
    slots = {"file": Slot(path, "path"), **_shown(make, {"old": old, "new": new})}
    phrasing = told(make, "edit_told", Phrasing(text=text, order=False), open_end=True)
    return make.clause(phrasing, slots, edited(path, old, new, every=section == "every"))


def exact_pair(make: Maker) -> Clause:
    """A request of two edits with values of their own, or of two commands that are not to be joined."""
    section = make.draw(_PAIRS)
    text = expand(make.line(POOL, section), make.rng)
    if section.startswith("ran"):
        return _two_commands(make, text)
    old, new, old2, new2 = _changes(make)
    path, path2 = _file(make), _file(make)
    if path == path2:
        raise EmptyPoolError("one file twice")
    files = {"file": Slot(path, "path"), "file2": Slot(path2, "path")}
    slots = {**files, **_shown(make, {"old": old, "new": new, "old2": old2, "new2": new2})}
    second = path2 if "{file2}" in text else path
    calls = _both(edited(path, old, new), edited(second, old2, new2))
    return make.clause(Phrasing(text=text, order=False), slots, calls)


def _both(first: Alternatives, second: Alternatives) -> Alternatives:
    return tuple((*a, *b) for a in first for b in second)


def _two_commands(make: Maker, text: str) -> Clause:
    one, two = command_for(make), command_for(make)
    if one == two or len(one) + len(two) > 110 or any(c.startswith(("cat ", "head ", "less ")) for c in (one, two)):
        raise EmptyPoolError("no two commands")
    slots = {name: Slot(cmd, "plain", quoted(cmd, "`")) for name, cmd in (("cmd", one), ("cmd2", two))}
    timeout = None
    if "{time}" in text:
        shown, timeout = span(make.rng)
        slots["time"] = Slot(shown)
    return make.clause(Phrasing(text=text, order=False), slots, _both(ran(one, timeout=timeout), ran(two)))


def _shown(make: Maker, values: dict[str, str]) -> dict[str, Slot]:
    """All the values bare where all are clear, else all in quotes of one kind where they allow it."""
    if make.chance(0.35) and all(clear_bare(value) for value in values.values()):
        return {name: Slot(value) for name, value in values.items()}
    mark = make.draw(_MARKS)
    return {name: Slot(value, "plain", quoted(value, mark)) for name, value in values.items()}


def _file(make: Maker) -> str:
    return natural_file(make, domain_of(make)) if make.chance(0.6) else make.values.path()


def _change(make: Maker) -> tuple[str, str, str]:
    if make.chance(0.4):
        old, new = old_and_new(make)[:2]
        return make.values.path(), old, new
    domain = domain_of(make)
    memo: dict[str, str] = {}
    old, new = (make.values.fill(part, memo) for part in natural_value(make, "natural_edits", domain).split(" ⇒ "))
    if old == new or not new.strip():
        raise EmptyPoolError("no change")
    return natural_file(make, domain), old, new


def _changes(make: Maker) -> tuple[str, str, str, str]:
    """Two changes of short texts: parallel ones of the pool, or two of any kind."""
    if make.chance(0.6):
        entries = side(lines("exact_edits"), make.split)
        memo: dict[str, str] = {}
        found = tuple(make.values.fill(part, memo) for part in make.rng.choice(entries).split(" ⇒ "))
    else:
        found = (*old_and_new(make)[:2], *old_and_new(make)[:2])
    old, new, old2, new2 = found
    if len({old, old2, new}) < 3 or old2 == new2 or max(map(len, found)) > 40 or "\n" in "".join(found):
        raise EmptyPoolError("no two changes")
    return old, new, old2, new2
