"""Rows for the glob tool: files by language, extension, name, part of a name, or a pattern as typed."""

import re
from collections.abc import Callable

from pytest_mcpbench.training.generate.assembling import glob
from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.finding_told import told_glob
from pytest_mcpbench.training.generate.globbing import found
from pytest_mcpbench.training.generate.globbing import typed as as_typed
from pytest_mcpbench.training.generate.phrases import tidy
from pytest_mcpbench.training.generate.places import HERE, Place, folder_slot, place_of
from pytest_mcpbench.training.generate.pools import lines, side, words
from pytest_mcpbench.training.generate.quoting import Slot

__all__ = ["file_name", "found", "glob_clause", "short_glob"]

_SHARES = {
    "lang": 0.19, "direct": 0.05, "ext": 0.07, "dotext": 0.12, "dotexts": 0.04, "both": 0.03, "name": 0.2,
    "prefix": 0.05, "contains": 0.05, "suffix": 0.04, "typed": 0.16, "two_langs": 0.02, "everything": 0.02,
}  # fmt: skip
_TOLD = 0.64
"""The share of rows that are told in the manner of finding_told.py."""

_COMPOSED = 0.5
_OFTEN_A_FOLDER = {"": 0.3, "none": 0.25, "dir": 0.45}
_SELDOM_A_FOLDER = {"": 0.5, "none": 0.22, "dir": 0.28}
_NAMES_WITHOUT_A_DOT = frozenset({"Makefile", "Dockerfile", "LICENSE", "README", "Jenkinsfile", "Gemfile", "Procfile"})
_FILES = re.compile(r"\{lang\} (files|sources|source files|file)\b")


def glob_clause(make: Maker) -> Clause:
    """A request to find files by name."""
    if make.chance(_TOLD):
        return told_glob(make)
    kind = make.draw(_SHARES)
    if kind == "direct":
        return _by_language(make, make.phrasing("glob", "lang"), directly=True)
    phrasing = make.phrasing("glob", kind)
    if kind in _BUILDERS:
        return _BUILDERS[kind](make, phrasing)
    return _by_part(make, kind, phrasing)


def short_glob(make: Maker) -> Clause:
    """A short order to find files, for requests of two parts."""
    kind = make.draw({"lang": 0.5, "name": 0.35, "typed": 0.15})
    phrasing = make.phrasing("glob", kind, orders_only=True)
    if kind == "lang":
        return _by_language(make, phrasing)
    return _by_name(make, phrasing) if kind == "name" else _as_typed(make, phrasing)


def file_name(make: Maker, template: str) -> str:
    """A file name that nobody takes for a text to search for."""
    for _ in range(50):
        name = make.values.base_name()
        if "." in name or name in _NAMES_WITHOUT_A_DOT or ("file" in template and not name.isupper()):
            return name
    raise EmptyPoolError("no file name")


def _at(make: Maker, phrasing: Phrasing, place: Place) -> Phrasing:
    return Phrasing(text=tidy(phrasing.text.replace("{where}", place.text)), order=phrasing.order)


def _place(make: Maker, phrasing: Phrasing, shares: dict[str, float]) -> Place:
    """A place for the phrasing's `{where}`; one without a preposition where a verb stands in front of it."""
    if "{where}" not in phrasing.text:
        return Place()
    if re.search(r"(search|look|check) \{where\}", phrasing.text):
        slot, folder = folder_slot(make, "")
        before = "in " if "look {where}" in phrasing.text else ""
        text = before + make.rng.choice(("{dir}", "{dir}", "the {dir} folder"))
        slot = slot if text.endswith("{dir}") else Slot(folder, "path")
        return Place(text=text, slots={"dir": slot}, arguments={"path": folder}, kind="dir")
    place = place_of(make, shares)
    if "anywhere" in phrasing.text and re.match(r"(any|every|some)where|all over", place.text):
        return Place()
    return place


def _by_language(make: Maker, phrasing: Phrasing, *, directly: bool = False) -> Clause:
    spoken, extension, others = _spoken(make)
    if spoken and _FILES.search(phrasing.text) and not re.search(r"(a|any|every|each) \{lang\} file\b", phrasing.text):
        phrasing = Phrasing(text=_FILES.sub("{lang}", phrasing.text), order=phrasing.order)
    else:
        spoken, extension, _, others = make.values.language()
    if directly and "{where}" in phrasing.text and not re.search(r"(search|look|check) \{where\}", phrasing.text):
        text = make.line("places", "direct")
        slot, folder = folder_slot(make, text)
        answers: Alternatives = (
            (one_call("glob", {"pattern": f"*.{extension}", "path": folder}, {"pattern": [f"*.{o}" for o in others]}),),
            (one_call("glob", {"pattern": f"{folder}/*.{extension}"}, optional={"path": HERE}),),
        )
        place = Place(text=text, slots={"dir": slot})
    else:
        place = _place(make, phrasing, _OFTEN_A_FOLDER)
        answers = found(f"**/*.{extension}", place, [f"**/*.{other}" for other in others])
    return make.clause(_at(make, phrasing, place), {"lang": Slot(spoken), **place.slots}, answers)


def _spoken(make: Maker) -> tuple[str, str, tuple[str, ...]]:
    """A noun for files of one kind ("shell scripts"), or nothing: then a language is spoken of."""
    if not make.chance(0.3):
        return "", "", ()
    names, extension, others = make.rng.choice(lines("glob_languages")).split("|")
    mine = side([name.strip() for name in names.split(",")], make.split)
    return (make.rng.choice(mine), extension.strip(), tuple(others.split())) if mine else ("", "", ())


