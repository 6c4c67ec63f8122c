"""A chat template of the format's own family offers the tools itself, and `auto` finds the format."""

import json

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from pytest_mcpbench.core.case import Message, Tool, ToolCall
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.plan import request_of
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.folder import TRAINING, trained
from pytest_mcpbench.models.load import pick_format
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt

HERMES = (
    "{% for tool in tools or [] %}<tools>{{ tool | tojson }}</tools>{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for call in m.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEAF = "{% for m in messages %}<tool_call>{{ m.role }}: {{ m.content }}\n</tool_call>{% endfor %}"
READ = Tool(
    name="read",
    description="Read a file.",
    input_schema={"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]},
)


def tokenizer(template: str) -> PreTrainedTokenizerFast:
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, unk_token="x")))
    made.chat_template = template
    return made


def test_auto_takes_the_trained_format_then_the_templates_then_native() -> None:
    assert pick_format("auto", HERMES, "native").name == "native"
    assert pick_format("auto", HERMES).name == "hermes"
    assert pick_format("auto", None).name == "native"
    assert pick_format("mistral", HERMES, "native").name == "mistral"


def test_the_templates_own_tool_rendering_is_used_for_its_family() -> None:
    style = PromptStyle(fmt=get_format("hermes"), tokenizer=tokenizer(HERMES))
    text = build_prompt(request_of([Message(role="user", content="Read a.py")], [READ]), style).text
    assert "<tools>" in text
    assert '"file_path"' in text
    assert "You can call tools" not in text
    assert text.endswith("<|im_start|>assistant\n")


def test_earlier_calls_and_results_reach_the_template() -> None:
    turns = [
        Message(role="user", content="Read a.py"),
        Message(role="assistant", calls=(ToolCall(name="read", arguments={"file_path": "a.py"}),)),
        Message(role="tool", content="print(1)", name="read"),
    ]
    style = PromptStyle(fmt=get_format("hermes"), tokenizer=tokenizer(HERMES))
    text = build_prompt(request_of(turns, [READ]), style).text
    assert '"file_path": "a.py"' in text.split("<|im_start|>assistant")[1]
    assert "print(1)" in text


def test_the_native_format_brings_its_own_instructions_into_any_template() -> None:
    style = PromptStyle(fmt=get_format("native"), tokenizer=tokenizer(HERMES))
    text = build_prompt(request_of([Message(role="user", content="Read a.py")], [READ]), style).text
    assert "<tool_use>tool_name(" in text
    assert "<tools>" not in text


def test_a_template_that_leaves_the_tools_out_is_an_error_with_a_way_out() -> None:
    style = PromptStyle(fmt=get_format("hermes"), tokenizer=tokenizer(DEAF))
    with pytest.raises(ModelError, match=r"leaves the tool 'read' out; .*--mcp-format=native"):
        build_prompt(request_of([Message(role="user", content="hello")], [READ]), style)


def test_training_leaves_the_format_for_evaluation(tmp_path) -> None:
    assert trained(tmp_path).format is None
    (tmp_path / TRAINING).write_text(json.dumps({"format": "native"}), encoding="utf-8")
    assert trained(tmp_path).format == "native"
