import pytest

from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.options import OPTIONS, BenchOptions, ModelSpec, Option, read_options
from tests.plugin.conftest import LEAN, Bench


def options_of(pytester: pytest.Pytester, *args: str) -> BenchOptions:
    options = read_options(pytester.parseconfig(*LEAN, *args))
    assert options is not None
    return options


def test_the_defaults_are_those_of_the_help(pytester: pytest.Pytester) -> None:
    options = options_of(pytester, "--mcp-model=null:echo")
    assert options.model == (ModelSpec(spec="null:echo"),)
    assert options.settings == GenerationSettings(max_new_tokens=150, batch_size=0, tool_detail="line", seed=0)
    assert (options.gate, options.format, options.device, options.dtype, options.threads) == (
        "point",
        "auto",
        "auto",
        "auto",
        0,
    )
    assert (options.strict, options.missed, options.no_cache) == (False, False, False)
    assert (options.cases, options.json, options.base, options.tools) == ((), None, None, None)


def test_no_option_means_no_run(pytester: pytest.Pytester) -> None:
    assert read_options(pytester.parseconfig(*LEAN)) is None


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_option_has_help_that_ends_with_its_default_and_an_ini_twin(option: Option) -> None:
    assert option.full_help.rstrip(")").rpartition("(default: ")[2] == (
        option.default or ("none" if option.parse else "off")
    )
    assert option.flag == f"--mcp-{option.name}"
    assert option.key == "mcp_" + option.name.replace("-", "_")


def test_the_help_names_every_option(bench: Bench) -> None:
    screen = bench.plain("--help").stdout.str()
    assert [option.flag for option in OPTIONS if option.flag not in screen] == []
    assert [option.key for option in OPTIONS if f"{option.key} " not in screen] == []


def test_the_ini_twins_are_read(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        """
        [pytest]
        mcp_model =
            base=null:echo
            null:silent
        mcp_gate = certified
        mcp_strict = true
        mcp_target =
            level1=0.5
            tool:grep=0.25
        mcp_batch_size = 3
        mcp_max_new_tokens = 20
        mcp_tool_detail = schema
        mcp_no_cache = yes
        """
    )
    options = options_of(pytester)
    assert options.model == (ModelSpec(spec="null:echo", label="base"), ModelSpec(spec="null:silent"))
    assert (options.gate, options.strict, options.no_cache) == ("certified", True, True)
    assert options.targets.levels["level1"] == 0.5
    assert options.targets.for_tool("grep") == 0.25
    assert options.settings == GenerationSettings(max_new_tokens=20, batch_size=3, tool_detail="schema")


def test_the_command_line_wins_over_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmcp_gate = certified\nmcp_batch_size = 3\n")
    options = options_of(pytester, "--mcp-model=null:echo", "--mcp-gate=off", "--mcp-batch-size=auto")
    assert (options.gate, options.batch_size) == ("off", 0)


def test_targets_come_from_pyproject_and_the_command_line_wins(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        [tool.mcpbench.targets]
        level1 = 0.5
        tool_accuracy = 0.6
        "tool:grep" = 0.7
        """
    )
    targets = options_of(pytester, "--mcp-model=null:echo", "--mcp-target=level1=0.4").targets
    assert targets.levels == {"level1": 0.4, "level2": 0.95, "level3": 0.6, "level4": 0.90}
    assert (targets.for_tool("grep"), targets.for_tool("read")) == (0.7, 0.9)


def test_a_target_decides_a_gate(bench: Bench) -> None:
    passing = [f"--mcp-target={name}=0.5" for name in ("level1", "level2", "level3", "level4", "tool")]
    assert bench.run(*passing, model="candidate").ret == 0
    failing = bench.run(*passing, "--mcp-target=tool:read=0.7", model="candidate")
    assert failing.ret == 1
    failing.stdout.fnmatch_lines(["*gates: 6 of 7 passed: tool:read FAIL"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null:echo", ModelSpec(spec="null:echo")),
        ("a=null:echo", ModelSpec(spec="null:echo", label="a")),
        ("int8.v2-x=some/folder", ModelSpec(spec="some/folder", label="int8.v2-x")),
        ("a=replay:x=y.jsonl", ModelSpec(spec="replay:x=y.jsonl", label="a")),
    ],
)
def test_a_label_stands_in_front_of_the_first_equals_sign(
    pytester: pytest.Pytester, text: str, expected: ModelSpec
) -> None:
    assert options_of(pytester, f"--mcp-model={text}").model == (expected,)


def test_a_path_that_exists_is_a_path_even_with_an_equals_sign(pytester: pytest.Pytester) -> None:
    (pytester.path / "r=32").mkdir()
    assert options_of(pytester, "--mcp-model=r=32").model == (ModelSpec(spec="r=32"),)


def test_the_tools_option_replaces_the_tools_of_every_case(bench: Bench) -> None:
    (bench.path / "tools.json").write_text('[{"name": "ping", "inputSchema": {"type": "object"}}]')
    bench.write_cases([{"id": "a", "prompt": "go", "expected": [{"name": "ping"}]}])
    result = bench.plain("--mcp-model=null:first-tool", "--mcp-cases=cases.jsonl", "--mcp-tools=tools.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*ping     1/1 (100.0 %); parameters 1/1*"])


def test_cases_may_come_from_several_files_and_folders(bench: Bench) -> None:
    (bench.path / "more").mkdir()
    bench.write_cases([{"id": "more-1", "prompt": "hi", "tools": "coding", "expected": []}], "more/more.jsonl")
    result = bench.run("--mcp-cases=more", "--co", "-q")
    assert any("base-more-1" in line for line in result.stdout.lines)
    assert any("base-read-1" in line for line in result.stdout.lines)


def test_a_projects_conftest_may_bring_a_format_of_its_own(bench: Bench) -> None:
    (bench.path / "conftest.py").write_text(
        """
from pytest_mcpbench.core.case import ToolCall
from pytest_mcpbench.core.formats import no_attempt, parsed

class Shout:
    name = "shout-for-a-test"
    def parse(self, text, tools=None):
        return parsed([ToolCall(name=text[1:])]) if text.startswith("!") else no_attempt(text)
    def render(self, calls):
        return "".join(f"!{call.name}" for call in calls)
    def is_complete(self, text):
        return False
    def instructions(self, tools, detail):
        return "Shout."

def pytest_mcpbench_formats():
    return [Shout()]
"""
    )
    bench.write_answers({"read-1": "!read", "none-1": "no"})
    result = bench.run("-m", "level3", "-k", "read-1 or none-1", "--mcp-format=shout-for-a-test", subprocess=True)
    assert result.parseoutcomes() == {"passed": 2, "deselected": 39}
