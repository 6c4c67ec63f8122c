"""Files whose names are described and exemplified: "starting with X (X itself, X.local and so on)", "like q.ext"."""

from collections.abc import Callable

from pytest_mcpbench.training.generate.compose import Alternatives, EmptyPoolError, Maker, one_call
from pytest_mcpbench.training.generate.globbing import directly, found
from pytest_mcpbench.training.generate.name_parts import any_ending, coined_end, name_part
from pytest_mcpbench.training.generate.places import HERE, Place
from pytest_mcpbench.training.generate.pools import side, value_sections
from pytest_mcpbench.training.generate.quoting import Slot

_Answer = tuple[dict[str, Slot], Alternatives]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABQX0123456789"
_MORE = (".local", ".example", ".bak", ".old", "2", ".md", ".txt", "-old", ".production", "_new", ".dist", ".sample")


def described(make: Maker, kind: str, text: str, place: Place) -> _Answer:
    """The slots of a phrasing of one of these kinds, and the calls that are right for it."""
    return KINDS[kind](make, text, place)


def _of_language(make: Maker, text: str, place: Place) -> _Answer:
    """A language and its extension in one request: the extension decides."""
    spoken, extension, _, others = make.values.language()
    extension = make.rng.choice((extension, extension, *others))
    slots = {"lang": Slot(spoken), "dotext": Slot(f".{extension}")}
    return slots, found(f"**/*.{extension}", place)


def _beginning(make: Maker, text: str, place: Place) -> _Answer:
    start = name_part(make, "starts")
    if make.chance(0.6):
        names = side(value_sections("glob_parts")["names"], make.split)
        if not names:
            raise EmptyPoolError("names")
        start = make.rng.choice(names)
    word = make.values.word().lower()
    if start[-1] in "_-.":
        ends = [f"{word}{any_ending(make)}", str(make.rng.randrange(1, 40)), f"{make.values.stem()}{any_ending(make)}"]
    else:
        ends = [*_MORE, f".{word}", f"-{word}", f"_{word}"]
    one, two = make.rng.sample(ends, 2)
    slots = {"affix": Slot(start, "path"), "eg": Slot(start + one, "path"), "eg2": Slot(start + two, "path")}
    return slots, found(f"**/{start}*", place)


def _ending(make: Maker, text: str, place: Place) -> _Answer:
    """Names that end with a word and an extension, without any sign between what varies and the word."""
    entries = side(value_sections("glob_parts")["ends"], make.split)
    if not entries:
        raise EmptyPoolError("ends")
    extension, _, ends = make.rng.choice(entries).partition(" | ")
    end = coined_end(make) if make.chance(0.4) else make.rng.choice(ends.split())
    tail = f"{end}.{extension}"
    one, two = make.values.stem(), make.values.word().lower()
    if end[0].isupper():
        one, two = one.capitalize(), two.capitalize()
    slots = {"affix": Slot(tail, "path"), "eg": Slot(one + tail, "path"), "eg2": Slot(two + tail, "path")}
    return slots, found(f"**/*{tail}", place)


def _digit_first(make: Maker, text: str, place: Place) -> _Answer:
    if "{lang}" in text:
        spoken, extension, _, others = make.values.language()
        return {"lang": Slot(spoken)}, found(f"**/[0-9]*.{extension}", place, [f"**/[0-9]*.{o}" for o in others])
    ending = any_ending(make) if "{dotext}" in text else ""
    return {"dotext": Slot(ending)}, found(f"**/[0-9]*{ending}", place)


def _single_character(make: Maker, text: str, place: Place) -> _Answer:
    ending = any_ending(make)
    one, two = make.rng.sample(_LETTERS, 2)
    slots = {"dotext": Slot(ending), "eg": Slot(one + ending, "path"), "eg2": Slot(two + ending, "path")}
    return slots, found(f"**/?{ending}", place)


def _hidden_here(make: Maker, text: str, place: Place) -> _Answer:
    return {}, directly(".*", str(place.arguments["path"]))


def _top(make: Maker, text: str, place: Place) -> _Answer:
    """Files at the top level, which is no folder that could be named."""
    if "{lang}" in text:
        spoken, extension, _, others = make.values.language()
        accept = {"pattern": [f"*.{other}" for other in others]}
        return {"lang": Slot(spoken)}, ((one_call("glob", {"pattern": f"*.{extension}"}, accept, {"path": HERE}),),)
    ending = any_ending(make)
    return {"dotext": Slot(ending)}, ((one_call("glob", {"pattern": f"*{ending}"}, optional={"path": HERE}),),)


def _numbered(make: Maker, text: str, place: Place) -> _Answer:
    start = name_part(make, "starts")
    if start[-1] not in "._-":
        start += make.rng.choice("._-")
    one, two = make.rng.sample(range(1, 1000), 2)
    slots = {"start": Slot(start, "path"), "eg": Slot(f"{start}{one}", "path"), "eg2": Slot(f"{start}{two}", "path")}
    return slots, found(f"**/{start}[0-9]*", place, [f"**/{start}*"])


KINDS: dict[str, Callable[[Maker, str, Place], _Answer]] = {
    "ext_lang": _of_language, "prefix_eg": _beginning, "affix_eg": _ending, "digit_start": _digit_first,
    "digit_start_ext": _digit_first, "single_char": _single_character, "hidden_direct": _hidden_here, "top": _top,
    "number_eg": _numbered,
}  # fmt: skip
