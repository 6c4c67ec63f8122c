"""Contents and names of files as people have them: things of one line, sentences, whole files, paths."""

import re

from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker
from pytest_mcpbench.training.generate.pools import blocks, lines, side

_NAMES = frozenset({"config", "hosts", "fstab", "crontab", "sudoers", "authorized_keys"})
"""Names of files that look like extensions."""
_TEXTS = ("txt", "txt", "md", "txt", "log", "html")
_HOMES = ("/etc/{name}", "~/.{name}", "{folder}/{name}", "{folder}/{name}", "/etc/{stem}/{name}")


def lifelike_path(make: Maker, suits: tuple[str, ...] = ()) -> str:
    """A file's path that somebody would have; `suits` are extensions or names that fit what is in it."""
    values, rng = make.values, make.rng
    if suits:
        return _suited(make, rng.choice(suits))
    if make.chance(0.68):
        return values.fill(rng.choice(side(lines("write_files"), make.split)))
    return values.path(rng.choice(_TEXTS)) if make.chance(0.5) else values.path()


def _suited(make: Maker, suit: str) -> str:
    values, rng = make.values, make.rng
    if suit in _NAMES:
        return rng.choice(_HOMES).format(name=suit, folder=values.folder(), stem=values.stem().lower())
    if "." in suit or (not suit.islower() and suit != "R"):
        return suit if make.chance(0.45) else f"{values.folder()}/{suit}"
    known = [path for path in side(lines("write_files"), make.split) if path.endswith(f".{suit}")]
    if known and make.chance(0.35):
        return values.fill(rng.choice(known))
    return values.path(suit)


def thing(make: Maker) -> tuple[str, tuple[str, ...], str]:
    """What a thing of one line is called, the files that hold such, and the thing itself."""
    nouns, suits, text = make.rng.choice(side(lines("write_things"), make.split)).split(" | ", 2)
    return make.rng.choice(nouns.split(",")), tuple(suits.split(",")), make.values.fill(text)


def sentence(make: Maker) -> str:
    """A sentence that somebody would put into a file."""
    draw = make.rng.random()
    if draw < 0.62:
        return make.values.fill(make.rng.choice(side(lines("write_sentences"), make.split)))
    return make.values.phrase() if draw < 0.85 else make.values.coin.sentence(3, 12)


def entry(make: Maker) -> str:
    """A short line of a list, a table or a note."""
    draw = make.rng.random()
    if draw < 0.3:
        return make.values.phrase()
    if draw < 0.5:
        return make.values.fill(
            make.rng.choice(("<word> <word2>", "<n> <word>", "<Name>: <n>", "buy <word>", "<Name>"))
        )
    if draw < 0.65:
        return make.values.word()
    if draw < 0.8:
        return sentence(make)
    return make.values.coin.sentence(1, 4, plain=True) if draw < 0.92 else thing(make)[2]


def plain_entry(make: Maker) -> str:
    """The same without any sign that could end it, as it may stand without quotes between commas."""
    for _ in range(40):
        text = entry(make)
        if re.fullmatch(r"\w[\w ]{1,30}\w", text) and not re.search(r"\b(and|then|line|first|last)\b", text.lower()):
            return text
    raise EmptyPoolError("no plain entry")


def whole_file(make: Maker) -> tuple[tuple[str, ...], str]:
    """The extensions or names of files, and a content of several lines for them."""
    entries = [block for block in blocks("write_blocks") if side((block[1],), make.split)]
    suits, body = make.rng.choice(entries)
    return suits, make.values.fill(body)


def fixed(make: Maker) -> tuple[str, str]:
    """A content as it is named in words, and itself."""
    said, text = make.rng.choice(side(lines("write_fixed"), make.split)).split(" => ")
    return said, " " if text == "␣" else text


def person(make: Maker) -> str:
    """A full name."""
    shape = make.rng.choice(
        ("<Name> O'<Word>", "<Name> <Word>", "<Name> <Word>-<Word2>", "<Name> de <Word>", "Dr. <Name> <Word>",
         "<Name> <Name2>", "<Name> van der <Word>", "<Name> Mc<Word>", "<Name> D'<Word>", "<Name> <Word>ová")
    )  # fmt: skip
    return make.values.fill(shape)


def day(make: Maker) -> str:
    """A date in one of the ways of writing one."""
    shapes = ("20<yy>-0<d>-1<d>", "1<d> May 20<yy>", "March <d>, 20<yy>", "<d>/2<d>/20<yy>", "0<d>.1<d>.20<yy>",
              "June <d>th", "20<yy>/0<d>/2<d>")  # fmt: skip
    return make.values.fill(make.rng.choice(shapes))
