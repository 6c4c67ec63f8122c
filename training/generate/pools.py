"""The pools that rows are made from: hand-written lines, each of which belongs to training or to validation."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

Split = Literal["train", "validation"]

VALIDATION_SHARE = 0.1
"""The share of each pool that only validation draws from."""

_SALT = "pool-2021"
"""Chosen so that the plainest phrasings ("read {file}", "in {dir}") belong to training."""

_COMMENT = "%%"


def split_of(entry: str) -> Split:
    """The side that a pool's entry belongs to, decided by a hash of its text alone."""
    digest = hashlib.sha256(f"{_SALT} {entry}".encode()).digest()
    return "validation" if int.from_bytes(digest[:4]) < VALIDATION_SHARE * 2**32 else "train"


def side(entries: Iterable[str], split: Split) -> tuple[str, ...]:
    """The entries that belong to that side, in their order; a doubled entry stays doubled and so is drawn more."""
    return tuple(entry for entry in entries if split_of(entry) == split)


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a pool of values, without comments and blank lines."""
    text = _text(f"values/{name}.txt")
    return tuple(line.rstrip() for line in text.split("\n") if line.strip() and not line.startswith(_COMMENT))


@cache
def words(name: str) -> tuple[str, ...]:
    """The words of a pool in which white space parts the entries."""
    return tuple(word for line in lines(name) for word in line.split())


@cache
def sections(name: str) -> Mapping[str, tuple[str, ...]]:
    """The lines under each `== heading` of a pool, of phrasings or of values."""
    return _sections(_text(f"phrases/{name}.txt"))


@cache
def value_sections(name: str) -> Mapping[str, tuple[str, ...]]:
    """The same for a pool of values."""
    return _sections(_text(f"values/{name}.txt"))


@cache
def blocks(name: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The blocks of a pool of texts with several lines, each with the file extensions or names that suit it."""
    found = []
    for chunk in _text(f"values/{name}.txt").split("\n~~~~ ")[1:]:
        suits, _, body = chunk.partition("\n")
        found.append((tuple(suits.strip().split(",")), body.rstrip("\n")))
    return tuple(found)


def _sections(text: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.split("\n"):
        if line.startswith("== ") and " " not in line[3:].strip():
            heading = line[3:].strip()
            found.setdefault(heading, [])
        elif line.strip() and not line.startswith(_COMMENT):
            found.setdefault(heading, []).append(line.rstrip())
    return {name: tuple(entries) for name, entries in found.items()}


def _text(path: str) -> str:
    return files("pytest_mcpbench.training").joinpath("pools", path).read_text(encoding="utf-8")
