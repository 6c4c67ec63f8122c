"""Raw values take the type that the tool's schema gives them."""

import pytest

from pytest_mcpbench.core.case import Tool
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.formats.values import RawTypes, schema_types


@pytest.mark.parametrize(
    ("schema", "raw", "value"),
    [
        ({"type": "string"}, "3", "3"),
        ({"type": "string"}, ' "a" ', ' "a" '),
        ({"type": "string"}, "null", "null"),
        ({"type": ["string", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "5", 5),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "some text", "some text"),
        ({"oneOf": [{"type": "array"}, {"type": "null"}]}, '["a"]', ["a"]),
        ({"type": "integer"}, "\n42\n", 42),
        ({"type": "integer"}, "4.5", 4.5),
        ({"type": "integer"}, "soon", "soon"),
        ({"type": "number"}, "2", 2),
        ({"type": "float"}, "2.5", 2.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "object"}, "{'k': [1, None]}", {"k": [1, None]}),
        ({"type": "array"}, '[{"a": 1}]', [{"a": 1}]),
        ({"type": ["string", "boolean"]}, "1", "1"),
        ({"enum": ["1", "2"]}, "1", "1"),
        ({"enum": [1, 2]}, "1", 1),
        ({"const": "x"}, "x", "x"),
        ({}, "7", 7),
        ({}, "seven", "seven"),
        (True, "7", 7),
    ],
)
def test_a_raw_value_is_read_as_its_schema_says(schema, raw, value):
    types = RawTypes([Tool(name="f", input_schema={"properties": {"x": schema}})])
    assert repr(types.value("f", "x", raw)) == repr(value)


def test_without_a_schema_a_value_is_text_or_json_as_the_family_has_it():
    assert RawTypes(None).value("f", "x", "7") == "7"
    assert RawTypes(None, untyped_json=True).value("f", "x", "7") == 7
    assert RawTypes(None, untyped_json=True).value("f", "x", '"7"') == '"7"'
    assert parse(
        '<minimax:tool_call><invoke name="f"><parameter name="x">5</parameter></invoke></minimax:tool_call>'
    ).calls[0].arguments == {"x": "5"}
    assert parse("<tool_call>f<arg_key>x</arg_key><arg_value>5</arg_value></tool_call>").calls[0].arguments == {"x": 5}


def test_a_schema_that_says_nothing_admits_every_type():
    assert schema_types({}) == schema_types({"type": "any"}) == schema_types(None)
    assert len(schema_types({})) == 7
