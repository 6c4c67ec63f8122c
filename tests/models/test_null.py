import pytest

from pytest_mcpbench.core.case import Message, Tool
from pytest_mcpbench.core.floors import FLOORS
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.plan import GenerationSettings, Request, request_of
from pytest_mcpbench.models.base import LoadOptions
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.models.null import ABOUT

SCHEMA = {
    "properties": {"path": {"type": "string"}, "n": {"type": "integer"}, "all": {"type": "boolean"}},
    "required": ["path", "n"],
}
TOOLS = [Tool(name="read", input_schema=SCHEMA), Tool(name="other")]
REQUEST = request_of([Message(role="user", content="read  a.py"), Message(role="assistant", content="no")], TOOLS)


def answer(spec: str, request: Request = REQUEST, fmt: str = "auto") -> str:
    model = load_model(resolve(spec), LoadOptions(fmt=fmt))
    generation = model.generate_batch([request], GenerationSettings())[0]
    assert generation.finish_reason == "stop"
    return generation.text


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("null:silent", ""),
        ("null:first-tool", "<tool_use>read(path='', n=0)</tool_use>"),
        ("null:echo", "read  a.py"),
    ],
)
def test_a_null_model_answers_its_one_thing(spec: str, text: str) -> None:
    assert answer(spec) == text


def test_the_first_tool_is_called_in_the_format_that_is_read() -> None:
    text = answer("null:first-tool", fmt="hermes")
    assert [call.name for call in get_format("hermes").parse(text).calls] == ["read"]


def test_without_tools_there_is_no_first_one() -> None:
    assert answer("null:first-tool", request_of([Message(role="user", content="hi")], [])) == ""


def test_every_floor_is_described_and_says_what_it_is() -> None:
    assert ABOUT.keys() == FLOORS.keys()
    model = load_model(resolve("null:echo"), LoadOptions())
    assert (model.info.kind, model.info.spec, model.info.device, model.cacheable) == ("null", "null:echo", "", False)
