"""How long one request takes: cold, warm, token by token. Runs with -m latency, or where this file is named."""

from typing import Any

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.latency import extra_info_of
from pytest_mcpbench.core.speed import LEAST_PAIRS, SpeedComparison
from pytest_mcpbench.measurements import LatencyTest

pytestmark = pytest.mark.latency


def test_latency(benchmark: Any, mcp_latency: LatencyTest) -> None:
    """Single requests to a warmed-up model are timed, with nothing held and with the shared prefix held."""
    benchmark.group = "latency"
    benchmark.pedantic(mcp_latency.call, setup=mcp_latency.prepare, rounds=mcp_latency.iterations)
    benchmark.extra_info.update(extra_info_of(mcp_latency.finish()))


def test_speed(mcp_speed: SpeedComparison) -> None:
    """Two models are timed on the same prompts in turn, often enough to compare them. The gates below decide."""
    assert mcp_speed.pairs >= LEAST_PAIRS


@pytest.mark.each_speed
def test_speed_target(verdict: Verdict) -> bool:
    """The speed reaches what was asked of it: a speedup over the reference model, or a limit on this machine."""
    return verdict.passed
