"""Decoders that others exported: optimum's graphs, onnxruntime-genai's, and any with caches of the same names.

Such a graph takes whole caches and gives back longer ones, and computes logits at every position. Prompts are read
without padding, since padding between a prefix and what follows is wrong under a sliding window; rows of unequal
length are padded in front, where the mask hides it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.onnx_session import Push
from pytest_mcpbench.models.prefix import common_prefix

Caches = dict[str, NDArray[Any]]
"""Keys and values by the name of their input; each (rows, kv heads, positions, head size)."""

_PAST = re.compile(r"past_key_values\.\d+\.(key|value)")
_PLAIN = ("input_ids", "attention_mask", "position_ids")
_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_LOGIT_BYTES = 1 << 28
"""What the logits of one pass may take: a longer prompt is read in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignGraph:
    """A loaded graph. `empty` are its caches before the first token, of no position; `presents` names their outputs."""

    session: Any
    inputs: frozenset[str]
    empty: Caches
    presents: dict[str, str]
    vocabulary: int

    @property
    def takes_positions(self) -> bool:
        """Whether it is told each token's position; else it counts along the caches, padding included."""
        return "position_ids" in self.inputs


def read_graph(session: Any, place: str) -> ForeignGraph:
    """What the session's inputs and outputs say. Raises ModelError for a graph that is no decoder with caches."""
    inputs = {each.name: each for each in session.get_inputs()}
    outputs = {each.name: each for each in session.get_outputs()}
    past = [name for name in inputs if _PAST.fullmatch(name)]
    presents = {name: name.replace("past_key_values", "present") for name in past}
    strange = sorted(inputs.keys() - set(past) - set(_PLAIN))
    lacking = [name for name in ("input_ids", "attention_mask") if name not in inputs]
    lacking += [name for name in ("logits", *presents.values()) if name not in outputs]
    if strange or lacking or not past:
        what = f"takes {strange[0]}" if strange else f"has no {lacking[0] if lacking else 'past_key_values'}"
        raise ModelError(
            f"{place}: its graph is no decoder with caches ({what}); export it with optimum's task "
            "text-generation-with-past, or run mcpbench quantize on its checkpoint"
        )
    return ForeignGraph(
        session=session,
        inputs=frozenset(inputs),
        empty={name: _empty(inputs[name], place) for name in past},
        presents=presents,
        vocabulary=_size(outputs["logits"].shape[-1]) or 1 << 18,
    )


def _empty(cache: Any, place: str) -> NDArray[Any]:
    heads, size = (_size(cache.shape[axis]) for axis in (1, 3)) if len(cache.shape) == 4 else (None, None)
    if heads is None or size is None or cache.type not in _NUMBERS:
        raise ModelError(
            f"{place}: its cache {cache.name} is {cache.type} {cache.shape}; run mcpbench quantize instead"
        )
    return np.zeros((1, heads, 0, size), _NUMBERS[cache.type])


def _size(dimension: Any) -> int | None:
    return dimension if isinstance(dimension, int) else None


