"""Greedy decoding with an exported graph: one session, caches that are written in place, rows that leave when done."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.onnx_format import GRAPH, MAX_LENGTH
from pytest_mcpbench.models.onnx_version import need_runtime
from pytest_mcpbench.models.prefix import common_prefix

Push = Callable[[int, int], bool]
"""Takes a row's index and its next token; says whether the row goes on."""

_CAPACITY_STEP = 256

_SHORTEST_PREFIX = 65
_SHORTEST_REST = 2
"""Attention over fewer positions, or for one token, goes through other kernels, whose last bits differ: a shorter
prefix is not reused, and a prompt's last tokens are always computed together.
"""

_NO_FLASH = "ORT_GQA_DISABLE_FLASH_ATTENTION"
"""Flash attention adds up in blocks that begin where a chunk does, so that the last bits tell what was reused."""

_SCORES_BYTES = 1 << 28
_MOST_HEADS = 64
"""Without it, a chunk's scores are in memory all at once: long prompts are read in pieces of at most these bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How the graph is run. `threads` None is what ONNX Runtime chooses: the machine's cores."""

    threads: int | None = None
    provider: str = "CPUExecutionProvider"
    device_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A loaded graph. `cache_shape` is (kv heads, head size)."""

    session: Any
    caches: tuple[str, ...]
    cache_shape: tuple[int, int]
    vocabulary: int
    max_length: int


class Cache:
    """Keys and values of every layer, (rows, kv heads, capacity, head size) each, in buffers of their own."""

    def __init__(self, graph: Graph, rows: int, capacity: int) -> None:
        heads, size = graph.cache_shape
        self.capacity = capacity
        self.arrays = {name: np.zeros((rows, heads, capacity, size), np.float32) for name in graph.caches}

    def copy_from(self, other: "Cache", length: int, rows: slice) -> None:
        """Take over the first positions of the other's first row, into each of those rows."""
        for name, array in self.arrays.items():
            array[rows, :, :length] = other.arrays[name][:1, :, :length]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy a row's first positions over another row's."""
        for array in self.arrays.values():
            array[target, :, :length] = array[source, :, :length]


class Decoder:
    """Decodes prompts of token ids. What a prompt shares with the one before is not computed again.

    A row's answer depends neither on what else is in its batch nor on what was reused: each row has its own length,
    products in blocks of integers give the same bits in any batch, and so does attention as it is called here.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._kept = self._cache(1, _CAPACITY_STEP)
        self._kept_ids: list[int] = []

    def decode(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, push: Push) -> int:
        """Push each row's tokens until it ends or has `max_new_tokens`; the number of prompt tokens not computed again.

        Raises ModelError for a prompt that does not fit into the graph.
        """
        longest = max(len(prompt) for prompt in prompts)
        if longest + max_new_tokens > self._graph.max_length:
            raise ModelError(
                f"a prompt of {longest} tokens and {max_new_tokens} new ones do not fit into the graph's "
                f"{self._graph.max_length} positions; use a shorter prompt"
            )
        shared = _worth(min(common_prefix(prompts), min(len(prompt) for prompt in prompts) - _SHORTEST_REST))
        reused = _worth(min(shared, common_prefix([self._kept_ids, prompts[0]])))
        self._reserve(longest + max_new_tokens, reused)
        if len(prompts) == 1:
            cache, start = self._kept, reused
            # Positions from here on are overwritten, whatever happens on the way.
            del self._kept_ids[reused:]
        else:
            self._extend_kept(prompts[0][:shared], reused)
            cache, start = self._cache(len(prompts), longest + max_new_tokens), shared
            cache.copy_from(self._kept, shared, slice(None))
        _Batch(self._graph, cache, prompts, start).run(max_new_tokens, push)
        if len(prompts) == 1:
            self._kept_ids = list(prompts[0])
        return start

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The logits at every position, (T, V). Keeps nothing."""
        step = Step(self._graph, self._cache(1, len(ids)), rows=1, chunk=len(ids), wanted=len(ids))
        step.ids[0], step.chunk_lengths[0], step.last[0] = ids, len(ids), len(ids) - 1
        step.at[0, :, 0] = np.arange(len(ids))
        step.run()
        found: NDArray[np.float32] = step.logits[0]
        return found

    def forget(self) -> None:
        """Compute the next prompt from its start."""
        self._kept_ids = []

    def _cache(self, rows: int, capacity: int) -> Cache:
        return Cache(self._graph, rows, capacity)

    def _reserve(self, length: int, keep: int) -> None:
        """Make room for so many positions, keeping the first ones."""
        if self._kept.capacity < length:
            larger = self._cache(1, length + -length % _CAPACITY_STEP)
            larger.copy_from(self._kept, keep, slice(None))
            self._kept = larger

    def _extend_kept(self, ids: Sequence[int], reused: int) -> None:
        del self._kept_ids[reused:]
        chunk = len(ids) - reused
        if chunk:
            _Batch(self._graph, self._kept, [ids], reused).read()
        self._kept_ids = list(ids)


class Step:
    """One run of the graph for some rows of a cache: buffers that are bound once and may be filled again and again."""

    def __init__(self, graph: Graph, cache: Cache, *, rows: int, chunk: int, wanted: int = 1) -> None:
        self._session = graph.session
        self.ids = np.zeros((rows, chunk), np.int64)
        self.chunk_lengths = np.zeros(rows, np.int32)
        self.last = np.zeros(rows, np.int32)
        self.at = np.zeros((rows, wanted, 1), np.int64)
        self.logits = np.empty((rows, wanted, graph.vocabulary), np.float32)
        self._total = np.zeros((), np.int32)
        self._binding = self._session.io_binding()
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": self.ids,
            "chunk_lengths": self.chunk_lengths,
            "last_positions": self.last,
            "total_length": self._total,
            "logits_at": self.at,
        }
        self._cache = {name: array[:rows] for name, array in cache.arrays.items()}
        for name, array in (inputs | self._cache).items():
            self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        outputs = {name.replace("past.", "present."): array for name, array in self._cache.items()}
        for name, array in (outputs | {"logits": self.logits}).items():
            self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def run(self) -> None:
        """Fill `logits`, and the cache's new positions."""
        self._total[...] = self.last.max() + 1
        self._session.run_with_iobinding(self._binding)


