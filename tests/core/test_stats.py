import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from pytest_mcpbench.core import stats

hits_and_n = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
flips_and_n = st.integers(1, 400).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda b: st.tuples(st.just(b), st.integers(0, n - b), st.just(n)))
)
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@pytest.mark.parametrize(("hits", "n", "size"), [(100, 100, 100), (950, 1000, 50), (3, 40, 30)])
def test_a_predictive_range_holds_what_next_trials_give_and_no_more_than_it_says(hits: int, n: int, size: int) -> None:
    low, high = stats.predictive_range(hits, n, size)
    draw = np.random.default_rng(1)
    rates = draw.beta(hits + 0.5, n - hits + 0.5, 200_000)
    found = draw.binomial(size, rates)
    assert (found < low).mean() < 0.00135 + 0.0004
    assert (found <= low).mean() > 0.00135 - 0.0004
    assert (found > high).mean() < 0.00135 + 0.0004
    assert stats.predictive_range(n, n, size)[1] == size


@given(hits_and_n, confidences)
def test_the_wilson_interval_equals_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    expected = proportion_confint(*counts, alpha=1 - confidence, method="wilson")
    assert stats.wilson_interval(*counts, confidence) == pytest.approx(expected, abs=1e-12)


@given(hits_and_n)
def test_the_wilson_interval_holds_the_rate_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    low, high = stats.wilson_interval(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1
    assert low < high


@given(hits_and_n, confidences)
def test_both_clopper_pearson_bounds_equal_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    low, high = proportion_confint(*counts, alpha=2 * (1 - confidence), method="beta")
    assert stats.clopper_pearson_lower(*counts, confidence) == pytest.approx(low, abs=1e-9)
    assert stats.clopper_pearson_upper(*counts, confidence) == pytest.approx(high, abs=1e-9)


@given(hits_and_n)
def test_at_the_lower_bound_so_many_hits_have_the_error_probability(counts: tuple[int, int]) -> None:
    hits, n = counts
    bound = stats.clopper_pearson_lower(hits, n)
    assert bound == 0 if hits == 0 else binom.sf(hits - 1, n, bound) == pytest.approx(0.05, rel=1e-6)


@given(hits_and_n)
def test_one_more_hit_raises_every_bound(counts: tuple[int, int]) -> None:
    hits, n = counts
    if hits < n:
        assert stats.clopper_pearson_lower(hits, n) < stats.clopper_pearson_lower(hits + 1, n)
        assert stats.clopper_pearson_upper(hits, n) <= stats.clopper_pearson_upper(hits + 1, n)
        assert stats.wilson_interval(hits, n) < stats.wilson_interval(hits + 1, n)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_equals_statsmodels_and_the_binomial_test(gains: int, losses: int) -> None:
    p = stats.mcnemar_exact(gains, losses)
    if gains + losses == 0:
        assert p == 1
    else:
        assert p == pytest.approx(mcnemar([[0, gains], [losses, 0]], exact=True).pvalue, rel=1e-9)
        assert p == pytest.approx(binomtest(gains, gains + losses).pvalue, rel=1e-9)


def test_mcnemar_finds_nine_flips_to_one_significant_and_five_to_one_not() -> None:
    assert stats.mcnemar_exact(1, 9) == pytest.approx(22 / 1024)
    assert stats.mcnemar_exact(1, 5) == pytest.approx(14 / 64)


def test_tango_agrees_with_the_published_interval_of_cavo_2012() -> None:
    """Of 161 patients 6 lost and 16 gained: -0.1240 to -0.0054 (package contingencytables, chapter 8 of its book)."""
    assert stats.tango_upper(6, 16, 161, confidence=0.975) == pytest.approx(-0.0054, abs=5e-5)
    assert stats.tango_upper(16, 6, 161, confidence=0.975) == pytest.approx(0.1240, abs=5e-5)


@given(st.integers(1, 2000), confidences)
def test_tango_without_flips_has_a_closed_form(n: int, confidence: float) -> None:
    z = NormalDist().inv_cdf(confidence)
    assert stats.tango_upper(0, 0, n, confidence) == pytest.approx(z * z / (n + z * z), rel=1e-9)


@given(flips_and_n)
def test_tango_is_where_the_numerically_restricted_likelihood_puts_the_score_at_the_quantile(
    flips: tuple[int, int, int],
) -> None:
    losses, gains, n = flips
    bound = stats.tango_upper(losses, gains, n)
    assume(bound < 0.999 and gains + losses > 0)
    score = score_statistic(bound, losses, gains, n)
    assert score == pytest.approx(-NormalDist().inv_cdf(0.95), abs=1e-3)


def score_statistic(loss: float, losses: int, gains: int, n: int) -> float:
    """Tango's statistic with the nuisance parameter found by a search, not by his quadratic equation."""

    def cost(gain_rate: float) -> float:
        cells = ((losses, gain_rate + loss), (gains, gain_rate), (n - losses - gains, 1 - 2 * gain_rate - loss))
        return -sum(count * math.log(max(rate, 1e-300)) for count, rate in cells if count)

    low, high = max(0.0, -loss), (1 - loss) / 2
    found = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    gain_rate = min((low, high, found.x), key=cost)
    return ((losses - gains) / n - loss) / math.sqrt((2 * gain_rate + loss * (1 - loss)) / n)


@given(flips_and_n)
def test_tango_lies_above_the_loss_seen_and_grows_with_each_loss(flips: tuple[int, int, int]) -> None:
    losses, gains, n = flips
    bound = stats.tango_upper(losses, gains, n)
    assert (losses - gains) / n <= bound <= 1
    if losses + gains < n:
        assert bound <= stats.tango_upper(losses + 1, gains, n)
    if gains:
        assert bound <= stats.tango_upper(losses, gains - 1, n)


@pytest.mark.parametrize(("loss_rate", "gain_rate"), [(0.05, 0.05), (0.10, 0.08), (0.04, 0.02), (0.2, 0.1), (0.1, 0.2)])
def test_tango_covers_the_true_loss_in_about_95_of_100_experiments(loss_rate: float, gain_rate: float) -> None:
    """Every outcome of 100 paired cases, weighted by its probability: a simulation without noise."""
    n, covered, seen = 100, 0.0, 0.0
    outcomes = multinomial(n, [loss_rate, gain_rate, 1 - loss_rate - gain_rate])
    for losses, gains in itertools.product(range(45), range(45)):
        probability = outcomes.pmf([losses, gains, n - losses - gains])
        if probability > 1e-7:
            seen += probability
            covered += probability * (stats.tango_upper(losses, gains, n) >= loss_rate - gain_rate)
    assert seen > 0.999
    assert 0.93 < covered / seen < 0.975


def test_59_cases_without_a_miss_prove_95_percent_and_29_prove_90() -> None:
    assert stats.cases_needed(0.95) == 59
    assert stats.cases_needed(0.90) == 29
    assert 0.901 < stats.max_certifiable(29) < 0.902
    assert stats.max_certifiable(0) == 0


@given(st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.97]), st.integers(0, 20))
def test_the_cases_needed_are_the_fewest_that_prove_the_target(target: float, misses: int) -> None:
    n = stats.cases_needed(target, misses)
    assert n is not None
    assert stats.clopper_pearson_lower(n - misses, n) >= target
    assert n == misses + 1 or stats.clopper_pearson_lower(n - 1 - misses, n - 1) < target