class ForeignDecoder:
    """Decodes prompts of token ids greedily. What a prompt shares with the one before is not computed again.

    With `alone`, each prompt is computed by itself and whole: for graphs whose activations are scaled by all that is
    computed together. A graph that takes no positions has each prompt by itself too, since padding would move it.
    """

    def __init__(self, graph: ForeignGraph, *, alone: bool) -> None:
        self._graph = graph
        self._alone = alone
        self._kept: Caches = graph.empty
        self._kept_ids: list[int] = []

    def decode(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, push: Push) -> int:
        """Push each row's tokens until it ends or has `max_new_tokens`; the number of prompt tokens not computed again.

        Raises ModelError if the graph cannot compute them.
        """
        start = 0 if self._alone else self._share(prompts)
        together = self._graph.takes_positions and not self._alone
        rows = range(len(prompts))
        for group in [list(rows)] if together else [[row] for row in rows]:
            self._answer(prompts, group, max_new_tokens, push)
        return start

    def forget(self) -> None:
        """Compute the next prompt from its start."""
        self._kept, self._kept_ids = self._graph.empty, []

    def _share(self, prompts: Sequence[Sequence[int]]) -> int:
        """How many first tokens all prompts share, short of a last one; keeps their caches.

        A prompt alone is kept whole but for its last token, as the next one may share most of it.
        """
        shared = min(common_prefix(prompts), min(map(len, prompts)) - 1)
        reused = min(common_prefix([self._kept_ids, prompts[0]]), shared)
        self._kept = {name: array[:, :, :reused] for name, array in self._kept.items()}
        self._kept_ids = list(prompts[0][:shared])
        if shared > reused:
            rest = np.array([prompts[0][reused:shared]])
            self._kept = self._read(rest, self._kept, np.full(1, reused))[1]
        return reused if len(prompts) == 1 else shared

    def _answer(self, prompts: Sequence[Sequence[int]], group: list[int], most: int, push: Push) -> None:
        rows, tokens, caches, lengths = self._first_tokens(prompts, group)
        for made in range(1, most + 1):
            going = np.array([push(row, int(token)) for row, token in zip(rows, tokens, strict=True)])
            if made == most or not going.any():
                return
            if not going.all():
                rows = [row for row, goes in zip(rows, going, strict=True) if goes]
                caches = {name: array[going] for name, array in caches.items()}
                tokens, lengths = tokens[going], lengths[going]
            logits, caches = self._run(tokens[:, None], caches, lengths)
            lengths = lengths + 1
            tokens = logits[:, -1].argmax(axis=-1)

    def _first_tokens(
        self, prompts: Sequence[Sequence[int]], group: list[int]
    ) -> tuple[list[int], NDArray[np.int64], Caches, NDArray[np.int64]]:
        """The rows by length, the token that follows each prompt, the caches padded in front, and the lengths."""
        start = len(self._kept_ids)
        rows = sorted(group, key=lambda row: len(prompts[row]))
        longest = len(prompts[rows[-1]])
        tokens: list[int] = []
        parts: list[Caches] = []
        for length, same in groupby(rows, key=lambda row: len(prompts[row])):
            rests = np.array([prompts[row][start:] for row in same])  # (b, S)
            past = {name: np.repeat(array, len(rests), axis=0) for name, array in self._kept.items()}
            logits, caches = self._read(rests, past, np.full(len(rests), start))
            tokens += logits[:, -1].argmax(axis=-1).tolist()
            front = ((0, 0), (0, 0), (longest - length, 0), (0, 0))
            parts.append({name: np.pad(array, front) for name, array in caches.items()})
        caches = {name: np.concatenate([part[name] for part in parts]) for name in self._graph.empty}
        return rows, np.array(tokens), caches, np.array([len(prompts[row]) for row in rows])

    def _read(self, ids: NDArray[np.int64], past: Caches, lengths: NDArray[np.int64]) -> tuple[NDArray[Any], Caches]:
        """Read chunks without padding, (b, S), behind caches of those lengths; the last piece's logits, the caches."""
        for piece in _pieces(ids, self._graph.vocabulary):
            logits, past = self._run(piece, past, lengths)
            lengths = lengths + piece.shape[1]
        return logits, past

    def _run(self, ids: NDArray[np.int64], past: Caches, lengths: NDArray[np.int64]) -> tuple[NDArray[Any], Caches]:
        """One pass over (b, S) tokens behind so many positions of each row: logits (b, S, V), and the longer caches."""
        graph, chunk = self._graph, ids.shape[1]
        held = next(iter(past.values())).shape[2]
        columns = np.arange(held + chunk)
        feeds: dict[str, NDArray[Any]] = {
            "input_ids": ids,
            "attention_mask": (columns[None, :] >= (held - lengths)[:, None]).astype(np.int64),
            **past,
        }
        if graph.takes_positions:
            feeds["position_ids"] = lengths[:, None] + np.arange(chunk)[None, :]
        try:
            logits, *presents = graph.session.run(["logits", *graph.presents.values()], feeds)
        except Exception as error:  # whatever the runtime raises
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"the graph cannot compute {ids.shape} tokens behind {held} ({reason})") from error
        return logits, dict(zip(graph.presents, presents, strict=True))


def _pieces(ids: NDArray[np.int64], vocabulary: int) -> Iterator[NDArray[np.int64]]:
    most = max(1, _LOGIT_BYTES // (4 * vocabulary * len(ids)))
    return (ids[:, at : at + most] for at in range(0, ids.shape[1], most))
