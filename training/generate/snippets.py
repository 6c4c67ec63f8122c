"""Code, data and prose composed line by line: values that are never seen twice."""

import json
import re
from collections.abc import Callable
from random import Random

from pytest_mcpbench.training.generate.assembling import command_line
from pytest_mcpbench.training.generate.coining import Coin
from pytest_mcpbench.training.generate.pools import lines, value_sections

Fill = Callable[..., str]

BLOCK_SIGN = " ⇥"
"""What ends a line of the pool that opens a block; what closes the block follows it."""

FILES: dict[str, tuple[str, ...]] = {
    "py": ("py", "py", "pyi"), "js": ("js", "mjs", "jsx"), "ts": ("ts", "tsx"), "go": ("go",), "rs": ("rs",),
    "java": ("java",), "c": ("c", "h", "cpp"), "rb": ("rb",), "php": ("php",), "sh": ("sh", "bash"), "sql": ("sql",),
    "css": ("css", "scss"), "html": ("html", "vue"), "yaml": ("yaml", "yml"), "toml": ("toml",),
    "ini": ("ini", "cfg", "conf"), "env": (".env", ".env.local", "env"), "md": ("md", "md", "rst"),
    "dockerfile": ("Dockerfile", "dockerfile"), "makefile": ("Makefile", "mk"), "txt": ("txt", "txt", "log", "text"),
    "kt": ("kt",), "lua": ("lua",), "ignore": (".gitignore", ".dockerignore"), "nginx": ("conf",), "json": ("json",),
    "csv": ("csv", "tsv"),
}  # fmt: skip
"""The kinds of text, each with the extensions and names of the files that hold it."""

FENCES = {
    "py": "python", "js": "javascript", "ts": "typescript", "rs": "rust", "sh": "bash", "md": "markdown",
    "rb": "ruby", "kt": "kotlin", "txt": "text", "env": "", "ignore": "", "csv": "csv",
}  # fmt: skip
_OFTEN = ("py", "py", "txt", "txt", "md", "json", "yaml", "js", "sh")
_TABS = frozenset({"go", "makefile"})
_MUTABLE = re.compile(r"\w+")


