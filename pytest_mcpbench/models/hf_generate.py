"""Greedy decoding by transformers' own `generate`, which runs models of every build."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch

from pytest_mcpbench.models.stops import Row, RowStops

transformers: Any = import_module("transformers")

PAD = 0
"""Padding is masked, so any token serves that is in every vocabulary; a tokenizer's own need not be in the model's."""


def write_rows(model: Any, prompts: Sequence[Sequence[int]], rows: Sequence[Row], max_new_tokens: int) -> None:
    """Fill the rows. Prompts are padded on the left, and each is computed from its start."""
    width, stops = max(len(ids) for ids in prompts), RowStops(rows)
    ids = torch.tensor([[PAD] * (width - len(row)) + list(row) for row in prompts], device=model.device)  # (B, T)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=model.device)  # (B, T)
    cache, limit = None, width + max_new_tokens
    with torch.inference_mode():
        while len(ids) and ids.shape[1] < limit:
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                do_sample=False,
                max_new_tokens=limit - ids.shape[1],
                stopping_criteria=transformers.StoppingCriteriaList([stops]),
                return_dict_in_generate=True,
            )
            live = torch.tensor(stops.live(), dtype=torch.long, device=model.device)
            written = out.sequences.shape[1] - ids.shape[1]
            ids = out.sequences[live]  # (B', T')
            mask = torch.cat([mask[live], mask.new_ones(len(live), written)], dim=1)  # (B', T')
            cache = _rows_of(out.past_key_values, live) if len(live) else None


def _rows_of(cache: Any, rows: torch.Tensor) -> Any:
    """The cache of these rows only; None, which has it computed again, for a cache whose rows cannot be picked."""
    layers = getattr(cache, "layers", None)
    if not layers or not all(hasattr(layer, "batch_select_indices") for layer in layers):
        return None
    cache.batch_select_indices(rows)
    return cache
