from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import ExpectedCall, Tool, ToolCall
from pytest_mcpbench.core.match import Mismatch, best_pairing, call_mismatches, match_calls, normal_path, values_equal

PATH = {"type": "string", "x-mcpbench": {"match": "path"}}
TOOL = Tool(
    name="read",
    input_schema={
        "properties": {
            "path": PATH,
            "limit": {"type": "integer"},
            "ratio": {"type": "number"},
            "note": {"type": "string", "x-mcpbench": {"match": "any"}},
            "text": {"type": "string"},
        }
    },
)
TOOLS = {"read": TOOL, "grep": Tool(name="grep", input_schema={"properties": {"pattern": {"type": "string"}}})}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
schemas = st.sampled_from([{}, {"type": "number"}, {"type": ["integer", "null"]}, True, None])
calls = st.builds(
    ToolCall,
    name=st.sampled_from(["read", "grep", "ls"]),
    arguments=st.dictionaries(st.sampled_from(["path", "limit", "text"]), st.sampled_from(["a", "./a", 1, True])),
)
expected_calls = st.builds(
    ExpectedCall,
    name=st.sampled_from(["read", "grep"]),
    arguments=st.dictionaries(st.sampled_from(["path", "limit", "text"]), st.sampled_from(["a", "b", 1])),
)


def wrong(want: ExpectedCall, got: ToolCall, *, strict: bool = False) -> list[tuple[str, str]]:
    return [(m.path, m.why) for m in call_mismatches(want, got, TOOL, 0, strict=strict)]


def expect(accept: Any = None, optional: Any = None, **arguments: Any) -> ExpectedCall:
    return ExpectedCall(name="read", arguments=arguments, accept=accept or {}, optional=optional or {})


def call(**arguments: Any) -> ToolCall:
    return ToolCall(name="read", arguments=arguments)


@given(json_values, schemas)
def test_every_json_value_equals_itself(value: Any, schema: Any) -> None:
    assert values_equal(value, value, schema)


@given(json_values, json_values, schemas)
def test_equality_is_symmetric_and_never_looser_than_pythons(one: Any, other: Any, schema: Any) -> None:
    assert values_equal(one, other, schema) == values_equal(other, one, schema)
    if values_equal(one, other, schema):
        assert one == other


