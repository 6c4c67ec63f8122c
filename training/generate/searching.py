"""Rows for the grep tool: what is searched, where, and how the result is shown."""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Clause, Maker, Phrasing
from pytest_mcpbench.training.generate.exact_searches import exact_search
from pytest_mcpbench.training.generate.phrases import expand, tidy
from pytest_mcpbench.training.generate.places import Place, place_of
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words
from pytest_mcpbench.training.generate.reading import counted
from pytest_mcpbench.training.generate.search_answers import answers
from pytest_mcpbench.training.generate.told_searches import told_search

__all__ = ["answers", "grep_clause", "searched", "short_grep"]

_SHARES = {"plain": 0.47, "files": 0.15, "count": 0.14, "content": 0.11, "multiline": 0.04, "limit": 0.09}
_TOLD = 0.66
"""The share of the rows that tell a story, or ask in another way than an order with its place behind."""

_EXACT = 0.27
"""The share of the rows whose text has signs that belong to it."""

_MODES = {"files": "files_with_matches", "count": "count", "content": "content", "lines": "content"}
_PLACES = {
    "": 0.2, "none": 0.17, "dir": 0.26, "file": 0.11, "lang": 0.1, "lang_dir": 0.04, "ext": 0.045, "ext_dir": 0.015,
    "typed": 0.045, "typed_dir": 0.015,
}  # fmt: skip
_NO_FILE = {name: share for name, share in _PLACES.items() if name != "file"}
_NAMES_A_SYMBOL = re.compile(
    r"\b(used?|uses|using|called|calls?|defined?|definition|usages?|references?|imported|imports?|declared|implemented"
    r"|initialized|assigned|renamed|handled|created|function|class|method|variable|constant|component|struct)\b"
)
_NAMES_A_KIND = re.compile(r"\b(function|class|method|variable|constant|component|struct)\b")
_WANTS_A_PATTERN = re.compile(r"\b(regex|regular expression|pattern|match(es)? (of|for|against)|matching \{what\})")
_NOTE_ENDS = ("", "", "", "s", " comments", " comments", " notes", " markers", " comment")
_PATTERN_WORDS = ("regex", "multi")


def grep_clause(make: Maker) -> Clause:
    """A request to search inside files."""
    if make.chance(_EXACT):
        return exact_search(make)
    if make.chance(_TOLD):
        return told_search(make)
    kind = make.draw(_SHARES)
    if kind == "limit":
        return _limited(make)
    phrasing = make.phrasing("grep", kind)
    return _search(make, phrasing, kind, {})


def short_grep(make: Maker) -> Clause:
    """A short order to search, for requests of two parts."""
    kind = make.draw({"plain": 0.75, "files": 0.1, "count": 0.1, "content": 0.05})
    return _search(make, make.phrasing("grep", kind, orders_only=True), kind, {})


def searched(make: Maker, template: str) -> tuple[Slot, str]:
    """What to search for, shown as the request shows it, and its kind: sym, text, notes or regex."""
    if _WANTS_A_PATTERN.search(template) and make.chance(0.75):
        return Slot(make.values.search("regex"), "regex"), "regex"
    if _NAMES_A_SYMBOL.search(template):
        kind = "sym" if _NAMES_A_KIND.search(template) else make.draw({"sym": 0.9, "text": 0.1})
    else:
        kind = make.draw({"sym": 0.32, "text": 0.4, "notes": 0.14, "regex": 0.14})
    if kind == "notes":
        note = make.values.search("notes")
        ends = ("",) if re.search(r"(text|string|word|phrase) \{what\}|\ba \{what\}", template) else _NOTE_ENDS
        shown = note + make.rng.choice(ends)
        return Slot(note, "plain" if shown != note or make.chance(0.6) else "text", shown), kind
    value = make.values.search(kind)
    if kind == "text":
        plain = (
            make.chance(0.22) and clear_as_words(value) and not re.search(r"\{what\} (is|are|on|do|say)\b", template)
        )
        return Slot(value, "plain" if plain else "text"), kind
    return Slot(value, "symbol" if kind == "sym" else "regex"), kind


