"""Tool by tool: for each tool, is it called where it should be?"""

import pytest

from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.score import Score

pytestmark = pytest.mark.per_tool


@pytest.mark.each_case(level="level3", calls_only=True)
def test_tool(score: Score) -> bool:
    """A case that expects this tool gets it."""
    return score.correct


@pytest.mark.each_gate(level="level3", per_tool=True)
def test_tool_target(verdict: Verdict) -> bool:
    """The tool accuracy over the cases that expect this tool reaches its target."""
    return verdict.passed
