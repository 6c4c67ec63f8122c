from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Tool
from pytest_mcpbench.core.schema import ArgumentChecker, allows_type, canonical_name, match_rule, schema_problem


def tool(**schema: Any) -> Tool:
    return Tool(name="t", input_schema={"type": "object", **schema})


READ = tool(
    properties={"path": {"type": "string"}, "limit": {"type": "integer", "minimum": 1}},
    required=["path"],
    additionalProperties=False,
)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array"}, "the inputSchema's type is 'array', not 'object'"),
        ({"properties": []}, "[] is not of type 'object'"),
        ({"required": "path"}, "'path' is not of type 'array'"),
        ({"properties": {"a": {"type": "strin"}}}, "'strin'"),
        ({"properties": {"a": {"pattern": "("}}}, "'(' is not a 'regex'"),
        ({"properties": {"a": {"x-mcpbench": {"match": "fuzzy"}}}}, "'fuzzy'; known rules: exact, path, any"),
        ({"properties": {"a": {"x-mcpbench": "fuzzy"}}}, "'fuzzy'; known rules: exact, path, any"),
        ({"properties": {"a": {"x-mcpbench": {"match": ["path"]}}}}, "['path']; known rules"),
    ],
)
def test_a_broken_tool_schema_is_described_in_one_line(schema: Any, problem: str) -> None:
    found = schema_problem(Tool(name="t", input_schema=schema))
    assert found is not None
    assert problem in found
    assert "\n" not in found


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"properties": {"a": True}}, {"properties": {"a": {"x-mcpbench": {}}}}]
)
def test_a_small_schema_is_no_problem(schema: Any) -> None:
    assert schema_problem(Tool(name="t", input_schema=schema)) is None


def test_a_rule_is_exact_unless_the_parameter_opts_into_another() -> None:
    ruled = tool(properties={"p": {"x-mcpbench": {"match": "path"}}, "q": {"type": "string"}, "r": True})
    assert [match_rule(ruled, name) for name in "pqrz"] == ["path", "exact", "exact", "exact"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"path": "a"}, None),
        ({"path": "a", "limit": 3}, None),
        ({}, "'path' is a required property"),
        ({"path": 1}, "path: 1 is not of type 'string'"),
        ({"path": "a", "limit": 0}, "limit: 0 is less than the minimum of 1"),
        ({"path": "a", "limit": True}, "limit: True is not of type 'integer'"),
        ({"path": "a", "depth": 1}, "it has no parameter 'depth' (parameters: path, limit)"),
    ],
)
def test_arguments_are_checked_against_the_schema(arguments: Any, problem: str | None) -> None:
    assert ArgumentChecker().problem(READ, arguments) == problem


@pytest.mark.parametrize(
    ("allowance", "allowed"),
    [
        ({}, False),
        ({"additionalProperties": False}, False),
        ({"additionalProperties": True}, True),
        ({"additionalProperties": {}}, True),
        ({"additionalProperties": {"type": "integer"}}, True),
        ({"patternProperties": {"^x": {}}}, True),
    ],
)
def test_a_made_up_argument_is_right_only_where_the_schema_says_so(allowance: Any, allowed: bool) -> None:
    assert (ArgumentChecker().problem(tool(**allowance), {"x": 1}) is None) is allowed


def test_the_two_drafts_read_their_own_keywords() -> None:
    pair = [{"type": "string"}, {"type": "integer"}]
    new = tool(properties={"a": {"prefixItems": pair}})
    old = tool(properties={"a": {"items": pair}}, **{"$schema": "http://json-schema.org/draft-07/schema#"})
    for each in (new, old):
        assert ArgumentChecker().problem(each, {"a": ["x", 1]}) is None
        assert ArgumentChecker().problem(each, {"a": ["x", "y"]}) == "a.1: 'y' is not of type 'integer'"


