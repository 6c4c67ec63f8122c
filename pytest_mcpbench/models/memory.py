"""How much memory is free, and what a row of a batch takes of it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_MEMINFO = Path("/proc/meminfo")


def available_bytes(device: str) -> int | None:
    """The bytes that can still be used on the device; None where that cannot be told."""
    if device.startswith("cuda"):
        torch: Any = import_module("torch")  # models of ONNX Runtime, which ask for the processor's, load no torch
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds without using it is free for us, and taken for the driver.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device != "cpu" or not _MEMINFO.is_file():
        return None
    for line in _MEMINFO.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def rows_that_fit(device: str, row: int) -> int:
    """How many rows of so many bytes fit into half of what can still be used, at least 1; many where none can tell."""
    free_bytes = available_bytes(device)
    return sys.maxsize if free_bytes is None else max(1, free_bytes // 2 // row)


def row_bytes(config: Any, tokens: int, element_bytes: int) -> int:
    """What a row of so many tokens takes: its keys and values twice, while a cache is made larger, and its logits."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cached = 2 * config.num_hidden_layers * heads * size * element_bytes
    return int(2 * cached * tokens + 8 * config.vocab_size)
