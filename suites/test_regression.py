"""This run held against an earlier one, with --mcp-compare: has a model become worse or slower?"""

import pytest

from pytest_mcpbench.core.gate import Verdict

pytestmark = pytest.mark.regression


@pytest.mark.level3
@pytest.mark.each_regression(gate="no-regression:level3")
def test_tool_accuracy_since(verdict: Verdict) -> bool:
    """The tool accuracy is not worse than in the earlier run, case by case and beyond chance."""
    return verdict.passed


@pytest.mark.level4
@pytest.mark.each_regression(gate="no-regression:level4")
def test_parameter_accuracy_since(verdict: Verdict) -> bool:
    """The parameter accuracy is not worse than in the earlier run, case by case and beyond chance."""
    return verdict.passed


@pytest.mark.latency
@pytest.mark.each_regression(gate="no-regression:speed")
def test_speed_since(verdict: Verdict) -> bool:
    """The model is not slower than in the earlier run, where both were timed on this machine."""
    return verdict.passed
