"""Requests over time through pytest."""

import json

import pytest

from tests.plugin.clocked import Clocked, use_clocked
from tests.plugin.conftest import CALLS, RIGHT, Bench
from tests.plugin.test_latency_suite import run

CALLING = sum(bool(calls) for calls in CALLS.values())


@pytest.fixture(autouse=True)
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    use_clocked(monkeypatch)


def test_rates_at_the_default_batch_size_without_the_ramp(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.plugin.clocked.ANSWERS", RIGHT)
    result = run(bench, "--mcp-model=x=null:echo", "-k", "not batch_sizes", "--mcp-duration=100", marks="throughput")
    assert result.ret == 0
    (batch,) = bench.result()["models"]["x"]["throughput"]["batches"]
    # The first batch reads the shared prefix, and is the ramp: 1.4 s. Each of the others takes half a second.
    assert (batch["batch_size"], batch["requests_per_s"]) == (4, pytest.approx(4 / 0.5))
    assert batch["tokens_per_s"] == pytest.approx(5 * 4 / 0.5)
    assert batch["correct_per_s"] == batch["requests_per_s"]
    assert batch["seconds"] == pytest.approx(100, abs=0.5)
    assert bench.result()["models"]["x"]["throughput"]["knee"] is None
    result.stdout.fnmatch_lines(
        ["  throughput 8.00 requests/s, 40.0 tokens/s, 8.00 right calls/s at batch size 4 (80? *"]
    )


def test_wrong_calls_are_requests_and_not_right_ones(bench: Bench) -> None:
    run(bench, "--mcp-model=x=null:echo", "-k", "not batch_sizes", "--mcp-duration=600", marks="throughput")
    (batch,) = bench.result()["models"]["x"]["throughput"]["batches"]
    assert batch["correct_per_s"] / batch["requests_per_s"] == pytest.approx((CALLING - 3) / CALLING, abs=0.01)


def test_the_sweep_has_a_table_with_its_knee_and_keeps_the_size_asked_for(bench: Bench) -> None:
    args = ("--mcp-model=x=null:echo", "--mcp-batch-size=3", "--mcp-duration=6", "--benchmark-json=benchmark.json")
    result = run(bench, *args, marks="throughput")
    throughput = bench.result()["models"]["x"]["throughput"]
    assert [batch["batch_size"] for batch in throughput["batches"]] == [1, 2, 3, 4, 8, 16, 32]
    assert (throughput["batch_size"], throughput["knee"]) == (3, 32)
    assert throughput["batches"][2]["seconds"] == pytest.approx(6, abs=0.5)
    assert throughput["batches"][3]["seconds"] == pytest.approx(1, abs=0.5)
    result.stdout.fnmatch_lines(["*at batch size 3 (*", "*batch  requests/s*", "*   32 *64.00*<- knee*"])
    kept = json.loads((bench.path / "benchmark.json").read_text())["benchmarks"]
    extra = {entry["name"]: entry["extra_info"] for entry in kept}
    assert extra["test_batch_sizes[x]"]["knee"] == 32
    assert extra["test_throughput[x]"]["batch_3_requests_per_s"] == pytest.approx(6.0)
    assert [spec for spec, _ in Clocked.loaded] == ["null:echo"] * 2


def test_a_sweep_ends_where_larger_batches_gain_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Clocked.generate_batch
    monkeypatch.setattr(
        Clocked,
        "generate_batch",
        lambda self, requests, settings: [answer(self, [request], settings)[0] for request in requests],
    )
    run(bench, "--mcp-model=x=null:echo", "--mcp-duration=6", marks="throughput")
    throughput = bench.result()["models"]["x"]["throughput"]
    assert [batch["batch_size"] for batch in throughput["batches"]] == [1, 2, 4]
    assert throughput["knee"] == 1


def test_a_sweep_that_ran_first_stays_and_the_longer_measurement_wins(bench: Bench) -> None:
    args = ("--mcp-model=x=null:echo", "--mcp-duration=60", "--pyargs")
    suite = "pytest_mcpbench.suites.test_throughput"
    run(bench, *args, f"{suite}::test_batch_sizes", f"{suite}::test_throughput", marks="throughput")
    throughput = bench.result()["models"]["x"]["throughput"]
    assert [batch["batch_size"] for batch in throughput["batches"]] == [1, 2, 4, 8, 16, 32]
    assert (throughput["knee"], throughput["batches"][2]["seconds"]) == (32, pytest.approx(60, abs=0.5))
