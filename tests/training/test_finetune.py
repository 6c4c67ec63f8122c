import json
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.gate import tier_of
from pytest_mcpbench.core.overlap import row_hash
from pytest_mcpbench.core.plan import GenerationSettings, plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.engine import generate
from pytest_mcpbench.models.load import LoadOptions, load_model, resolve
from pytest_mcpbench.training import finetune as finetune_module
from pytest_mcpbench.training import loop as loop_module
from pytest_mcpbench.training.__main__ import app
from pytest_mcpbench.training.base import BaseModel, look_at, open_base
from pytest_mcpbench.training.config import MCPFineTuningConfig, with_settings
from pytest_mcpbench.training.course import Facts
from pytest_mcpbench.training.data_check import check_data, require_fit
from pytest_mcpbench.training.evaluate import Evaluator
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import Count, Evaluation, Indicator, read_report
from pytest_mcpbench.training.rows import read_data, shipped_tools

MakeModel = Callable[..., Path]


def quick(model: Path, **settings: Any) -> MCPFineTuningConfig:
    """A run of a few seconds."""
    base = MCPFineTuningConfig(
        model_name=str(model),
        learning_rate=3e-3,
        num_train_epochs=2,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=1,
        lora_r=4,
        lora_alpha=8,
        lora_dropout=0.0,
        eval_rows=6,
        train_eval_rows=4,
        max_new_tokens=5,
        logging_steps=1,
        adapter_dtype="float32",
    )
    return with_settings(base, settings)


