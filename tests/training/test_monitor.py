import math
from typing import Any

import pytest

from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.training.monitor import gradient_spikes, indicators, newly_fired, signs_after
from pytest_mcpbench.training.report import Evaluation, StepPoint


def evaluation(step: int, eval_loss: float, train_loss: float | None = None, **more: Any) -> Evaluation:
    tool = more.pop("tool", 90)
    parameters = more.pop("parameters", 80)
    return Evaluation(
        step=step,
        epoch=float(step),
        train_loss=eval_loss if train_loss is None else train_loss,
        eval_loss=eval_loss,
        detection=Count(n=100, correct=100),
        tool=Count(n=100, correct=tool),
        parameters=Count(n=100, correct=parameters),
        **more,
    )


def point(step: int, grad_norm: float) -> StepPoint:
    return StepPoint(step=step, epoch=0.0, train_loss=1.0, learning_rate=1e-4, grad_norm=grad_norm, elapsed_s=0.0)


def names(*evaluations: Evaluation) -> set[str]:
    return {sign.name for sign in signs_after(evaluations)}


@pytest.mark.parametrize(
    ("perplexity", "name"),
    [(1.49, "perplexity_excellent"), (1.51, "perplexity_good"), (1.99, "perplexity_good"), (3.01, "underfitting")],
)
def test_perplexity_is_judged_by_the_guide_s_thresholds(perplexity: float, name: str) -> None:
    assert names(evaluation(1, math.log(perplexity))) == {name}


def test_a_perplexity_between_good_and_bad_is_no_sign() -> None:
    assert not names(evaluation(1, math.log(2.5)))


def test_a_loss_gap_over_a_fifth_is_overfitting_with_the_guide_s_remedies() -> None:
    assert "loss_gap" not in names(evaluation(1, 0.55, 0.36))
    signs = {sign.name: sign for sign in signs_after([evaluation(1, 0.55, 0.34)])}
    for remedy in ("weight_decay (0.01 -> 0.05)", "validation_split 0.2 -> 0.3", "lora_r (32 -> 16)"):
        assert remedy in signs["loss_gap"].remedy


def test_training_accuracy_ten_points_above_validation_is_overfitting() -> None:
    assert "accuracy_gap" not in names(evaluation(1, 0.1, train_tool=Count(n=10, correct=10)))
    signs = {s.name: s for s in signs_after([evaluation(1, 0.1, train_parameters=Count(n=100, correct=91))])}
    assert (
        "parameter accuracy 91.0 % in training, 80.0 % in validation: 11 points apart" in signs["accuracy_gap"].message
    )


def test_two_rises_of_the_evaluation_loss_say_stop() -> None:
    assert "eval_loss_rising" not in names(evaluation(1, 0.3), evaluation(2, 0.31))
    assert "eval_loss_rising" not in names(evaluation(1, 0.3), evaluation(2, 0.32), evaluation(3, 0.31))
    assert "eval_loss_rising" in names(evaluation(1, 0.3), evaluation(2, 0.31), evaluation(3, 0.32))


def test_a_train_loss_near_zero_with_a_flat_evaluation_loss_is_memorising() -> None:
    assert "memorised" in names(evaluation(1, 0.1, 0.02), evaluation(2, 0.1, 0.005))
    assert "memorised" not in names(evaluation(1, 0.1, 0.02), evaluation(2, 0.05, 0.005))
    assert "memorised" not in names(evaluation(1, 0.1, 0.02), evaluation(2, 0.1, 0.02))


def test_rising_accuracy_is_a_good_sign() -> None:
    assert "accuracy_improving" in names(evaluation(1, 0.1, tool=90), evaluation(2, 0.1, tool=91))
    assert "accuracy_improving" not in names(evaluation(1, 0.1, tool=90), evaluation(2, 0.1, tool=90))


@pytest.mark.parametrize("norm", [5.1, math.inf, math.nan])
def test_a_gradient_norm_far_above_the_usual_is_a_spike(norm: float) -> None:
    steady = [point(step, 1.0) for step in range(1, 9)]
    assert [sign.step for sign in gradient_spikes([*steady, point(9, norm), point(10, 1.0)])] == [9]


def test_a_spike_needs_some_history() -> None:
    assert not gradient_spikes([point(1, 1.0), point(2, 100.0)])


def test_only_signs_that_are_new_are_printed() -> None:
    history = [evaluation(1, 2.0), evaluation(2, 2.0), evaluation(3, 0.3)]
    fired = indicators([], history[:1])
    assert [sign.name for sign in newly_fired(fired, history[:1])] == ["underfitting"]
    fired = indicators([], history[:2])
    assert not newly_fired(fired, history[:2])
    assert len(fired) == 2
    fired = indicators([], history)
    assert [sign.name for sign in newly_fired(fired, history)] == ["perplexity_excellent"]


def test_a_sign_s_line_says_what_when_and_what_to_do() -> None:
    (sign,) = signs_after([evaluation(7, math.log(4))])
    assert sign.line().startswith(
        "WARNING underfitting (step 7): perplexity 4.00 is above 3.0: underfitting; train longer"
    )
