"""What quantizing saved, gained and cost, where a target asks: size=…, or the guide's claims."""

import pytest

from pytest_mcpbench.core.gate import Verdict

pytestmark = pytest.mark.comparison


@pytest.mark.each_quantized(kind="size")
def test_size(verdict: Verdict) -> bool:
    """The weights take no larger share of the bytes of the model that was quantized."""
    return verdict.passed


@pytest.mark.latency
@pytest.mark.each_quantized(kind="speed")
def test_speed(verdict: Verdict) -> bool:
    """Calls are as many times faster as the guide claims; the latency suite measures it."""
    return verdict.passed


@pytest.mark.each_quantized(kind="loss")
def test_loss(verdict: Verdict) -> bool:
    """The tool accuracy loses less than the guide claims."""
    return verdict.passed
