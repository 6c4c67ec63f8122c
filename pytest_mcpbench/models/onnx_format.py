"""What an exported folder holds, beside the configuration and the tokenizer."""

GRAPH = "model.onnx"
DATA = "model.onnx.data"
RECIPE = "quantization.json"

MAX_LENGTH = "mcpbench.max_length"
"""The graph's own note of how many positions it can hold."""

EXPORTER = 1
"""Grows whenever the same checkpoint and recipe give another folder."""

CALIBRATOR = 1
"""Grows whenever calibration rows give another folder than before, and nothing else does."""
