"""The release policy and its checklist."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mcpbench.core.checklist import CHECKS, Check, Facts, check_policy
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.curves import Checkpoint, Count, Curves
from pytest_mcpbench.core.history import PastModel
from pytest_mcpbench.core.pairs import compare_records, records_of
from pytest_mcpbench.core.policy import POINTS, Evidence, Limits, Policy, read_policy
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed import compare_speed
from pytest_mcpbench.core.weights import Weights
from pytest_mcpbench.errors import OptionError
from tests.core.planted import planted_cases, right_answer, run_of


def good_run(missed: int = 0, **latencies: float) -> RunResult:
    planted = planted_cases(6)
    cases = [case for _, _, case, _ in planted]
    right = {case.id: right_answer(case) for case in cases}
    wrong = {case.id: text for _, _, case, text in planted}
    some = {**right, **{case.id: wrong[case.id] for case in cases[:missed]}}
    run = run_of(cases, {"base": wrong, "finetuned": right, "int8": some})
    models = {
        label: replace(model, latency={"mean_s": latencies[label]}) if label in latencies else model
        for label, model in run.models.items()
    }
    return replace(run, models=models)


FAST = {"finetuned": 0.120, "int8": 0.040}
FACTS = Facts(run_file="run.json", data_rows=200)


def status(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.status for check in checks}


def test_the_guides_points_are_the_checks_in_their_order() -> None:
    assert tuple(CHECKS) == POINTS


def test_a_run_that_holds_the_guides_limits_may_ship() -> None:
    checks = check_policy(good_run(**FAST), Policy(), FACTS)
    assert set(status(checks).values()) == {"PASS"}, [check.line() for check in checks]
    assert {
        "baseline",
        "data",
        "tool",
        "parameters",
        "detection",
        "tier",
        "export",
        "int8",
        "speedup",
        "quantized",
    } <= set(status(checks))
    assert all("[" in check.line() for check in checks)


def test_each_number_is_held_to_its_limit() -> None:
    checks = status(check_policy(good_run(missed=12, **FAST), Policy(), FACTS))
    failed = {name for name, found in checks.items() if found == "FAIL"}
    assert failed == {"tool", "parameters", "detection", "gates", "quantized"}
    slow = status(check_policy(good_run(finetuned=0.1, int8=0.05), Policy(), FACTS))
    assert [name for name, found in slow.items() if found == "FAIL"] == ["speedup"]


def test_exactly_the_limit_is_not_above_it() -> None:
    run = good_run(missed=6, **FAST)  # 114 of 120
    limits = Limits(tool=0.95)
    assert run.models["int8"].summary.levels["level3"].rate == 0.95
    assert status(check_policy(run, Policy(limits=limits), FACTS))["tool"] == "FAIL"


def test_what_was_not_measured_fails_and_can_be_waived_with_a_reason() -> None:
    found = check_policy(good_run(), Policy(), FACTS)
    assert status(found)["speedup"] == "FAIL"
    waived = check_policy(good_run(), Policy(waive={"speedup": "measured by hand"}), FACTS)
    check = next(check for check in waived if check.name == "speedup")
    assert (check.status, check.reason.startswith("measured by hand (")) == ("WAIVED", True)


def test_a_waived_point_that_holds_passes() -> None:
    assert status(check_policy(good_run(**FAST), Policy(waive={"speedup": "x"}), FACTS))["speedup"] == "PASS"


def test_a_run_without_a_baseline_or_a_quantized_model_says_so() -> None:
    run = good_run(**FAST)
    only = replace(run, models={"finetuned": run.models["finetuned"]})
    found = status(check_policy(only, Policy(), FACTS))
    assert {name for name, word in found.items() if word == "FAIL"} == {
        "baseline",
        "export",
        "int8",
        "speedup",
        "quantized",
    }


def test_data_with_errors_or_too_few_rows_fails() -> None:
    run = good_run(**FAST)
    for facts in (
        Facts(run_file="r", data_rows=28),
        Facts(run_file="r", data_rows=500, data_errors=("train.jsonl:3: double",)),
        Facts(run_file="r"),
    ):
        assert status(check_policy(run, Policy(), facts))["data"] == "FAIL"


def curves(train: int, held: int) -> Curves:
    point = Checkpoint(
        step=9,
        epoch=1,
        train_loss=0.1,
        eval_loss=0.1,
        tool=Count(n=100, correct=held),
        parameters=Count(n=100, correct=held),
        train_tool=Count(n=100, correct=train),
        train_parameters=Count(n=100, correct=train),
    )
    return Curves(ended="early stop", best_step=9, train_rows=64, points=(), evaluations=(point,))


@pytest.mark.parametrize(("train", "held", "word"), [(99, 95, "PASS"), (99, 88, "FAIL")])
def test_a_training_report_that_shows_overfitting_fails(train: int, held: int, word: str) -> None:
    policy = Policy(evidence=Evidence(training="out"))
    facts = Facts(run_file="r", curves=curves(train, held))
    found = status(check_policy(good_run(**FAST), policy, facts))
    assert (found["training"], found["data"]) == (word, "PASS")


def test_named_evidence_must_be_there_and_a_way_back_must_be_known() -> None:
    run = good_run(**FAST)
    policy = Policy(evidence=Evidence(integration="it.xml", rollback="runs"))
    assert status(check_policy(run, policy, FACTS))["integration"] == "FAIL"
    assert status(check_policy(run, policy, FACTS))["rollback"] == "FAIL"
    past = PastModel(
        file="a.json",
        created="2026",
        cases="x",
        label="int8",
        spec="old",
        fingerprint="old",
        tier="GOOD",
        levels={},
        passed=True,
    )
    facts = replace(FACTS, present={"integration": True}, past=(past,))
    assert set(status(check_policy(run, policy, facts)).values()) == {"PASS"}
    itself = replace(facts, past=(replace(past, fingerprint=run.models["int8"].fingerprint),))
    assert status(check_policy(run, policy, itself))["rollback"] == "FAIL"
    beside = replace(facts, past=(replace(past, created=run.created),))
    assert status(check_policy(run, policy, beside))["rollback"] == "FAIL"


def test_a_policy_file_is_read_with_its_limits_and_waivers(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        '[models]\nrelease = "finetuned"\n[limits]\ntool = 0.9\ntiers = ["EXCELLENT"]\n'
        '[evidence]\ndata = "train"\n[waive]\nspeedup = "no timing yet"\n'
    )
    policy = read_policy(path)
    assert policy.release == "finetuned"
    assert (policy.limits.tool, policy.limits.parameters, policy.limits.tiers) == (0.9, 0.9, ("EXCELLENT",))
    assert policy.waive == {"speedup": "no timing yet"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\ntol = 0.9", "no key 'tol'"),
        ("[limits]\ntool = 95", "write 0.95 for 95 %"),
        ("[limits]\ntool = inf", "at least 0"),
        ("[limits]\ntool = true", "at least 0"),
        ('[limits]\ntiers = ["GREAT"]', "list of EXCELLENT"),
        ("[limits]\ntiers = [1, [2]]", "list of EXCELLENT"),
        ("[limits]\nrows = 2.5", "whole number"),
        ('[waive]\nspeed = "x"', "no key 'speed'"),
        ("[waive]\nspeedup = true", "must be a text"),
        ("[limit]\ntool = 0.9", "no table 'limit'"),
        ("tool = 0.9", "no table 'tool'"),
        ("tool = ", "no policy"),
    ],
)
def test_a_wrong_policy_file_is_an_error_that_names_the_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=says):
        read_policy(path)
    with pytest.raises(OptionError, match=r"Is a directory; give a policy in TOML$"):
        read_policy(tmp_path)


def test_a_model_to_release_that_was_not_run_is_an_error() -> None:
    with pytest.raises(OptionError, match="releases 'int3'"):
        check_policy(good_run(), Policy(release="int3"), FACTS)


@pytest.mark.parametrize(("factor", "found"), [(3.0, "PASS"), (2.0, "FAIL")])
def test_a_speedup_that_was_measured_in_pairs_goes_before_averages(factor: float, found: str) -> None:
    times = [0.1 + number / 1000 for number in range(30)]
    speed = compare_speed(times, [time / factor for time in times], labels=("finetuned", "int8"))
    run = good_run(finetuned=0.1, int8=0.1 / (5.0 - factor))
    pair = Pair(before="finetuned", after="int8", relation="no-worse-than")
    sides = records_of(run, "finetuned"), records_of(run, "int8")
    compared = replace(compare_records(pair, *sides, run.cases), speed=speed)
    check = next(
        check
        for check in check_policy(replace(run, comparisons=(compared,)), Policy(), FACTS)
        if check.name == "speedup"
    )
    assert check.status == found
    assert f"{factor:.2f}x as fast" in check.reason


def test_what_a_model_is_goes_before_its_label() -> None:
    run = good_run(**FAST)
    weights = Weights(dtype="int8", bits=8)
    models = {"base": run.models["base"], "finetuned": run.models["finetuned"]}
    models["prod"] = replace(run.models["int8"], weights=weights)
    renamed = replace(run, models=models)
    checks = {check.name: check for check in check_policy(renamed, Policy(), FACTS)}
    assert checks["int8"].status == "PASS"
    assert checks["quantized"].reason.startswith("prod ")
