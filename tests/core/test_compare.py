"""Comparisons of two models on the same cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from pytest_mcpbench.core.compare import Pair, Paired, compare_verdict, margin_of, paired, pairs_of
from pytest_mcpbench.core.stats import pairs_to_decide, tango_upper
from pytest_mcpbench.core.target import targets_of

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
BETTER = Pair(before="base", after="finetuned", relation="better-than")
NO_WORSE = Pair(before="finetuned", after="int8", relation="no-worse-than")


def flipped(both: int, gains: int, losses: int, neither: int = 0) -> Paired:
    answers = [(True, True)] * both + [(False, True)] * gains + [(True, False)] * losses + [(False, False)] * neither
    sides = [{str(number): answer[side] for number, answer in enumerate(answers)} for side in (0, 1)]
    return paired(*sides)


@given(ANSWERS)
def test_a_comparison_turned_round_is_its_mirror(answers: list[tuple[bool, bool]]) -> None:
    was, now = ({str(i): pair[side] for i, pair in enumerate(answers)} for side in (0, 1))
    there, back = paired(was, now), paired(now, was)
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert there.change == -back.change
    assert there.p_value == back.p_value
    assert there.interval == pytest.approx([-back.interval[1], -back.interval[0]])


@given(ANSWERS)
def test_the_interval_holds_the_change_and_the_flips_explain_it(answers: list[tuple[bool, bool]]) -> None:
    found = paired(*({str(i): pair[side] for i, pair in enumerate(answers)} for side in (0, 1)))
    assert found.interval[0] - 1e-9 <= found.change <= found.interval[1] + 1e-9
    assert found.after - found.before == len(found.gained) - len(found.lost)
    assert found.worst_loss >= -found.change - 1e-9


@given(st.integers(0, 40), st.integers(0, 40))
def test_p_values_agree_with_statsmodels(gains: int, losses: int) -> None:
    if gains + losses:
        theirs = mcnemar([[10, losses], [gains, 10]], exact=True).pvalue
        assert flipped(20, gains, losses).p_value == pytest.approx(theirs)


def test_cases_that_only_one_model_answered_or_that_are_not_asked_stay_out() -> None:
    found = paired({"a": True, "b": None, "c": False}, {"a": False, "b": None, "d": True})
    assert (found.n, found.lost, found.gained) == (1, ("a",), ())


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (flipped(80, 20, 0), "PASS"),
        (flipped(97, 2, 1), "UNDECIDED"),
        (flipped(92, 7, 1), "UNDECIDED"),  # p = .070
        (flipped(90, 9, 1), "PASS"),  # p = .021
        (flipped(90, 5, 5), "FAIL"),
        (flipped(80, 1, 19), "FAIL"),
        (flipped(0, 0, 0), "FAIL"),
    ],
)
def test_better_needs_a_gain_beyond_chance(found: Paired, status: str) -> None:
    assert compare_verdict(BETTER, "level3", found).status == status


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (flipped(600, 0, 0), "PASS"),
        (flipped(598, 1, 1), "PASS"),
        (flipped(133, 0, 0), "PASS"),  # the bound is 1.994 points
        (flipped(132, 0, 0), "UNDECIDED"),  # 2.008 points
        (flipped(590, 0, 10), "UNDECIDED"),
        (flipped(560, 0, 40), "FAIL"),
        (flipped(98, 0, 2), "FAIL"),
        (flipped(40, 0, 0), "UNDECIDED"),
    ],
)
def test_no_worse_needs_the_bound_of_the_loss_below_the_margin(found: Paired, status: str) -> None:
    verdict = compare_verdict(NO_WORSE, "level3", found, 0.02)
    assert verdict.status == status, verdict.line()


def test_an_undecided_comparison_says_how_many_more_cases_would_do() -> None:
    verdict = compare_verdict(NO_WORSE, "level3", flipped(40, 0, 0), 0.02)
    needed = pairs_to_decide(0, 0, 40, 0.02)
    assert f"{needed - 40} more cases" in verdict.next_step
    assert tango_upper(0, 0, needed) < 0.02 <= tango_upper(0, 0, needed - 1)


def test_no_number_of_cases_proves_a_loss_harmless_that_reaches_the_margin() -> None:
    assert pairs_to_decide(2, 0, 100, 0.02) is None


def test_a_significant_loss_of_less_than_a_point_is_no_regression() -> None:
    assert not flipped(9990, 0, 10).regressed
    assert flipped(80, 0, 20).regressed


def test_labels_say_which_models_are_compared() -> None:
    pairs = {(pair.before, pair.after, pair.relation) for pair in pairs_of(["base", "finetuned", "int8", "my-int4"])}
    assert pairs == {
        ("base", "finetuned", "better-than"),
        ("finetuned", "int8", "no-worse-than"),
        ("finetuned", "my-int4", "no-worse-than"),
    }
    assert [pair.relation for pair in pairs_of(["old", "new"])] == ["beside"]
    assert pairs_of(["finetuned"]) == ()
    assert pairs_of([]) == ()


def test_margins_follow_the_bits_unless_a_target_says_otherwise() -> None:
    int4 = Pair(before="finetuned", after="int4", relation="no-worse-than")
    assert (margin_of(NO_WORSE, targets_of([])), margin_of(int4, targets_of([]))) == (0.02, 0.03)
    assert margin_of(NO_WORSE, targets_of(["margin:int8=0.01"])) == 0.01
    assert margin_of(int4, targets_of(["margin=0.05", "margin:int8=0.01"])) == 0.05
    assert margin_of(BETTER, targets_of(["margin=0.05"])) is None


def test_what_a_model_is_goes_before_what_its_label_says() -> None:
    pairs = pairs_of(["finetuned", "prod"], {"finetuned": None, "prod": 4})
    assert [(pair.before, pair.after, pair.relation) for pair in pairs] == [("finetuned", "prod", "no-worse-than")]
    assert margin_of(pairs[0], targets_of([])) == 0.03


def test_the_only_model_that_is_not_quantized_is_the_reference_whatever_its_label() -> None:
    assert [(pair.before, pair.relation) for pair in pairs_of(["phi", "phi-int8"])] == [("phi", "no-worse-than")]
    assert [pair.relation for pair in pairs_of(["phi", "gemma", "phi-int8"])] == ["beside", "beside"]