@pytest.mark.parametrize(
    ("want", "got"),
    [
        (True, 1),
        (1, True),
        (0, False),
        (3, "3"),
        (None, False),
        (None, 0),
        ("", None),
        ([1, 2], [2, 1]),
        ([1], 1),
        ([True], [1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": True}),
        ({}, []),
        ("a", "A"),
        ("a", "a "),
        ("é", "e\u0301"),
    ],
)
def test_values_of_another_type_or_form_differ(want: Any, got: Any) -> None:
    assert not values_equal(want, got, {})
    assert not values_equal(want, got, {"type": "number"})


@pytest.mark.parametrize(
    ("schema", "equal"),
    [
        ({"type": "number"}, True),
        ({"type": ["number", "null"]}, True),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, True),
        ({"type": "integer"}, False),
        ({"type": ["integer", "string"]}, False),
        ({}, False),
        (True, False),
    ],
)
def test_3_equals_3_0_only_where_the_schema_says_number(schema: Any, equal: bool) -> None:
    assert values_equal(3, 3.0, schema) is equal
    assert values_equal([3], [3.0], {"type": "array", "items": schema}) is equal
    assert values_equal({"a": 3}, {"a": 3.0}, {"properties": {"a": schema}}) is equal
    assert not values_equal(3, 3.5, schema)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("./src//a.py", "src/a.py"),
        ("src/", "src"),
        ("src//", "src"),
        ("././a", "a"),
        ("./", "."),
        (".", "."),
        ("/", "/"),
        ("//", "/"),
        ("/etc/", "/etc"),
        ("", ""),
        ("../a", "../a"),
        ("a/../b", "a/../b"),
        ("SRC", "SRC"),
        (".//a", "a"),
        ("~/a", "~/a"),
        (".github", ".github"),
    ],
)
def test_a_path_loses_only_leading_dots_doubled_and_trailing_slashes(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@given(st.text(alphabet="./a~", max_size=12))
def test_normal_paths_stay_as_they_are(path: str) -> None:
    assert normal_path(normal_path(path)) == normal_path(path)


def test_a_million_slashes_are_normal_at_once() -> None:
    assert normal_path("a" + "/" * 10**6 + "b") == "a/b"


def test_an_argument_may_have_any_accepted_value_and_no_other() -> None:
    want = expect(accept={"text": ("b", "c")}, text="a")
    assert [wrong(want, call(text=text)) for text in "abcd"] == [[], [], [], [("text", "wrong_value")]]


def test_an_optional_argument_may_be_missing_or_have_one_of_its_values() -> None:
    want = expect(optional={"limit": (1, 2)}, text="a")
    assert wrong(want, call(text="a")) == []
    assert wrong(want, call(text="a", limit=2)) == []
    assert wrong(want, call(text="a", limit=3)) == [("limit", "extra")]
    assert wrong(want, call(text="a", limit=True)) == [("limit", "extra")]


def test_an_argument_that_is_expected_or_unheard_of_is_named() -> None:
    assert wrong(expect(text="a"), call()) == [("text", "missing")]
    assert wrong(expect(text="a"), call(text="a", depth=1)) == [("depth", "extra")]
    assert wrong(expect(limit=3), call(limit="3")) == [("limit", "wrong_type")]
    assert wrong(expect(limit=1), call(limit=True)) == [("limit", "wrong_type")]


def test_the_path_rule_forgives_leniently_and_not_strictly() -> None:
    want, got = expect(path="src/a.py"), call(path="./src//a.py")
    assert wrong(want, got) == []
    assert wrong(want, got, strict=True) == [("path", "wrong_value")]
    assert wrong(want, call(path="src/../src/a.py")) == [("path", "wrong_value")]
    assert wrong(expect(text="src/a"), call(text="./src/a")) == [("text", "wrong_value")]


def test_the_path_rule_holds_for_accepted_and_optional_values_too() -> None:
    assert wrong(expect(accept={"path": ("b",)}, path="a"), call(path="./b/")) == []
    assert wrong(expect(optional={"path": (".",)}), call(path="./")) == []


def test_an_argument_with_the_any_rule_is_never_compared() -> None:
    for note in ({}, {"note": "x"}, {"note": 7}):
        assert wrong(expect(text="a"), call(text="a", **note), strict=True) == []
        assert wrong(expect(text="a", note="y"), call(text="a", **note), strict=True) == []


def test_the_order_of_calls_plays_no_part_and_the_pairing_leaves_the_fewest_differences() -> None:
    want = [expect(path="a", text="x"), expect(path="b", text="y")]
    assert match_calls(want, [call(path="b", text="y"), call(path="a", text="x")], TOOLS) == ()
    got = [call(path="a", text="y"), call(path="a", text="x")]
    assert match_calls(want, got, TOOLS) == (Mismatch(call=1, path="path", want="b", got="a", why="wrong_value"),)


def test_calls_of_one_tool_are_paired_however_wrong_their_arguments() -> None:
    want = [expect(path="a", text="x", limit=1), ExpectedCall(name="grep", arguments={})]
    got = [ToolCall(name="grep", arguments={}), call(path="b", text="y", limit=2)]
    assert [(m.call, m.why) for m in match_calls(want, got, TOOLS)] == [(0, "wrong_value")] * 3


def test_missing_and_extra_calls_are_counted() -> None:
    one = expect(path="a")
    assert [m.why for m in match_calls([one, expect(path="b")], [call(path="b")], TOOLS)] == ["missing_call"]
    assert [m.why for m in match_calls([one], [call(path="a"), call(path="a")], TOOLS)] == ["extra_call"]
    grep = ToolCall(name="grep", arguments={})
    assert [(m.why, m.want, m.got) for m in match_calls([one], [grep], TOOLS)] == [("wrong_tool", "read", "grep")]


@given(st.lists(expected_calls, max_size=4), st.lists(calls, max_size=4), st.randoms())
def test_matching_does_not_depend_on_the_order_of_either_side(want: Any, got: Any, random: Any) -> None:
    before = match_calls(want, got, TOOLS)
    mixed_want, mixed_got = random.sample(want, len(want)), random.sample(got, len(got))
    after = match_calls(mixed_want, mixed_got, TOOLS)
    assert len(before) == len(after)
    assert (not before) == (not after)


@given(st.lists(expected_calls, max_size=4))
def test_the_canonical_calls_match_themselves_strictly(want: list[ExpectedCall]) -> None:
    assert match_calls(want, [expected.call for expected in want], TOOLS, strict=True) == ()


@given(st.lists(expected_calls, max_size=3), st.lists(calls, max_size=3))
def test_what_matches_strictly_matches_leniently(want: list[ExpectedCall], got: list[ToolCall]) -> None:
    assert len(match_calls(want, got, TOOLS)) <= len(match_calls(want, got, TOOLS, strict=True))


@given(st.integers(0, 5), st.integers(0, 5), st.data())
def test_no_other_pairing_is_cheaper(rows: int, columns: int, data: st.DataObject) -> None:
    cost = data.draw(
        st.lists(st.lists(st.integers(0, 9), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
    found = best_pairing(rows, columns, lambda i, j: cost[i][j])
    assert len(found) == len(set(found.values())) == min(rows, columns)
    if rows <= columns:
        everyone = [[(i, chosen[i]) for i in range(rows)] for chosen in permutations(range(columns), rows)]
    else:
        everyone = [[(chosen[j], j) for j in range(columns)] for chosen in permutations(range(rows), columns)]
    assert sum(cost[i][j] for i, j in found.items()) == min(sum(cost[i][j] for i, j in pairs) for pairs in everyone)