class Snippets:
    """Composes longer values. `fill` replaces `<kind>` marks in a shape."""

    def __init__(self, coin: Coin, fill: Fill) -> None:
        self.coin = coin
        self.rng: Random = coin.rng
        self.fill = fill
        self._shells = lines("shells")
        self._odd = lines("odd_strings")
        self._both = {shapes: [s for s in shapes if "'" in s and '"' in s] for shapes in (self._shells, self._odd)}

    def kind(self) -> str:
        """A kind of text from FILES."""
        return self.rng.choice(_OFTEN) if self.rng.random() < 0.4 else self.rng.choice(list(FILES))

    def line(self, kind: str | None = None) -> str:
        """One line of code or text."""
        kind = kind or self.kind()
        if kind == "json":
            return json.dumps(self._data(1), ensure_ascii=False)
        if kind == "csv":
            return self._record(self.rng.randint(2, 5), ",")
        shape = self.rng.choice(value_sections("snippets")[kind])
        return self.fill(shape.split(BLOCK_SIGN)[0]).strip()

    def odd(self) -> str:
        """A string with quotes, braces, percent signs or backslashes."""
        return self.fill(self.rng.choice(self._odd if self.rng.random() < 0.6 else self._both[self._odd]))

    def block(self, size: int) -> tuple[str, str]:
        """A kind of text, and about so many lines of it."""
        kind = self.kind()
        if kind == "json":
            return kind, self._json(size)
        if kind == "csv":
            width, mark = self.rng.randint(2, 5), self.rng.choice((",", ",", ";"))
            return kind, "\n".join(self._record(width, mark, head=number == 0) for number in range(size))
        rows: list[str] = []
        indent = "\t" if kind in _TABS else self.rng.choice(("    ", "    ", "  ", "\t"))
        if kind == "yaml":
            indent = "  "
        self._rows(kind, size, "", indent, rows)
        return kind, "\n".join(rows)

    def _rows(self, kind: str, size: int, margin: str, indent: str, rows: list[str]) -> None:
        end = len(rows) + size
        shared: dict[str, str] = {}
        while len(rows) < end:
            shape = self.rng.choice(value_sections("snippets")[kind])
            opener, sign, closer = shape.partition(BLOCK_SIGN)
            memo: dict[str, str] = shared if self.rng.random() < 0.4 else {}
            if rows and not margin and rows[-1] and self.rng.random() < 0.16 and len(rows) < end - 1:
                rows.append("")
            rows.append(margin + self.fill(opener, memo))
            if sign:
                room = max(1, min(3, end - len(rows) - bool(closer.strip())))
                self._rows(kind, self.rng.randint(1, room), margin + indent, indent, rows)
                if closer.strip():
                    rows.append(margin + self.fill(closer.strip(), memo))

    def _json(self, size: int) -> str:
        rows = {self.coin.snake(): self._data(self.rng.choice((0, 0, 1))) for _ in range(max(1, size - 3))}
        return json.dumps(rows, ensure_ascii=False, indent=self.rng.choice((2, 2, 4)))

    def _data(self, depth: int) -> object:
        rng, coin = self.rng, self.coin
        if depth:
            if rng.random() < 0.4:
                return [self._data(0) for _ in range(rng.randint(0, 3))]
            return {coin.snake(): self._data(0) for _ in range(rng.randint(1, 3))}
        return rng.choice((coin.word(), coin.sentence(1, 5), rng.randrange(1000), True, False, None, coin.kebab()))

    def _record(self, width: int, mark: str, *, head: bool = False) -> str:
        cells = (
            self.coin.any_word,
            self.coin.number,
            self.coin.word,
            lambda: f'"{self.coin.sentence(2, 3, plain=True)}"',
        )
        makers = (self.coin.snake,) if head else cells
        return mark.join(self.rng.choice(makers)() for _ in range(width))

    def _quoted_cell(self) -> str:
        return f'"{self.coin.sentence(2, 3, plain=True)}"'

    def literal(self) -> str:
        """A string literal of code."""
        draw = self.rng.random()
        text = self.coin.sentence(1, 4, plain=True) if draw < 0.6 else self.coin.kebab()
        if draw < 0.12:
            return f'"{self.coin.with_apostrophe()}"'
        if draw < 0.2:
            return f"'{text}\\n'" if draw < 0.16 else f"'{text} \"{self.coin.word()}\"'"
        return f"'{text}'" if draw < 0.6 else f'"{text}"'

    def expression(self, depth: int = 2) -> str:
        """An expression as most languages write them."""
        rng, coin = self.rng, self.coin
        draw = rng.random()
        if depth == 0 or draw < 0.3:
            return rng.choice((coin.snake, coin.snake, coin.whole, self.literal))()
        first, second = self.expression(depth - 1), self.expression(depth - 1)
        shape = rng.choice(
            ("{n}({a})", "{n}({a}, {b})", "{n}.{m}", "{n}.{m}({a})", "{n}[{k}]", "{a} {op} {b}", "({a} {op} {b})",
             "-{n}", "!{n}", "{n}['{k}']", "[{a}, {b}]")
        )  # fmt: skip
        operator = rng.choice(("+", "-", "*", "/", "%", "==", "!=", "<=", ">", "&&", "||", "and", "or", "|", "<<"))
        return shape.format(n=coin.snake(), m=coin.snake(), k=coin.word(), a=first, b=second, op=operator)

    def command(self) -> str:
        """A command line: of a nested shape from the pool, or assembled of a name and arguments."""
        if self.rng.random() < 0.36:
            return command_line(self.coin)
        return self.fill(self.rng.choice(self._shells if self.rng.random() < 0.7 else self._both[self._shells]))

    def long_command(self) -> str:
        """One command of several lines: a loop, a condition, or arguments continued by backslashes."""
        shapes = (
            "for <xi> in <xw> <xw2> <xw3>; do\n  <xc>\n  <xc2>\ndone", "if [ -f <xp> ]; then\n  <xc>\nfi",
            "<xc> \\\n  --<xk> <xw> \\\n  --<xk2>=<xw2>", "<xc> \\\n  && <xc2>",
            "while true; do\n  <xc>\n  sleep <xd>\ndone",
            "<xc> |\n  <xc2>", "cd <xw>/<xw2> &&\n<xc> &&\n<xc2>",
        )  # fmt: skip
        return self.fill(self.rng.choice(shapes))

    def mutated(self, text: str) -> str:
        """The text with a small change: a word of it replaced, added or left out, or a number changed."""
        spots = list(_MUTABLE.finditer(text))
        if not spots:
            return f"{text} {self.coin.word()}"
        spot = self.rng.choice(spots)
        old = spot.group()
        new = self.coin.whole() if old.isdigit() else self.coin.constant() if old.isupper() else self.coin.snake()
        draw = self.rng.random()
        if draw < 0.15:
            new = f"{old}_{self.coin.word()}"
        elif draw < 0.25 and len(spots) > 1:
            new = ""
        return (text[: spot.start()] + new + text[spot.end() :]) or new
