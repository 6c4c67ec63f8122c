"""Rows for the glob tool whose requests are told as people tell them: questions, stories, folders far from names."""

import re
from dataclasses import replace

from pytest_mcpbench.training.generate import exemplified
from pytest_mcpbench.training.generate.assembling import glob
from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.globbing import directly, found, one_level_down, typed
from pytest_mcpbench.training.generate.name_parts import any_ending, coined_end, name_part, text_slot
from pytest_mcpbench.training.generate.natural import drawn, natural_file, natural_folder, told
from pytest_mcpbench.training.generate.phrases import expand, tidy
from pytest_mcpbench.training.generate.places import Place
from pytest_mcpbench.training.generate.pools import side, value_sections
from pytest_mcpbench.training.generate.quoting import Slot

_SHARES = {
    "name": 0.2, "dotext": 0.12, "lang": 0.08, "prefix": 0.06, "prefix_ext": 0.035, "contains": 0.06,
    "contains_ext": 0.035, "suffix": 0.035, "suffix_lang": 0.055, "digit": 0.015, "digits": 0.007, "number": 0.006,
    "anychar": 0.015, "anychars": 0.005, "hidden": 0.015, "tilde": 0.01, "both": 0.03, "typed": 0.16, "direct": 0.06,
    "level": 0.03, "everything": 0.01, "two": 0.02, "ext_lang": 0.04, "prefix_eg": 0.03, "affix_eg": 0.035,
    "digit_start": 0.012, "digit_start_ext": 0.012, "single_char": 0.022, "hidden_direct": 0.014, "top": 0.03,
    "number_eg": 0.018,
}  # fmt: skip
_BETWEEN = {
    "digit": "[0-9]", "digits": "[0-9][0-9]", "number": "[0-9]*", "anychar": "?", "anychars": "??", "both": "*",
}  # fmt: skip
_PLACES = {"": 0.36, "none": 0.18, "dir": 0.46}
_NO_PLACE_OF_FILES = re.compile(r"file|any|every|some|\bcode\b|over")

Answer = tuple[dict[str, Slot], Alternatives]


def told_glob(make: Maker) -> Clause:
    """A request to find files by name, told at length or in a label's few words."""
    kind = make.draw(_SHARES)
    phrasing = told(make, "glob_more", kind)
    phrasing, place = _placed(make, phrasing)
    extra = {
        "noun": Slot("files" if make.chance(0.7) else make.line("glob", "nouns")),
        "lang2": Slot(make.values.language()[0]),
    }
    if kind in _BETWEEN:
        slots, answers = _between(make, kind, place)
    elif kind in ("direct", "level"):
        slots, answers = _near(make, kind, phrasing.text, place)
    elif kind in exemplified.KINDS:
        slots, answers = exemplified.described(make, kind, phrasing.text, place)
    elif kind == "typed":
        slots, answers = _typed(make, phrasing.text, place)
    elif kind == "two":
        slots, answers = _two(make, place)
    else:
        slots, answers = _by_part(make, kind, phrasing.text, place)
    return make.clause(phrasing, {**extra, **place.slots, **slots}, answers)


def _placed(make: Maker, phrasing: Phrasing) -> tuple[Phrasing, Place]:
    """The phrasing with its place put in, and what follows from it."""
    text, kind = phrasing.text, "dir" if re.search(r"\{(dir|deep)\}", phrasing.text) else "none"
    if "{where}" in text:
        kind = make.draw(_PLACES)
        where = expand(make.line("places", kind), make.rng) if kind else ""
        if kind == "none" and _NO_PLACE_OF_FILES.search(where):
            where = ""
        text = text.replace("{where}", where)
        text = re.sub(r"\b(?:any|some|every)where (?=(?:any|some|every)where)", "", text)
        text = re.sub(r"(^|\n|[.?!:] )[,:;] ?", r"\1", tidy(re.sub(r" *\(\)", "", text)))
        text = re.sub(r"([,;:])(?: ?[,;:?])+", r"\1", re.sub(r"[,;] ?([:?])", r"\1", text)).rstrip(" ,;")
    if kind != "dir":
        return replace(phrasing, text=text), Place()
    folder = natural_folder(make)
    shown = f"{folder}/" if make.chance(0.15) and not folder.endswith("/") else folder
    slot = Slot(folder, "path", shown)
    return replace(phrasing, text=text), Place(slots={"dir": slot}, arguments={"path": folder}, kind="dir")


def _between(make: Maker, kind: str, place: Place) -> Answer:
    """A name that is given by its beginning and its end."""
    start = name_part(make, "starts")
    end = "" if kind == "number" else any_ending(make)
    if kind == "number" and "." not in start and "_" not in start:
        start += make.rng.choice((".", "_", "-"))
    pattern = f"**/{start}{_BETWEEN[kind]}{end}"
    others = [f"**/{start}*"] if kind == "number" else []
    return {"start": text_slot(make, start), "end": Slot(end, "path")}, found(pattern, place, others)


