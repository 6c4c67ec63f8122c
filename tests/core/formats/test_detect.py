"""Which format a chat template or a text is in."""

# ruff: noqa: RUF001 - DeepSeek's tokens are spelled with a full-width bar

import pytest

from pytest_mcpbench.core.formats import detect_format, parse
from pytest_mcpbench.core.formats.detect import marked_format


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ('{{- \'\\n<tool_call>\\n{"name": "\' }}...</tool_call>', "hermes"),
        ("<tool_call>\\n<function=example>\\n<parameter=x>", "qwen3_coder"),
        ("<tool_call>{{ name }}<arg_key>", "glm45"),
        ("<|start_header_id|>...<|python_tag|>", "llama3_json"),
        ('<|start_header_id|>... {"name": function name, "parameters": dictionary}', "llama3_json"),
        ("<|python_start|>[", "llama4_pythonic"),
        ("[AVAILABLE_TOOLS]...[TOOL_CALLS][", "mistral"),
        ("[TOOL_CALLS]' + name + '[ARGS]", "mistral_v13"),
        ("<|tool|>{{ tools }}<|/tool|><|end|>", "phi4_mini_json"),
        ("prefix calls with functools", "phi4_mini_json"),
        ("<|start_of_role|>...<|tool_call|>", "granite"),
        ("<function_call>", "granite_20b_fc"),
        ("<start_function_call>call:", "functiongemma"),
        ("<|tool_call>call:", "gemma4"),
        ("<start_of_turn>model", "gemma3"),
        ("<｜tool▁calls▁begin｜>...```json", "deepseek_v3"),
        ("<｜tool▁calls▁begin｜>...<｜tool▁sep｜>", "deepseek_v31"),
        ("<｜DSML｜function_calls>", "deepseek_v32"),
        ("<｜DSML｜tool_calls>", "deepseek_v4"),
        ("<|tool_calls_section_begin|>", "kimi_k2"),
        ("{%- set toolcall_begin_token = '<minimax:tool_call>' %}", "minimax_m2"),
        ("<|channel|>commentary to=functions.", "harmony"),
        ("<|tool_call_start|>", "lfm2"),
        ("<function_calls>", "olmo3"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", None),
        ("", None),
    ],
)
def test_a_chat_template_names_its_format_by_its_markers(template, name):
    assert detect_format(template) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<tool_call>\n{", "hermes"),
        ("<tool_call>[", "granite"),
        ("<tool_call><function=", "qwen3_coder"),
        ("<tool_call>now</tool_call>", "glm45"),
        ("<tool_call>Hm", "hermes"),
        ("<|tool_call|> {", "granite"),
        ("<|tool_call|>{", "phi4_mini_json"),
        ("<|tool_call|> [{}]<|/tool_call|>", "phi4_mini_json"),
        ("</tool_call>", "hermes"),
        ("<think><tool_use></think><tool_call>{", "hermes"),
        ("<think><tool_call>{", "hermes"),
        ("```\n<tool_use>\n```\n[TOOL_CALLS]", "mistral"),
        ("Write `<tool_use>` or <tool_call>{", "hermes"),
        ("Nothing.", None),
    ],
)
def test_a_text_is_in_the_format_of_its_first_marker_outside_reasoning_and_code(text, name):
    assert marked_format(text) == name


def test_behind_reasoning_that_the_prompt_opened_the_answer_decides():
    result = parse('I could write <tool_use> but no.</think>[TOOL_CALLS]now{"a": 1}', "auto")
    assert [call.name for call in result.calls] == ["now"]
    assert "format=mistral" in result.notes
