"""Speed compared in pairs: intervals against another implementation, verdicts on simulated machines."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_mcpbench.core.speed import (
    MOST_PAIRS,
    SpeedComparison,
    abba_order,
    bca_interval,
    check_speedup,
    compare_apart,
    compare_speed,
    further_pairs,
)

TIMES = st.lists(st.floats(1e-4, 1e3), min_size=2, max_size=30)


def measured(
    pairs: int, factor: float, seed: int, *, noise: float = 0.03, spikes: float = 0.05
) -> tuple[list[float], list[float]]:
    """Times of two models on a machine that drifts and is sometimes disturbed, in ABBA order."""
    draw = random.Random(seed)
    sides: dict[str, list[float]] = {"reference": [], "candidate": []}
    load = 1.0
    for order in abba_order(pairs, seed):
        for side in order:
            load *= math.exp(draw.gauss(0, noise / 2))
            time = 0.1 * load * math.exp(draw.gauss(0, noise))
            if draw.random() < spikes:
                time *= 1 + draw.expovariate(4)
            sides[side].append(time * (factor if side == "candidate" else 1))
    return sides["reference"], sides["candidate"]


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_agrees_with_scipys_bootstrap(seed: int) -> None:
    sample = np.random.default_rng(seed).exponential(1.0, 40)
    theirs = stats.bootstrap((sample,), np.mean, method="BCa", n_resamples=9999, rng=seed).confidence_interval
    low, high = bca_interval([sample.tolist()], seed=seed, resamples=9999)
    width = theirs.high - theirs.low
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)


def test_the_interval_of_two_groups_agrees_with_scipys_bootstrap() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.exponential(1.0, 30), draw.exponential(2.0, 50)
    theirs = stats.bootstrap(
        (one, other), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), method="BCa", n_resamples=9999, rng=1
    ).confidence_interval
    found = bca_interval([one.tolist(), other.tolist()], resamples=9999)
    assert found == pytest.approx((theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low))


@settings(max_examples=25)
@given(TIMES, st.floats(0.2, 5))
def test_a_constant_factor_is_found_exactly_and_without_width(times: list[float], factor: float) -> None:
    found = compare_speed(times, [time * factor for time in times])
    assert found.speedup == pytest.approx(1 / factor)
    assert found.interval == pytest.approx((1 / factor, 1 / factor))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=2, max_size=30))
def test_turned_round_a_speedup_is_its_inverse(pairs: list[tuple[float, float]]) -> None:
    there = compare_speed([a for a, _ in pairs], [b for _, b in pairs])
    back = compare_speed([b for _, b in pairs], [a for a, _ in pairs])
    assert there.speedup * back.speedup == pytest.approx(1)
    assert there.interval[0] <= there.speedup * 1.0001
    assert there.interval[1] >= there.speedup * 0.9999


def test_a_model_against_itself_never_fails_with_twenty_noisy_pairs() -> None:
    found = [compare_speed(*measured(20, 1.0, seed, noise=0.15, spikes=0.2)).status for seed in range(20)]
    assert "FAIL" not in found


def until_decided(factor: float, seed: int) -> SpeedComparison:
    """Twenty pairs, and more of the same machine while they do not decide."""
    reference, candidate = measured(MOST_PAIRS, factor, seed)
    pairs = 20
    while more := further_pairs(found := compare_speed(reference[:pairs], candidate[:pairs])):
        pairs += more
    return found


def test_a_slowdown_of_fifteen_percent_is_caught_and_none_is_made_up() -> None:
    slower = [until_decided(1.15, seed) for seed in range(20)]
    assert [found.status for found in slower].count("FAIL") >= 18
    same = [until_decided(1.0, seed) for seed in range(20)]
    assert "FAIL" not in [found.status for found in same]
    assert max(found.pairs for found in slower + same) <= MOST_PAIRS


def test_as_many_pairs_are_asked_for_as_decide_and_no_more_than_there_are() -> None:
    decided = compare_speed([1.0] * 20, [1.0] * 20)
    assert further_pairs(decided) == 0
    few = compare_speed([1.0] * 5, [1.0] * 5)
    assert further_pairs(few) == 15
    open_one = replace(decided, status="UNDECIDED", speedup=0.9, interval=(0.8, 1.0), tolerance=0.1)
    assert further_pairs(open_one) == 20
    assert further_pairs(open_one, most=25) == 5
    assert further_pairs(replace(open_one, pairs=MOST_PAIRS)) == 0


def test_equal_models_pass_on_a_quiet_machine() -> None:
    assert compare_speed(*measured(40, 1.0, 1)).status == "PASS"
    assert compare_speed(*measured(60, 1.0, 1, noise=0.002, spikes=0), tolerance=0.03).status == "PASS"


def test_the_limit_is_the_longer_time_that_is_allowed() -> None:
    times = [1.0] * 20
    assert compare_speed(times, [1.0999] * 20).status == "PASS"
    assert compare_speed(times, [1.1001] * 20).status == "FAIL"


def test_too_few_pairs_decide_nothing_and_say_so() -> None:
    found = compare_speed([1.0] * 19, [2.0] * 19, labels=("base", "int8"))
    assert (found.status, found.pairs) == ("UNDECIDED", 19)
    assert found.reason == "0.50x as fast (95 % interval 0.50 to 0.50, 19 pairs) says too little: 20 pairs are needed"
    assert compare_speed([1.0], [2.0]).interval is None


def test_an_undecided_comparison_says_how_many_more_pairs_would_do() -> None:
    reference, candidate = measured(30, 1.12, 3, noise=0.1)
    found = compare_speed(reference, candidate)
    assert found.status == "UNDECIDED"
    assert "more pairs decide it" in found.reason


@pytest.mark.parametrize("times", [([1.0], [1.0, 2.0]), ([], []), ([0.0], [1.0]), ([1.0], [math.nan])])
def test_what_are_no_pairs_of_times_is_refused(times: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="time"):
        compare_speed(*times)


def test_samples_that_are_not_pairs_compare_by_their_means() -> None:
    slow, fast = measured(200, 0.5, 5)
    found = compare_apart(slow, fast[:150], labels=("then", "now"), tolerance=0.1)
    assert found.speedup == pytest.approx(2, rel=0.1)
    assert (found.status, found.pairs) == ("PASS", 150)
    assert compare_apart(fast, slow, labels=("then", "now"), tolerance=0.1).status == "FAIL"


def speedup_of(factor: float, *, pairs: int = 40, noise: float = 0.01) -> SpeedComparison:
    return compare_speed(*measured(pairs, 1 / factor, 7, noise=noise, spikes=0), labels=("finetuned", "int8"))


@pytest.mark.parametrize(
    ("comparison", "target", "bound", "status"),
    [
        (speedup_of(3.0), 2.67, None, "PASS"),
        (speedup_of(3.0), 2.67, 4.0, "PASS"),
        (speedup_of(2.0), 2.67, 4.0, "FAIL"),
        (speedup_of(2.67, noise=0.2), 2.67, 4.0, "UNDECIDED"),
        (speedup_of(3.0, pairs=19), 2.67, None, "UNDECIDED"),
        (speedup_of(5.0), 2.67, 4.0, "FAIL"),  # measured beyond the bound
        (speedup_of(2.0), 2.67, 2.0, "FAIL"),  # claimed beyond the bound
    ],
)
def test_a_speedup_has_to_be_proven_and_possible(
    comparison: SpeedComparison, target: float, bound: float | None, status: str
) -> None:
    verdict = check_speedup(comparison, target, bound)
    assert verdict.status == status, verdict.line()
    assert (verdict.gate, verdict.model, verdict.n) == ("speedup", "int8", comparison.pairs)
    assert "over finetuned: " in verdict.reason
    assert bool(verdict.next_step) == (status != "PASS")


def test_a_speedup_beyond_the_physical_bound_asks_what_was_measured() -> None:
    line = check_speedup(speedup_of(5.0), 2.67, 4.0).line()
    assert "above the physical bound of 4.00x; check what was measured" in line
    assert "target 2.67x is above the physical bound of 2.00x" in check_speedup(speedup_of(1.9), 2.67, 2.0).line()


@given(st.integers(0, 60), st.integers(0, 1000))
def test_pairs_come_in_blocks_that_mirror_each_other(pairs: int, seed: int) -> None:
    order = abba_order(pairs, seed)
    assert len(order) == pairs
    assert all(set(pair) == {"reference", "candidate"} for pair in order)
    for first, second in zip(order[::2], order[1::2], strict=False):
        assert first == second[::-1]


def test_either_side_begins_blocks_at_random_and_the_seed_decides() -> None:
    firsts = [pair[0] for pair in abba_order(400, 1)[::2]]
    assert 60 < firsts.count("reference") < 140
    assert abba_order(400, 1) == abba_order(400, 1) != abba_order(400, 2)
