"""What the command refuses, and what it says when it is done."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training import finetune as finetune_module
from pytest_mcpbench.training.__main__ import app
from pytest_mcpbench.training.base import BaseModel
from pytest_mcpbench.training.finetune import run_finetuning
from pytest_mcpbench.training.rows import read_data
from tests.training.quick import MakeModel, quick


def bad_inputs(tmp: Path, model: Path, rows: Path) -> dict[str, tuple[list[str], str]]:
    """Arguments by what is wrong with them, and what the one line says."""
    good = {"--data": str(rows), "--validation": str(rows), "--model": str(model), "--output": str(tmp / "new")}

    def arguments(*more: str, **changed: str | None) -> list[str]:
        flags = {**good, **{f"--{name}": value for name, value in changed.items()}}
        return [*(word for name, value in flags.items() if value is not None for word in (name, value)), *more]

    (tmp / "empty.jsonl").write_text("")
    (tmp / "few.jsonl").write_text("".join(rows.read_text().splitlines(keepends=True)[:28]))
    (tmp / "open.jsonl").write_text('{"id": "a", "prompt": "x", "tools": "coding"}\n')
    (tmp / "bad.toml").write_text('lora_r = "x"\nlearning_rate = "fast"\n')
    (tmp / "other").mkdir()
    (tmp / "other" / "notes.txt").write_text("mine")
    (tmp / "encoder").mkdir()
    (tmp / "encoder" / "config.json").write_text('{"model_type": "bert", "architectures": ["BertForMaskedLM"]}')
    (tmp / "encoder" / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    return {
        "missing data": (arguments(data=str(tmp / "none.jsonl")), "no such file"),
        "empty data": (arguments(data=str(tmp / "empty.jsonl")), "no cases in it"),
        "too few rows": (arguments(data=str(tmp / "few.jsonl")), "28 rows"),
        "no completion": (arguments(data=str(tmp / "open.jsonl")), "'expected'"),
        "wrong types": (arguments(config=str(tmp / "bad.toml")), "2 problems: lora_r is 'x'"),
        "unknown preset": (arguments(preset="huge"), "preset 'huge' is unknown"),
        "unknown flag": (arguments("--lora-rank", "8"), "--lora-rank"),
        "no model": (arguments(model=str(tmp / "nothing")), "no such folder"),
        "not causal": (arguments(model=str(tmp / "encoder")), "BertForMaskedLM is no causal language model"),
        "another folder": (arguments(output=str(tmp / "other")), "is not empty"),
        "a file": (arguments(output=str(rows)), "is a file"),
        "no output": (arguments(output=None), "--output"),
        "too long": (arguments("--max-seq-length", "20"), "29 of 29 rows are longer than max_seq_length 20"),
    }


KINDS = (
    *("missing data", "empty data", "too few rows", "no completion", "wrong types", "unknown preset", "unknown flag"),
    *("no model", "not causal", "another folder", "a file", "no output", "too long"),
)


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> None:
        pytest.fail("weights were loaded")

    monkeypatch.setattr(BaseModel, "load", load)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_one_line_and_exit_code_2_before_weights_load(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, kind: str
) -> None:
    args, words = bad_inputs(tmp_path, make_model(), rows_file)[kind]
    result = CliRunner().invoke(app, ["finetune", *args])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert result.output.startswith("error: ")
    assert words in result.output
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("no_weights")
def test_a_full_disk_is_found_before_weights_load(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(TrainingError, match="MB free"):
        run_finetuning(quick(make_model()), read_data([rows_file], [rows_file]), tmp_path / "out")


@pytest.mark.usefixtures("no_weights")
def test_a_folder_of_another_run_is_refused(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    config, data = quick(make_model()), read_data([rows_file], [rows_file])
    finetune_module.RunFolder(path=tmp_path, identity="another").begin({})
    with pytest.raises(TrainingError, match="unfinished run with another configuration or other data"):
        run_finetuning(config, data, tmp_path)


def test_a_finished_run_is_not_overwritten(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    config, data = quick(make_model(hidden=32), num_train_epochs=1), read_data([rows_file], [rows_file])
    run_finetuning(config, data, tmp_path / "out")
    with pytest.raises(TrainingError, match="already holds a finished run"):
        run_finetuning(config, data, tmp_path / "out")


def test_the_command_trains_and_says_what_to_do_next(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    toml = tmp_path / "run.toml"
    config = quick(make_model(hidden=32), num_train_epochs=1)
    values = {name: getattr(config, name) for name in config.__slots__}
    toml.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    out = str(tmp_path / "out")
    args = [
        "finetune",
        "--config",
        str(toml),
        "--data",
        str(rows_file),
        "--validation",
        str(rows_file),
        "--output",
        out,
    ]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    assert "finetune: epoch 1.00: train loss" in result.output
    assert f"next: pytest --mcp-model={out}" in result.output
