"""Attention over a prefix that the rows of a batch share and that is kept once, and over what each row has of its own.

Scores are computed in two parts under one softmax. That is the attention of whole prompts, summed in another order:
the prefix costs one matrix product for all rows together, and is never copied for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

ATTENTION = "mcpbench"
"""The name by which transformers finds `attend`."""

_GROWTH = 64

KeysValues = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Masks:
    """What the tokens opened last may not see: `own` (B, Q, N) of their row, `shared` (B, Q, P - first) of the prefix.

    Both are true where hidden; `shared` is None where nothing of the prefix is. No token sees the prefix's columns
    before `first`, so those need no scores.
    """

    own: torch.Tensor
    shared: torch.Tensor | None = None
    first: int = 0


@dataclass(frozen=True, slots=True)
class Prefix:
    """Tokens, and each layer's keys and values for them, (kv heads, P, D). Layers are those that have any."""

    ids: tuple[int, ...] = ()
    layers: dict[int, KeysValues] = field(default_factory=dict)

    def cut(self, length: int) -> "Prefix":
        """The first tokens of it. What a token's keys and values are does not depend on those behind it."""
        layers = {at: (keys[:, :length], values[:, :length]) for at, (keys, values) in self.layers.items()}
        return Prefix(self.ids[:length], layers)


class BatchCache:
    """What a model takes for its `past_key_values`: the keys and values of a batch's rows behind their prefix.

    All rows fill their columns together; a column that is padding in a row is marked so. Rows that leave make room
    for the last ones. `windows` are those of the layers that asked for masks.
    """

    is_compileable = False

    def __init__(self, prefix: Prefix, rows: int, device: Any) -> None:
        self.prefix = prefix
        self.rows = rows
        self.windows: set[int | None] = set()
        self._columns = self._queries = 0
        self._layers: dict[int, KeysValues] = {}
        self._lengths = torch.full((rows, 1), len(prefix.ids), device=device)
        self._filled = torch.zeros(rows, 0, dtype=torch.bool, device=device)  # (B, N)
        self._positions = torch.zeros(rows, 0, dtype=torch.long, device=device)  # (B, N)
        self._masks: dict[int | None, Masks] = {}

    def open(self, filled: torch.Tensor) -> torch.Tensor:
        """The positions (B, Q) of the tokens that come next; `filled` (B, Q) is false where there is none."""
        positions = (self._lengths + filled.cumsum(1) - 1).clamp(min=0)
        self._lengths = self._lengths + filled.sum(1, keepdim=True)
        self._filled = torch.cat([self._filled, filled], dim=1)
        self._positions = torch.cat([self._positions, positions], dim=1)
        self._queries = filled.shape[1]
        self._columns += self._queries
        self._masks = {}
        return positions

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int, *args: Any, **kwargs: Any) -> KeysValues:
        """The layer's keys and values, (B, kv heads, N, D) each, with these in the columns that were opened last."""
        start = self._columns - keys.shape[2]
        old = self._layers.get(layer)
        if old is None or old[0].shape[2] < self._columns:
            old = self._layers[layer] = (self._larger(keys, old and old[0]), self._larger(values, old and old[1]))
        for buffer, new in zip(old, (keys, values), strict=True):
            buffer[: self.rows, :, start : self._columns] = new
        return old[0][: self.rows, :, : self._columns], old[1][: self.rows, :, : self._columns]

    def get_seq_length(self, *args: Any, **kwargs: Any) -> int:
        """How many tokens the longest row has, by which models without positions of their own would count."""
        return len(self.prefix.ids) + self._columns

    def masks(self, window: int | None) -> Masks:
        """What the tokens opened last may not see, in a layer with that window."""
        self.windows.add(window)
        if window not in self._masks:
            self._masks[window] = self._hidden(window)
        return self._masks[window]

    def leave(self, places: list[int]) -> list[int]:
        """Remove the rows at these places, in rising order; where each remaining row stood before."""
        order = list(range(self.rows))
        for place in reversed(places):
            last = order.pop()
            if place < len(order):
                order[place] = last
        buffers = [buffer for pair in self._layers.values() for buffer in pair]
        for place, before in enumerate(order):
            if place != before:
                for buffer in buffers:
                    buffer[place, :, : self._columns] = buffer[before, :, : self._columns]
        self.rows = len(order)
        self._lengths, self._filled, self._positions = (
            state[order] for state in (self._lengths, self._filled, self._positions)
        )
        return order

    def join(self, others: Sequence["BatchCache"]) -> None:
        """Take the others' rows behind these, the last columns of all side by side. Columns no row uses go."""
        caches = [cache for cache in (self, *others) if cache.rows]
        width = max(int(cache._lengths.max()) for cache in caches) - len(self.prefix.ids)
        for layer in caches[-1]._layers:
            keys, values = zip(*(cache._recent(layer, width) for cache in caches), strict=True)
            self._layers[layer] = _stacked(keys, width), _stacked(values, width)
        self._filled = torch.cat([_aligned(cache._filled, width) for cache in caches])
        self._positions = torch.cat([_aligned(cache._positions, width) for cache in caches])
        self._lengths = torch.cat([cache._lengths for cache in caches])
        self.rows, self._columns = len(self._lengths), width

    def as_prefix(self, ids: tuple[int, ...]) -> Prefix:
        """The prefix and the first row's own columns as one. `ids` are its tokens; that row must have no padding."""
        layers: dict[int, KeysValues] = {}
        for at, (keys, values) in self._layers.items():
            own = keys[0, :, : self._columns], values[0, :, : self._columns]
            before = self.prefix.layers.get(at, (own[0][:, :0], own[1][:, :0]))
            layers[at] = torch.cat([before[0], own[0]], dim=1), torch.cat([before[1], own[1]], dim=1)
        return Prefix(ids, layers)

    def _recent(self, layer: int, width: int) -> KeysValues:
        """The layer's last columns, at most `width` of them."""
        start = max(0, self._columns - width)
        keys, values = (buffer[: self.rows, :, start : self._columns] for buffer in self._layers[layer])
        return keys, values

    def _larger(self, new: torch.Tensor, old: torch.Tensor | None) -> torch.Tensor:
        _, heads, queries, size = new.shape
        buffer = new.new_empty(self.rows, heads, self._columns + _GROWTH, size)
        if old is not None:
            before = self._columns - queries
            buffer[:, :, :before] = old[: self.rows, :, :before]
        return buffer

    def _hidden(self, window: int | None) -> Masks:
        at = self._positions[:, -self._queries :, None]  # (B, Q, 1)
        distance = at - self._positions[:, None, :]  # (B, Q, N)
        hidden = (distance < 0) | ~self._filled[:, None, :]
        if window is None or self.get_seq_length() <= window:
            return Masks(hidden)
        shared = len(self.prefix.ids)
        first = max(0, shared - window)
        there = torch.arange(first, shared, device=at.device)
        return Masks(hidden | (distance >= window), at - there >= window, first)


