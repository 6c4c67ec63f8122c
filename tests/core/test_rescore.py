"""Stored texts scored again, without a model."""

from dataclasses import replace

import pytest

from pytest_mcpbench.core.kept import CaseSet, restore
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.rescore import Rules, changed_cases, rescore
from pytest_mcpbench.core.result import to_json
from pytest_mcpbench.core.target import Targets, targets_of
from pytest_mcpbench.errors import ResultError
from tests.core.planted import planted_cases, planted_run, right_answer, run_of


def test_the_same_rules_give_the_same_result() -> None:
    run, _ = planted_run(3)
    assert to_json(rescore(run, Rules(targets=Targets()))) == to_json(run)


def test_new_targets_change_verdicts_and_nothing_else() -> None:
    cases = [case for _, _, case, _ in planted_cases(3)]
    run = run_of(
        cases,
        {"m": {case.id: right_answer(case) for case in cases[:-9]} | {c.id: Generation(text="?") for c in cases[-9:]}},
    )
    loose = rescore(
        run, Rules(targets=targets_of(["level3=0.1", "level1=0.1", "level2=0.1", "level4=0.1", "tool=0.1"]))
    )
    assert not all(verdict.passed for verdict in run.gates)
    assert all(verdict.passed for verdict in loose.gates)
    assert loose.records == run.records


def test_cases_that_accept_more_turn_misses_right_and_each_change_is_listed() -> None:
    run, planted = planted_run(2)
    case_id = next(case for case, what in planted.items() if what == ("wrong_value", "letter_case"))
    cases = []
    for case in restore(run.cases):
        call = case.expected[0] if case.expected else None
        if case.id == case_id and call is not None:
            accept = {"file_path": (call.arguments["file_path"].lower(),)}
            cases.append(replace(case, alternatives=((replace(call, accept=accept),),)))
        else:
            cases.append(case)
    again = rescore(run, Rules(cases=cases, targets=Targets()))
    assert changed_cases(run, again) == {("finetuned", case_id): (False, True)}
    assert again.cases.hash != run.cases.hash


def test_a_result_that_kept_no_cases_needs_them() -> None:
    run, _ = planted_run(1)
    bare = replace(run, cases=CaseSet(hash=run.cases.hash, n=run.cases.n))
    with pytest.raises(ResultError, match="--cases"):
        rescore(bare, Rules(targets=Targets()))
    again = rescore(bare, Rules(cases=restore(run.cases), targets=Targets()))
    assert to_json(again) == to_json(run)


def test_a_tier_that_was_withheld_for_a_biased_selection_stays_withheld() -> None:
    run, _ = planted_run(1)
    model = run.models["finetuned"]
    partial = replace(model.tier, tier=None, set_by=None, reason="only cases that the last run missed were run")
    again = rescore(replace(run, models={"finetuned": replace(model, tier=partial)}), Rules(targets=Targets()))
    assert again.models["finetuned"].tier == partial


def test_a_model_that_was_trained_on_the_cases_stays_without_a_tier() -> None:
    cases = [case for _, _, case, _ in planted_cases(3)]
    run = run_of(cases, {"m": {case.id: right_answer(case) for case in cases}}, trained_cases=(cases[0].id,))
    tier = rescore(run, Rules(targets=Targets())).models["m"].tier
    assert tier.tier is None
    assert "trained on 1 of these" in tier.reason
