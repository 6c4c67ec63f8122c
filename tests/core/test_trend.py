"""Metrics over the kept runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from pytest_mcpbench.core.history import PastModel, past_models
from pytest_mcpbench.core.latency import to_mapping
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.core.throughput import BatchRate, Throughput
from pytest_mcpbench.core.throughput import to_mapping as throughput_mapping
from pytest_mcpbench.core.trend import METRICS, Trend, check_metrics, metric_names, trend_lines, trends
from pytest_mcpbench.errors import OptionError
from tests.core.test_regression import latency, run

THROUGHPUT = Throughput(
    batch_size=4,
    threads=2,
    device="cpu",
    batches=(BatchRate(batch_size=4, requests_per_s=3.5, tokens_per_s=70, correct_per_s=3, n=40, seconds=11.4),),
    cases="c",
)


def timed(wrong: int = 0, mean: float = 0.1, **changed: object) -> RunResult:
    found = to_mapping(latency(mean, **changed))
    return run(wrong, latency=found, throughput=throughput_mapping(THROUGHPUT))


def kept(folder: Path, runs: Sequence[RunResult]) -> tuple[PastModel, ...]:
    for number, result in enumerate(runs):
        write_result(result, folder / f"run-{number}.json")
    return past_models(folder)


def only(found: Sequence[Trend]) -> Trend:
    (trend,) = found
    return trend


def test_a_metric_has_a_point_a_run_with_its_interval_and_the_oldest_first(tmp_path: Path) -> None:
    past = kept(tmp_path, [run(12), run(6), run(3)])
    trend = only(trends(past, ["level4"]))
    assert (trend.label, trend.metric, trend.unit) == ("finetuned", "level4", "rate")
    assert [(point.run, point.value, point.n) for point in trend.points] == [
        ("run-0", 48 / 60, 60),
        ("run-1", 54 / 60, 60),
        ("run-2", 57 / 60, 60),
    ]
    wilson = stats.binomtest(57, 60).proportion_ci(method="wilson")
    assert trend.points[-1].interval == pytest.approx((wilson.low, wilson.high))
    assert [point.unlike for point in trend.points] == [(), (), ()]


def test_every_metric_that_was_measured_has_a_trend(tmp_path: Path) -> None:
    found = trends(kept(tmp_path, [timed()]), metric_names())
    assert {trend.metric for trend in found} == set(METRICS) - {"tpot"}
    assert trends(past_models(tmp_path), metric_names(), label="int8") == ()
    assert {trend.metric for trend in trends(kept(tmp_path, [run()]), ["level3", "latency"])} == {"level3"}


def test_latency_is_a_median_with_its_interval_beside_the_tokens(tmp_path: Path) -> None:
    point = only(trends(kept(tmp_path, [timed(mean=0.2)]), ["latency"])).points[0]
    low, high = point.interval
    assert low < point.value < high
    assert point.value == pytest.approx(200, rel=0.05)
    assert "100 requests; 100 prompt tokens, 90 of them held when warm, 20 written" in point.text
    samples = sorted(latency(0.2).e2e_s.samples_s)
    rank = int(stats.binom.ppf(0.975, 100, 0.5))
    assert high == pytest.approx(1000 * samples[rank])
    assert low == pytest.approx(1000 * samples[99 - rank])


def test_runs_that_are_not_like_the_latest_are_marked_for_what_differs(tmp_path: Path) -> None:
    now = timed()
    elsewhere = replace(now, environment=replace(now.environment, machine="other", plugin="0.0.1"))
    other_prompt = replace(now, models={"finetuned": replace(now.models["finetuned"], prompt="b")})
    past = kept(tmp_path, [run(cases=40), other_prompt, elsewhere, timed(cases="other"), now])
    level = only(trends(past, ["level4"])).points
    assert [bool(point.unlike) for point in level] == [True, True, False, False, False]
    assert level[0].unlike == ("other cases",)
    assert "the prompt differs" in level[1].unlike[0]
    assert "pytest-mcpbench 0.0.1 then" in level[2].notes[0]
    times = only(trends(past, ["latency"])).points
    assert [bool(point.unlike) for point in times] == [True, True, True, False]
    assert times[1].unlike[0].startswith("machine ")
    assert times[2].unlike == ("other requests were timed",)
    lines = list(trend_lines(trends(past, ["level4"])))
    assert lines[0] == "finetuned level4: 5 runs, 3 of them like the latest"
    assert lines[1].startswith("  ! run-0  40/40 right (100.0 %")
    assert lines[1].endswith("[other cases]")
    assert lines[-1].startswith("    run-4  60/60 right (100.0 %")


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"there is no metric 'level9' \(metrics: level1, "):
        check_metrics(["level3", "level9"])
    assert check_metrics(["level3", "level3"]) == ("level3",)
