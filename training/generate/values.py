"""Values that no row shares by accident: names, paths, numbers and texts, composed from one side of the pools."""

import re
from random import Random

from pytest_mcpbench.training.generate.assembling import regex
from pytest_mcpbench.training.generate.coining import Coin
from pytest_mcpbench.training.generate.kinds import composed_kinds, kind_table
from pytest_mcpbench.training.generate.pools import Split, lines, side, value_sections, words
from pytest_mcpbench.training.generate.snippets import Snippets

_MARK = re.compile(r"<([A-Za-z]+)(\d?l?)>|<(d)(0)>")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DOTFILES = (".{a}rc", ".{a}", ".env.{a}", ".{a}ignore", ".{a}.yml", "{A}file")
_NAMES = (
    "{a}_{b}", "{a}_{b}", "{a}_{b}", "{a}-{b}", "{a}-{b}", "{a}{B}", "{A}{B}", "test_{a}", "{a}_test", "{a}{nn}",
    "{a}.{b}", "{a}_v{n}", "{a}_{b}_{c}", "{A}", "{U}", "{odd}", "__{a}__", "{a}-{b}-{nn}",
)  # fmt: skip
_ODD_NAMES = (
    "{day}-{a}", "{a}_{date}", "{a} {b}", "{A} {b}", "{a}({n})", "IMG_{nnnn}", "{a}@{n}x", "{a}+{b}", "{a}é_{b}",
    "ü{a}", "{a}_FINAL_v{n}", "#{a}", "{a}~{n}", "{nn}_{a}", "{A}'s {b}", "it's {a}", "{a}'s_{b}", "don't {a} {b}",
    "{a} & {b}", "{u}", "{u}_{a}", "{a}-{u}", "{u} {a}", "{A}'s {u}", "{a} (draft {n})", "[{a}] {b}", "{a} — {b}",
    "{a}, {b}", "{a}.{b}.{n}", "${a}", "{a}%20{b}", "O'{A}",
)  # fmt: skip
_ELSEWHERE = (
    "./{name}", "./{name}", "~/{name}", "~/.{a}/{name}", "~/.config/{a}/{name}", "/etc/{a}/{name}", "/etc/{name}",
    "/tmp/{name}", "/var/log/{a}/{name}", "/home/{who}/{name}", "/usr/local/share/{a}/{name}", "../{name}",
    "../../{name}", "/opt/{a}/{name}",
)  # fmt: skip
_WINDOWS = ("C:\\Users\\{who}\\{name}", "D:\\{a}\\{name}", "{a}\\{b}\\{name}")
_SNAKE = (
    "{verb}_{a}", "{verb}_{a}", "{verb}_{a}_{b}", "{a}_{b}", "{a}_{b}", "{a}", "{a}_id", "max_{a}", "{a}_count",
    "num_{a}", "{a}{n}", "_{verb}_{a}", "{b}_{a}_list",
)  # fmt: skip
_CAMEL = ("{verb}{A}", "{verb}{A}{B}", "{a}{B}", "{verb}{A}ById", "on{A}{B}", "is{A}")
_PASCAL = ("{A}{B}", "{A}{B}", "{A}", "{A}{End}", "{A}{B}{End}", "I{A}{B}")
_CONSTANT = ("{U}_{V}", "MAX_{U}", "{U}_URL", "{U}_KEY", "DEFAULT_{U}", "{U}_{V}_ID", "{U}_TIMEOUT", "{U}")
_ENDS = ("Service", "Manager", "Error", "Config", "Controller", "Factory", "Model", "View", "Test", "Client")
_HEADINGS = frozenset(f"<h{level}>" for level in range(1, 7))
"""Marks that are tags of HTML, not kinds of values."""

_COMPOSED = {"sym": 0.4, "regex": 0.65, "multi": 0.5, "text": 0.5, "notes": 0.0}
_COMMON_LANGUAGES = frozenset({"py", "js", "ts", "rs", "go", "java", "md", "json", "yaml", "sh", "c", "cpp", "html"})


