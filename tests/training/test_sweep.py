import dataclasses
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.errors import ConfigError, OptionError, TrainingError
from pytest_mcpbench.training import sweep as sweep_module
from pytest_mcpbench.training.__main__ import app
from pytest_mcpbench.training.config import MCPFineTuningConfig, with_settings
from pytest_mcpbench.training.flags import parse_sweep
from pytest_mcpbench.training.report import Evaluation, Machine, TrainingReport
from pytest_mcpbench.training.rows import read_data, shipped_tools
from pytest_mcpbench.training.sampler import run_sampler
from pytest_mcpbench.training.study import Study, key_of
from pytest_mcpbench.training.sweep import combinations, grid_values, open_sweep, run_grid, score_final
from pytest_mcpbench.training.table import TrialResult, markdown_table, recommend, result_of

MakeModel = Callable[..., Path]


def result(rank: int, tool: int, parameters: int, **more: Any) -> TrialResult:
    facts: dict[str, Any] = {
        "key": f"lora_r={rank}",
        "settings": {"lora_r": rank},
        "folder": f"lora_r={rank}",
        "seconds": 60.0,
        "tool": Count(n=300, correct=tool),
        "parameters": Count(n=300, correct=parameters),
        "eval_loss": 0.1,
        "quality": (tool + parameters) / 600,
        "tier": "GOOD",
        "trainable_parameters": rank * 1000,
        "train_rows": 100,
        "epochs": 3,
        "kept_epoch": 3.0,
        "ended": "completed",
    }
    return TrialResult(**{**facts, **more})


def test_the_cheapest_trial_within_one_standard_error_is_recommended() -> None:
    # The best has 0.95 of 300 rows right: one standard error is 0.0126.
    results = [result(8, 270, 270), result(16, 285, 280), result(64, 290, 280), result(32, 288, 280)]
    assert recommend(results) == results[1]


def test_between_equally_cheap_trials_more_data_then_quality_wins() -> None:
    half, whole = result(16, 286, 286, train_rows=50), result(16, 285, 285, train_rows=100)
    assert recommend([half, whole]) == whole
    better = result(16, 286, 285, key="better")
    assert recommend([whole, better]) == better


def test_a_pruned_trial_is_never_recommended() -> None:
    assert recommend([result(8, 299, 299, ended="pruned")]) is None


def test_the_table_has_the_guide_s_columns_and_marks_one_row() -> None:
    results = [result(64, 290, 280), result(16, 285, 280)]
    table = markdown_table(results, results[1]).splitlines()
    assert table[0] == ("| lora_r | time | tool accuracy | parameter accuracy | eval loss | quality | recommended |")
    assert table[2] == "| 16 | 60 s | 95.0 % (285/300) | 93.3 % (280/300) | 0.1000 | GOOD | yes |"
    assert table[3].startswith("| 64 |")
    assert len(table) == 4


def test_a_grid_is_every_combination_in_the_settings_own_types() -> None:
    values = grid_values([("lora_r", ["16", "32"]), ("learning_rate", ["1e-4"]), ("lr_scheduler_type", ["linear"])])
    assert combinations(values) == [
        {"lora_r": 16, "learning_rate": 1e-4, "lr_scheduler_type": "linear"},
        {"lora_r": 32, "learning_rate": 1e-4, "lr_scheduler_type": "linear"},
    ]
    with pytest.raises(ConfigError, match="'rank' is no setting"):
        grid_values([("rank", ["1"])])
    with pytest.raises(ConfigError, match="lora_r is 'x'"):
        grid_values([("lora_r", ["x"])])


def test_the_same_settings_have_one_key_in_any_order() -> None:
    assert key_of({"lora_r": 8, "learning_rate": 5e-5}) == key_of({"learning_rate": 5e-5, "lora_r": 8})
    assert key_of({"lora_r": 8, "learning_rate": 5e-5}) == "learning_rate=5e-05,lora_r=8"


@given(st.dictionaries(st.sampled_from(["lora_r", "model_name"]), st.integers() | st.text(max_size=5), min_size=1))
def test_a_key_is_a_file_s_name(settings: dict[str, Any]) -> None:
    key = key_of(settings)
    assert "/" not in key
    assert key not in (".", "..")


