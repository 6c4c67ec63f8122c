"""Two models case by case: is the fine-tuned one better, and did quantization cost anything?"""

import pytest

from pytest_mcpbench.core.gate import Verdict

pytestmark = pytest.mark.comparison


@pytest.mark.each_comparison(level="level3")
def test_tool_accuracy_compared(verdict: Verdict) -> bool:
    """The tool accuracy is better than the base model's, or within the margin of the model that was quantized."""
    return verdict.passed


@pytest.mark.each_comparison(level="level4")
def test_parameter_accuracy_compared(verdict: Verdict) -> bool:
    """The parameter accuracy is better than the base model's, or within the margin of the model that was quantized."""
    return verdict.passed