def _by_name(make: Maker, phrasing: Phrasing) -> Clause:
    name = file_name(make, phrasing.text)
    place = _place(make, phrasing, _SELDOM_A_FOLDER)
    return make.clause(
        _at(make, phrasing, place), {"name": Slot(name, "path"), **place.slots}, found(f"**/{name}", place)
    )


def _by_part(make: Maker, kind: str, phrasing: Phrasing) -> Clause:
    place = _place(make, phrasing, _OFTEN_A_FOLDER)
    stem, word, extension = make.values.stem(), make.values.word().lower(), any_extension(make)
    slots = {"noun": Slot(make.line("glob", "nouns"))}
    if kind == "dotext":
        slot, pattern, name = Slot(extension, "plain", f".{extension}"), f"**/*.{extension}", "dotext"
    elif kind == "both":
        start = make.rng.choice((stem, word, f"{stem}_", f"{word}-", str(make.rng.randrange(1990, 2030)), "0", "."))
        end = make.rng.choice((f".{extension}", f".{extension}", f".{extension}", f"_{word}.{extension}", "~", ".bak"))
        slots["start"] = Slot(start, "text" if make.chance(0.8) else "plain")
        slot, pattern, name = Slot(end, "path"), f"**/{start}*{end}", "end"
    elif kind == "ext":
        shown = f".{extension}" if make.chance(0.78) else extension
        slot = Slot(extension, "path" if make.chance(0.3) else "plain", shown)
        pattern, name = f"**/*.{extension}", "dotext"
    elif kind == "suffix":
        tail = make.rng.choice(
            (
                f"_test.{extension}",
                f".spec.{extension}",
                f"_{word}.{extension}",
                f"-{word}.{extension}",
                f".{stem}.{extension}",
                f"_{stem}.{extension}",
                f"_{stem}",
                f"-{word}",
                "~",
                ".bak",
                f".{extension}.{word}",
            )
        )
        slot, pattern, name = Slot(tail, "path"), f"**/*{tail}", "tail"
    else:
        affix = make.rng.choice(
            (stem, stem, f"{stem}_", f"{stem}-", "test_", word, stem.capitalize(), f"{stem}_{word}")
        )
        affix = affix.strip("_-") if kind == "contains" else affix
        slot, name = Slot(affix, "text" if make.chance(0.8) else "plain"), "affix"
        pattern = f"**/{affix}*" if kind == "prefix" else f"**/*{affix}*"
    return make.clause(_at(make, phrasing, place), {**slots, name: slot, **place.slots}, found(pattern, place))


def any_extension(make: Maker) -> str:
    """An extension without its dot: a common one, a rare one, one of two parts, or one that nobody has seen."""
    draw = make.rng.random()
    if draw < 0.45:
        return make.values.extension()
    if draw < 0.8:
        return make.rng.choice(words("rare_extensions"))
    return make.values.coin.word()[:5] if draw < 0.9 else f"{make.values.word().lower()}.{make.values.extension()}"


def _two_extensions(make: Maker, phrasing: Phrasing) -> Clause:
    one, two = any_extension(make), any_extension(make)
    if one == two:
        raise EmptyPoolError("one extension twice")
    place = _place(make, phrasing, _OFTEN_A_FOLDER)
    answers = found(f"**/*.{{{one},{two}}}", place, [f"**/*.{{{two},{one}}}"])
    each = tuple(found(f"**/*.{extension}", place)[0][0] for extension in (one, two))
    slots = {"dotext": Slot(one, "plain", f".{one}"), "dotext2": Slot(two, "plain", f".{two}"), **place.slots}
    slots["noun"] = Slot(make.line("glob", "nouns"))
    return make.clause(_at(make, phrasing, place), slots, (*answers, each))


def _as_typed(make: Maker, phrasing: Phrasing) -> Clause:
    if make.chance(_COMPOSED):
        pattern = glob(make.values.coin, make.values.extension())
    else:
        pattern = make.values.fill(make.rng.choice(side(lines("globs"), make.split)))
    if not re.search(r"[*?\[{]", pattern):
        raise EmptyPoolError("no glob without a wildcard")
    if pattern[-1] in "~" and "." not in pattern:
        raise EmptyPoolError("too odd a glob")
    place = Place() if "/" in pattern.removeprefix("**/") else _place(make, phrasing, _OFTEN_A_FOLDER)
    answers = as_typed(pattern, place)
    return make.clause(_at(make, phrasing, place), {"typed": Slot(pattern, "path"), **place.slots}, answers)


def _everything(make: Maker, phrasing: Phrasing) -> Clause:
    slot, folder = folder_slot(make, phrasing.text)
    return make.clause(phrasing, {"dir": slot}, found("**/*", Place(arguments={"path": folder})))


def _two_languages(make: Maker, phrasing: Phrasing) -> Clause:
    (one, first, _, _), (two, second, _, _) = make.values.language(), make.values.language()
    if first == second:
        raise EmptyPoolError("one language twice")
    place = _place(make, phrasing, _OFTEN_A_FOLDER)
    answers = found(f"**/*.{{{first},{second}}}", place, [f"**/*.{{{second},{first}}}"])
    each = tuple(found(f"**/*.{extension}", place)[0][0] for extension in (first, second))
    return make.clause(
        _at(make, phrasing, place), {"lang": Slot(one), "lang2": Slot(two), **place.slots}, (*answers, each)
    )


_BUILDERS: dict[str, Callable[[Maker, Phrasing], Clause]] = {
    "lang": _by_language, "name": _by_name, "typed": _as_typed, "two_langs": _two_languages,
    "dotexts": _two_extensions, "everything": _everything,
}  # fmt: skip
