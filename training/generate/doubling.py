"""Rows of two requests in natural words: each template names its slots, those of the second request end in 2."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate import lifelike
from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.editing import edited, old_and_new
from pytest_mcpbench.training.generate.exact_edits import exact_pair
from pytest_mcpbench.training.generate.finding import any_extension, file_name, found
from pytest_mcpbench.training.generate.line_numbers import lines_asked
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.places import Place, typed_glob
from pytest_mcpbench.training.generate.pools import sections, side
from pytest_mcpbench.training.generate.quoting import Slot
from pytest_mcpbench.training.generate.reading import counted, read_answers
from pytest_mcpbench.training.generate.searching import answers, searched
from pytest_mcpbench.training.generate.shell import make_command, pool_command, ran
from pytest_mcpbench.training.generate.telling import answer, one_liner

POOL = "pairs_told"
LINES_POOL = "pairs_lines"
_OF_LINES = 0.38
"""The share of the rows that ask for a range of lines in one part or in both, from a pool of their own."""
_EXACT = 0.22
"""The share of two edits or two commands whose values and limits must not be mixed."""

_ANY_OUTPUT: Mapping[str, Sequence[Json]] = {"output_mode": ("content", "files_with_matches")}
_MODES = {"grepfiles": "files_with_matches", "grepcount": "count"}
_TIMES = (("second", 1000, (2, 300)), ("second", 1000, (5, 61)), ("minute", 60_000, (2, 16)))

Part = tuple[dict[str, Slot], Alternatives]


def told_pair(make: Maker) -> Clause:
    """A request of two parts that is told in one breath; the calls stand in the order in which they are asked for."""
    if make.chance(_EXACT):
        return exact_pair(make)
    section, template = make.rng.choice(_templates(make, LINES_POOL if make.chance(_OF_LINES) else POOL))
    one, two = section.split("+")
    text = expand(template, make.rng)
    slots, first = _PARTS[one](make, text, "")
    slots2, second = _PARTS[two](make, text, "2")
    if section == "read+read" and "{file2}" not in text:
        path = slots["file"].value
        second = tuple(tuple(replace(c, arguments={**c.arguments, "file_path": path}) for c in cs) for cs in second)
        if first == second:
            raise EmptyPoolError("the same lines twice")
        slots2.pop("file2")
    if any(slots[name].value == slots2[f"{name}2"].value for name in slots if f"{name}2" in slots2 and name in _UNLIKE):
        raise EmptyPoolError("the two parts are the same")
    calls = tuple((*a, *b) for a in first for b in second)[:12]
    kind = Slot(make.line("kinds", "kind"))
    return make.clause(Phrasing(text=text, order=False), {**slots, **slots2, "kind": kind}, calls)


def _templates(make: Maker, pool: str) -> list[tuple[str, str]]:
    found_here = [(section, line) for section, entries in sections(pool).items() for line in side(entries, make.split)]
    if not found_here:
        raise EmptyPoolError(pool)
    return found_here


def _read(make: Maker, text: str, end: str) -> Part:
    path = lifelike.lifelike_path(make)
    slots = {f"file{end}": Slot(path, "path")}
    if f"{{n{end}}}" in text:
        count = make.rng.choice((5, 10, 20, 30, 50, 100)) if make.chance(0.5) else make.rng.randrange(2, 400)
        slots[f"n{end}"] = counted(make, count)
        return slots, ((one_call("read", {"file_path": path, "limit": count}, optional={"offset": (0, 1)}),),)
    if re.search(rf"\{{(a|ab|lab){end}\}}", text):
        numbers, shown = lines_asked(make, "range", text)
        slots |= {f"{name}{end}": slot for name, slot in shown.items()}
        return slots, read_answers(path, numbers)
    return slots, ((one_call("read", {"file_path": path}, optional={"offset": (0, 1)}),),)


def _write(make: Maker, text: str, end: str) -> Part:
    for _ in range(20):
        content, suits = one_liner(make)
        if len(content) < 70:
            break
    path = lifelike.lifelike_path(make, suits)
    slots = {f"file{end}": Slot(path, "path"), f"content{end}": Slot(content, "quoted_text")}
    return slots, answer(path, content, content + "\n")


def _empty(make: Maker, text: str, end: str) -> Part:
    path = lifelike.lifelike_path(make)
    return {f"file{end}": Slot(path, "path")}, answer(path, "")


def _edit(make: Maker, text: str, end: str) -> Part:
    return _edited(make, end, "one", every=False)


def _edits(make: Maker, text: str, end: str) -> Part:
    return _edited(make, end, "one", every=True)


def _delete(make: Maker, text: str, end: str) -> Part:
    return _edited(make, end, "del", every=False)


def _edited(make: Maker, end: str, kind: str, *, every: bool) -> Part:
    for _ in range(30):
        old, new, _ = old_and_new(make, kind)
        if max(len(old), len(new)) <= 46 and "\n" not in old + new:
            break
    else:
        raise EmptyPoolError("no short edit")
    path = lifelike.lifelike_path(make)
    slots = {f"file{end}": Slot(path, "path"), f"old{end}": Slot(old, "text"), f"new{end}": Slot(new, "text")}
    return slots, edited(path, old, new, every=every)


def _bash(make: Maker, text: str, end: str) -> Part:
    for _ in range(40):
        command = pool_command(make) if make.chance(0.62) else make_command(make)
        if len(command) < 70 and "\n" not in command and not command.startswith(("cat ", "head ", "less ")):
            break
    else:
        raise EmptyPoolError("no short command")
    slot = f"cmd{end}"
    last = text.endswith(f"{{{slot}}}") or f"{{{slot}}}\n" in text
    slots = {slot: Slot(command, "command" if last else "quoted_text")}
    if f"{{time{end}}}" not in text:
        return slots, ran(command)
    unit, scale, span = make.rng.choice(_TIMES)
    number = make.rng.randrange(*span)
    after = text.partition(f"{{time{end}}}")[2]
    plural = "" if after.startswith(" timeout") else "s"
    short = {"second": ("s", " sec"), "minute": (" min", "m")}[unit]
    shown = make.rng.choice((f"{number} {unit}{plural}", f"{number} {unit}{plural}", *(f"{number}{s}" for s in short)))
    slots[f"time{end}"] = Slot(shown)
    return slots, ran(command, timeout=number * scale)


def _grep(mode: str) -> Callable[[Maker, str, str], Part]:
    def built(make: Maker, text: str, end: str) -> Part:
        what, kind = searched(make, "text {what}")
        if len(what.value) > 50:
            raise EmptyPoolError("too long a text for a search of two")
        folder = make.values.folder()
        place = Place(arguments={"path": folder}, kind="dir")
        slots = {f"what{end}": what, f"dir{end}": Slot(folder, "path")}
        if mode == "grepfiles":
            calls = answers(what, kind, place, {"output_mode": _MODES[mode]}, {})
            return slots, (*calls, *answers(what, kind, place, {}, {}))
        if mode == "grepcount":
            return slots, answers(what, kind, place, {"output_mode": _MODES[mode]}, {})
        return slots, answers(what, kind, place, {}, dict(_ANY_OUTPUT))

    return built


def _glob(make: Maker, text: str, end: str) -> Part:
    slots: dict[str, Slot] = {}
    place = Place()
    if f"{{dir{end}}}" in text:
        folder = make.values.folder()
        place = Place(arguments={"path": folder}, kind="dir")
        slots[f"dir{end}"] = Slot(folder, "path")
    if f"{{ext{end}}}" in text:
        extension = any_extension(make)
        slots[f"ext{end}"] = Slot(extension, "plain", f".{extension}")
        return slots, found(f"**/*.{extension}", place)
    if f"{{name{end}}}" in text:
        name = file_name(make, "") if make.chance(0.5) else lifelike.lifelike_path(make).rpartition("/")[2]
        if "\\" in name or any(sign in name for sign in "[]{}*?"):
            raise EmptyPoolError("a name with signs that a glob reads")
        slots[f"name{end}"] = Slot(name, "path")
        return slots, found(f"**/{name}", place)
    pattern = typed_glob(make)
    slots[f"typed{end}"] = Slot(pattern, "path")
    calls = found(pattern, place, [f"**/{pattern}"])
    return slots, calls


_UNLIKE = frozenset({"file", "cmd", "what", "ext", "name", "typed", "old"})
_PARTS: dict[str, Callable[[Maker, str, str], Part]] = {
    "read": _read, "write": _write, "empty": _empty, "edit": _edit, "edits": _edits, "del": _delete, "bash": _bash,
    "grep": _grep("grep"), "grepfiles": _grep("grepfiles"), "grepcount": _grep("grepcount"), "glob": _glob,
}  # fmt: skip
