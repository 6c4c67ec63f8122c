"""A run of a few seconds, for the tests of fine-tuning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_mcpbench.training.config import MCPFineTuningConfig, with_settings

MakeModel = Callable[..., Path]


def quick(model: Path, **settings: Any) -> MCPFineTuningConfig:
    """A run of a few seconds."""
    base = MCPFineTuningConfig(
        model_name=str(model),
        learning_rate=3e-3,
        num_train_epochs=2,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=1,
        lora_r=4,
        lora_alpha=8,
        lora_dropout=0.0,
        eval_rows=6,
        train_eval_rows=4,
        max_new_tokens=5,
        logging_steps=1,
        adapter_dtype="float32",
    )
    return with_settings(base, settings)
