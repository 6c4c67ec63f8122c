"""Rows of JSON that people wrote: each read with an error that names file, line, rule and value."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.errors import CaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a piece of input stands, for error messages."""

    path: str
    line: int | None = None
    case_id: str | None = None

    def fail(self, problem: str) -> NoReturn:
        """Raise a CaseError that names this place."""
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        raise CaseError(f"{where}: {problem}" if self.case_id is None else f"{where}: case {self.case_id!r}: {problem}")


def json_lines(path: Path) -> Iterator[tuple[Place, Json]]:
    """The JSON value of each line that is not blank, with its place."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        Place(path=str(path)).fail(f"cannot be read: {first_line(error)}")
    empty = True
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        empty = False
        place = Place(path=str(path), line=number)
        try:
            yield place, json.loads(line, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            place.fail(f"no JSON value on this line: {first_line(error)}; a case is one line of JSON")
    if empty:
        Place(path=str(path)).fail("no cases in it; write one case a line")


def _no_doubles(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} twice in one object")
    return result


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")


def object_of(data: Json, what: str, known: Sequence[str], place: Place) -> Mapping[str, Json]:
    """The JSON object `data`, if it has only known keys; an error names the nearest known one."""
    if not isinstance(data, dict):
        place.fail(f"{what} must be a JSON object, not {_kind(data)}")
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            place.fail(f"{what} has no key {key!r}; the nearest known key is {near[0]!r} (known: {', '.join(known)})")
    return data


def mapping_at(row: Mapping[str, Json], key: str, place: Place) -> Mapping[str, Json]:
    """The object under `key`, {} where there is none."""
    value = row.get(key, {})
    if not isinstance(value, dict):
        place.fail(f"{key!r} must be a JSON object, not {_kind(value)}")
    return value


def value_lists_at(row: Mapping[str, Json], key: str, place: Place) -> Mapping[str, tuple[Json, ...]]:
    """The object of non-empty value lists under `key`, {} where there is none."""
    values = mapping_at(row, key, place)
    for name, items in values.items():
        if not isinstance(items, list) or not items:
            place.fail(f"{key!r} of {name!r} must be a non-empty list of values")
    return {name: tuple(items) for name, items in values.items()}


def strings_at(row: Mapping[str, Json], key: str, place: Place) -> list[str]:
    """The list of words under `key`, [] where there is none."""
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        place.fail(f"{key!r} must be a list of words")
    return value


def text_at(row: Mapping[str, Json], key: str, place: Place) -> str | None:
    """The text under `key`, None where there is none."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        place.fail(f"{key!r} must be a text, not {_kind(value)}")
    return value


def _kind(value: Json) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    return str(error).split("\n", 1)[0] or type(error).__name__