class Values:
    """Draws values of each kind. All that it draws comes from one side of the pools."""

    def __init__(self, rng: Random, split: Split) -> None:
        self.rng = rng
        self.split = split
        self.stems = [re.sub(r"\d+$", "", stem) or stem for stem in side(words("stems"), split)]
        self.folders = side(words("folders"), split)
        self.specials = side(lines("special_files"), split)
        self.verbs = side(words("verbs"), split)
        self.things = [line.split() for line in lines("words")]
        self.names = side(self.things[5], split)
        self.places = side(self.things[6], split)
        self.common = side([word for group in (*self.things[:5], *self.things[7:]) for word in group], split)
        self.phrases = side(lines("phrases"), split)
        extensions = [line.split() for line in lines("extensions")]
        self.extensions = [name for name, _ in extensions]
        self.extension_weights = [int(weight) for _, weight in extensions]
        self.languages = [line.split("|") for line in lines("languages")]
        packages = dict(line.split(" | ") for line in lines("packages"))
        self.packages = {tool: names.split() for tool, names in packages.items()}
        self.coin = Coin(rng, split)
        self.snippets = Snippets(self.coin, self.fill)
        self._kinds = {**kind_table(self), **composed_kinds(self.coin, self.snippets)}

    def fill(self, text: str, memo: dict[str, str] | None = None) -> str:
        """The text with each `<kind>` replaced; the same mark twice gets the same value, also across one memo."""
        memo = {} if memo is None else memo

        def value(match: re.Match[str]) -> str:
            kind, mark = match.group(1), match.group(0)
            if kind not in self._kinds or mark in _HEADINGS:
                return mark
            if mark not in memo:
                memo[mark] = self._fresh(kind, memo)
            return memo[mark]

        return _MARK.sub(value, text)

    def of(self, kind: str) -> str:
        """A value of one of the kinds that `fill` knows. Raises KeyError for another."""
        return self._kinds[kind]()

    def knows(self, kind: str) -> bool:
        """Whether `of` has such a kind."""
        return kind in self._kinds

    def _fresh(self, kind: str, memo: dict[str, str]) -> str:
        taken = set(memo.values())
        value = self._kinds[kind]()
        for _ in range(20):
            if value not in taken:
                return value
            value = self._kinds[kind]()
        return value

    def stem(self) -> str:
        """A word that a file or a project may be called by."""
        return self.rng.choice(self.stems) if self.rng.random() < 0.55 else self.coin.word()

    def word(self) -> str:
        """An everyday word."""
        return self.rng.choice(self.common) if self.rng.random() < 0.6 else self.coin.word()

    def extension(self) -> str:
        """A file extension without its dot, common ones more often. Both sides share them: they are no secret."""
        return self.rng.choices(self.extensions, self.extension_weights)[0]

    def base_name(self, extension: str | None = None) -> str:
        """A file name without a folder."""
        rng, a, b = self.rng, self.stem(), self.rng.choice((self.stem(), self.word().lower()))
        if extension is None and rng.random() < 0.2:
            return rng.choice(self.specials)
        day = f"20{rng.randrange(18, 27)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        odd = f"{rng.choice(_LETTERS)}{rng.randrange(10)}{rng.choice(_LETTERS)}{rng.randrange(100)}"
        parts = {
            "a": a, "b": b, "c": self.stem(), "A": a.capitalize(), "B": b.capitalize(), "U": a.upper(), "odd": odd,
            "day": day, "date": day.replace("-", ""), "n": rng.randrange(2, 10), "nn": rng.randrange(10, 100),
            "nnnn": rng.randrange(1000, 9999), "u": rng.choice(self.coin.foreign),
        }  # fmt: skip
        if extension is None and rng.random() < 0.04:
            return rng.choice(_DOTFILES).format(**parts)
        shape = rng.random()
        shapes = ("{a}",) if shape < 0.3 else _NAMES if shape < 0.84 else _ODD_NAMES
        return f"{rng.choice(shapes).format(**parts)}.{extension or self.extension()}"

    def folder(self) -> str:
        """A relative folder without a trailing slash, one to three deep."""
        rng = self.rng
        parts = [rng.choice(self.folders) if rng.random() < 0.8 else self.stem()]
        while len(parts) < 3 and rng.random() < 0.3:
            parts.append(rng.choice((self.stem(), self.stem(), rng.choice(self.folders))))
        path = "/".join(parts)
        draw = rng.random()
        if draw < 0.03:
            return f"./{path}"
        if draw < 0.05:
            return f"~/{path}"
        if draw < 0.075:
            return rng.choice([f"/var/{path}", f"/opt/{path}", f"/home/{self.word().lower()}/{path}", f"/srv/{path}"])
        return f"../{path}" if draw < 0.085 else path

    def path(self, extension: str | None = None) -> str:
        """A file's path: bare, relative, deep, absolute, with `~` or `./`."""
        rng, base = self.rng, self.base_name(extension)
        draw = rng.random()
        if draw < 0.42:
            return base
        if draw < 0.85:
            return f"{self.folder()}/{base}"
        if draw < 0.9:
            return f"{rng.choice(self.folders)}/{self.stem()}/{self.stem()}/{rng.choice(self.folders)}/{base}"
        shapes = _ELSEWHERE if rng.random() < 0.95 else _WINDOWS
        parts = {"name": base, "a": self.stem(), "b": self.stem(), "who": self.word().lower()}
        return rng.choice(shapes).format(**parts)

    def snake(self) -> str:
        """An identifier in snake case."""
        return self._identifier(_SNAKE)

    def camel(self) -> str:
        """An identifier in camel case."""
        return self._identifier(_CAMEL)

    def pascal(self) -> str:
        """An identifier in Pascal case."""
        return self._identifier(_PASCAL)

    def constant(self) -> str:
        """An identifier in capital letters."""
        return self._identifier(_CONSTANT)

    def kebab(self) -> str:
        """A name with hyphens, as CSS classes and components have."""
        return f"{self.stem()}-{self.word().lower()}"

    def _identifier(self, shapes: tuple[str, ...]) -> str:
        verb, a, b = (
            self.rng.choice(self.verbs),
            self.stem().lower(),
            self.rng.choice((self.stem(), self.word())).lower(),
        )
        return self.rng.choice(shapes).format(
            verb=verb, a=a, b=b, A=a.capitalize(), B=b.capitalize(), U=a.upper(), V=b.upper(),
            End=self.rng.choice(_ENDS), n=self.rng.randrange(1, 20),
        )  # fmt: skip

    def phrase(self) -> str:
        """A text a person would write: a message, a label, a line."""
        return self.fill(self.rng.choice(self.phrases))

    def language(self) -> tuple[str, str, str | None, tuple[str, ...]]:
        """A language's spoken name, its files' extension, its type for grep if it has one, and other extensions."""
        row = self.rng.choice(self.languages)
        if row[1].strip() not in _COMMON_LANGUAGES and self.rng.random() < 0.6:
            row = self.rng.choice([each for each in self.languages if each[1].strip() in _COMMON_LANGUAGES])
        names, extension, kind, others = (cell.strip() for cell in row)
        spoken = self.rng.choice(names.split(","))
        return spoken, extension, None if kind == "-" else kind, tuple(others.split())

    def search(self, kind: str) -> str:
        """A text or pattern to search for: of the kind sym, text, regex or multi."""
        if self.rng.random() < _COMPOSED[kind]:
            return self._composed_search(kind)
        return self.fill(self.rng.choice(side(value_sections("searches")[kind], self.split)))

    def _composed_search(self, kind: str) -> str:
        coin, rng = self.coin, self.rng
        if kind == "sym":
            return rng.choice((coin.snake, coin.snake, coin.pascal, coin.constant, coin.kebab))()
        if kind == "regex":
            return regex(self.coin)
        if kind == "multi":
            gap = rng.choice(
                (r"\n", r"\s*\n\s*", r"[\s\S]*?", r".*\n.*", r"\s+", r"\n\n", r"\{\n", r",\n\s*", r"(.|\n)*")
            )
            return coin.word() + rng.choice(("", r"\(", ":", r"\s*", ";", r"\w*")) + gap + coin.snake()
        draw = rng.random()
        if draw < 0.3:
            return coin.sentence(1, 6).rstrip(" .!?,;:")
        if draw < 0.48:
            return coin.with_apostrophe()
        return self.snippets.odd().strip() if draw < 0.74 else self.snippets.line().strip()

    def package(self, tool: str) -> str:
        """A package's name in that installer's world."""
        return self.rng.choice(self.packages[tool])
