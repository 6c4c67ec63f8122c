"""Level 2: where a call is expected, was there an attempt, and did all of it parse?"""

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.score import Score

pytestmark = pytest.mark.level2


@pytest.mark.each_case(level="level2")
def test_parsing(score: Score) -> bool:
    """Every attempted call can be read in the model's wire format."""
    return bool(score.parsed)


@pytest.mark.each_gate(level="level2")
def test_parsing_target(verdict: Verdict) -> bool:
    """The parsing rate reaches its target."""
    return verdict.passed
