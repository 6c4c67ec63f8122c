"""Hostile text: nothing raises, nothing takes long, and no call comes out that was not in the text."""

# ruff: noqa: E501, RUF001 - tables of hostile text, with quotes and bars that are not ASCII

import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Json, ToolCall
from pytest_mcpbench.core.formats import format_names, parse, render
from pytest_mcpbench.core.formats.family import same_call
from pytest_mcpbench.core.formats.values import tools_for
from tests.core.formats.malformed import MALFORMED
from tests.core.formats.wellformed import ANSWERS, TOOLS

FORMATS = format_names()
PLAIN = "abcdefgh"
plain_values = st.recursive(
    st.text(alphabet=PLAIN, min_size=1, max_size=8) | st.integers(10, 10**6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet=PLAIN, min_size=1), inner, max_size=2),
    max_leaves=4,
)
plain_calls = st.lists(
    st.builds(
        ToolCall,
        name=st.sampled_from(["read", "write"]),
        arguments=st.dictionaries(st.sampled_from(["path", "n"]), plain_values, max_size=2),
    ),
    min_size=1,
    max_size=2,
)
UNITS = [
    "<tool_call>", "<tool_use>", "<think>", "</think>", "<think></think>", "```", "`<tool_use>` ", "[", "{", "(", "-",
    "1+", "\\", '"', "'", '{"a":', "[a(", "<function=a><parameter=x></think>", "</parameter>", "<|im_end|>", "\n",
    '<tool_call>{"name": "a", "arguments": {}}</tool_call>', "<|message|>", "[TOOL_CALLS]a{}", "functools[", "<|tool_call|>",
    '{"name":"a","parameters":{}};', "<start_function_call>call:a{b:[", "<arg_key>", "<｜tool▁call▁begin｜>",
]  # fmt: skip
PREFIXES = [
    "<tool_use>a(x=", "<tool_use>a(x='", "<tool_use>a(x=[", '<tool_call>{"name":"a","arguments":{"x":"', "[a(x=",
    "<tool_call><function=a><parameter=x>", "<tool_call>a<arg_key>k</arg_key><arg_value>", "<start_function_call>call:a{b:",
    "<|tool_call_begin|>functions.",
]  # fmt: skip


def _leaves(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in (key, *_leaves(item))]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=10)
@given(made=plain_calls, data=st.data())
def test_a_cut_text_holds_the_first_calls_or_none(fmt, made, data):
    text = render(made, fmt)
    cut = text[: data.draw(st.integers(0, len(text)))]
    back = parse(cut, fmt, tools_for(made)).calls
    assert len(back) <= len(made)
    assert all(map(same_call, made, back))


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=12)
@given(made=plain_calls, data=st.data())
def test_a_changed_character_never_brings_in_values_that_are_not_in_the_text(fmt, made, data):
    text = render(made, fmt)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("x7 <>{}[]()=:,'\"|/\n")) + text[at + 1 :]
    for call in parse(changed, fmt, tools_for(made)).calls:
        assert call.name in changed
        assert all(leaf in changed for leaf in _leaves(dict(call.arguments)))


@pytest.mark.parametrize("fmt", FORMATS)
@settings(max_examples=10)
@given(parts=st.lists(st.sampled_from([*UNITS, *PREFIXES]) | st.text(max_size=6), max_size=12))
def test_no_mixture_of_markers_raises(fmt, parts):
    result = parse("".join(parts), fmt, TOOLS)
    assert bool(result.calls) == (result.status == "parsed")


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_answer_of_any_other_format_raises(fmt):
    for text in [answer.text for answer in ANSWERS] + [row[1] for row in MALFORMED]:
        parse(text, fmt, TOOLS)
        for at in range(0, len(text), 19):
            parse(text[:at], fmt, TOOLS)


CODE = [
    "__import__('os').system('id')", "open('/etc/passwd').read()", "lambda: 1", "[x for x in (1, 2)]", "9**9**9",
    "f'{1+1}'", "b'x'", "1 if True else 2", "{*()}", "...", "print", "(yield)", "a.b", "x[0]", "not True", "1 + 1", "~1",
    "'a' % 1", "1j", "{'a': open}", "eval('1')", "-'a'", "<function>", "0x", "1_", "--1",
]  # fmt: skip


@pytest.mark.parametrize("code", CODE)
def test_code_in_arguments_is_never_a_value(code):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text, fmt in ((f"<tool_use>f(x={code})</tool_use>", "native"), (f"[f(x={code})]", "pythonic")):
            result = parse(text, fmt)
            assert result.status == "unparsed"


ODD = {
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "surrogate pair in two": "\ud83d\ude00",
    "line separator": "a\u2028b",
    "smart quotes": "“a” ‘b’",
    "byte order mark": "\ufeffa",
    "crlf": "a\r\nb",
    "quotes": "it's \"so\" '''x'''",
    "backslashes": "\\d \\ \\n \\u1234 \\x",
    "markers": "</tool_use></tool_call><think>```[TOOL_CALLS]",
}


@pytest.mark.parametrize("fmt", ["native", "pythonic", "hermes", "mistral", "harmony", "deepseek_v3", "openai_chat"])
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_characters_are_carried_to_the_byte(fmt, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = [ToolCall(name="write", arguments={"content": text})]
        assert parse(render(made, fmt), fmt).calls == tuple(made)


def _slowest(size: int, unit: str, fmt: str) -> float:
    text = (unit * (size // len(unit) + 1))[:size]
    texts = [text] if len(unit) > 6 else [text, *(prefix + text for prefix in PREFIXES)]
    worst = 0.0
    for hostile in texts:
        start = time.perf_counter()
        parse(hostile, fmt, TOOLS)
        worst = max(worst, time.perf_counter() - start)
    return worst


@pytest.mark.parametrize("fmt", FORMATS)
def test_thirty_thousand_hostile_characters_are_read_in_a_fraction_of_a_second(fmt):
    assert max(_slowest(30_000, unit, fmt) for unit in UNITS) < 0.5


@pytest.fixture
def asked_for(request):
    if "slow" not in request.config.option.markexpr:
        pytest.skip("takes minutes; run it with -m slow")


@pytest.mark.slow
@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_million_hostile_characters_are_read_in_a_second_and_ten_times_the_text_takes_ten_times_as_long(fmt):
    for unit in UNITS:
        small = min(_slowest(10**5, unit, fmt) for _ in range(3))
        large = min(_slowest(10**6, unit, fmt) for _ in range(2))
        assert large < 1.0, unit
        assert large < max(30 * small, 0.1), unit
