"""Level 3, tool accuracy: is it the right tool, or rightly none?"""

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.score import Score

pytestmark = pytest.mark.level3


@pytest.mark.each_case(level="level3")
def test_correctness(score: Score) -> bool:
    """The tools called are the tools expected, each as often as expected."""
    return score.correct


@pytest.mark.each_gate(level="level3")
def test_correctness_target(verdict: Verdict) -> bool:
    """The tool accuracy reaches its target."""
    return verdict.passed
