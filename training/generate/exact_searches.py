"""Searches for texts whose signs belong to them: short and odd ones, pairs with a colon, dotted names, own quotes."""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.oneliners import actual_fill
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.places import Place, typed_glob
from pytest_mcpbench.training.generate.pools import side, value_sections, words
from pytest_mcpbench.training.generate.quoting import Slot, quoted
from pytest_mcpbench.training.generate.search_answers import answers
from pytest_mcpbench.training.generate.stories import domain_of, natural_file, natural_folder, told

POOL = "exact_searches"
_PHRASES = "grep_exact"
_SECTIONS = {
    "dir": 0.34, "file": 0.09, "glob": 0.08, "all": 0.14, "here": 0.07, "files": 0.04, "count": 0.06, "own": 0.08,
    "regex": 0.1,
}  # fmt: skip
_WHATS = {"odd": 0.37, "pair": 0.22, "sql": 0.1, "dotted": 0.13, "attr": 0.12, "quoted": 0.06}
_MODES = {"files": "files_with_matches", "count": "count"}
_MARKS = {"`": 0.48, '"': 0.28, "'": 0.21, "“": 0.03}
_SIGNS = "!:(=;[{?.,<>/*#@$%&|+-~^)]}"
_FREE_START = re.compile(r"[\w@#$/<{-]")
_GOES_ON = re.compile(r" (in|anywhere|within|inside|under|left|somewhere|used|mentioned|still|hidden|hiding)\b")
_WHOLE_QUOTE = re.compile(r'"[^"]+"')


def exact_search(make: Maker) -> Clause:
    """A request to search for a text of signs, or for one that has them at its ends."""
    section = make.draw(_SECTIONS)
    text = expand(make.line(_PHRASES, section), make.rng)
    kind = section if section in ("regex", "own") else make.draw(_WHATS)
    value = _value(make, kind)
    if section == "own" and '"' not in value:
        raise EmptyPoolError("no quotes that could belong to it")
    slot = _shown(make, value, kind, text)
    place = _place(make, text)
    extra: dict[str, Json] = {"output_mode": _MODES[section]} if section in _MODES else {}
    optional: dict[str, Sequence[Json]] = {}
    if not extra:
        optional["output_mode"] = ("content",) if place.kind == "file" else ("content", "files_with_matches")
    meant = "regex" if kind == "regex" else "text"
    found = answers(slot, meant, place, extra, optional)
    if section == "files" and re.search(r"\bwhich\b", text, re.IGNORECASE):
        found = (*found, *answers(slot, meant, place, {}, {}))
    phrasing = told(make, "grep_told", Phrasing(text=text, order=False), open_end=section in ("own", "regex"))
    return make.clause(phrasing, {"what": slot, **place.slots}, found)


def _value(make: Maker, kind: str) -> str:
    if kind == "odd" and make.chance(0.3):
        return _signs(make)
    entries = side(value_sections(POOL)["quoted" if kind == "own" else kind], make.split)
    if not entries:
        raise EmptyPoolError(f"{POOL}.{kind}")
    value = actual_fill(make, make.rng.choice(entries))
    return f'"{make.values.phrase()}"' if kind == "own" and make.chance(0.15) else value


def _signs(make: Maker) -> str:
    """One to four signs, or a word with signs behind it or before it."""
    signs = "".join(make.rng.choice(_SIGNS) for _ in range(make.rng.choice((1, 2, 2, 3))))
    draw = make.rng.random()
    if draw < 0.35:
        return signs * make.rng.choice((1, 1, 2)) if len(signs) > 1 else signs * 2
    word = make.rng.choice(
        (make.values.coin.word, make.values.coin.snake, make.values.coin.constant, make.values.word)
    )()
    return f"{word}{signs}" if draw < 0.85 else f"{signs}{word}"


def _shown(make: Maker, value: str, kind: str, text: str) -> Slot:
    """The text in quotes, or bare where the words behind it leave no doubt of its end."""
    if kind == "own" and _WHOLE_QUOTE.fullmatch(value) and make.chance(0.5):
        return Slot(value)
    after = text.partition("{what}")[2]
    clear = not re.search(r"['\"`]", value) and _FREE_START.match(value) is not None and kind != "regex"
    clear = clear and (kind == "pair" or not re.search(r"\s", value)) and not text.startswith("{what}")
    goes_on = _GOES_ON.match(after) is not None or (value[-1].isalnum() and after[:1] in ("?", " ", ","))
    if clear and goes_on and not value.endswith((".", ",", "?")) and make.chance(0.4):
        return Slot(value)
    mark = make.draw(_MARKS)
    if kind == "regex" and mark in "'\"":
        mark = "`"
    return Slot(value, "plain", quoted(value, mark))


def _place(make: Maker, text: str) -> Place:
    """The place that the words name, with the arguments that follow from it."""
    slots: dict[str, Slot] = {}
    arguments: dict[str, Json] = {}
    domain = domain_of(make)
    if "{dir}" in text:
        folder = _folder(make, domain)
        slash = make.chance(0.15) and "folder" not in text
        slots["dir"], arguments["path"] = Slot(folder, "path", f"{folder}/" if slash else folder), folder
    if "{file}" in text:
        path = natural_file(make, domain) if make.chance(0.6) else make.values.path()
        slots["file"], arguments["path"] = Slot(path, "path"), path
    if "{typed}" in text:
        globs = side(words("natural_globs"), make.split)
        glob = make.rng.choice(globs) if globs and make.chance(0.5) else typed_glob(make)
        slots["typed"], arguments["glob"] = Slot(glob, "path"), glob
    return Place(slots=slots, arguments=arguments, kind="file" if "{file}" in text else "dir")


def _folder(make: Maker, domain: str) -> str:
    draw = make.rng.random()
    if draw < 0.45:
        plain = make.rng.choice(side(words("plain_folders"), make.split))
        return plain if make.chance(0.75) else f"{make.rng.choice((make.values.folder, make.values.word))()}/{plain}"
    return natural_folder(make, domain) if draw < 0.8 else make.values.folder()