def _stacked(parts: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """The parts (B', kv heads, N', D) as one (B, kv heads, width + room, D); in front of too few columns are zeros."""
    rows = sum(len(part) for part in parts)
    buffer = parts[0].new_empty(rows, parts[0].shape[1], width + _GROWTH, parts[0].shape[3])
    start = 0
    for part in parts:
        own = buffer[start : start + len(part)]
        own[:, :, : width - part.shape[2]] = 0
        own[:, :, width - part.shape[2] : width] = part
        start += len(part)
    return buffer


def _aligned(state: torch.Tensor, width: int) -> torch.Tensor:
    """The last columns of (B, N), with zeros in front where there are too few."""
    recent = state[:, max(0, state.shape[1] - width) :]
    return torch.cat([recent.new_zeros(len(recent), width - recent.shape[1]), recent], dim=1)


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """What the queries (B, H, Q, D) find, (B, Q, H, D), among the prefix and their own keys (B, kv heads, N, D).

    An attention function of transformers, with the arguments and options of its `eager_attention_forward`; the
    model hands on `shared_cache`, from which the masks are made. Raises NotImplementedError for sinks.
    """
    if options.get("s_aux") is not None:
        raise NotImplementedError("attention sinks")
    shared: BatchCache = options["shared_cache"]
    softcap, scaling = options.get("softcap"), options.get("scaling")
    batch, heads, queries, size = query.shape
    groups = key.shape[1]
    # The heads that share keys are further queries to them: (B, kv heads, G * Q, D).
    folded = query.reshape(batch, groups, -1, size) * (size**-0.5 if scaling is None else scaling)
    prefix = shared.prefix.layers.get(module.layer_idx)
    masks = shared.masks(options.get("sliding_window"))
    scores = _masked(_capped(folded @ key.transpose(2, 3), softcap), masks.own)
    if prefix is not None:
        found = _capped(_together(folded, prefix[0][:, masks.first :].transpose(1, 2)), softcap)
        scores = torch.cat([_masked(found, masks.shared), scores], dim=-1)  # (B, kv heads, G * Q, P - first + N)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    own = key.shape[2]
    out = weights[..., -own:] @ value
    if prefix is not None:
        out += _together(weights[..., :-own], prefix[1][:, masks.first :])
    return out.reshape(batch, heads, queries, -1).transpose(1, 2).contiguous(), None


def _capped(scores: torch.Tensor, softcap: float | None) -> torch.Tensor:
    return scores if softcap is None else torch.tanh(scores / softcap) * softcap


def _masked(scores: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
    """The scores (B, kv heads, G * Q, N) with the lowest number where `hidden` (B, Q, N) is true.

    Not minus infinity: a query that is padding may see nothing, and its softmax must not be undefined.
    """
    if hidden is None:
        return scores
    batch, groups, folded, keys = scores.shape
    apart = scores.view(batch, groups, folded // hidden.shape[1], hidden.shape[1], keys)
    apart.masked_fill_(hidden[:, None, None], torch.finfo(scores.dtype).min)
    return scores


def _together(rows: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """The product of each row's (B, kv heads, M, K) with what all rows share (kv heads, K, L): (B, kv heads, M, L)."""
    batch, groups, middle, inner = rows.shape
    flat = rows.transpose(0, 1).reshape(groups, batch * middle, inner)
    return (flat @ shared).view(groups, batch, middle, -1).transpose(0, 1)
