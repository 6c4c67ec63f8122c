"""Parts of file names: how they begin, what stands in them, how they end."""

from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker
from pytest_mcpbench.training.generate.pools import side, value_sections, words
from pytest_mcpbench.training.generate.quoting import Slot


def name_part(make: Maker, section: str) -> str:
    """A part of a name that people have, or a coined one."""
    if not make.chance(0.62):
        stem, word = make.values.stem(), make.values.word().lower()
        return make.rng.choice((stem, word, stem.capitalize(), f"{stem}_{word}", f"{stem}-", f"{word}_"))
    entries = side(value_sections("glob_parts")[section], make.split)
    if not entries:
        raise EmptyPoolError(section)
    return make.values.fill(make.rng.choice(entries))


def any_ending(make: Maker) -> str:
    """An extension with its dot, often one of two parts."""
    draw = make.rng.random()
    if draw < 0.5:
        entries = [each for each in value_sections("glob_parts")["suffixes"] if each.startswith(".")]
        return make.rng.choice(entries)
    if draw < 0.8:
        return f".{make.values.extension() if draw < 0.65 else make.rng.choice(words('rare_extensions'))}"
    return (
        f".{make.values.coin.word()[:5]}" if draw < 0.9 else f".{make.values.word().lower()}.{make.values.extension()}"
    )


def text_slot(make: Maker, value: str) -> Slot:
    """The part in quotes of its own, or bare."""
    return Slot(value, "text" if make.chance(0.75) else "plain")


def coined_end(make: Maker) -> str:
    """How names end before their extension, in a coined word."""
    return make.rng.choice((make.values.stem().capitalize(), f"_{make.values.stem()}", f"-{make.values.word()}"))