def _near(make: Maker, kind: str, text: str, place: Place) -> Answer:
    """Files in a folder itself, or exactly one level below it."""
    folder = str(place.arguments["path"])
    if kind == "level":
        name = _name(make)
        deep = f"{folder}/<{make.values.word().lower()}>/{name}"
        return {"name": Slot(name, "path"), "deep": Slot(deep)}, one_level_down(name, folder)
    if "{lang}" in text:
        spoken, extension, _, others = make.values.language()
        return {"lang": Slot(spoken)}, directly(f"*.{extension}", folder, [f"*.{each}" for each in others])
    ending = any_ending(make)
    return {"dotext": Slot(ending, "plain")}, directly(f"*{ending}", folder)


def _typed(make: Maker, text: str, place: Place) -> Answer:
    pattern = make.values.fill(drawn(make, "glob_typed"))
    if make.chance(0.38):
        pattern = glob(make.values.coin, make.values.extension())
    if not re.search(r"[*?\[{]", pattern) or (pattern.endswith("~") and "." not in pattern):
        raise EmptyPoolError("too odd a glob")
    if "/" in pattern.removeprefix("**/") and place.arguments:
        raise EmptyPoolError("a folder in the glob and another beside it")
    answers = typed(pattern, place)
    if "exactly" in text:
        answers = tuple(tuple(replace(call, accept={}) for call in calls) for calls in answers)
    look = "block" if "\n\n{typed}" in text else "path"
    return {"typed": Slot(pattern, "plain" if look == "block" else "path")}, answers


def _two(make: Maker, place: Place) -> Answer:
    one, two = any_ending(make)[1:], any_ending(make)[1:]
    if one == two:
        raise EmptyPoolError("one extension twice")
    answers = found(f"**/*.{{{one},{two}}}", place, [f"**/*.{{{two},{one}}}"])
    each = tuple(found(f"**/*.{extension}", place)[0][0] for extension in (one, two))
    return {"dotext": Slot(f".{one}"), "dotext2": Slot(f".{two}")}, (*answers, each)


def _by_part(make: Maker, kind: str, text: str, place: Place) -> Answer:
    """A whole name, an extension, or a part of a name with or without an extension."""
    if kind in ("hidden", "tilde", "everything"):
        return {}, found({"hidden": "**/.*", "tilde": "**/*~", "everything": "**/*"}[kind], place)
    if kind in ("name", "suffix"):
        part = _name(make) if kind == "name" else _tail(make)
        slot = Slot(part, "path")
        return {"name": slot, "tail": slot}, found(f"**/{part}" if kind == "name" else f"**/*{part}", place)
    if kind == "suffix_lang":
        return _ending_with(make, text, place)
    affix = name_part(make, "middles" if "contains" in kind else "starts")
    affix = affix.strip("_-.") or affix if "contains" in kind else affix
    head = "" if kind in ("dotext", "lang") else f"{affix}*" if "prefix" in kind else f"*{affix}*"
    head = head or "*"
    slots = {"affix": text_slot(make, affix)}
    if kind in ("prefix", "contains"):
        return slots, found(f"**/{head}", place)
    if "{lang}" in text:
        spoken, extension, _, others = make.values.language()
        return {**slots, "lang": Slot(spoken)}, found(
            f"**/{head}.{extension}", place, [f"**/{head}.{o}" for o in others]
        )
    ending, other = any_ending(make), any_ending(make)
    if ending == other:
        raise EmptyPoolError("one extension twice")
    slots |= {"dotext": Slot(ending, "path" if make.chance(0.2) else "plain"), "dotext2": Slot(other)}
    return slots, found(f"**/{head}{ending}", place)


def _ending_with(make: Maker, text: str, place: Place) -> Answer:
    """Names that end with something before their extension."""
    entries = side(value_sections("glob_parts")["ends"], make.split)
    if not entries:
        raise EmptyPoolError("ends")
    extension, _, ends = make.rng.choice(entries).partition(" | ")
    affix = make.rng.choice(ends.split())
    if make.chance(0.35):
        affix = coined_end(make)
    spoken = {name: row for row in make.values.languages for name in row[0].strip().split(",")}
    names = [name for name, row in spoken.items() if row[1].strip() == extension]
    slots = {"affix": text_slot(make, affix), "dotext": Slot(f".{extension}")}
    if "{lang}" not in text:
        return slots, found(f"**/*{affix}.{extension}", place)
    if not names:
        raise EmptyPoolError("no such language")
    name = make.rng.choice(names)
    others = [f"**/*{affix}.{each}" for each in spoken[name][3].split()]
    return {**slots, "lang": Slot(name)}, found(f"**/*{affix}.{extension}", place, others)


def _tail(make: Maker) -> str:
    stem, word, ending = make.values.stem(), make.values.word().lower(), any_ending(make)
    endings = (f"_test{ending}", f"_{word}{ending}", f"-{stem}{ending}", f"_{stem}", f"-{word}", ending)
    return make.rng.choice((*endings, f"{stem.capitalize()}{ending}", f"{word.capitalize()}.{make.values.extension()}"))


def _name(make: Maker) -> str:
    """A whole name, with or without an extension, that nobody takes for a text to search for."""
    if make.chance(0.5):
        entries = side(value_sections("glob_parts")["names"], make.split)
        if entries:
            return make.rng.choice(entries)
    name = natural_file(make)
    if "." not in name:
        raise EmptyPoolError("a name like a word")
    return name
