"""Level 4, parameter accuracy: is every argument of every call right?"""

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.score import Score

pytestmark = pytest.mark.level4


@pytest.mark.each_case(level="level4")
def test_parameters(score: Score) -> bool:
    """Every expected call was made with every argument right; a wrong tool counts as wrong."""
    return bool(score.parameters)


@pytest.mark.each_gate(level="level4")
def test_parameters_target(verdict: Verdict) -> bool:
    """The parameter accuracy reaches its target."""
    return verdict.passed
