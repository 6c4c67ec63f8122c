import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.gate import tier_of
from pytest_mcpbench.core.overlap import row_hash
from pytest_mcpbench.core.plan import GenerationSettings, plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.engine import generate
from pytest_mcpbench.models.load import LoadOptions, load_model, resolve
from pytest_mcpbench.training import loop as loop_module
from pytest_mcpbench.training.base import look_at, open_base
from pytest_mcpbench.training.course import Facts
from pytest_mcpbench.training.data_check import check_data, require_fit
from pytest_mcpbench.training.evaluate import Evaluator
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import Evaluation, Indicator, read_report
from pytest_mcpbench.training.rows import read_data, shipped_tools
from tests.training.quick import MakeModel, quick


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
    make_model: MakeModel, rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, data = quick(make_model(hidden=32), adapter_dtype="bfloat16"), read_data([rows_file], [rows_file])
    options = RunOptions(base_name="demo:base", merge=True)
    capsys.readouterr()
    report = run_finetuning(config, data, tmp_path / "out", options)
    assert capsys.readouterr().err == ""  # transformers has bars of its own
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
    """Against the slow way, on a model that knows about half of the rows.

    In float32: in bfloat16 two tokens may be so close that a batch of another shape decides otherwise.
    """
    data = read_data([rows_file], [rows_file])
    config = quick(
        make_model(hidden=128),
        num_train_epochs=12,
        lora_r=32,
        lora_alpha=64,
        max_new_tokens=30,
        eval_rows=0,
        dtype="float32",
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records CUDA kernels")
def test_a_finished_run_leaves_no_memory_taken_on_the_gpu(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    config, data = quick(make_model(hidden=32)), read_data([rows_file], [rows_file])
    base, reserved = open_base(look_at(config.model_name)), []
    for number in range(3):
        run_finetuning(config, data, tmp_path / str(number), RunOptions(base=base))
        reserved.append(torch.cuda.memory_reserved())
    assert reserved[0] == reserved[1] == reserved[2]


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