def report(config: MCPFineTuningConfig) -> TrainingReport:
    """What a trial of that rank would report: the higher the better, up to 32."""
    count = Count(n=100, correct=80 + min(config.lora_r, 32) // 2)
    evaluation = Evaluation(
        step=1, epoch=1.0, train_loss=0.1, eval_loss=1 / config.lora_r, detection=count, tool=count, parameters=count
    )
    return TrainingReport(
        config=dataclasses.asdict(config),
        base="base",
        train_rows=10,
        validation_rows=100,
        trainable_parameters=config.lora_r,
        total_steps=1,
        ended="completed",
        best_step=1,
        seconds=1.0,
        setup_s=1.0,
        machine=Machine(device="none", processes=1, dtype="float32", platform="none", versions={}),
        points=(),
        evaluations=(evaluation,),
    )


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ranks that were trained, by a fine-tuning that takes no time."""
    ranks: list[int] = []

    def run(config: MCPFineTuningConfig, data: Any, output: Path, options: Any) -> TrainingReport:
        ranks.append(config.lora_r)
        options.watcher.evaluated(report(config).best, ())
        return report(config)

    monkeypatch.setattr(sweep_module, "run_finetuning", run)
    return ranks


def sweep_in(folder: Path, make_model: MakeModel, rows_file: Path, **settings: Any) -> sweep_module.Sweep:
    config = with_settings(MCPFineTuningConfig(model_name=str(make_model(hidden=32))), settings)
    return open_sweep(config, read_data([rows_file], [rows_file]), folder)


def test_a_sweep_goes_on_where_it_was_and_takes_new_trials(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, trained: list[int]
) -> None:
    sweep = sweep_in(tmp_path, make_model, rows_file)
    assert run_grid(sweep, combinations({"lora_r": [8, 16]})) == 0
    # A process that was killed while it wrote leaves half a line.
    with (tmp_path / "trials.jsonl").open("a") as file:
        file.write('{"key": "lora_r=32", "sett')
    again = sweep_in(tmp_path, make_model, rows_file)
    assert run_grid(again, combinations({"lora_r": [8, 16, 32]})) == 0
    assert trained == [8, 16, 32]
    assert [found.key for found in again.study.results()] == ["lora_r=8", "lora_r=16", "lora_r=32"]


def test_a_trial_that_another_process_is_at_is_left_to_it(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, trained: list[int]
) -> None:
    sweep = sweep_in(tmp_path, make_model, rows_file)
    with sweep.study.claim("lora_r=8") as mine, Study(path=tmp_path, identity="").claim("lora_r=8") as second:
        assert mine
        assert not second
        assert run_grid(sweep, combinations({"lora_r": [8, 16]})) == 1
    assert trained == [16]


def add_results(folder: Path, ranks: list[int]) -> None:
    study = Study(path=folder, identity="x")
    for rank in ranks:
        study.add(result(rank, 280, 270))


def test_processes_that_write_at_once_lose_no_result(tmp_path: Path) -> None:
    Study(path=tmp_path, identity="x").open()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add_results, args=(tmp_path, list(range(at, 40, 3)))) for at in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = Study(path=tmp_path, identity="x").results()
    assert sorted(item.settings["lora_r"] for item in found) == list(range(40))


def test_a_sweep_of_other_data_or_settings_has_another_folder(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    sweep_in(tmp_path, make_model, rows_file)
    with pytest.raises(TrainingError, match="other data or settings"):
        sweep_in(tmp_path, make_model, rows_file, seed=1)


def test_a_value_that_cannot_be_used_is_found_before_the_first_trial(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, trained: list[int]
) -> None:
    sweep = sweep_in(tmp_path, make_model, rows_file)
    with pytest.raises(ConfigError, match="lora_r is 0"):
        run_grid(sweep, [{"lora_r": 8}, {"lora_r": 0}])
    assert not trained


def test_a_sampler_draws_between_the_values_until_there_are_enough_trials(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, trained: list[int]
) -> None:
    values = {"learning_rate": [1e-5, 1e-3], "lora_r": [8, 64]}
    sweep = sweep_in(tmp_path, make_model, rows_file)
    run_sampler(sweep, values, "random", 4)
    run_sampler(sweep_in(tmp_path, make_model, rows_file), values, "tpe", 6)
    found = sweep.study.results()
    assert len(found) == len(trained) == 6
    assert {item.settings["lora_r"] for item in found} <= {8, 64}
    assert all(1e-5 <= float(item.settings["learning_rate"]) <= 1e-3 for item in found)
    assert len({item.settings["learning_rate"] for item in found}) == 6


def test_a_grid_is_asked_for_in_the_form_setting_values() -> None:
    needed = ["--data", "x", "--output", "y"]
    assert parse_sweep([*needed, "--grid", "lora-r=8,16"]).grid == (("lora_r", ("8", "16")),)
    for args, words in (([], "at least one --grid"), (["--grid", "lora_r"], "not of the form")):
        with pytest.raises(OptionError, match=words):
            parse_sweep([*needed, *args])


def test_several_launched_processes_are_told_to_start_apart(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="once for each GPU"):
        sweep_in(tmp_path, make_model, rows_file)


def test_the_command_trains_a_grid_and_touches_the_final_cases_once(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    rows, out = str(rows_file), str(tmp_path / "out")
    settings = "--per-device-train-batch-size 29 --num-train-epochs 1 --eval-rows 4 --max-new-tokens 5 --lora-r 4"
    model = str(make_model(hidden=32))
    command = ["sweep", "--data", rows, "--validation", rows, "--model", model, "--output", out, *settings.split()]
    grid = ["--grid", "data_fraction=0.5,1.0", "--final-cases", rows]
    done = CliRunner().invoke(app, [*command, *grid])
    assert done.exit_code == 0, done.output
    assert "| data_fraction | time |" in done.output
    assert "on the final cases: " in done.output
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"table.md", "sweep.json", "accuracy.svg", "final.json", "trials.jsonl"} <= files
    data = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [trial["train_rows"] for trial in data["trials"]] == [14, 29]
    assert data["recommended"] in {trial["key"] for trial in data["trials"]}
    again = CliRunner().invoke(app, [*command, *grid])
    assert again.exit_code == 2
    assert "were scored before" in again.output


def test_without_a_finished_trial_there_is_nothing_to_score(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    cases = CaseReader(shipped_tools=shipped_tools()).read([rows_file])
    with pytest.raises(TrainingError, match="no trial is finished"):
        score_final(sweep_in(tmp_path, make_model, rows_file), cases)


def test_a_trial_s_result_tells_what_its_report_told() -> None:
    config = MCPFineTuningConfig(lora_r=16)
    found = result_of("key", {"lora_r": 16}, Path("a/b"), report(config))
    assert (found.tool, found.folder, found.trainable_parameters, found.epochs) == (
        Count(n=100, correct=88),
        "b",
        16,
        5,
    )
    assert found.quality == pytest.approx(0.88)
