"""A run held against an earlier one: which run, what is alike, and the verdicts."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.alike import circumstances, forbids, remarks
from pytest_mcpbench.core.compare import Comparison
from pytest_mcpbench.core.earlier import Earlier
from pytest_mcpbench.core.latency import Latency, to_mapping
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.regression import (
    SPEED_GATE,
    Timed,
    accuracy_verdict,
    compare_times,
    speed_verdict,
    timed_in,
)
from pytest_mcpbench.core.result import RunResult, read_result, write_result
from pytest_mcpbench.core.speed import SpeedComparison, compare_speed
from tests.core.planted import latency_of, read_case, read_said, right_answer, run_of

CASES = [read_case(f"read-{number}", number) for number in range(60)]
WRONG = {case.id: read_said(number, limit=1) for number, case in enumerate(CASES)}


def run(wrong: int = 0, cases: int = 60, **models: Any) -> RunResult:
    """A run of the model `finetuned` with so many wrong answers."""
    answers = {c.id: WRONG[c.id] if number < wrong else right_answer(c) for number, c in enumerate(CASES[:cases])}
    settings = GenerationSettings()
    return replace(run_of(CASES[:cases], {"finetuned": answers}, **{"prompt": "a", **models}), settings=settings)


def earlier(result: RunResult) -> Earlier:
    return Earlier(name="v1", path=Path("runs/v1.json"), result=result)


def verdict(then: RunResult, now: RunResult) -> Any:
    found = earlier(then)
    answers = {record.case: record.levels["level4"] for record in now.records}
    ids = [record.case for record in now.records]
    alike = (circumstances(now, "finetuned"), found.shared_cases([case for case in CASES if case.id in ids]))
    return accuracy_verdict(found, "finetuned", "no-regression:level4", answers, alike)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(0, 0, "PASS"), (0, 5, "PASS"), (0, 6, "FAIL"), (0, 60, "FAIL"), (20, 0, "PASS"), (20, 20, "PASS")],
)
def test_a_regression_is_a_loss_beyond_chance(before: int, after: int, status: str) -> None:
    found = verdict(run(before), run(after))
    assert found.status == status, found.line()
    assert found.line().startswith(f"{status} no-regression:level4 finetuned: since v1: ")
    assert ("mcpbench compare runs/v1.json RUN.json" in found.line()) == (status == "FAIL")


def test_only_cases_of_both_runs_count_and_the_line_says_how_many() -> None:
    found = verdict(run(0, cases=40), run(10, cases=60))
    assert (found.status, found.n, found.correct) == ("FAIL", 40, 30)
    assert "40 of 60 cases are in both" in found.reason
    changed = replace(CASES[0], messages=(replace(CASES[0].messages[0], content="something else"),))
    assert earlier(run()).shared_cases([changed, CASES[1]]) == {CASES[1].id}


def test_without_a_common_case_nothing_is_compared() -> None:
    then = run()
    found = verdict(replace(then, cases=replace(then.cases, items=())), run())
    assert (found.status, found.n) == ("UNDECIDED", 0)
    assert "no case in common" in found.reason


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prompt": "b"}, "the prompt differs"),
        ({"settings": GenerationSettings(max_new_tokens=9)}, "the longest answer differs: 150 tokens then, 9 now"),
    ],
)
def test_what_was_asked_otherwise_is_not_compared_and_the_reason_is_given(change: dict[str, Any], why: str) -> None:
    now = run(60, prompt=change["prompt"]) if "prompt" in change else replace(run(60), **change)
    found = verdict(run(), now)
    assert found.status == "UNDECIDED"
    assert why in found.reason


def test_other_versions_are_noted_and_what_a_file_does_not_say_forbids_nothing() -> None:
    then = run()
    packages = {**then.environment.packages, "torch": "1.0", "onnxruntime": "2", "peft": "3", "transformers": "4"}
    old = circumstances(
        replace(then, environment=replace(then.environment, plugin="0.0.1", packages=packages)), "finetuned"
    )
    now = circumstances(then, "finetuned")
    assert forbids(old, now) is None
    notes = remarks(old, now)
    assert notes[0] == f"pytest-mcpbench 0.0.1 then, {now.plugin} now"
    assert notes[1].startswith("transformers 4 then, ")
    assert notes[-1] == "1 more versions differ"
    assert forbids(replace(now, prompt="", max_new_tokens=None), now) is None
    assert remarks(now, now) == ()


def seconds(mean: float, seed: int) -> tuple[float, ...]:
    draw = random.Random(seed)
    return tuple(mean * draw.lognormvariate(0, 0.05) for _ in range(100))


def latency(mean: float, seed: int = 1, **changed: Any) -> Latency:
    return latency_of(seconds(mean, seed), **changed)


def timed_run(found: Latency) -> RunResult:
    return run(latency=to_mapping(found))


def speed_since(then: RunResult, now: Timed, **changed: str) -> SpeedComparison | str:
    here = replace(circumstances(then, "finetuned"), **changed)
    return compare_times(earlier(then), "finetuned", now, here, tolerance=0.1)


@pytest.mark.parametrize(("factor", "status"), [(1.0, "PASS"), (1.2, "PASS"), (1.5, "FAIL"), (0.5, "PASS")])
def test_single_requests_of_two_runs_compare_at_three_times_the_tolerance(factor: float, status: str) -> None:
    found = speed_since(timed_run(latency(0.1)), Timed(latency=latency(0.1 * factor, seed=2), beside={}))
    assert isinstance(found, SpeedComparison)
    assert found.status == status, found.reason
    assert found.speedup == pytest.approx(1 / factor, rel=0.05)
    line = speed_verdict(earlier(run()), found, circumstances(run(), "finetuned")).line()
    assert line.startswith(f"{status} {SPEED_GATE} finetuned: since v1: ")
    assert ("time both in one run" in line) == (status == "FAIL")


@pytest.mark.parametrize(
    ("then", "now", "changed", "why"),
    [
        (run(), Timed(latency=latency(1), beside={}), {}, "the earlier run did not time it"),
        (timed_run(latency(1)), Timed(latency=None, beside={}), {}, "it was not timed in this run"),
        (timed_run(latency(1)), Timed(latency=latency(1), beside={}), {"machine": "0123"}, "another machine: "),
        (timed_run(latency(1)), Timed(latency=latency(1), beside={}), {"prompt": "b"}, "the prompt differs"),
        (timed_run(latency(1)), Timed(latency=latency(1, cases="d"), beside={}), {}, "other requests were timed"),
        (timed_run(latency(1)), Timed(latency=latency(1, threads=8), beside={}), {}, "another device or number"),
        (timed_run(latency(1)), Timed(latency=latency(1, device="cuda"), beside={}), {}, "another device"),
    ],
)
def test_times_that_are_not_alike_are_not_compared_and_the_reason_is_given(
    then: RunResult, now: Timed, changed: dict[str, str], why: str
) -> None:
    found = speed_since(then, now, **changed)
    assert isinstance(found, str)
    assert why in found


def beside_base(factor: float, load: float, seed: int) -> SpeedComparison:
    """A model that takes so many times as long as base, both on a machine under load."""
    base = seconds(0.1 * load, seed)
    return compare_speed(base, [factor * time for time in seconds(0.1 * load, seed + 1)], labels=("base", "finetuned"))


def test_speedups_over_one_and_the_same_model_compare_however_busy_the_machine_was() -> None:
    then = run()
    base = replace(then.models["finetuned"], fingerprint="base")
    entry = Comparison(
        before="base",
        after="finetuned",
        relation="better-than",
        margin=None,
        levels={},
        speed=beside_base(0.5, load=1, seed=1),
    )
    then = replace(then, models={"base": base, **then.models}, comparisons=(entry,))
    assert timed_in(then, "finetuned").beside.keys() == {"base"}
    for factor, status in [(0.5, "PASS"), (0.6, "FAIL")]:
        found = speed_since(then, Timed(latency=None, beside={"base": beside_base(factor, load=3, seed=5)}))
        assert isinstance(found, SpeedComparison)
        assert found.status == status, found.reason
    other = speed_since(then, Timed(latency=None, beside={"other": beside_base(0.5, load=1, seed=5)}))
    assert other == "no model was timed beside it in both runs"


def test_a_result_read_back_has_the_same_circumstances(tmp_path: Path) -> None:
    write_result(run(), tmp_path / "run.json")
    again = read_result(tmp_path / "run.json")
    assert circumstances(again, "finetuned") == circumstances(run(), "finetuned")
    assert earlier(again).shared_cases(CASES) == {case.id for case in CASES}
