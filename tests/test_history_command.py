"""`mcpbench history`: trends, marks, the plot and the exit code."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from pytest_mcpbench.cli import app
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.errors import McpBenchError
from tests.core.test_regression import run
from tests.core.test_trend import timed


def mcpbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["history", *(str(argument) for argument in arguments)])


def keep(*runs: RunResult) -> None:
    for number, result in enumerate(runs):
        write_result(result, Path(f".mcpbench/runs/run-{number}.json"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_trend_of_each_metric_is_shown_with_intervals_and_the_latest_run_is_judged() -> None:
    keep(timed(12), timed(6), timed(6, mean=0.101))
    done = mcpbench()
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "finetuned level3: 3 runs"
    assert "    run-0  48/60 right (80.0 %, 95 % interval 68.2 to 88.2)" in lines
    assert any(line.startswith("    run-2  median 10") and "95 % interval" in line for line in lines)
    assert any(line.startswith("PASS no-regression:level4 finetuned: since run-1: ") for line in lines)
    assert any(line.startswith("PASS no-regression:speed finetuned: since run-1: ") for line in lines)


def test_a_regression_exits_1_with_a_readable_line_where_a_gate_is_asked_for() -> None:
    keep(timed(0), timed(20))
    assert mcpbench().exit_code == 0
    done = mcpbench("--gate")
    assert done.exit_code == 1
    (line,) = (line for line in done.output.splitlines() if line.startswith("FAIL"))
    assert line.startswith("FAIL no-regression:level4 finetuned: since run-0: 100.0 % -> 66.7 %, -33.3 points")
    assert "Traceback" not in done.output


def test_a_slower_model_is_a_regression_too() -> None:
    keep(timed(), timed(mean=0.2))
    done = mcpbench("--gate", "--metric", "latency")
    assert done.exit_code == 1
    assert "FAIL no-regression:speed finetuned: since run-0: 0.50x as fast" in done.output


def test_runs_unlike_the_latest_are_marked_and_not_held_against_it() -> None:
    keep(timed(), replace(timed(), environment=replace(timed().environment, machine="x")), run(30, cases=50), timed(2))
    done = mcpbench("--gate")
    assert done.exit_code == 0, done.output
    assert "  ! run-2  20/50 right" in done.output
    assert "[other cases]" in done.output
    assert "  ! run-1  median" in done.output
    assert "since run-1: " in done.output
    assert "PASS no-regression:speed finetuned: since run-0: " in done.output


def test_json_has_the_points_and_the_verdicts() -> None:
    keep(timed(0), timed(20))
    document = json.loads(mcpbench("--json", "--metric", "level4,latency").output)
    assert document["schema"] == "mcpbench.history/1"
    level, latency = document["trends"]
    assert (level["label"], level["metric"], [point["value"] for point in level["points"]]) == (
        "finetuned",
        "level4",
        [1.0, 40 / 60],
    )
    assert latency["unit"] == "ms"
    assert len(latency["points"][0]["interval"]) == 2
    assert {(v["name"], v["verdict"]) for v in document["verdicts"]} >= {("no-regression:level4", "FAIL")}


def test_the_plot_is_an_svg_that_stands_alone(folder: Path) -> None:
    keep(timed(12), run(6, cases=50), timed(3))
    done = mcpbench("--metric", "level4", "--svg", folder / "out" / "history.svg")
    assert done.exit_code == 0, done.output
    text = (folder / "out" / "history.svg").read_text()
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in text
    assert "hollow: not like the latest" in text


def test_a_label_picks_its_models_and_what_is_not_there_is_said_in_one_line() -> None:
    keep(timed())
    assert mcpbench("--label", "finetuned").output.startswith("finetuned level3: 1 run\n")
    for arguments, problem in [
        (("--label", "int8"), "of int8 (models: finetuned)"),
        (("--metric", "speed"), "there is no metric 'speed'"),
        (("elsewhere",), "elsewhere: holds no result of a run"),
    ]:
        done = mcpbench(*arguments)
        assert isinstance(done.exception, McpBenchError), done.output
        assert problem in str(done.exception)
        assert "\n" not in str(done.exception)
