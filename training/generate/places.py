"""Where a search looks: nowhere in particular, a folder, a file, the files of a language or those of a glob."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import lines, side
from pytest_mcpbench.training.generate.quoting import Slot

HERE = (".", "./")
"""What `path` may be where the request names no folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place as a request names it, the arguments that follow from it, and other arguments that are as right."""

    text: str = ""
    slots: Mapping[str, Slot] = field(default_factory=dict)
    arguments: Mapping[str, Json] = field(default_factory=dict)
    others: tuple[Mapping[str, Json], ...] = ()
    kind: str = "none"


def place_of(make: Maker, shares: Mapping[str, float]) -> Place:
    """A place of one of the kinds; "" is a request that says nothing of a place."""
    kind = make.draw(shares)
    if kind == "":
        return Place()
    text = expand(make.line("places", kind), make.rng)
    if kind == "none":
        return Place(text=text)
    slots: dict[str, Slot] = {}
    arguments: dict[str, Json] = {}
    others: tuple[Mapping[str, Json], ...] = ()
    if "{dir}" in text:
        slots["dir"], arguments["path"] = folder_slot(make, text)
    if "{file}" in text:
        path = make.values.path()
        slots["file"], arguments["path"] = Slot(path, "path"), path
    named = {key: arguments[key] for key in arguments}
    if "{lang}" in text:
        spoken, arguments_of_type, others = language_filter(make)
        slots["lang"] = Slot(spoken)
        arguments.update(arguments_of_type)
    elif "{dotext}" in text:
        extension = make.values.extension()
        kinds = type_of(extension)
        slots["dotext"] = Slot(f".{extension}", "path" if make.chance(0.15) else "plain")
        arguments["glob"] = f"*.{extension}"
        others = ({"type": kinds},) if kinds else ()
    elif "{typed}" in text:
        glob = typed_glob(make)
        slots["typed"] = Slot(glob, "path")
        arguments["glob"] = glob
    return Place(
        text=text, slots=slots, arguments=arguments, others=tuple({**named, **other} for other in others), kind=kind
    )


def folder_slot(make: Maker, text: str) -> tuple[Slot, str]:
    """A folder as shown, sometimes with a trailing slash, and the value that it stands for."""
    folder = make.values.folder()
    bare_word = "/" not in folder and re.search(r"\{dir\} (folder|directory|dir|tree)|(folder|directory) \{dir\}", text)
    shown = folder if bare_word or not make.chance(0.22) else folder + "/"
    return Slot(folder, "path", shown), folder


def language_filter(make: Maker) -> tuple[str, Mapping[str, Json], tuple[Mapping[str, Json], ...]]:
    """A spoken language, the filter that it means, and the other filters that are as right."""
    spoken, extension, kind, others = make.values.language()
    globs: tuple[Mapping[str, Json], ...] = tuple({"glob": f"*.{each}"} for each in (extension, *others))
    if kind is None:
        return spoken, globs[0], globs[1:]
    return spoken, {"type": kind}, globs


def type_of(extension: str) -> str | None:
    """The type for grep of the language that has this extension."""
    for line in lines("languages"):
        _, known, kind, _ = (cell.strip() for cell in line.split("|"))
        if known == extension and kind != "-":
            return kind
    return None


def typed_glob(make: Maker) -> str:
    """A glob of file names that somebody typed, without a folder."""
    entries = [entry for entry in side(lines("globs"), make.split) if "/" not in entry and entry not in ("*~", ".*")]
    if not entries or make.chance(0.5):
        return f"*.{make.values.extension()}"
    glob = make.values.fill(make.rng.choice(entries))
    if not re.search(r"[*?\[{]", glob):
        raise EmptyPoolError("no glob without a wildcard")
    return glob
