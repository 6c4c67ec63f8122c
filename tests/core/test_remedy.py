"""What to change, ranked by evidence."""

from dataclasses import replace

from pytest_mcpbench.core.curves import Checkpoint, Count, Curves
from pytest_mcpbench.core.diagnose import diagnose
from pytest_mcpbench.core.remedy import Remedy, remedies
from tests.core.planted import PLANTED, planted_cases, right_answer, run_of


def advice(kinds: dict[str, int], right: int = 0, curves: Curves | None = None) -> tuple[Remedy, ...]:
    planted = [(kind, case, text) for kind, detail, case, text in planted_cases(max([*kinds.values(), right, 1]))]
    cases, answers, used = [], {}, dict.fromkeys(kinds, 0)
    for kind, case, text in planted:
        if used.get(kind, 0) < kinds.get(kind, 0):
            used[kind] += 1
            cases.append(case)
            answers[case.id] = text
    extra = [replace(case, id=f"right-{case.id}") for _, case, _ in reversed(planted)][:right]
    answers |= {case.id: right_answer(case) for case in extra}
    run = run_of([*cases, *extra], {"m": answers})
    return remedies(diagnose(run, "m"), run.models["m"], curves)


def checkpoint(step: int, right: int, train_right: int, loss: float) -> Checkpoint:
    counts = Count(n=100, correct=right), Count(n=100, correct=train_right)
    return Checkpoint(
        step=step,
        epoch=1.0,
        train_loss=0.1,
        eval_loss=loss,
        tool=counts[0],
        parameters=counts[0],
        train_tool=counts[1],
        train_parameters=counts[1],
    )


def curves(*points: Checkpoint) -> Curves:
    return Curves(ended="completed", best_step=points[-1].step, train_rows=100, points=(), evaluations=points)


def test_a_model_without_misses_needs_no_remedy() -> None:
    assert advice({}, right=5) == ()


def test_the_most_frequent_error_comes_first() -> None:
    found = advice({"unparsed": 9, "no_attempt": 3})
    assert "--mcp-format" in found[0].action
    assert "9 of 12 misses" in found[0].evidence


def test_every_kind_of_error_has_a_remedy_of_its_own() -> None:
    for kind in {kind for kind, _ in PLANTED}:
        found = advice({kind: 8}, right=60)
        assert found[0].weight >= 0.5, kind


def test_a_weak_tool_asks_for_rows() -> None:
    found = advice({"missing_argument": 20}, right=60)
    assert [remedy for remedy in found if remedy.action == "add rows for read"]


def test_training_far_above_validation_asks_for_regularising() -> None:
    found = advice({"no_attempt": 2}, right=60, curves=curves(checkpoint(10, 70, 99, 0.5), checkpoint(20, 72, 99, 0.5)))
    assert any("weight_decay" in remedy.action and "27 points" in remedy.evidence for remedy in found)


def test_a_curve_that_still_rises_asks_for_longer_training() -> None:
    found = advice({"no_attempt": 2}, right=60, curves=curves(checkpoint(10, 80, 88, 0.5), checkpoint(20, 86, 90, 0.4)))
    assert any("still rising" in remedy.evidence for remedy in found)


def test_a_validation_loss_that_rises_twice_asks_to_stop_earlier() -> None:
    points = [checkpoint(10, 80, 85, 0.5), checkpoint(20, 80, 85, 0.6), checkpoint(30, 80, 85, 0.7)]
    found = advice({"no_attempt": 2}, right=60, curves=curves(*points))
    assert any("rose twice" in remedy.evidence for remedy in found)
    assert not any("still rising" in remedy.evidence for remedy in found)


def test_low_accuracy_without_curves_also_gets_the_guides_list_last() -> None:
    found = advice({"no_attempt": 9})
    assert found[-1].weight == 0
    assert "5 -> 10" in found[-1].action
