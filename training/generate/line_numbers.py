"""Which lines of a file are asked for: numbers of lines as people write and speak them."""
# ruff: noqa: RUF001 - dashes as people type them

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Maker
from pytest_mcpbench.training.generate.quoting import Slot

SPOKEN = {
    2: "two", 3: "three", 4: "four", 5: "five", 6: "half a dozen", 7: "seven", 8: "eight", 9: "nine", 10: "ten",
    12: "dozen", 15: "fifteen", 20: "twenty", 24: "two dozen", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty",
    80: "eighty", 100: "hundred", 200: "two hundred", 300: "three hundred", 500: "five hundred", 1000: "thousand",
}  # fmt: skip
"""Numbers in words, as they stand behind "the first"."""

RANKS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}

_NEED_AN_ARTICLE = {"dozen", "hundred", "thousand"}
_NOTATIONS = (
    *("{a}-{b}",) * 7, *("{a}–{b}",) * 3, *("{a} to {b}",) * 5, *("{a} through {b}",) * 3, "{a} - {b}", "{a} – {b}",
    "{a} till {b}", "{a} until {b}", "{a} up to {b}", "{a}..{b}", "{a} thru {b}", "{a} up to and including {b}",
)  # fmt: skip
_ROUND = (*range(2, 13), 15, 20, 24, 25, 30, 40, 50, 60, 75, 80, 100, 120, 150, 200, 250, 300, 500, 1000)
_LETTERED = ("L{a}-L{b}", "L{a}-L{b}", "L{a}-{b}", "L{a}–L{b}", "L{a} to L{b}")


def lines_asked(make: Maker, kind: str, text: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    """The arguments beside the path, and the numbers as this phrasing shows them."""
    start = first_line(make)
    if kind == "range":
        return _range(make, start, text)
    if kind == "block":
        return _block(make)
    if kind in ("limit", "skip"):
        n = amount(make)
        return {"limit": n} if kind == "limit" else {"offset": n + 1}, {"n": said(make, n, text)}
    if kind == "offset":
        start = max(start, 2)
        return {"offset": start}, {"n": figure(make, start, text), "m": figure(make, start - 1, text)}
    n = 1 if kind == "line" else amount(make)
    return {"offset": start, "limit": n}, {"a": figure(make, start, text), "n": said(make, n, text)}


def first_line(make: Maker) -> int:
    """The number of a line that something begins on."""
    draw = make.rng.random()
    if draw < 0.05:
        return 1
    return make.rng.randrange(2, 61 if draw < 0.34 else 1000 if draw < 0.75 else 10000)


def amount(make: Maker) -> int:
    """A number of lines that somebody would ask for."""
    return make.rng.choice(_ROUND) if make.chance(0.6) else make.rng.randrange(2, 200 if make.chance(0.7) else 1500)


def figure(make: Maker, number: int, text: str) -> Slot:
    """The number in digits, a great one now and then with a comma."""
    commas = number >= 1000 and "line" in text and make.chance(0.14)
    return Slot(str(number), shown=f"{number:,}" if commas else None)


def said(make: Maker, number: int, text: str) -> Slot:
    """The number in digits or in words, with an article where the words before it call for one."""
    word = SPOKEN.get(number)
    if word is None or "lines: {n}" in text or "limit" in text or "{n}-" in text or not make.chance(0.28):
        return figure(make, number, text)
    before = text.partition("{n}")[0].split()
    bare = bool(before) and before[-1].lower() in ("first", "top", "opening", "initial", "next", "those", "the")
    return Slot(str(number), shown=f"a {word}" if word in _NEED_AN_ARTICLE and not bare else word)


def _range(make: Maker, start: int, text: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    more = make.rng.randrange(1, 61) if make.chance(0.75) else make.rng.randrange(1, 201)
    if "{before}" in text:
        start = max(start, 2)
    if make.chance(0.2):
        start, more = max(5, start // 5 * 5), make.rng.choice((5, 10, 15, 20, 25, 30, 40, 50, 60, 100))
    end = start + more
    ends = {"a": start, "b": end}
    first = figure(make, start, text)
    shown = {
        "a": first,
        "b": Slot(str(end), shown=f"{end:,}" if first.shown else None),
        "ab": Slot(str(start), shown=make.rng.choice(_NOTATIONS).format(**ends)),
        "lab": Slot(str(start), shown=make.rng.choice(_LETTERED).format(**ends)),
        "mid": Slot(str(make.rng.randint(start, end))),
        "before": Slot(str(start - 1)),
    }
    return {"offset": start, "limit": more + 1}, shown


def _block(make: Maker) -> tuple[dict[str, Json], dict[str, Slot]]:
    size, rank = make.rng.choice((10, 20, 25, 50, 100, 100, 200, 500)), make.rng.choice(list(RANKS))
    start, end = (rank - 1) * size + 1, rank * size
    word = SPOKEN.get(size)
    return {"offset": start, "limit": size}, {
        "ord": Slot(str(rank), shown=RANKS[rank]),
        "size": Slot(str(size), shown=word if word and make.chance(0.6) else None),
        "a": Slot(str(start)),
        "b": Slot(str(end)),
        "ab": Slot(str(start), shown=make.rng.choice(_NOTATIONS).format(a=start, b=end)),
        "before": Slot(str(start - 1)),
    }
