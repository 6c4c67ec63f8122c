"""What a tool's JSON Schema says: which arguments are valid, and how strictly one is compared."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pytest_mcpbench.core.case import Arguments, Json, Tool

MatchRule = Literal["exact", "path", "any"]
RULES: tuple[MatchRule, ...] = ("exact", "path", "any")
"""How the value of one parameter may be compared: `"x-mcpbench": {"match": …}` in its schema."""

_ANNOTATION = "x-mcpbench"
_SAYS_NOTHING = {"description", "title", "default", "examples", "$comment", _ANNOTATION}
"""Keywords by which no value is refused."""

_TYPES: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    type(None): frozenset({"null"}),
}
"""The JSON types that a value of a Python type is for certain."""


def schema_problem(tool: Tool) -> str | None:
    """What is wrong with the tool's own schema, in one line; None if nothing is."""
    if tool.input_schema.get("type", "object") != "object":
        return f"the inputSchema's type is {tool.input_schema.get('type')!r}, not 'object'"
    jsonschema = _jsonschema()
    try:
        _validator_class(tool.input_schema).check_schema(tool.input_schema)
    except jsonschema.SchemaError as error:
        return f"the inputSchema is no JSON Schema: {_one_line(error.message)}"
    for name, schema in tool.parameters.items():
        rule = _declared_rule(schema)
        if rule not in RULES:
            return f"parameter {name!r}: {_ANNOTATION}.match is {rule!r}; known rules: {', '.join(RULES)}"
    return None


def match_rule(tool: Tool, parameter: str) -> MatchRule:
    """How values of this parameter are compared; "exact" unless its schema opts into something else."""
    rule: MatchRule = _declared_rule(tool.parameters.get(parameter, {}))
    return rule


class ArgumentChecker:
    """Checks arguments against tool schemas; each schema is compiled once. Drafts 2020-12 and 07 are known.

    References are followed inside a schema, never to a file or to the network.
    """

    def __init__(self) -> None:
        import referencing.exceptions  # noqa: PLC0415 (as jsonschema, below)

        self._referencing = referencing
        self._validators: dict[int, Any] = {}
        self._plain: dict[int, Mapping[str, Json] | None] = {}
        self._tools: list[Tool] = []

    def problem(self, tool: Tool, arguments: Arguments) -> str | None:
        """What breaks the schema, in one line; None if nothing does."""
        validator = self._validators.get(id(tool))
        if validator is None:
            validator = _validator_class(tool.input_schema)(tool.input_schema, registry=self._referencing.Registry())
            self._validators[id(tool)] = validator
            self._plain[id(tool)] = _plain_parameters(tool)
            self._tools.append(tool)
        plain = self._plain[id(tool)]
        if plain is not None and _plainly_valid(plain, tool.required, arguments):
            return None
        unknown = [name for name in arguments if name not in tool.parameters]
        if unknown and not _allows_unknown(tool.input_schema):
            return f"it has no parameter {unknown[0]!r} (parameters: {', '.join(tool.parameters) or 'none'})"
        try:
            error = next(iter(validator.iter_errors(dict(arguments))), None)
        except self._referencing.exceptions.Unresolvable as unresolvable:
            return _one_line(f"the inputSchema refers to {unresolvable.ref!r}, which it does not define")
        except RecursionError:
            return "the inputSchema refers to itself without end"
        if error is None:
            return None
        where = ".".join(str(part) for part in error.absolute_path)
        return _one_line(f"{where}: {error.message}" if where else error.message)


def canonical_name(name: str, tools: Mapping[str, Tool]) -> str:
    """The offered tool that this name means: itself, or the tool that declares it as an alias; else unchanged."""
    if name in tools:
        return name
    return next((tool.name for tool in tools.values() if name in tool.aliases), name)


def allows_type(schema: Json, type_name: str) -> bool:
    """Whether the schema names this JSON type: alone, in a list, or in a branch of `anyOf` or `oneOf`."""
    if not isinstance(schema, Mapping):
        return False
    declared = schema.get("type")
    if type_name in declared if isinstance(declared, list) else declared == type_name:
        return True
    return any(allows_type(branch, type_name) for key in ("anyOf", "oneOf") for branch in schema.get(key, ()))


def _jsonschema() -> Any:
    """The library, loaded with the first schema: it takes as long as a quarter of the plugin."""
    import jsonschema  # noqa: PLC0415 (test runs without a benchmark have no schema)

    return jsonschema


def _validator_class(schema: Mapping[str, Json]) -> Any:
    jsonschema = _jsonschema()
    draft_07 = "draft-07" in str(schema.get("$schema", ""))
    return jsonschema.Draft7Validator if draft_07 else jsonschema.Draft202012Validator


def _plain_parameters(tool: Tool) -> Mapping[str, Json] | None:
    """The parameters whose schemas are no more than a type or an enum; None if the tool's own schema says more."""
    if not set(tool.input_schema) <= {"type", "properties", "required", "additionalProperties", "$schema"}:
        return None
    return {
        name: schema
        for name, schema in tool.parameters.items()
        if isinstance(schema, Mapping) and set(schema) - _SAYS_NOTHING <= {"type", "enum"}
    }


def _plainly_valid(plain: Mapping[str, Json], required: Sequence[str], arguments: Arguments) -> bool:
    """Whether plain comparisons show that all arguments are valid, which saves the library's slower way.

    False decides nothing: the library then finds out, and says what is wrong.
    """
    return all(name in arguments for name in required) and all(
        name in plain and _is_plainly(plain[name], value) for name, value in arguments.items()
    )


def _is_plainly(schema: Mapping[str, Json], value: Json) -> bool:
    declared = schema.get("type")
    known = _TYPES.get(type(value), frozenset())
    types = [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []
    if not known.intersection(types):
        return False
    return "enum" not in schema or (isinstance(value, str) and value in schema["enum"])


def _declared_rule(schema: Json) -> Any:
    annotation = schema.get(_ANNOTATION, {}) if isinstance(schema, Mapping) else {}
    return annotation.get("match", "exact") if isinstance(annotation, Mapping) else annotation


def _allows_unknown(schema: Mapping[str, Json]) -> bool:
    """Unknown arguments are allowed only where the schema says so: a call with a made-up argument is no right call."""
    return schema.get("additionalProperties", False) is not False or "patternProperties" in schema


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else flat[:197] + "…"
