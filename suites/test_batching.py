"""Does the model answer alone what it answers in a batch? Only under --mcp-verify-batching N, whatever is selected."""

import pytest

from pytest_mcpbench.core.gate import Verdict

pytestmark = [
    pytest.mark.level1,
    pytest.mark.level2,
    pytest.mark.level3,
    pytest.mark.level4,
    pytest.mark.per_tool,
    pytest.mark.comparison,
]


@pytest.mark.each_batching
def test_batching(verdict: Verdict) -> bool:
    """N cases are answered alike alone and together."""
    return verdict.passed
