"""Formats by name, and the ways in which a name is found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mcpbench.core.case import Tool, ToolCall
from pytest_mcpbench.core.formats import Format, format_names, get_format, parse, register, uses_own_template
from pytest_mcpbench.core.formats.registry import ALIASES, FAMILIES
from pytest_mcpbench.errors import FormatError

DOCS = Path(__file__).parents[3] / "docs" / "formats.md"
TOOL = Tool(
    name="read",
    description="Read a file.",
    input_schema={"type": "object", "properties": {"path": {}, "limit": {}}, "required": ["path"]},
)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_format_is_found_by_its_name_and_fulfils_the_protocol(name):
    fmt = get_format(name)
    assert fmt.name == name
    assert isinstance(fmt, Format)
    assert get_format(name) is fmt


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_another_name_of_a_format(alias):
    assert alias not in FAMILIES
    assert get_format(alias) is get_format(ALIASES[alias])


def test_an_unknown_format_is_an_error_that_names_the_known_ones():
    with pytest.raises(FormatError, match=r"unknown format 'hermse'; take one of: auto, .*hermes.*"):
        get_format("hermse")


def test_a_taken_name_cannot_be_registered():
    class Mine:
        name = "qwen3"

    with pytest.raises(FormatError, match="'qwen3' exists already"):
        register(Mine())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_instructions_name_every_tool_and_show_a_call_that_the_format_reads(name):
    fmt = get_format(name)
    line, schema = fmt.instructions([TOOL], "line"), fmt.instructions([TOOL], "schema")
    assert "read(path, limit?): Read a file." in line
    assert "read" in schema
    assert '"properties"' in schema
    if name not in ("auto", "native"):
        example = fmt.render([ToolCall(name="tool_name", arguments={"param1": "value1", "n": 3})])
        assert example in line


def test_only_families_with_templates_of_their_own_use_them():
    assert uses_own_template(get_format("hermes"))
    assert not any(uses_own_template(get_format(name)) for name in ("native", "auto", "gemma3", "openai_chat"))


def test_importing_the_formats_loads_no_family():
    code = (
        "import sys, pytest_mcpbench.core.formats as f;"
        "print(sorted(m.rpartition('.')[2] for m in sys.modules if m.startswith(f.__name__ + '.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['base', 'detect', 'reading', 'registry']"


def test_the_documented_extension_works_as_it_stands():
    code = re.search(r"```python\n(# conftest\.py.*?)```", DOCS.read_text(), re.DOTALL).group(1)
    assert len(code.splitlines()) <= 21
    space: dict[str, object] = {}
    exec(compile(code, "conftest.py", "exec"), space)  # the documentation's own example
    (fmt,) = space["pytest_mcpbench_formats"]()
    register(fmt)
    assert fmt.name in format_names()
    made = [ToolCall(name="read", arguments={"path": "a"})]
    assert parse(fmt.render(made), fmt.name).calls == tuple(made)
    assert parse("CALL! {", fmt.name).reason == "unclosed"


@pytest.mark.parametrize("name", [*FAMILIES, *ALIASES])
def test_the_documentation_names_every_format_and_alias(name):
    assert f"`{name}`" in DOCS.read_text()
