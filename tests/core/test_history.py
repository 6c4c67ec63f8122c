"""Earlier runs, and training curves, read from disk."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pytest_mcpbench.core.curves import Count, find_curves, read_curves
from pytest_mcpbench.core.history import last_passing, past_models
from pytest_mcpbench.core.result import write_result
from pytest_mcpbench.errors import ResultError
from pytest_mcpbench.training.report import Evaluation, Machine, StepPoint, TrainingReport, write_report
from tests.core.planted import planted_cases, planted_run, right_answer, run_of


def test_past_models_come_oldest_first_and_other_files_are_passed_over(tmp_path: Path) -> None:
    failed, _ = planted_run(1)
    cases = [case for _, _, case, _ in planted_cases(1)]
    good = run_of(cases, {"finetuned": {case.id: right_answer(case) for case in cases}})
    write_result(good, tmp_path / "1.json")
    write_result(failed, tmp_path / "2.json")
    write_result(replace(good, gates=()), tmp_path / "3.json")
    (tmp_path / "4.json").write_text("{")
    (tmp_path / "5.json").write_text('{"schema": "other"}')
    (tmp_path / "6.json").write_text('{"schema": "mcpbench.run/1", "models": {"a": 1}}')
    past = past_models(tmp_path)
    assert [(model.file, model.passed) for model in past] == [("1.json", True), ("2.json", False), ("3.json", None)]
    assert past[0].levels == good.models["finetuned"].summary.levels
    assert last_passing(past).file == "1.json"
    assert last_passing(past, skip=past[0].fingerprint) is None
    assert past_models(tmp_path / "none") == ()


def training_report() -> TrainingReport:
    evaluation = Evaluation(
        step=10,
        epoch=1.0,
        train_loss=0.3,
        eval_loss=0.4,
        detection=Count(n=9, correct=9),
        tool=Count(n=9, correct=8),
        parameters=Count(n=9, correct=7),
    )
    return TrainingReport(
        config={"lora_r": 32},
        base="base",
        train_rows=64,
        validation_rows=9,
        trainable_parameters=1,
        total_steps=10,
        ended="completed",
        best_step=10,
        seconds=1.0,
        setup_s=1.0,
        machine=Machine(device="cpu", processes=1, dtype="float32", platform="x", versions={}),
        points=(StepPoint(step=1, epoch=0.1, train_loss=1.0, learning_rate=1e-4, grad_norm=1.0, elapsed_s=1.0),),
        evaluations=(evaluation, replace(evaluation, eval_loss=float("nan"))),
    )


def test_the_curves_are_those_of_the_training_report(tmp_path: Path) -> None:
    report = training_report()
    write_report(report, tmp_path)
    curves = read_curves(tmp_path)
    assert (curves.ended, curves.best_step, curves.train_rows) == ("completed", 10, 64)
    assert [asdict(curves.evaluations[0].tool), curves.evaluations[0].eval_loss] == [{"n": 9, "correct": 8}, 0.4]
    assert curves.evaluations[1].eval_loss is None
    assert find_curves(str(tmp_path)) == curves
    assert find_curves("replay:x") is None


@pytest.mark.parametrize("text", ["{", '{"schema": "x"}', json.dumps({"schema": "mcpbench.training/1"})])
def test_a_file_that_is_no_training_report_is_an_error_and_never_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "training_report.json").write_text(text)
    with pytest.raises(ResultError):
        read_curves(tmp_path)
    assert find_curves(str(tmp_path)) is None
