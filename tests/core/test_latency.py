"""Percentiles against the binomial distribution of scipy, and against simulated samples."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_mcpbench.core.latency import (
    is_settled,
    percentile,
    percentile_bound,
    read_latency,
    samples_needed,
    times,
    to_mapping,
)
from tests.core.planted import latency_of

TIMES = st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=400)
SHARES = st.sampled_from([0.5, 0.9, 0.99])


@pytest.mark.parametrize(("share", "needed"), [(0.5, 5), (0.9, 29), (0.99, 299)])
def test_a_percentile_needs_so_many_samples_and_not_one_less(share: float, needed: int) -> None:
    assert samples_needed(share) == needed
    assert 1 - share**needed >= 0.95 > 1 - share ** (needed - 1)
    for n, there in ((needed, True), (needed - 1, False)):
        samples = [float(number) for number in range(n)]
        assert (percentile(samples, share) is not None) is there
        assert (percentile_bound(samples, share) is not None) is there


def test_a_hundred_samples_carry_p90_and_not_p99() -> None:
    found = times([number / 100 for number in range(1, 101)])
    assert (found.mean, found.p50, found.p90, found.p99) == (pytest.approx(0.505), 0.50, 0.90, None)
    assert (found.p90_at_most, found.p99_at_most) == (0.96, None)


@given(TIMES, SHARES)
def test_the_bound_is_the_first_rank_that_the_binomial_distribution_allows(samples: list[float], share: float) -> None:
    allowed = [rank for rank in range(1, len(samples) + 1) if stats.binom.cdf(rank - 1, len(samples), share) >= 0.95]
    expected = sorted(samples)[allowed[0] - 1] if allowed else None
    assert percentile_bound(samples, share) == expected


@given(TIMES, SHARES)
def test_a_percentile_is_a_sample_that_the_share_does_not_exceed_and_never_above_its_bound(
    samples: list[float], share: float
) -> None:
    found = percentile(samples, share)
    if found is None:
        return
    assert sum(sample <= found for sample in samples) >= share * len(samples) - 1e-9
    assert sum(sample < found for sample in samples) < share * len(samples)
    assert found <= percentile_bound(samples, share)


def test_the_bound_holds_in_as_many_samples_as_it_says() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(600):
        bound = percentile_bound([draw.expovariate(1) for _ in range(60)], 0.9)
        held += bound is not None and bound >= 2.302585  # the 90th percentile of the exponential distribution
    assert held >= 0.93 * 600


def test_no_times_are_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        times([])


@pytest.mark.parametrize(
    ("samples", "settled"),
    [
        ([1.0] * 9, False),
        ([1.0] * 10, True),
        ([2.0] * 5 + [1.0] * 5, False),
        ([2.0] * 5 + [1.0] * 10, True),
        ([1.0] * 5 + [1.04] * 5, True),
        ([1.0] * 5 + [1.06] * 5, False),
        ([1.0, 1.0, 1.0, 9.0, 9.0] * 2, True),
    ],
)
def test_a_warm_up_is_over_when_two_medians_in_a_row_agree(samples: list[float], settled: bool) -> None:
    assert is_settled(samples) is settled


def test_a_latency_comes_back_from_its_file() -> None:
    found = latency_of([0.5, 0.25, 1.0])
    assert read_latency(json.loads(json.dumps(to_mapping(found)))) == found
    assert isinstance(to_mapping(found)["e2e_s"]["samples_s"], list)


@pytest.mark.parametrize("entry", [None, {}, {"mean_s": 0.12}, {"n": "many"}])
def test_a_latency_of_another_make_is_passed_over(entry: dict[str, object] | None) -> None:
    assert read_latency(entry) is None