def test_references_are_followed_inside_the_schema_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"type": "integer"}')
    checker = ArgumentChecker()
    shared = {"$defs": {"word": {"type": "string"}}}
    inside = tool(properties={"a": {"$ref": "#/$defs/word"}}, **shared)
    assert checker.problem(inside, {"a": 1}) == "a: 1 is not of type 'string'"
    for reference in ("#/$defs/none", "http://127.0.0.1:9/other.json", f"file://{tmp_path}/other.json"):
        problem = checker.problem(tool(properties={"a": {"$ref": reference}}), {"a": 1})
        assert problem is not None
        assert problem.startswith("the inputSchema refers to")
        assert problem.endswith("which it does not define")


def test_a_schema_that_refers_to_itself_without_end_is_a_problem_and_no_crash() -> None:
    endless = tool(properties={"a": {"$ref": "#/properties/a"}})
    assert ArgumentChecker().problem(endless, {"a": 1}) == "the inputSchema refers to itself without end"


_VALUES = st.sampled_from(["a", "b", "", 0, 1, -2.0, 1.5, True, False, None, [], ["a"], {}, {"a": 1}])
_TYPE_NAMES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
_PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "type": _TYPE_NAMES | st.lists(_TYPE_NAMES, min_size=1, max_size=2, unique=True),
        "enum": st.lists(_VALUES, min_size=1, max_size=3),
        "minLength": st.just(1),
        "minimum": st.just(1),
        "not": st.just({"const": "a"}),
        "description": st.just("words"),
        "x-mcpbench": st.just({"match": "path"}),
    },
)
_TOOL_SCHEMAS = st.fixed_dictionaries(
    {"properties": st.fixed_dictionaries({"p": _PARAMETERS}, optional={"q": _PARAMETERS})},
    optional={
        "required": st.sampled_from([["p"], ["q"], ["p", "q"]]),
        "minProperties": st.just(2),
        "additionalProperties": st.booleans(),
    },
)


@given(_TOOL_SCHEMAS, st.dictionaries(st.sampled_from("pq"), _VALUES))
def test_what_is_checked_in_short_is_what_the_library_says(schema: Any, arguments: Any) -> None:
    known = set(arguments) <= set(schema["properties"]) or schema.get("additionalProperties", False)
    valid = jsonschema.Draft202012Validator({"type": "object", **schema}).is_valid(arguments)
    assert (ArgumentChecker().problem(tool(**schema), arguments) is None) == (known and valid)


def test_one_checker_keeps_two_tools_apart() -> None:
    checker = ArgumentChecker()
    numbers = tool(properties={"path": {"type": "integer"}})
    assert checker.problem(READ, {"path": "a"}) is None
    assert checker.problem(numbers, {"path": "a"}) == "path: 'a' is not of type 'integer'"
    assert checker.problem(READ, {"path": "a"}) is None


def test_a_long_value_does_not_make_a_long_line() -> None:
    problem = ArgumentChecker().problem(READ, {"path": ["\n" * 5000]})
    assert problem is not None
    assert len(problem) <= 200
    assert "\n" not in problem


def test_a_declared_alias_means_its_tool_and_other_names_mean_themselves() -> None:
    tools = {"read": Tool(name="read", aliases=("Read", "cat")), "cat": Tool(name="cat")}
    assert [canonical_name(name, tools) for name in ("read", "Read", "cat", "READ")] == ["read", "read", "cat", "READ"]


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"type": "number"}, True),
        ({"type": ["string", "number"]}, True),
        ({"oneOf": [{"type": "string"}, {"anyOf": [{"type": "number"}]}]}, True),
        ({"type": "string"}, False),
        ({"anyOf": [True, {"type": "integer"}]}, False),
        ({}, False),
        (None, False),
        (True, False),
    ],
)
def test_a_type_is_named_alone_in_a_list_or_in_a_branch(schema: Any, named: bool) -> None:
    assert allows_type(schema, "number") is named
