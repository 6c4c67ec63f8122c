"""What a person wants to know first."""

from dataclasses import replace

from pytest_mcpbench.core.headline import headline_of
from tests.core.planted import planted_cases, planted_run, right_answer, run_of


def test_a_failing_run_says_so_and_shows_three_different_kinds_of_failure() -> None:
    run, planted = planted_run(5)
    top = headline_of(run)
    assert (top.decision, top.sentence) == ("FAIL", "finetuned must not ship")
    assert top.focus is not None
    assert len({planted[miss.case] for miss in top.focus.failures}) == 3
    assert top.focus.missed == len(planted)


def test_the_first_failure_is_one_of_the_weakest_tool() -> None:
    planted = planted_cases(10)
    cases = [case for _, _, case, _ in planted]
    answers = {
        case.id: text if kind == "wrong_value" and "write" in case.expected_tools else right_answer(case)
        for kind, _, case, text in planted
    } | {case.id: text for kind, _, case, text in planted if kind == "missing_call"}
    top = headline_of(run_of(cases, {"m": answers}))
    assert top.focus is not None
    assert top.focus.weakest is not None
    assert top.focus.weakest.name in top.focus.failures[0].tools


def test_a_perfect_model_may_ship_and_has_no_failures() -> None:
    cases = [case for _, _, case, _ in planted_cases(2)]
    top = headline_of(run_of(cases, {"finetuned": {case.id: right_answer(case) for case in cases}}))
    assert (top.decision, top.sentence) == ("PASS", "finetuned may ship")
    assert top.focus is not None
    assert top.focus.failures == ()


def test_models_that_are_only_measured_get_no_verdict() -> None:
    run, _ = planted_run(1)
    top = headline_of(replace(run, gates=()))
    assert (top.decision, top.sentence) == ("MEASURED", "Nothing was gated: finetuned measured only")


def test_a_model_with_fewer_misses_than_shown_lists_each_once() -> None:
    planted = planted_cases(2)
    cases = [case for _, _, case, _ in planted]
    answers = {case.id: right_answer(case) for case in cases} | {planted[0][2].id: planted[0][3]}
    top = headline_of(run_of(cases, {"m": answers}))
    assert top.focus is not None
    assert [miss.case for miss in top.focus.failures] == [planted[0][2].id]


def test_a_failed_gate_outweighs_an_undecided_one() -> None:
    run, _ = planted_run(1)
    first, *rest = run.gates
    mixed = replace(run, gates=(replace(first, status="UNDECIDED"), *rest))
    assert headline_of(mixed).decision == "FAIL"
    undecided = replace(run, gates=(replace(first, status="UNDECIDED"), replace(first, status="PASS")))
    assert headline_of(undecided).sentence == "finetuned is undecided"
