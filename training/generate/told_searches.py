"""Rows for the grep tool in the words of people who tell why, name the place first or last, or label the parts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.phrases import expand, upper_first
from pytest_mcpbench.training.generate.places import Place, language_filter, type_of, typed_glob
from pytest_mcpbench.training.generate.pools import side, words
from pytest_mcpbench.training.generate.quoting import Slot
from pytest_mcpbench.training.generate.reading import counted
from pytest_mcpbench.training.generate.search_answers import answers
from pytest_mcpbench.training.generate.stories import (
    domain_of,
    fits_raw,
    natural_file,
    natural_folder,
    natural_value,
    told,
    typed_look,
)

_POOL = "grep_told"
_SHARES = {
    "find": 0.23, "sym": 0.07, "regex": 0.12, "files": 0.11, "count": 0.14, "content": 0.11, "lines": 0.04,
    "limit": 0.05, "first": 0.02, "raw": 0.07, "rawregex": 0.04,
}  # fmt: skip
_MODES = {"files": "files_with_matches", "count": "count", "content": "content", "lines": "content"}
_PLACES = {
    "": 0.12, "none": 0.12, "dir": 0.31, "file": 0.15, "lang": 0.1, "lang_dir": 0.04, "ext": 0.035, "typed": 0.09,
    "typed_dir": 0.035,
}  # fmt: skip
_WHATS = {
    "find": {"t": 0.6, "s": 0.14, "r": 0.26}, "sym": {"s": 1.0}, "regex": {"r": 1.0}, "raw": {"t": 0.8, "s": 0.2},
    "rawregex": {"r": 1.0},
}  # fmt: skip
_ANY_WHAT = {"t": 0.42, "s": 0.2, "r": 0.38}
_KINDS = {"t": "text", "s": "sym", "r": "regex"}
_NATURAL = 0.68
_LIMITS = (2, 3, 4, 5, 5, 8, 10, 10, 12, 15, 20, 20, 25, 30, 40, 50, 50, 100, 200)
_WITHIN = re.compile(r"\{(dir|file|lang|typed)\}")
_MARKED = re.compile(r"\{what\}(?=[ \n,:?]|--)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A request with its place put into it."""

    text: str
    place: Place
    order: bool
    slots: Mapping[str, Slot] = field(default_factory=dict)


def told_search(make: Maker) -> Clause:
    """A request to search inside files, told in one of many ways."""
    kind = make.draw(_SHARES)
    core, extra, slots = _wanted(make, kind)
    domain = domain_of(make)
    letter = make.draw(_WHATS.get(kind, _ANY_WHAT))
    value = _what(make, letter, domain)
    if kind.startswith("raw") and not fits_raw(core.text, value):
        raise EmptyPoolError("not for a line of its own")
    said = _with_place(make, core, kind, domain)
    optional: dict[str, Sequence[Json]] = {}
    if "output_mode" not in extra:
        optional["output_mode"] = ("content",) if said.place.kind == "file" else ("content", "files_with_matches")
    text = told(make, _POOL, Phrasing(text=said.text, order=said.order), open_end=said.text.endswith("{rawwhat}"))
    slot = Slot(value, "free") if kind.startswith("raw") else _shown(make, value, letter, text.text)
    found = answers(slot, _KINDS[letter], said.place, extra, optional)
    if kind == "files" and re.search(r"\b(which|what)\b", core.text):
        free = {name: given for name, given in extra.items() if name != "output_mode"}
        found = (*found, *answers(slot, _KINDS[letter], said.place, free, {}))
    return make.clause(text, {"what": slot, "rawwhat": slot, **slots, **said.place.slots}, found)


def _wanted(make: Maker, kind: str) -> tuple[Phrasing, dict[str, Json], dict[str, Slot]]:
    """The request, and the arguments that say how its result is shown."""
    core = make.phrasing(_POOL, kind)
    extra: dict[str, Json] = {"output_mode": _MODES[kind]} if kind in _MODES else {}
    if kind in ("limit", "lines"):
        number = make.rng.choice(_LIMITS) if make.chance(0.7) else make.rng.randrange(2, 150)
        return core, {**extra, "head_limit": number}, {"n": counted(make, number)}
    if kind == "first":
        extra["head_limit"] = 1
    return core, extra, {}


def _what(make: Maker, letter: str, domain: str) -> str:
    if not make.chance(_NATURAL):
        return make.values.search(_KINDS[letter])
    entries = [natural_value(make, "natural_searches", domain) for _ in range(12)]
    fitting = [entry[2:] for entry in entries if entry[0] == letter]
    if not fitting:
        raise EmptyPoolError(f"natural_searches.{domain}")
    return make.values.fill(fitting[0])


