"""`--mcp-compare`: a run held against an earlier one."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.latency import to_mapping
from tests.core.test_regression import latency
from tests.plugin.conftest import ANSWERS, CALLS, CASES, PROMPTS, RIGHT, Bench, Row, case, usage_error

MANY = 12
"""So many copies of each case make a loss of one kind significant."""


def many(answers: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}-{copy}": text for name, text in answers.items() for copy in range(MANY)}


def copies() -> list[Row]:
    return [
        {**case(name), "id": f"{name}-{copy}", "prompt": f"{PROMPTS[name]} {copy}"}
        for name in CALLS
        for copy in range(MANY)
    ]


@pytest.fixture
def grown(bench: Bench) -> Bench:
    """The benchmark with twelve times as many cases, and a kept run in which all were right."""
    bench.write_cases(copies())
    bench.write_answers(many(RIGHT))
    assert bench.run("--mcp-json=run.json", model="tuned").ret == 0
    return bench


def change(path: Path, edit: Callable[[Row], object]) -> None:
    document: Row = json.loads(path.read_text(encoding="utf-8"))
    edit(document)
    path.write_text(json.dumps(document), encoding="utf-8")


OFF = ["--mcp-target=level1=0", "--mcp-target=level2=0", "--mcp-target=level3=0", "--mcp-target=level4=0"]
LOW = [*OFF, "--mcp-target=tool=0"]
"""Gates that nothing can fail, so that only the comparison decides."""


@pytest.mark.parametrize("name", ["last", "run.json", "tuned"])
def test_a_regression_fails_with_one_readable_line(grown: Bench, name: str) -> None:
    grown.write_answers(many(ANSWERS))
    result = grown.run(*LOW, f"--mcp-compare={name}", "--mcp-json=now.json", model="tuned")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    lines = [line for line in result.outlines if line.startswith("FAIL no-regression:level3 tuned: since ")]
    assert lines, out
    assert "100.0 % -> 62.5 %, -37.5 points" in lines[0]
    assert "worse beyond chance; read the flips: mcpbench compare " in lines[0]
    assert "Traceback" not in out
    assert "mcpbench: compared with " in out
    assert "96 of 96 cases are in both" in out
    gates = {gate["name"]: gate["verdict"] for gate in grown.result("now.json")["gates"]}
    assert (gates["no-regression:level3"], gates["no-regression:level4"]) == ("FAIL", "FAIL")
    assert result.parseoutcomes()["failed"] == 2


def test_a_run_as_good_as_the_last_passes(grown: Bench) -> None:
    result = grown.run("--mcp-compare=last", model="tuned")
    assert result.ret == 0
    assert "PASS no-regression:level4 tuned: since " in result.stdout.str()


def test_base_is_compared_and_not_gated_and_gate_off_gates_nothing(grown: Bench) -> None:
    assert grown.run("--mcp-json=base.json", model="base").ret == 0
    grown.write_answers(many(ANSWERS))
    assert grown.run("--mcp-compare=base.json", model="base").ret == 0
    assert grown.run("--mcp-gate=off", "--mcp-compare=run.json", model="tuned").ret == 0


def test_a_selection_compares_over_its_own_cases(grown: Bench) -> None:
    grown.write_answers(many(ANSWERS))
    result = grown.run(*LOW, "--mcp-compare=last", "-m", "level3", "-k", "grep", "--mcp-json=now.json", model="tuned")
    assert result.ret == 0
    whole = grown.run(*LOW, "--mcp-compare=run.json", "-m", "level3", "--mcp-json=now.json", model="tuned")
    assert whole.ret == pytest.ExitCode.TESTS_FAILED
    assert [gate["name"] for gate in grown.result("now.json")["gates"] if "regression" in gate["name"]] == [
        "no-regression:level3"
    ]


def test_another_prompt_is_refused_and_the_reason_stands_in_the_line(grown: Bench) -> None:
    change(grown.path / "run.json", lambda run: run["models"]["tuned"].update(prompt="other"))
    result = grown.run("--mcp-compare=run.json", model="tuned")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = next(line for line in result.outlines if line.startswith("UNDECIDED no-regression:level3"))
    assert "not compared: the prompt differs" in line


def test_cases_that_changed_stay_out_and_other_versions_are_noted(grown: Bench) -> None:
    def edit(run: Row) -> None:
        run["environment"]["plugin"] = "0.0.1"
        run["cases"]["items"][0]["messages"][0]["content"] = "something else"

    change(grown.path / "run.json", edit)
    result = grown.run("--mcp-compare=run.json", model="tuned")
    assert result.ret == 0
    line = next(line for line in result.outlines if line.startswith("PASS no-regression:level3"))
    assert "95 of 96 cases are in both; pytest-mcpbench 0.0.1 then" in line


def test_speed_is_not_compared_where_it_was_not_timed_and_the_run_says_why(grown: Bench) -> None:
    change(grown.path / "run.json", lambda run: run["models"]["tuned"].update(latency=to_mapping(latency(0.1))))
    result = grown.run("--mcp-compare=run.json", "-rs", model="tuned")
    assert result.ret == 0
    assert result.parseoutcomes()["skipped"] == 1
    reason = next(line for line in result.outlines if line.startswith("SKIPPED"))
    assert "tuned is not compared with run.json in speed: it was not timed in this run: add -m latency" in reason


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("last", "'last': no such file, and no run in "),
        ("nobody", "'nobody': no such file, and no run in "),
        ("cases.jsonl", "cases.jsonl: not JSON"),
        (".", "'.': a folder and no result file, and no run in "),
        ("", "the value is empty"),
    ],
)
def test_a_run_that_is_not_there_is_a_usage_error_before_anything_is_generated(
    bench: Bench, name: str, problem: str
) -> None:
    error = usage_error(bench.run(f"--mcp-compare={name}", model="tuned"))
    assert error.startswith("ERROR: --mcp-compare: ")
    assert problem in error
    assert not bench.kept()


def test_a_run_without_a_common_label_is_a_usage_error(bench: Bench) -> None:
    assert bench.run("--mcp-json=run.json").ret == 0
    error = usage_error(bench.run("--mcp-compare=run.json", model="tuned"))
    assert "run.json has none of the models tuned (it has: base)" in error


def test_two_processes_compare_as_one_does(grown: Bench) -> None:
    grown.write_answers(many(ANSWERS))
    result = grown.run(*LOW, "--mcp-compare=run.json", "-n2", "--mcp-json=now.json", model="tuned")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    verdicts: dict[str, Any] = {gate["name"]: gate for gate in grown.result("now.json")["gates"]}
    assert (verdicts["no-regression:level4"]["verdict"], verdicts["no-regression:level4"]["n"]) == ("FAIL", 72)


def test_without_the_option_there_is_no_such_test(bench: Bench) -> None:
    assert len(CASES) == 8
    result = bench.run("--collect-only", "-q", model="tuned")
    assert "since" not in result.stdout.str()
