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

_UNITS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEENS = ("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
          "eighteenth", "nineteenth")  # fmt: skip
_TENS = {20: "twent", 30: "thirt", 40: "fort", 50: "fift", 60: "sixt", 70: "sevent", 80: "eight", 90: "ninet"}
ORDINAL_WORDS = {
    **dict(enumerate((*_UNITS, *_TEENS), 1)),
    **{tens: f"{stem}ieth" for tens, stem in _TENS.items()},
    **{tens + unit: f"{stem}y-{word}" for tens, stem in _TENS.items() for unit, word in enumerate(_UNITS, 1)},
    100: "hundredth",
}
"""The rank of a line in words, up to the hundredth."""

_NEED_AN_ARTICLE = {"dozen", "hundred", "thousand"}
_NOTATIONS = (
    *("{a}-{b}",) * 7, *("{a}–{b}",) * 3, *("{a} to {b}",) * 5, *("{a} through {b}",) * 3, "{a} - {b}", "{a} – {b}",
    "{a} till {b}", "{a} until {b}", "{a} up to {b}", "{a}..{b}", "{a} thru {b}", "{a} up to and including {b}",
    "{a}–{b} (inclusive)", "{a}-{b} inclusive", "{a}−{b}", "{a} … {b}",
)  # fmt: skip
_ROUND = (*range(2, 13), 15, 20, 24, 25, 30, 40, 50, 60, 75, 80, 100, 120, 150, 200, 250, 300, 500, 1000)
_LETTERED = ("L{a}-L{b}", "L{a}-L{b}", "L{a}-{b}", "L{a}–L{b}", "L{a} to L{b}")


def lines_asked(make: Maker, kind: str, text: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    """The arguments beside the path, and the numbers as this phrasing shows them."""
    start = first_line(make)
    if kind == "range":
        return _range(make, text)
    if kind == "block":
        return _block(make)
    if kind in ("few", "few_from", "rank"):
        return _in_words(make, kind, start)
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


def ends_of_range(make: Maker) -> tuple[int, int]:
    """The first and the last line of a range: any numbers, so that the length has to be worked out."""
    draw = make.rng.random()
    start = make.rng.randrange(1, 401 if draw < 0.7 else 1000 if draw < 0.85 else 10000)
    if make.chance(0.03):
        start = 1
    span = make.rng.random()
    if span < 0.75:
        return start, start + make.rng.randrange(61)
    if span < 0.95:
        return start, start + make.rng.randrange(61, 201)
    start = start // 10 * 10 or 10
    return start, start + make.rng.choice((10, 20, 30, 40, 50, 100, 100, 200))


def ordinal(make: Maker, rank: int) -> Slot:
    """The rank of a line, in a word where there is one or in digits with an ending."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    word = ORDINAL_WORDS.get(rank)
    return Slot(str(rank), shown=word if word and make.chance(0.65) else f"{rank}{ending}")


def _in_words(make: Maker, kind: str, start: int) -> tuple[dict[str, Json], dict[str, Slot]]:
    """Numbers in words: "half a dozen lines from the top", "18 lines, the first of them being the twelfth"."""
    if kind == "rank":
        start, n = make.rng.randrange(2, 61) if make.chance(0.6) else max(start, 2), amount(make)
        shown = {"a": Slot(str(start)), "ord": ordinal(make, start), "n": Slot(str(n))}
        return {"offset": start, "limit": n}, shown
    n = make.rng.choice((6, 6, 12, 12, 12, 24, *SPOKEN))
    word = SPOKEN[n]
    shown = {"a": Slot(str(start)), "n": Slot(str(n), shown=f"a {word}" if word in _NEED_AN_ARTICLE else word)}
    return {"limit": n} if kind == "few" else {"offset": start, "limit": n}, shown


def _range(make: Maker, text: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    start, end = ends_of_range(make)
    if "{before}" in text and start == 1:
        start, end = 2, end + 1
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
    return {"offset": start, "limit": end - start + 1}, shown


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