@given(st.integers(1, 2000))
def test_what_can_be_certified_is_the_bound_of_a_perfect_score(n: int) -> None:
    assert stats.max_certifiable(n) == pytest.approx(stats.clopper_pearson_lower(n, n), abs=1e-12)


def test_no_number_of_cases_proves_100_percent() -> None:
    assert stats.cases_needed(1.0) is None
    assert stats.cases_to_decide(20, 20, 1.0) is None


def test_a_rate_equal_to_the_target_is_never_decided() -> None:
    assert stats.cases_to_decide(19, 20, 0.95) is None


@given(hits_and_n, st.sampled_from([0.5, 0.9, 0.95]))
def test_the_cases_to_decide_do_decide_and_fewer_do_not(counts: tuple[int, int], target: float) -> None:
    hits, n = counts
    needed = stats.cases_to_decide(hits, n, target)
    assume(needed is not None and needed <= 10**6)
    rate = hits / n

    def decided(cases: int) -> bool:
        if rate > target:
            return stats.clopper_pearson_lower(rate * cases, cases) >= target
        return stats.clopper_pearson_upper(rate * cases, cases) < target

    assert decided(needed)
    assert needed == n or not decided(needed - 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.wilson_interval(0, 0),
        lambda: stats.wilson_interval(3, 2),
        lambda: stats.wilson_interval(-1, 2),
        lambda: stats.wilson_interval(1, 2, 1.0),
        lambda: stats.clopper_pearson_lower(0, 0),
        lambda: stats.clopper_pearson_upper(3, 2),
        lambda: stats.mcnemar_exact(-1, 2),
        lambda: stats.tango_upper(2, -1, 10),
        lambda: stats.tango_upper(6, 5, 10),
        lambda: stats.tango_upper(0, 0, 0),
        lambda: stats.cases_to_decide(0, 0, 0.9),
    ],
)
def test_counts_that_cannot_be_are_refused(call: Callable[[], float]) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        call()


def test_scipy_is_not_loaded_until_a_bound_is_asked_for() -> None:
    code = "import sys, pytest_mcpbench.core.gate; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
