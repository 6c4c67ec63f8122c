"""Requests told as people tell them: small stories, reasons, and names of files and folders as people have them."""
# ruff: noqa: RUF001 - dashes as people type them

import re

from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker, Phrasing
from pytest_mcpbench.training.generate.phrases import expand, upper_first
from pytest_mcpbench.training.generate.pools import lines, side

_NATURAL = 0.62
"""The share of values that are names as people have them; the others are coined."""

_CONTEXT = re.compile(r"\{(who|err|day|what|issue|tool)\}")
_TICKETS = ("#{n}", "issue {n}", "ticket {n}", "PR #{n}", "bug {n}", "issue #{n}", "the mail from {d}:{m}", "task {n}")
_SIGNS = ("🎉", "🚀", "⭐", "🐛", "📊", "✅", "🎵", "ü", "ñ", "é", "ß", "ø", "日", "данные")
_UNUSUAL = (
    "{sign} {a}", "{a}{sign}", "{sign}{a}_{b}", "{A} {b}", "{A} – {B}", "{a} {b} v{d}", "{A} {b} ⟨{d}⟩", "{a} & {b}",
    "{d}. {A} {b}", "{A} - {b} {d}",
)  # fmt: skip


def natural_file(make: Maker) -> str:
    """A file's name as somebody gave it, or a coined one."""
    if make.chance(0.05):
        parts = {"a": make.values.stem(), "b": make.values.word().lower(), "d": make.rng.randrange(1, 13)}
        shape = make.rng.choice(_UNUSUAL).replace("⟨", "(").replace("⟩", ")")
        names = {"A": str(parts["a"]).capitalize(), "B": str(parts["b"]).capitalize(), "sign": make.rng.choice(_SIGNS)}
        return f"{shape.format(**parts, **names)}.{make.values.extension()}"
    if make.chance(1 - _NATURAL):
        return make.values.base_name()
    if make.chance(0.2):
        return make.rng.choice(make.values.specials)
    return make.values.fill(drawn(make, "file_names"))


def natural_folder(make: Maker) -> str:
    """A folder as people have them, or a coined one."""
    if make.chance(1 - _NATURAL):
        return make.values.folder()
    return make.values.fill(drawn(make, "folder_names"))


def natural_path(make: Maker) -> str:
    """A file's path: the name alone, below a folder, or in one of the usual places."""
    if make.chance(1 - _NATURAL):
        return make.values.path()
    name = natural_file(make)
    draw = make.rng.random()
    if draw < 0.42:
        return name
    if draw < 0.92:
        return f"{natural_folder(make)}/{name}"
    return make.rng.choice(("./", "../", "~/", "~/Desktop/", "/tmp/", "/etc/")) + name


def drawn(make: Maker, pool: str) -> str:
    """A line of a pool of values. Raises EmptyPoolError where this side has none."""
    entries = side(lines(pool), make.split)
    if not entries:
        raise EmptyPoolError(pool)
    return make.rng.choice(entries)


def told(make: Maker, pool: str, section: str) -> Phrasing:
    """A phrasing of the pool with, at times, a story before it and a reason behind it, and what they speak of."""
    core = expand(make.line(pool, section), make.rng)
    aside = make.values.language()[0]
    if core[-1] not in "?.!:" and "\n" not in core and make.chance(0.2):
        reason = expand(make.line(pool, "reason"), make.rng).replace("{lang}", aside)
        core += reason if reason[0] in ",;" else f" {reason}"
    if make.chance(0.3):
        story = expand(make.line(pool, "story"), make.rng).replace("{lang}", aside)
        follows = upper_first(core) if story[-1] in ".?!" and make.chance(0.65) else core
        core = f"{story}{make.rng.choice((' ', ' ', ' ', chr(10)))}{follows}"
    text = _CONTEXT.sub(lambda match: _spoken_of(make, match.group(1)), core)
    return Phrasing(text=re.sub(r"(?<=[a-z)}][.?!] )[a-z](?=[a-z]+ )", _maybe_capital(make), text), order=False)


def _maybe_capital(make: Maker) -> "_Change":
    return _Change(capital=make.chance(0.6))


class _Change:
    """Changes the first letters of sentences, all of them or none, as one person would."""

    def __init__(self, *, capital: bool) -> None:
        self.capital = capital

    def __call__(self, match: re.Match[str]) -> str:
        return match.group().upper() if self.capital else match.group()


def _spoken_of(make: Maker, kind: str) -> str:
    """Somebody, an error, a time, a thing that fails, a ticket: never a value of the request."""
    if kind == "issue":
        numbers = {"n": make.rng.randrange(2, 9000), "d": make.rng.randrange(8, 19), "m": make.rng.randrange(10, 60)}
        return make.rng.choice(_TICKETS).format(**numbers)
    if kind == "who" and make.chance(0.45):
        return make.rng.choice(make.values.names)
    return make.line("scene", kind)
