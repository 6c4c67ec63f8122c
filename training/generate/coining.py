"""Words, names, numbers and sentences coined at random: so many that copying them is all that can be learnt."""

from random import Random

from pytest_mcpbench.training.generate.pools import Split, side, split_of, words

_ONSETS = (
    *["b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z"],
    *[
        "bl",
        "br",
        "ch",
        "cl",
        "cr",
        "dr",
        "fl",
        "fr",
        "gl",
        "gr",
        "kn",
        "kr",
        "pl",
        "pr",
        "qu",
        "sh",
        "sk",
        "sl",
        "sn",
        "sp",
        "st",
        "str",
        "th",
        "tr",
        "tw",
        "vr",
        "zh",
    ],
)
_NUCLEI = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "ee", "io", "oa", "oo", "ou", "y")
_CODAS = (
    "",
    "",
    "",
    *[
        "b",
        "ck",
        "d",
        "ft",
        "g",
        "k",
        "l",
        "lk",
        "m",
        "mp",
        "n",
        "nd",
        "ng",
        "nk",
        "nt",
        "p",
        "r",
        "rk",
        "rn",
        "rt",
        "s",
        "sk",
        "st",
        "t",
        "th",
        "v",
        "x",
        "z",
    ],
)
_SMALL = (
    "the",
    "a",
    "of",
    "to",
    "in",
    "on",
    "is",
    "are",
    "was",
    "and",
    "or",
    "but",
    "with",
    "for",
    "from",
    "by",
    "at",
    "it",
    "this",
    "that",
    "we",
    "you",
    "they",
    "not",
    "no",
    "if",
    "when",
    "then",
    "as",
    "so",
    "my",
    "our",
    "your",
    "their",
    "its",
    "has",
    "have",
    "will",
    "can",
    "only",
    "all",
    "any",
    "more",
    "less",
    "very",
    "never",
    "always",
    "please",
)
"""The words between the words: they are common to training and validation."""
_SHORTENED = (
    "don't", "it's", "can't", "won't", "isn't", "didn't", "I'm", "we're", "you'll", "that's", "let's", "there's",
    "doesn't", "wasn't", "they've", "what's", "couldn't", "o'clock",
)  # fmt: skip
_ENDS = (".", ".", "", "", "", "", "!", "?", "...", "…", ";", ":)")
# ruff: noqa: RUF001
_SIGNS = ("—", "→", "–", "…", "✓", "🚀", "🎉", "❤️", "°", "€", "£", "½", "≥", "×", "•", "⚠️", "☕", "🐱", "«»", "±")


class Coin:
    """Coins words of one side: plain ones, invented ones and foreign ones, and what is made of them."""

    def __init__(self, rng: Random, split: Split) -> None:
        self.rng = rng
        self.split = split
        self.plain = side(words("vocabulary"), split)
        self.foreign = side(words("foreign"), split)

    def invented(self) -> str:
        """A word that no dictionary has, of one to three syllables. Its hash decides its side."""
        rng = self.rng
        while True:
            count = rng.choice((1, 1, 2, 2))
            word = "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS) for _ in range(count))
            if len(word) > 2 and split_of(word) == self.split:
                return word

    def word(self) -> str:
        """A word in small ASCII letters."""
        return self.rng.choice(self.plain) if self.rng.random() < 0.72 else self.invented()

    def any_word(self) -> str:
        """A word as texts have them: mostly small, sometimes a name, in capitals, foreign or with a digit."""
        draw = self.rng.random()
        if draw < 0.13:
            return self.rng.choice(self.foreign)
        word = self.word()
        if draw < 0.23:
            return word.capitalize()
        return word.upper() if draw < 0.27 else f"{word}{self.rng.randrange(100)}" if draw < 0.3 else word

    def snake(self) -> str:
        """An identifier in snake or camel case, as variables and functions have."""
        rng = self.rng
        parts = [self.word() for _ in range(rng.choice((1, 1, 2, 2, 2, 3)))]
        draw = rng.random()
        if draw < 0.6:
            name = "_".join(parts)
            return f"_{name}" if draw < 0.04 else f"{name}_{rng.randrange(10)}" if draw < 0.08 else name
        return parts[0] + "".join(part.capitalize() for part in parts[1:])

    def pascal(self) -> str:
        """An identifier in Pascal case."""
        return "".join(self.word().capitalize() for _ in range(self.rng.choice((1, 2, 2, 3))))

    def constant(self) -> str:
        """An identifier in capitals."""
        return "_".join(self.word().upper() for _ in range(self.rng.choice((1, 2, 2, 3))))

    def kebab(self) -> str:
        """A name with hyphens."""
        return "-".join(self.word() for _ in range(self.rng.choice((1, 2, 2, 3))))

    def whole(self) -> str:
        """A whole number of one to six digits."""
        return str(self.rng.randrange(10 ** self.rng.choice((1, 2, 2, 3, 3, 4, 5, 6))))

    def number(self) -> str:
        """A number in one of the ways of writing one."""
        rng = self.rng
        shapes = (
            "{a}", "{a}", "{a}", "-{a}", "{a}.{b}", "{a}.{b}", "0.{b:02}", "{b}.{c}.{d}", "0x{a:x}", "1e-{c}", "{b}%",
            "{b}_000", "{b},{a}", "0{c}",
        )  # fmt: skip
        return rng.choice(shapes).format(
            a=rng.randrange(10 ** rng.choice((1, 2, 3, 4))),
            b=rng.randrange(100),
            c=rng.randrange(10),
            d=rng.randrange(30),
        )

    def letter(self) -> str:
        """One small letter."""
        return self.rng.choice("abcdefghijklmnopqrstuvwxyz")

    def sentence(self, least: int = 2, most: int = 11, *, plain: bool = False) -> str:
        """A text of so many words; `plain` has no quotes, apostrophes or signs."""
        rng = self.rng
        out: list[str] = []
        for _ in range(rng.randint(least, most)):
            draw = rng.random()
            if draw < 0.38:
                out.append(rng.choice(_SMALL))
            elif draw < 0.44:
                out.append(self.whole() if plain else self.number())
            elif plain or draw < 0.74:
                out.append(self.word() if plain else self.any_word())
            else:
                out.append(self._marked())
            if not plain and rng.random() < 0.05:
                out[-1] += rng.choice((",", ",", ":", ";", " -"))
        text = " ".join(out)
        text = text[:1].upper() + text[1:] if rng.random() < 0.6 else text
        return text if plain else text + rng.choice(_ENDS)

    def with_apostrophe(self) -> str:
        """A text with an apostrophe and no other quote."""
        words_before = self.sentence(1, 4, plain=True)
        middle = self.rng.choice(_SHORTENED) if self.rng.random() < 0.6 else f"{self.word().capitalize()}'s"
        return f"{words_before} {middle} {self.sentence(1, 5, plain=True).lower()}"

    def _marked(self) -> str:
        rng, word = self.rng, self.word()
        return rng.choice(
            (
                rng.choice(_SHORTENED), rng.choice(_SHORTENED), f"{word.capitalize()}'s", f"{word}'s", f'"{word}"',
                f'"{word} {self.word()}"', f"'{word}'", f"({word})", f"{word}/{self.word()}", f"{word}-{self.word()}",
                rng.choice(_SIGNS), rng.choice(_SIGNS), rng.choice(self.foreign), f"`{word}`", f"#{word}",
                f"{word}_{self.word()}", f"{word}.{self.word()}", f"*{word}*", f"{word} & {self.word()}",
            )
        )  # fmt: skip