def _search(make: Maker, phrasing: Phrasing, kind: str, extra: dict[str, Json]) -> Clause:
    """The clause of a search in one of its modes, with a place where the phrasing leaves room for one."""
    shares = _NO_FILE if kind == "files" or re.search(r"\b(in|which) (file|files|folder)\b", phrasing.text) else _PLACES
    roomy = "{where}" in phrasing.text
    place = place_of(make, shares) if roomy else Place()
    if re.search(r"(search|grep|look|scan|check|inspect) \{where\}", phrasing.text):
        place = _object_place(make)
    if "anywhere" in phrasing.text and re.match(r"(any|every)where|somewhere|all over", place.text):
        place = Place()
    text = phrasing.text.replace("{where}", place.text)
    slot, what = searched(make, phrasing.text)
    if kind == "multiline":
        slot, what = Slot(make.values.search("multi"), "regex"), "regex"
        extra = {**extra, "multiline": True}
    if kind in _MODES:
        extra = {"output_mode": _MODES[kind], **extra}
    optional: dict[str, Sequence[Json]] = {}
    if "output_mode" not in extra:
        optional["output_mode"] = ("content",) if place.kind == "file" else ("content", "files_with_matches")
    found = answers(slot, what, place, extra, optional)
    if kind == "files" and re.match(r"(which|what|in which|in what)", text):
        found = (*found, *answers(slot, what, place, {k: v for k, v in extra.items() if k != "output_mode"}, {}))
    slots = {"what": slot, **place.slots}
    if "look" in phrasing.text:
        slots["look"] = Slot(make.line("grep", "look"))
    return make.clause(Phrasing(text=tidy(text), order=phrasing.order), slots, found)


def _object_place(make: Maker) -> Place:
    """A place that stands without a preposition: "search src for …"."""
    kind = make.draw({"dir": 0.5, "file": 0.3, "none": 0.2})
    if kind == "none":
        here = ("the project", "the repo", "the codebase", "the whole project", "everything", "all files", "the code")
        return Place(text=make.rng.choice(here))
    value = make.values.folder() if kind == "dir" else make.values.path()
    shown = value + "/" if kind == "dir" and make.chance(0.2) else value
    words = {
        "dir": ("{spot}", "{spot}", "the {spot} folder", "the {spot} directory"),
        "file": ("{spot}", "the file {spot}"),
    }
    text = make.rng.choice(words[kind])
    if text != "{spot}":
        shown = value
    return Place(text=text, slots={"spot": Slot(value, "path", shown)}, arguments={"path": value}, kind=kind)


def _limited(make: Maker) -> Clause:
    """A search that wants only the first results."""
    number = (
        make.rng.choice((1, 2, 3, 3, 5, 5, 5, 10, 10, 15, 20, 25, 50, 100))
        if make.chance(0.8)
        else make.rng.randrange(2, 90)
    )
    limit: dict[str, Json] = {"head_limit": number}
    draw = make.rng.random()
    if draw < 0.28:
        base, kind = make.phrasing("grep", "limit"), "plain"
    elif draw < 0.4:
        base, kind = make.phrasing("grep", "limit_lines"), "lines"
    else:
        kind = make.draw({"plain": 0.75, "content": 0.12, "files": 0.13})
        ordered = make.phrasing("grep", kind, orders_only=True)
        suffix = expand(make.line("grep", "limit.suffix"), make.rng)
        glue = "" if suffix.startswith((",", ".")) else " "
        base = Phrasing(text=f"{ordered.text}{glue}{suffix}", order=False)
    number_slot = counted(make, number) if number > 1 else Slot("1")
    text = base.text.replace("{n}", number_slot.shown or number_slot.value)
    return _search(make, Phrasing(text=text, order=base.order), kind, limit)
