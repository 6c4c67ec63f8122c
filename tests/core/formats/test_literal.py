"""The literal reader against Python's own, which it agrees with wherever it reads anything at all."""

import ast
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.formats.literal import read_literal
from pytest_mcpbench.core.formats.reading import ReadError

PIECES = [
    "'", '"', "'''", '"""', "a", "b", "\\", "\\n", "\\x41", "\\u00e9", "\\U0001F600", "\\101", "\\d", "\\\n", "\n", "[",
    "]", "(", ")", "{", "}", ",", ":", " ", "1", "0", ".", "e", "_", "-", "+", "0x1f", "0b1", "True", "None", "r", "u",
]  # fmt: skip


def _read(text: str) -> object:
    value, end = read_literal(text, 0)
    if text[end:].strip():
        raise ReadError("trailing_text", end)
    return value


def _as_json(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    return {key: _as_json(item) for key, item in value.items()} if isinstance(value, dict) else value


@settings(max_examples=400)
@given(text=st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_whatever_it_reads_python_reads_alike(text):
    try:
        value = _read(text)
    except ReadError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = _as_json(ast.literal_eval(text.strip()))
    assert value == known
    assert repr(value) == repr(known)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(max_examples=200)
@given(value=json_values)
def test_it_reads_every_json_value_that_python_writes(value):
    assert repr(_read(repr(value))) == repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("null", None),
        ("'a' \"b\" r'\\d'", "ab\\d"),
        ("u'x'", "x"),
        ("'''a\n'b' \"c\"'''", "a\n'b' \"c\""),
        ("'a\\\r\nb'", "ab"),
        ("(1,)", [1]),
        ("(1)", 1),
        ("()", []),
        ("- 5", -5),
        ("1_000", 1000),
        ("0xFF", 255),
        (".5", 0.5),
        ("1.", 1.0),
        ("[1, 2, 3, ]", [1, 2, 3]),
        ("[10, -20, 'a', 30]", [10, -20, "a", 30]),
        ("{'a': {'b': []}, }", {"a": {"b": []}}),
    ],
)
def test_a_literal_means_what_it_means_in_python_or_json(text, value):
    assert repr(_read(text)) == repr(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unclosed"),
        ("'a", "unclosed"),
        ("'a\\'", "unclosed"),
        ("[1, 2", "unclosed"),
        ("{'a': 1", "unclosed"),
        ("'a\nb'", "newline_in_literal"),
        ("b'a'", "not_a_literal"),
        ("f'a'", "not_a_literal"),
        ("{1, 2}", "key_not_a_string"),
        ("{'a': 1, 'a': 1}", "duplicate_key"),
        ("[1 2]", "not_a_literal"),
        ("[,]", "not_a_literal"),
        ("(,)", "not_a_literal"),
        ("007", "bad_number"),
        ("1.2.3", "bad_number"),
        ("5x", "bad_number"),
        ("1e999", "number_out_of_range"),
        ("9" * 401, "number_out_of_range"),
        ("[" * 65 + "]" * 65, "too_deep"),
        ("'\\x1'", "bad_escape"),
        ("'\\U99999999'", "bad_escape"),
        ("'\\N{DASH}'", "bad_escape"),
        ("nan", "not_a_literal"),
        ("--1", "not_a_literal"),
        ("1+1", "trailing_text"),
        ("...", "bad_number"),
    ],
)
def test_everything_else_is_refused_with_a_reason(text, reason):
    with pytest.raises(ReadError) as caught:
        _read(text)
    assert caught.value.reason == reason
