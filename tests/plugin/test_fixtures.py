from importlib.resources import files
from pathlib import Path

import pytest

from tests.plugin.conftest import Bench, usage_error

STRANGER = Path(__file__).parent / "stranger" / "test_my_model.py"
READ = {"prompt": "Read package.json", "text": "<tool_use>read(file_path='package.json')</tool_use>"}
THANKS = {"prompt": "thanks, that file was right", "text": "You are welcome."}
FINETUNED = "--mcp-model=finetuned=replay:answers.jsonl"


@pytest.fixture
def stranger(bench: Bench) -> Bench:
    (bench.path / STRANGER.name).write_text(STRANGER.read_text(encoding="utf-8"))
    bench.write_cases([READ, THANKS], "answers.jsonl")
    return bench


def test_the_documented_example_has_at_most_fifteen_lines_and_passes_on_a_right_model(stranger: Bench) -> None:
    assert len(STRANGER.read_text(encoding="utf-8").splitlines()) <= 15
    result = stranger.plain(STRANGER.name, FINETUNED)
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 2}


def test_the_documented_example_fails_on_a_wrong_model(stranger: Bench) -> None:
    stranger.write_cases([{**READ, "text": "<tool_use>read(file_path='x')</tool_use>"}, THANKS], "answers.jsonl")
    result = stranger.plain(STRANGER.name, FINETUNED)
    assert result.ret == 1
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    result.stdout.fnmatch_lines(["*{'file_path': 'x'} == {'file_path': 'package.json'}*"])


def test_the_documented_example_skips_without_the_model_and_says_what_to_pass(stranger: Bench) -> None:
    result = stranger.plain(STRANGER.name, "-rs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--mcp-model=finetuned=PATH*", "*2 skipped*"])


def test_a_test_that_takes_mcp_model_runs_on_every_model(stranger: Bench) -> None:
    result = stranger.plain(STRANGER.name, FINETUNED, "--mcp-model=null:first-tool", "-v")
    result.stdout.fnmatch_lines(
        [
            "*::test_thanks_are_not_a_request[[]finetuned[]] PASSED*",
            "*::test_thanks_are_not_a_request[[]null-first-tool[]] FAILED*",
        ]
    )


@pytest.mark.parametrize("label", ["base", "finetuned", "int8", "int4"])
def test_each_label_has_a_fixture(bench: Bench, label: str) -> None:
    bench.pytester.makepyfile(
        f"""
        def test_it({label}_model):
            (first, second) = {label}_model.generate(["one", "two"])
            assert [first.text, second.text] == ["one", "two"]
            assert {label}_model.generate("three")[0].text == "three"
            assert {label}_model.label == "{label}"
            assert [tool.name for tool in {label}_model.tools][:2] == ["read", "write"]
        """
    )
    result = bench.plain(f"--mcp-model={label}=null:echo", "-k", "test_it")
    assert result.parseoutcomes()["passed"] == 1


def test_a_fixture_offers_the_tools_that_were_given(bench: Bench) -> None:
    (bench.path / "tools.json").write_text('[{"name": "ping", "inputSchema": {"type": "object"}}]')
    bench.pytester.makepyfile(
        """
        def test_it(mcp_model):
            assert [call.name for call in mcp_model.call("hello").calls] == ["ping"]
        """
    )
    result = bench.plain("--mcp-model=null:first-tool", "--mcp-tools=tools.json", "--mcp-cases=none.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    bench.write_cases([{"id": "a", "prompt": "hi", "expected": []}])
    result = bench.plain(
        "--mcp-model=null:first-tool", "--mcp-tools=tools.json", "--mcp-cases=cases.jsonl", "-k", "test_it"
    )
    assert result.parseoutcomes()["passed"] == 1


def test_a_model_of_a_users_own_test_that_cannot_be_loaded_ends_the_run(stranger: Bench) -> None:
    (stranger.path / "conftest.py").write_text(
        "import pathlib, pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def lost(): pathlib.Path('answers.jsonl').write_text('{')\n"
    )
    result = stranger.plain(STRANGER.name, FINETUNED)
    assert "answers.jsonl" in usage_error(result)


def test_a_projects_own_suite_runs_beside_the_shipped_ones(bench: Bench) -> None:
    bench.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.each_case(level="level3")
        def test_short(score):
            return score.correct and not score.tools == ("bash",)
        """
    )
    result = bench.run("-k", "test_short or test_correctness", "--mcp-gate=off")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 5 + 4 + 1, "missed": 3 + 4, "deselected": 32}


def test_an_empty_folder_runs_the_shipped_suites(bench: Bench) -> None:
    result = bench.plain("--mcp-model=base=null:echo", "-m", "level1 and smoke")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["mcpbench: * cases; base (null:echo)", "*level1 detection *"])
    assert (bench.path / ".mcpbench" / "runs").is_dir()


def test_the_shipped_suites_run_by_their_package_name(bench: Bench) -> None:
    result = bench.plain("--pyargs", "pytest_mcpbench.suites", "--mcp-model=base=null:echo", "-m", "level2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*level2 parsing      0/*", "base: measured, not gated"])


def test_the_suites_without_a_model_skip_with_one_line_that_says_what_to_pass(bench: Bench) -> None:
    result = bench.plain(str(files("pytest_mcpbench.suites")), "--rootdir=.")
    assert result.ret == 0
    assert sum("pass --mcp-model=PATH" in line for line in result.stdout.lines) == 1
    assert set(result.parseoutcomes()) == {"skipped"}
