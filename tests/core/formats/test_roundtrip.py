"""What a format renders, it reads back; what it cannot carry, it refuses."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.case import ToolCall
from pytest_mcpbench.core.formats import format_names, parse, render
from pytest_mcpbench.core.formats.family import same_call
from pytest_mcpbench.core.formats.reading import MAX_DEPTH, MAX_DIGITS
from pytest_mcpbench.core.formats.values import tools_for
from pytest_mcpbench.errors import FormatError

FORMATS = format_names()
ANY_JSON = {
    "native",
    "hermes",
    "llama3_json",
    "phi4_mini_json",
    "mistral",
    "mistral_v13",
    "granite",
    "granite_20b_fc",
    "deepseek_v3",
    "deepseek_v31",
    "kimi_k2",
    "harmony",
    "xlam",
    "openai_chat",
    "openai_responses",
    "anthropic",
    "pythonic",
    "llama4_pythonic",
    "olmo3",
    "lfm2",
    "gemma3",
}
"""Formats that carry every JSON value; the others write text raw or between delimiters that it may not contain."""

MARKERS = [
    "</tool_call>",
    "<think>",
    "</think>",
    "```",
    "`",
    "<escape>",
    '<|"|>',
    "</parameter>",
    "[TOOL_CALLS]",
    "'''",
]
texts = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from([*MARKERS, "\n", "\\", '"', "'", " ", "a", "\u2028", "\x00", "ü"]), max_size=5).map(
        "".join
    ),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
words = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
calls = st.lists(
    st.builds(ToolCall, name=words, arguments=st.dictionaries(words, values, max_size=3)), min_size=1, max_size=3
)


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=20)
@given(made=calls)
def test_rendered_calls_are_read_back_with_their_types(fmt, made):
    try:
        text = render(made, fmt)
    except FormatError:
        assert fmt not in ANY_JSON | {"auto"}
        return
    back = parse(text, fmt, tools_for(made))
    assert back.status == "parsed"
    assert len(back.calls) == len(made)
    assert all(map(same_call, made, back.calls))
    assert back.text.strip() == ""


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=10)
@given(text=st.text(alphabet=string.ascii_letters + string.digits + " .,:;!?_/-\n", max_size=40), number=st.integers())
def test_every_format_carries_plain_text_and_numbers(fmt, text, number):
    made = [ToolCall(name="write", arguments={"content": text, "n": number})]
    assert same_call(made[0], parse(render(made, fmt), fmt, tools_for(made)).calls[0])


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=12)
@given(made=calls)
def test_auto_reads_what_any_format_renders(fmt, made):
    try:
        text = render(made, fmt)
    except FormatError:
        return
    back = parse(text, "auto", tools_for(made)).calls
    assert len(back) == len(made)
    assert all(map(same_call, made, back))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 10**MAX_DIGITS, {1: 2}, {"a": {1: 2}}, {1, 2}, b"x", [float("nan")], (1, 2)],
    ids=repr,
)
def test_what_is_no_json_is_refused(fmt, value):
    with pytest.raises(FormatError, match=r"\A[^\n]+\Z"):
        render([ToolCall(name="f", arguments={"x": value})], fmt)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_deepest_value_and_the_longest_number_are_read_back_and_one_more_is_refused(fmt):
    deepest: object = 1
    for _ in range(MAX_DEPTH):
        deepest = [deepest]
    for value in (deepest, 10**MAX_DIGITS - 1, 1 - 10**MAX_DIGITS):
        made = [ToolCall(name="f", arguments={"x": value})]
        assert parse(render(made, fmt), fmt, tools_for(made)).calls[0].arguments == {"x": value}
    with pytest.raises(FormatError, match="nested too deep"):
        render([ToolCall(name="f", arguments={"x": [deepest]})], fmt)


@pytest.mark.parametrize(
    ("fmt", "value"),
    [
        ("functiongemma", "a<escape>b"),
        ("gemma4", 'a<|"|>b'),
        ("qwen3_coder", "a</parameter>\n<parameter=b>"),
        ("glm45", "a<arg_key>b"),
        ("minimax_m2", 'a</parameter><parameter name="b">'),
        ("deepseek_v32", "a</｜DSML｜parameter></｜DSML｜invoke>"),  # noqa: RUF001 - DeepSeek's tag
    ],
)
def test_text_that_a_raw_format_could_not_tell_from_its_tags_is_refused(fmt, value):
    with pytest.raises(FormatError, match=fmt):
        render([ToolCall(name="f", arguments={"x": value})], fmt)


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_calls_are_rendered_as_nothing_and_a_nameless_tool_is_refused(fmt):
    assert render([], fmt) == ""
    with pytest.raises(FormatError):
        render([ToolCall(name=" ")], fmt)
