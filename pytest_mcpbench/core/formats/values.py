"""Argument values that a format writes raw, without quotes: their types come from the tool's schema."""

from collections.abc import Mapping, Sequence

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.formats.jsonread import check_depth, dump, whole_json
from pytest_mcpbench.core.formats.literal import read_literal
from pytest_mcpbench.core.formats.reading import ReadError, skip_space

_NAMES = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "dict": "object",
    "list": "array",
    "tuple": "array",
    "none": "null",
}
_TYPES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("null", (type(None),)),
    ("boolean", (bool,)),
    ("integer", (int,)),
    ("number", (float,)),
    ("string", (str,)),
    ("array", (list, tuple)),
    ("object", (dict,)),
)
ANY = frozenset(name for name, _ in _TYPES)


class RawTypes:
    """What the offered tools say about raw values.

    Where the schema admits only text, the value is the text as it stands. Where it admits other types, the value is
    read as JSON or as a Python literal, and kept as text if it is neither. Where there is no schema for a value,
    it is text, or with `untyped_json` whatever JSON it reads as.
    """

    def __init__(self, tools: Sequence[Tool] | None, *, untyped_json: bool = False) -> None:
        self._parameters = {tool.name: tool.parameters for tool in tools or ()}
        self._untyped_json = untyped_json

    def value(self, tool: str, parameter: str, raw: str) -> Json:
        """The value of that parameter, written `raw`."""
        known = self._parameters.get(tool, {})
        if parameter not in known:
            return _decoded(raw, ANY) if self._untyped_json else raw
        return _decoded(raw, schema_types(known[parameter]))


def schema_types(schema: Json) -> frozenset[str]:
    """The JSON types that a schema admits, by `type`, `enum`, `const` and alternatives; all where it says nothing."""
    if not isinstance(schema, Mapping):
        return ANY
    declared = schema.get("type")
    if isinstance(declared, str | list):
        names = [declared] if isinstance(declared, str) else declared
        types = frozenset(_NAMES.get(str(name).lower(), str(name).lower()) for name in names)
        return types if types <= ANY else ANY
    for keyword in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword), list):
            return frozenset().union(*(schema_types(option) for option in schema[keyword]))
    values = schema["enum"] if isinstance(schema.get("enum"), list) else [schema["const"]] if "const" in schema else []
    return frozenset(type_name(value) for value in values) or ANY


def type_name(value: Json) -> str:
    """The JSON type of a value, `integer` for an int."""
    return next(name for name, kinds in _TYPES if isinstance(value, kinds))


def raw_text(value: Json) -> str:
    """How a raw value is written: text as it stands, everything else as JSON."""
    return value if isinstance(value, str) else dump(value)


def tools_for(calls: Sequence[ToolCall]) -> list[Tool]:
    """Tools whose schemas give every argument of the calls the type that it has."""
    types: dict[str, dict[str, set[str]]] = {}
    for call in calls:
        parameters = types.setdefault(call.name, {})
        for key, value in call.arguments.items():
            parameters.setdefault(key, set()).add(type_name(value))
    return [
        Tool(name=name, input_schema={"properties": {key: {"type": sorted(kinds)} for key, kinds in known.items()}})
        for name, known in types.items()
    ]


def _decoded(raw: str, types: frozenset[str]) -> Json:
    if types == {"string"}:
        return raw
    read, value = _read(raw)
    if not read or isinstance(value, str):
        return raw
    fits = type_name(value) in types or (type_name(value) == "integer" and "number" in types)
    return value if fits or "string" not in types else raw


def _read(raw: str) -> tuple[bool, Json]:
    """Whether all of the text is a JSON value or a Python literal, and which."""
    try:
        value = whole_json(raw)
        check_depth(value)
    except ReadError:
        try:
            value, end = read_literal(raw, 0)
        except ReadError:
            return False, None
        return skip_space(raw, end) >= len(raw), value
    return True, value
