"""Command lines and regular expressions assembled part by part."""

import re
from collections.abc import Callable
from functools import cache

from pytest_mcpbench.training.generate.coining import Coin
from pytest_mcpbench.training.generate.pools import lines, words


def command_line(coin: Coin) -> str:
    """A program, known or not, and what is given to it."""
    rng = coin.rng
    name = rng.choice(_programs()) if rng.random() < 0.5 else coin.kebab()
    if rng.random() < 0.12:
        shape = rng.choice(
            ("./{a}.sh", "bin/{a}", "./{a}/{b}", "npx {a}", "python -m {a}.{b}", "~/bin/{a}", "make {a}")
        )
        name = shape.format(a=coin.word(), b=coin.word())
    parts = [name, *(coin.kebab() for _ in range(rng.choice((0, 1, 1, 2))))]
    parts += [_argument(coin) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 6)))]
    return " ".join(parts)


@cache
def _programs() -> tuple[str, ...]:
    return words("executables")


def regex(coin: Coin) -> str:
    """A regular expression of two to six parts, with at least one sign that makes it one."""
    rng = coin.rng
    while True:
        body = "".join(_atom(coin) for _ in range(rng.randint(1, 4)))
        body = rng.choice((coin.word(), coin.snake())) + body if rng.random() < 0.6 else body + _atom(coin)
        text = f"{'^' if rng.random() < 0.16 else ''}{body}{'$' if rng.random() < 0.12 else ''}".strip()
        try:
            re.compile(text)
        except re.error:
            continue
        if re.search(r"[\\\[(*+?^$|.{]", text):
            return text


def glob(coin: Coin, extension: str) -> str:
    """A glob as somebody would type it."""
    shape = coin.rng.choice(lines("glob_shapes"))
    marks = {"w": coin.word, "v": coin.word, "k": coin.kebab, "l": coin.letter, "W": coin.pascal, "n": coin.whole}
    return re.sub(r"<(\w)>", lambda match: extension if match.group(1) == "e" else marks[match.group(1)](), shape)


def _argument(coin: Coin) -> str:
    rng, letter = coin.rng, coin.letter()
    mark = '"' if rng.random() < 0.6 else "'"
    values = {
        "l": letter,
        "m": coin.letter(),
        "w": coin.word(),
        "v": coin.word(),
        "n": coin.number(),
        "k": coin.kebab(),
    }
    quoted = f"{mark}{coin.sentence(1, 3, plain=True)}{mark}"
    return (
        rng.choice(words("arguments")).replace("_", " ").format(**values, W=coin.constant(), L=letter.upper(), q=quoted)
    )


def _atom(coin: Coin) -> str:
    rng = coin.rng
    low = rng.randrange(1, 6)
    shape = rng.choice(lines("regex_atoms"))
    marks: dict[str, Callable[[], str]] = {
        "w": coin.word,
        "i": coin.snake,
        "l": coin.letter,
        "n": lambda: str(low),
        "m": lambda: str(low + 3),
    }
    return re.sub(r"<(\w)>", lambda match: marks[match.group(1)](), shape)