def test_a_tiny_model_learns_29_rows_by_heart_from_data_check_to_benchmark(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    require_fit(check_data([rows_file]))
    config = quick(
        make_model(hidden=128),
        num_train_epochs=36,
        lora_r=32,
        lora_alpha=64,
        lr_scheduler_type="linear",
        early_stopping_patience=0,
        max_new_tokens=40,
        eval_rows=0,
        train_eval_rows=0,
    )
    report = run_finetuning(config, read_data([rows_file], [rows_file]), tmp_path / "out")
    assert (report.best.tool, report.best.parameters) == (Count(n=29, correct=29), Count(n=20, correct=20))

    cases = CaseReader(shipped_tools=shipped_tools()).read([rows_file])
    model = load_model(resolve(str(tmp_path / "out")), LoadOptions(device="cpu"))
    assert set(model.info.trained_on) == {row_hash(case) for case in cases}
    requests = plan(cases)
    answers = generate(model, [*requests.values()], GenerationSettings(max_new_tokens=40), cache=None, on_batch=None)
    texts = {request.key: answer for request, answer in answers}
    scores = []
    for case in cases:
        answer = texts[requests[case.id].key]
        scores.append(score(case, model.style.fmt.parse(answer.text, case.tools), answer.finish_reason))
    tier = tier_of(summarize(scores)).tier
    assert tier is not None
    assert tier.name == "EXCELLENT"
    assert all(result.right for result in scores)


def test_a_finished_folder_holds_the_adapter_what_it_saw_and_the_report(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    config, data = quick(make_model(hidden=32), adapter_dtype="bfloat16"), read_data([rows_file], [rows_file])
    options = RunOptions(base_name="demo:base", merge=True)
    report = run_finetuning(config, data, tmp_path / "out", options)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "mcpbench_training.json",
        "training_report.json",
        "curves.svg",
        "merged",
    }
    settings = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (settings["base_model_name_or_path"], settings["r"], settings["lora_alpha"]) == ("demo:base", 4, 8)
    tensors = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    facts = json.loads((tmp_path / "out" / "mcpbench_training.json").read_text())
    assert facts["rows"] == {case.id: row_hash(case) for case in data.train}
    assert facts["files"][0]["rows"] == 29
    assert facts["config"]["lora_r"] == 4
    assert read_report(tmp_path / "out") == report
    assert [point.step for point in report.points] == list(range(1, 9))
    assert [evaluation.step for evaluation in report.evaluations] == [4, 8]
    assert report.points[0].train_loss > report.points[-1].train_loss
    merged = load_model(resolve(str(tmp_path / "out" / "merged")), LoadOptions(device="cpu"))
    assert merged.info.trained_on == tuple(facts["rows"].values())


def test_only_wrong_rows_are_written_out_and_the_scores_are_those_of_writing_all(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the slow way, on a model that knows about half of the rows."""
    data = read_data([rows_file], [rows_file])
    config = quick(
        make_model(hidden=128), num_train_epochs=12, lora_r=32, lora_alpha=64, max_new_tokens=30, eval_rows=0
    )
    judge, seen = Evaluator.judge, []

    def judge_twice(self: Evaluator, *args: Any) -> Any:
        short = judge(self, *args)
        with monkeypatch.context() as patch:
            patch.setattr(Evaluator, "_would_be_cut", lambda *_: True)
            full = judge(self, *args)
        seen.append((short, full))
        return short

    monkeypatch.setattr(Evaluator, "judge", judge_twice)
    run_finetuning(config, data, tmp_path / "out")
    assert all(full.generated == len(full.scores) and short.scores == full.scores for short, full in seen)
    assert any(0 < short.generated < len(short.scores) for short, _ in seen)


class Killed(Silent):
    """Pulls the plug at a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, step: int, total: int) -> None:
        if step == self.at:
            raise KeyboardInterrupt


def test_a_run_that_broke_off_goes_on_to_the_very_same_adapter(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    config = quick(make_model(hidden=32), lora_dropout=0.3, save_steps=3, num_train_epochs=3)
    data = read_data([rows_file], [rows_file])
    whole = run_finetuning(config, data, tmp_path / "whole")
    for at in (2, 5, 11):  # before anything was saved, behind a saved step, behind an evaluation
        with pytest.raises(KeyboardInterrupt):
            run_finetuning(config, data, tmp_path / "broken", RunOptions(watcher=Killed(at)))
        assert not (tmp_path / "broken" / "adapter_config.json").exists()
    resumed = run_finetuning(config, data, tmp_path / "broken")
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [point.train_loss for point in resumed.points] == [point.train_loss for point in whole.points]
    assert [e.eval_loss for e in resumed.evaluations] == [e.eval_loss for e in whole.evaluations]


SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    from pytest_mcpbench.training.config import load_config
    from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
    from pytest_mcpbench.training.progress import Silent
    from pytest_mcpbench.training.rows import read_data

    class Plug(Silent):
        def step(self, step, total):
            if step == int(os.environ.get("KILL_AT", "0")):
                os.kill(os.getpid(), signal.SIGKILL)

    config, rows, output = (Path(word) for word in sys.argv[1:])
    run_finetuning(load_config(config), read_data([rows], [rows]), output, RunOptions(watcher=Plug()))
"""


def start(config: MCPFineTuningConfig, rows: Path, output: Path, **environment: str) -> "subprocess.Popen[str]":
    """The run in a process of its own, on one thread."""
    toml = output.with_suffix(".toml")
    values = {name: getattr(config, name) for name in config.__slots__}
    toml.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(toml), str(rows), str(output)],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_is_taken_up_by_the_next(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    config = quick(make_model(hidden=32))
    killed = start(config, rows_file, tmp_path / "out", KILL_AT="6")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out" / "unfinished" / "state.safetensors").is_file()
    seen: list[int] = []
    watcher = Silent()
    watcher.step = lambda step, total: seen.append(step)  # type: ignore[method-assign]
    data = read_data([rows_file], [rows_file])
    report = run_finetuning(config, data, tmp_path / "out", RunOptions(watcher=watcher))
    assert seen == [5, 6, 7, 8]
    assert report.ended == "completed"
    assert not (tmp_path / "out" / "unfinished").exists()


def test_two_processes_take_the_steps_that_one_takes(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    # 29 rows in steps of 8: the last step of an epoch has 5, an odd number to share.
    config = quick(make_model(hidden=32), per_device_train_batch_size=2, gradient_accumulation_steps=4)
    alone = run_finetuning(config, read_data([rows_file], [rows_file]), tmp_path / "alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = [
        start(
            config,
            rows_file,
            tmp_path / "both",
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE="2",
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
            ACCELERATE_USE_CPU="true",
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in together]
    assert [process.returncode for process in together] == [0, 0], errors
    both = read_report(tmp_path / "both")
    assert both.machine.processes == 2
    for one, two in zip(alone.points, both.points, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, rel=1e-3)
        assert two.grad_norm == pytest.approx(one.grad_norm, rel=1e-2)
    assert [e.tool for e in both.evaluations] == [e.tool for e in alone.evaluations]
    assert [e.eval_loss for e in both.evaluations] == pytest.approx([e.eval_loss for e in alone.evaluations], rel=1e-3)


def scripted(qualities: Sequence[tuple[int, float]]) -> Callable[..., Evaluation]:
    """Evaluations with these numbers of right rows and losses, whatever the model does."""
    left = iter(qualities)

    def make(validation: Any, training: Any, facts: Facts) -> Evaluation:
        right, loss = next(left)
        count = Count(n=10, correct=right)
        judged = {"detection": count, "tool": count, "parameters": count}
        return Evaluation(step=facts.step, epoch=facts.epoch, train_loss=0.1, eval_loss=loss, **judged)

    return make


class Keeper(Silent):
    """Keeps the best adapter there is after each evaluation."""

    def __init__(self, run: Path) -> None:
        self.best = run / "unfinished" / "best.safetensors"
        self.kept: list[dict[str, torch.Tensor]] = []

    def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
        self.kept.append({name: tensor.clone() for name, tensor in load_file(self.best).items()})
        return False


COURSES = {
    "worse three times": ([(5, 1.0), (6, 1.0), (4, 0.1), (5, 0.1), (6, 1.0), (9, 0.1)], 2, "early stop"),
    "ties by loss": ([(5, 1.0), (5, 0.9), (5, 0.9), (5, 0.8), (5, 0.9), (5, 0.9)], 4, "completed"),
    "late success": ([(5, 1.0), (5, math.nan), (6, 2.0), (6, 2.0), (6, 2.0), (7, 2.0)], 6, "completed"),
}


@pytest.mark.parametrize("name", COURSES)
def test_the_best_checkpoint_is_kept_and_patience_ends_a_run(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    course, kept, ended = COURSES[name]
    monkeypatch.setattr(loop_module, "evaluation_from", scripted(course))
    watcher = Keeper(tmp_path / "out")
    config = quick(make_model(hidden=32), num_train_epochs=6, early_stopping_patience=3, per_device_train_batch_size=29)
    report = run_finetuning(config, read_data([rows_file], [rows_file]), tmp_path / "out", RunOptions(watcher=watcher))
    assert (report.best_step, report.ended) == (kept, ended)
    final = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert all(torch.equal(final[tensor], watcher.kept[kept - 1][tensor]) for tensor in final)


def test_a_watcher_can_end_a_run(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    class Hopeless(Silent):
        def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
            return True

    data = read_data([rows_file], [rows_file])
    report = run_finetuning(quick(make_model(hidden=32)), data, tmp_path / "out", RunOptions(watcher=Hopeless()))
    assert (report.ended, len(report.evaluations)) == ("pruned", 1)


def test_a_base_in_memory_serves_many_runs_and_stays_as_it_was(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    config, data = quick(make_model(hidden=32), num_train_epochs=1), read_data([rows_file], [rows_file])
    base = open_base(look_at(config.model_name))
    reports = [run_finetuning(config, data, tmp_path / str(i), RunOptions(base=base)) for i in range(2)]
    fresh = run_finetuning(config, data, tmp_path / "fresh")
    losses = [[point.train_loss for point in report.points] for report in (*reports, fresh)]
    assert losses[0] == losses[1] == losses[2]


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "loss_sum", lambda logits, batch: logits.sum() * math.nan)
    with pytest.raises(TrainingError, match="step 1: the training loss is nan; lower learning_rate"):
        run_finetuning(quick(make_model(hidden=32)), read_data([rows_file], [rows_file]), tmp_path / "out")


def test_too_little_memory_says_what_to_halve(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(loop_module, "loss_sum", full)
    with pytest.raises(TrainingError, match="per_device_train_batch_size 8; halve it"):
        run_finetuning(quick(make_model(hidden=32)), read_data([rows_file], [rows_file]), tmp_path / "out")


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