def _shown(make: Maker, value: str, letter: str, text: str) -> Slot:
    """The pattern in quotes, or bare where the words around it leave no doubt, with a gap before a question mark."""
    if letter == "r":
        bare = make.chance(0.3) and not re.search(r"\s|['\"`]", value) and value[-1] not in ".,!?:;"
        slot = Slot(value) if bare and _MARKED.search(text) else Slot(value, "regex" if _clear(value) else "text")
    elif letter == "s":
        return Slot(value, "symbol")
    else:
        slot = typed_look(make, value)
    if slot.look == "plain" and "{what}?" in text and not value[-1].isalnum():
        return Slot(value, "plain", f"{value} ")
    return slot


def _clear(value: str) -> bool:
    return re.search(r"\s", value) is None


def _with_place(make: Maker, core: Phrasing, kind: str, domain: str) -> _Said:
    """The request with a place at its end, in a sentence behind it, or before it."""
    if within := _WITHIN.findall(core.text):
        place = _place(make, "file" if "file" in within else "dir", core.text, domain)
        return _Said(text=core.text, place=place, order=core.order)
    shares = {name: share for name, share in _PLACES.items() if kind not in ("files",) or name != "file"}
    where = make.draw(shares)
    if not where:
        return _Said(text=core.text, place=Place(), order=core.order)
    raw = kind.startswith("raw")
    side_of = "front" if raw else make.draw({"in": 0.48, "after": 0.3, "front": 0.22})
    words_of_place = expand(make.line(_POOL, f"{side_of}.{where}"), make.rng)
    place = _place(make, where, words_of_place, domain)
    vague = re.search(r"\bany(where|body|thing)\?$|\bsomewhere\b", core.text) and "where" in words_of_place
    if side_of == "in" and vague:
        return _Said(text=core.text, place=Place(), order=core.order)
    joined = {"front": _before, "after": _behind, "in": _at_the_end}[side_of](make, core.text, words_of_place)
    return _Said(text=joined, place=place, order=core.order and side_of == "in")


def _before(make: Maker, text: str, words_of_place: str) -> str:
    full = words_of_place.endswith(".") and not text.startswith("{") and make.chance(0.8)
    return f"{words_of_place} {upper_first(text) if full else text}"


def _at_the_end(make: Maker, text: str, words_of_place: str) -> str:
    gap = "" if words_of_place.startswith(",") else " "
    return f"{text[:-1]}{gap}{words_of_place}?" if text.endswith("?") else f"{text}{gap}{words_of_place}"


def _behind(make: Maker, text: str, words_of_place: str) -> str:
    if words_of_place.startswith("("):
        return f"{text} {words_of_place}"
    if text.endswith("?"):
        return f"{text} {upper_first(words_of_place) if make.chance(0.6) else words_of_place}"
    glue = make.rng.choice((". ", ", ", ", ", " - ", "; ", " -- "))
    return f"{text}{glue}{upper_first(words_of_place) if glue == '. ' else words_of_place}"


def _place(make: Maker, kind: str, text: str, domain: str) -> Place:
    """The place that the words name, with the arguments that follow from it."""
    slots: dict[str, Slot] = {}
    named: dict[str, Json] = {}
    arguments: dict[str, Json] = {}
    others: tuple[Mapping[str, Json], ...] = ()
    if "{dir}" in text:
        folder = natural_folder(make, domain)
        slash = make.chance(0.2) and not re.search(r"(folder|directory) \{dir\}|\{dir\} (folder|directory)", text)
        slots["dir"], named["path"] = Slot(folder, "path", f"{folder}/" if slash else folder), folder
    if "{file}" in text:
        path = natural_file(make, domain) if make.chance(_NATURAL) else make.values.path()
        slots["file"], named["path"] = Slot(path, "path"), path
    if "{lang}" in text:
        spoken, filters, others = language_filter(make)
        slots["lang"] = Slot(spoken)
        arguments.update(filters)
    elif "{dotext}" in text:
        extension = make.values.extension()
        slots["dotext"], arguments["glob"] = Slot(f".{extension}"), f"*.{extension}"
        others = ({"type": known},) if (known := type_of(extension)) else ()
    elif "{typed}" in text:
        arguments["glob"] = _glob(make)
        slots["typed"] = Slot(str(arguments["glob"]), "path")
    every = tuple({**named, **other} for other in others)
    return Place(text=text, slots=slots, arguments={**named, **arguments}, others=every, kind=kind)


def _glob(make: Maker) -> str:
    globs = side(words("natural_globs"), make.split)
    return make.rng.choice(globs) if make.chance(0.6) else typed_glob(make)