class _Batch:
    """The rows of one batch as they grow. Where a row ends, the last one takes its place in the cache."""

    def __init__(self, graph: Graph, cache: Cache, prompts: Sequence[Sequence[int]], start: int) -> None:
        self._graph = graph
        self._cache = cache
        self._prompts = prompts
        self._start = start
        self._rows = list(range(len(prompts)))
        self._last = np.array([len(prompt) - 1 for prompt in prompts], np.int32)
        self._tokens = np.zeros(len(prompts), np.int64)

    def run(self, max_new_tokens: int, push: Push) -> None:
        """Read the prompts and write what follows."""
        self.read()
        step: Step | None = None
        for made in range(1, max_new_tokens + 1):
            going = [push(row, int(token)) for row, token in zip(self._rows, self._tokens, strict=True)]
            if made == max_new_tokens or not any(going):
                return
            for slot in reversed(range(len(going))):
                if not going[slot]:
                    self._leave(slot)
            if step is None or len(self._rows) < len(going):
                step = Step(self._graph, self._cache, rows=len(self._rows), chunk=1)
                step.chunk_lengths[:] = 1
            self._last += 1
            step.ids[:, 0], step.last[:] = self._tokens, self._last
            step.run()
            self._tokens = step.logits[:, 0].argmax(axis=-1)

    def read(self) -> None:
        """Compute what the prompts do not share, padded on the right, and the token that follows each."""
        rests = [prompt[self._start :] for prompt in self._prompts]
        longest = max(map(len, rests))
        for at, end in _pieces(longest, len(rests) * (self._start + longest)):
            step = Step(self._graph, self._cache, rows=len(rests), chunk=end - at)
            for row, rest in enumerate(rests):
                piece = rest[at:end]
                step.ids[row, : len(piece)] = piece
                step.chunk_lengths[row] = len(piece)
                step.last[row] = self._start + min(end, len(rest)) - 1
                step.at[row] = max(len(piece), 1) - 1
            step.run()
            found = step.logits[:, 0].argmax(axis=-1)
            ends = np.array([at < len(rest) <= end for rest in rests])
            self._tokens[ends] = found[ends]

    def _leave(self, slot: int) -> None:
        end = len(self._rows) - 1
        if slot != end:
            self._cache.move(end, slot, int(self._last[end]) + 1)
            self._rows[slot], self._last[slot], self._tokens[slot] = (
                self._rows[end],
                self._last[end],
                self._tokens[end],
            )
        self._rows.pop()
        self._last, self._tokens = self._last[:end].copy(), self._tokens[:end].copy()


def _pieces(length: int, positions: int) -> list[tuple[int, int]]:
    """Where a chunk is cut, so that its scores against so many positions fit; no piece is a single token."""
    most = max(_SHORTEST_PREFIX, _SCORES_BYTES // (positions * _MOST_HEADS * 4))
    cuts = [*range(0, length, most), length]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < _SHORTEST_REST:
        del cuts[-2]
    return list(pairwise(cuts))


def _worth(length: int) -> int:
    """The length of a prefix, or 0 for one that is too short to be reused."""
    return length if length >= _SHORTEST_PREFIX else 0


def open_graph(folder: Path, options: SessionOptions) -> Graph:
    """The graph in the folder, loaded. Raises ModelError if it cannot be run here or is of somebody else's making."""
    need_runtime(str(folder))
    session = open_session(folder / GRAPH, options)
    notes = session.get_modelmeta().custom_metadata_map
    if MAX_LENGTH not in notes:
        raise ModelError(f"{folder}: its graph is not of mcpbench's making; run mcpbench quantize on its checkpoint")
    caches = {each.name: each.shape for each in session.get_inputs() if each.name.startswith("past.")}
    _, heads, _, size = next(iter(caches.values()))
    return Graph(
        session=session,
        caches=tuple(caches),
        cache_shape=(int(heads), int(size)),
        vocabulary=int(session.get_outputs()[0].shape[-1]),
        max_length=int(notes[MAX_LENGTH]),
    )


def open_session(graph: Path, options: SessionOptions) -> Any:
    """The session that runs the graph in that file. Raises ModelError if it cannot be run here."""
    runtime = import_module("onnxruntime")
    there = runtime.get_available_providers()
    if options.provider not in there:
        raise ModelError(
            f"{graph.parent}: {options.provider} is not in this onnxruntime (there are: {', '.join(there)})"
        )
    settings = runtime.SessionOptions()
    settings.log_severity_level = 3
    if options.threads:
        settings.intra_op_num_threads = options.threads
    providers: list[Any] = ["CPUExecutionProvider"]
    if options.provider != "CPUExecutionProvider":
        providers.insert(0, (options.provider, {"device_id": options.device_id}))
    before = os.environ.get(_NO_FLASH)
    os.environ[_NO_FLASH] = "1"
    try:
        return runtime.InferenceSession(str(graph), settings, providers=providers)
    finally:
        if before is None:
            del os.environ[_NO_FLASH]
        else:
            os.environ[_NO_FLASH] = before
