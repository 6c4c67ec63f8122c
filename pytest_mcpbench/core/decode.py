"""From JSON values to frozen dataclasses, each field checked against its annotation."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pytest_mcpbench.core.case import Json

Decoder = Callable[[Json], Any]

_SCALARS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("an integer", (int,)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    types.NoneType: ("null", (types.NoneType,)),
}


class DecodeError(Exception):
    """A JSON value that does not fit; `path` leads to it from the outside in."""

    def __init__(self, rule: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(path)}: {rule}" if path else rule)
        self.rule = rule
        self.path = path

    def under(self, key: str) -> "DecodeError":
        """The same error, seen from one level further out."""
        return DecodeError(self.rule, (key, *self.path))


@cache
def decoder(annotation: Any) -> Decoder:
    """A function from a JSON value to a value of the annotated type; it raises DecodeError for one that does not fit.

    Known are dataclasses, mappings by text, tuples, unions with None, literals, enums by name, plain scalars and Any.
    A dataclass renames fields by a class variable `JSON_NAMES` and names in `JSON_INLINE` those whose keys stand
    among its own. Keys that a dataclass does not have are passed over.
    """
    if annotation in _SCALARS:
        return _scalar(annotation)
    if is_dataclass(annotation):
        return _dataclass(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum(annotation)
    origin = get_origin(annotation)
    return _BY_ORIGIN[origin](get_args(annotation)) if origin in _BY_ORIGIN else _as_it_is


def _as_it_is(value: Json) -> Json:
    return value


def _scalar(kind: Any) -> Decoder:
    name, accepted = _SCALARS[kind]

    def decode(value: Json) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise DecodeError(f"{_shown(value)} is not {name}")
        return value

    return decode


def _literal(choices: tuple[Any, ...]) -> Decoder:
    def decode(value: Json) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise DecodeError(f"{_shown(value)} is none of {', '.join(choices)}")
        return value

    return decode


def _enum(kind: type[Enum]) -> Decoder:
    by_name = _literal(tuple(member.name for member in kind))
    return lambda value: kind[by_name(value)]


def _union(parts: tuple[Any, ...]) -> Decoder:
    (inner,) = (decoder(part) for part in parts if part is not types.NoneType)
    return lambda value: None if value is None else inner(value)


def _tuple(parts: tuple[Any, ...]) -> Decoder:
    return _sequence(decoder(parts[0])) if parts[-1] is Ellipsis else _fixed(tuple(map(decoder, parts)))


def _sequence(item: Decoder) -> Decoder:
    def decode(value: Json) -> tuple[Any, ...]:
        return tuple(_at(str(index), item, element) for index, element in enumerate(_list(value)))

    return decode


def _fixed(items: tuple[Decoder, ...]) -> Decoder:
    def decode(value: Json) -> tuple[Any, ...]:
        elements = _list(value)
        if len(elements) != len(items):
            raise DecodeError(f"{len(elements)} values in place of {len(items)}")
        return tuple(_at(str(i), item, element) for i, (item, element) in enumerate(zip(items, elements, strict=True)))

    return decode


def _mapping(parts: tuple[Any, ...]) -> Decoder:
    item = decoder(parts[1])
    return lambda value: {key: _at(key, item, element) for key, element in _object(value).items()}


def _dataclass(kind: Any) -> Decoder:
    hints, names, inline = get_type_hints(kind), getattr(kind, "JSON_NAMES", {}), getattr(kind, "JSON_INLINE", ())
    parts = [
        (field.name, names.get(field.name, field.name), decoder(hints[field.name]), _is_required(field))
        for field in fields(kind)
    ]

    def decode(value: Json) -> Any:
        row = _object(value)
        found = {}
        for name, key, item, required in parts:
            if name in inline:
                found[name] = item(row)
            elif key in row:
                found[name] = _at(key, item, row[key])
            elif required:
                raise DecodeError(f"{key!r} is missing")
        return kind(**found)

    return decode


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _at(key: str, item: Decoder, value: Json) -> Any:
    try:
        return item(value)
    except DecodeError as error:
        raise error.under(key) from None


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise DecodeError(f"{_shown(value)} is not a list")
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise DecodeError(f"{_shown(value)} is not an object")
    return value


def _shown(value: Json) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


_BY_ORIGIN: dict[Any, Callable[[tuple[Any, ...]], Decoder]] = {
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    Mapping: _mapping,
}
