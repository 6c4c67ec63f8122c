"""From a base model to one that calls tools: settings, data, fine-tuning, sweeps."""

from pytest_mcpbench.training.config import MCPFineTuningConfig

__all__ = ["MCPFineTuningConfig"]
