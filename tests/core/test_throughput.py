"""Rates without the ramp, and the knee."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.throughput import (
    BatchRate,
    Done,
    Throughput,
    is_enough,
    is_over,
    knee_of,
    read_throughput,
    steady_rate,
    to_mapping,
)


def done(*events: tuple[float, int]) -> list[Done]:
    return [Done(at_s=at_s, requests=n, tokens=10 * n, correct=n - 1) for at_s, n in events]


def rate(batch_size: int, requests_per_s: float) -> BatchRate:
    return BatchRate(
        batch_size=batch_size, requests_per_s=requests_per_s, tokens_per_s=0, correct_per_s=0, n=1, seconds=1
    )


def test_the_ramp_counts_neither_its_answers_nor_its_time() -> None:
    found = steady_rate(done((30.0, 2), (60.0, 2), (61.0, 2), (64.0, 2)), 4)
    assert (found.n, found.seconds) == (4, 4.0)
    assert (found.requests_per_s, found.tokens_per_s, found.correct_per_s) == (1.0, 10.0, 0.5)


@given(st.integers(1, 8), st.floats(0.01, 10), st.integers(2, 50), st.floats(0, 100))
def test_a_steady_run_has_its_rate_whatever_its_ramp(size: int, period_s: float, waves: int, ramp_s: float) -> None:
    found = steady_rate(done(*((ramp_s + wave * period_s, size) for wave in range(waves + 1))), size)
    assert found.requests_per_s == pytest.approx(size / period_s)
    assert found.n == size * waves


@pytest.mark.parametrize("events", [[], [(1.0, 3)], [(1.0, 4)]])
def test_nothing_is_left_of_one_batch_without_the_ramp(events: list[tuple[float, int]]) -> None:
    assert not is_enough(done(*events), 4)
    with pytest.raises(ValueError, match="fewer than two batches of 4"):
        steady_rate(done(*events), 4)


def test_two_batches_are_enough() -> None:
    assert is_enough(done((1.0, 4), (2.0, 4)), 4)
    assert not is_enough(done((1.0, 4), (2.0, 3)), 4)


def test_the_knee_is_the_smallest_batch_with_nine_tenths_of_the_best_rate() -> None:
    assert knee_of([rate(1, 10), rate(2, 18), rate(4, 27), rate(8, 30), rate(16, 29)]) == 4
    assert knee_of([rate(1, 10), rate(2, 9)]) == 1
    assert knee_of([]) is None


def test_a_sweep_is_over_when_two_sizes_in_a_row_gain_nothing() -> None:
    assert not is_over([rate(1, 10), rate(2, 10)])
    assert is_over([rate(1, 10), rate(2, 10), rate(4, 10.1)])
    assert not is_over([rate(1, 10), rate(2, 20), rate(4, 20), rate(8, 30)])


def test_a_throughput_comes_back_from_its_file() -> None:
    found = Throughput(batch_size=4, threads=2, device="cpu", batches=(rate(1, 10), rate(4, 20)), knee=4, cases="a")
    assert read_throughput(json.loads(json.dumps(to_mapping(found)))) == found
    assert found.asked == rate(4, 20)
    assert read_throughput({"requests_per_s": 3}) is None
