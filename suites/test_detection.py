"""Level 1: does the model attempt a call exactly when one is expected?"""

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.score import Score

pytestmark = pytest.mark.level1


@pytest.mark.each_case(level="level1")
def test_detection(score: Score) -> bool:
    """A call is attempted where one is expected, and none where no tool applies."""
    return score.detected


@pytest.mark.each_gate(level="level1")
def test_detection_target(verdict: Verdict) -> bool:
    """The detection rate reaches its target."""
    return verdict.passed
