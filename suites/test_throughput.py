"""How much gets done at a time. Runs with -m throughput, or where this file is named."""

from typing import Any

import pytest

from pytest_mcpbench.core.throughput import extra_info_of
from pytest_mcpbench.measurements import ThroughputTest

pytestmark = pytest.mark.throughput


def test_throughput(benchmark: Any, mcp_throughput: ThroughputTest) -> None:
    """Requests, tokens and right calls a second at the batch size asked for, without the ramp."""
    benchmark.group = "throughput"
    found = benchmark.pedantic(mcp_throughput.run)
    benchmark.extra_info.update(extra_info_of(found))


def test_batch_sizes(benchmark: Any, mcp_throughput: ThroughputTest) -> None:
    """The same at growing batch sizes, as long as they gain and fit into memory."""
    benchmark.group = "throughput"
    found = benchmark.pedantic(mcp_throughput.sweep)
    benchmark.extra_info.update(extra_info_of(found))
