"""Greedy decoding with a transformers model: shared prefixes computed once, rows that make room for others."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

from pytest_mcpbench.models.hf_attention import ATTENTION, BatchCache, Prefix, attend
from pytest_mcpbench.models.hf_head import PartedHead, Shortlist, fast_head
from pytest_mcpbench.models.prefix import common_prefix

transformers: Any = import_module("transformers")

Push = Callable[[int, int], bool]
"""Takes a prompt's index and its next token; says whether its row goes on."""

_PAD = 0
_SCORES_BYTES = 1 << 27
"""How much attention scores may take at once; a longer prompt is read in pieces."""

_LONGER = 8
"""A kept prefix is made longer only for so many tokens: it is one more run of the model."""

_FULL_RUN = 128
"""A run of the model over so many tokens costs little more than its arithmetic, so padding is cut off into another."""

_PADDED = 0.1
"""The part of a run that may be padding, above that size."""

_ROTATIONS = {"default", "linear", "llama3", "yarn", "proportional"}
"""Rotary embeddings that turn a token by its position alone; others by the length of the whole text as well."""

_TOLERANCE = 1e-3
_COARSE_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a decoding goes: tokens a row, and rows at a time."""

    max_new_tokens: int
    rows: int


class Network:
    """The model, run for the next token of some rows. Everything here happens within `computing`."""

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model
        self._device = device
        self._heads = model.config.get_text_config().num_attention_heads
        self._head: PartedHead | Shortlist | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Attention is `attend` within, and what it was afterwards: the model may be somebody's who trains it."""
        config = self._model.config
        before = config._attn_implementation
        config._attn_implementation = ATTENTION
        try:
            with torch.inference_mode():
                yield
        finally:
            config._attn_implementation = before

    def new_cache(self, prefix: Prefix, rows: int) -> BatchCache:
        """A cache without columns."""
        return BatchCache(prefix, rows, self._device)

    def read(self, cache: BatchCache, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """What `choose` needs for the tokens behind these, where the cache has what comes before."""
        width = max(len(prompt) for prompt in prompts)
        padded = [[_PAD] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        there = [[False] * (width - len(prompt)) + [True] * len(prompt) for prompt in prompts]
        ids, filled = torch.tensor(padded, device=self._device), torch.tensor(there, device=self._device)  # (B, T)
        column_bytes = 4 * len(prompts) * self._heads * (cache.get_seq_length() + width)
        piece = max(1, _SCORES_BYTES // column_bytes)
        for at in range(0, width, piece):
            last = self._run(cache, ids[:, at : at + piece], filled[:, at : at + piece])
        return last

    def step(self, cache: BatchCache, tokens: Sequence[int]) -> torch.Tensor:
        """What `choose` needs for the tokens behind one more in each row."""
        ids = torch.tensor(tokens, device=self._device)[:, None]  # (B, 1)
        return self._run(cache, ids, torch.ones_like(ids, dtype=torch.bool))

    def choose(self, last: torch.Tensor) -> list[int]:
        """Each row's most likely next token."""
        if self._head is not None:
            return self._head.choose(last)
        return [int(token) for token in last.argmax(dim=-1).tolist()]

    def check(self) -> bool:
        """Whether two short made-up prompts come out as the model computes them by itself.

        From then on a faster head takes the place of the model's, if there is one and its tokens are the same.
        """
        config = self._model.config.get_text_config()
        first = tuple(token % config.vocab_size for token in range(5, 21))
        rests = [[7, 11, 8], [9]]
        with torch.inference_mode():
            whole = [torch.tensor([[*first, *rest]], device=self._device) for rest in rests]
            wanted = torch.cat([self._model(input_ids=ids).logits[:, -1] for ids in whole]).float()  # (B, V)
        with self.computing():
            cache = self.new_cache(Prefix(), 1)
            self.read(cache, [first])
            prefix = cache.as_prefix(first)
            probe = self.new_cache(prefix, len(rests))
            found = self.read(probe, rests)
            tolerance = _TOLERANCE if found.dtype == torch.float32 else _COARSE_TOLERANCE
            off = (found.float() - wanted).norm(dim=-1) / wanted.norm(dim=-1)
            self._head = fast_head(self._model)
            if self._head is not None:
                last = self.read(self.new_cache(prefix, len(rests)), rests)
                if self.choose(last) != wanted.argmax(dim=-1).tolist():
                    self._head = None
        # The prompts are too short to show a window that is not kept to.
        return probe.windows == _windows(config) and bool((off <= tolerance).all())

    def _run(self, cache: BatchCache, ids: torch.Tensor, filled: torch.Tensor) -> torch.Tensor:
        """The last column's logits (B, V), or its hidden states (B, D) for a head of our own."""
        options = {"position_ids": cache.open(filled), "past_key_values": cache, "use_cache": True}
        if self._head is not None:
            hidden: torch.Tensor = self._model.get_decoder()(input_ids=ids, shared_cache=cache, **options)[0]
            return hidden[:, -1]
        logits: torch.Tensor = self._model(input_ids=ids, shared_cache=cache, logits_to_keep=1, **options).logits
        return logits[:, -1]


class PrefixDecoder:
    """Decodes prompts of token ids. What they share is computed once, also from one call to the next.

    A row's answer is what the model alone would write to its prompt, up to rounding.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.kept = Prefix()

    def start(self, prompts: Sequence[Sequence[int]], limits: Limits, push: Push) -> "Decoding":
        """The decoding of these prompts, begun with what they share; `push` will be told each token."""
        with self.network.computing():
            self.kept = self._prefix_of(prompts)
        return Decoding(self, prompts, limits, push)

    def _prefix_of(self, prompts: Sequence[Sequence[int]]) -> Prefix:
        """What is kept of what all prompts share, made longer where that pays."""
        shared = tuple(prompts[0][: min(common_prefix(prompts), min(len(prompt) for prompt in prompts) - 1)])
        kept = self.kept
        known = common_prefix([kept.ids, shared])
        if known < len(kept.ids):
            # What these prompts share with those before is likely what all share.
            kept = kept.cut(known) if 2 * known >= len(shared) else Prefix()
        if len(prompts) == 1 or len(shared) - len(kept.ids) < _LONGER:
            return kept
        cache = self.network.new_cache(kept, 1)
        self.network.read(cache, [shared[len(kept.ids) :]])
        return cache.as_prefix(shared)


class Decoding:
    """Some prompts on their way, so many at a time. Rows that have ended make room for the next prompts."""

    def __init__(self, decoder: PrefixDecoder, prompts: Sequence[Sequence[int]], limits: Limits, push: Push) -> None:
        self._decoder = decoder
        self._prefix = decoder.kept
        self._prompts = prompts
        self._limits = limits
        self._push = push
        self._waiting = deque(range(len(prompts)))
        self._cache = decoder.network.new_cache(self._prefix, 0)
        self._rows: list[int] = []
        self._tokens: list[int] = []
        self._written = [0] * len(prompts)
        # New rows are read together: a run of the model for each would cost more than the wait.
        self._least = max(1, limits.rows // 4)

    @property
    def known(self) -> int:
        """How many tokens of each prompt are not computed for it alone."""
        return len(self._prefix.ids)

    def advance(self) -> list[int]:
        """The indices of the prompts answered next, a quarter of the rows or the last ones; none at the end."""
        ended: list[int] = []
        network = self._decoder.network
        with network.computing():
            while (self._waiting or self._rows) and len(ended) < self._least:
                room = self._limits.rows - len(self._rows)
                if self._waiting and (room >= self._least or not self._rows):
                    ended += self._admit([self._waiting.popleft() for _ in range(min(room, len(self._waiting)))])
                else:
                    self._tokens = network.choose(network.step(self._cache, self._tokens))
                    ended += self._hand_over(0)
        return ended

    def _admit(self, indices: list[int]) -> list[int]:
        """Read these prompts; the indices of those that their first token ends."""
        old, network = len(self._rows), self._decoder.network
        caches = []
        for run in runs_of_like_length({at: len(self._prompts[at]) - self.known for at in indices}):
            cache = network.new_cache(self._prefix, len(run))
            self._tokens += network.choose(network.read(cache, [self._prompts[at][self.known :] for at in run]))
            if len(self._prompts) == 1 and not self.known:
                self._decoder.kept = cache.as_prefix(tuple(self._prompts[0]))
            caches.append(cache)
            self._rows += run
        self._cache.join(caches)
        return self._hand_over(old)

    def _hand_over(self, start: int) -> list[int]:
        """Push the last token of each row from `start` on, and let go of those that have ended."""
        places = []
        for place in range(start, len(self._rows)):
            index = self._rows[place]
            self._written[index] += 1
            if not self._push(index, self._tokens[place]) or self._written[index] == self._limits.max_new_tokens:
                places.append(place)
        if not places:
            return []
        ended = [self._rows[place] for place in places]
        left = self._cache.leave(places)
        self._rows, self._tokens = [self._rows[place] for place in left], [self._tokens[place] for place in left]
        return ended


def runs_of_like_length(lengths: Mapping[int, int]) -> list[list[int]]:
    """The keys, longest first, cut so that little of what each part reads is padding."""
    runs: list[list[int]] = []
    real = 0
    for key in sorted(lengths, key=lengths.__getitem__, reverse=True):
        padded = lengths[runs[-1][0]] * (len(runs[-1]) + 1) if runs else 0
        if not runs or (real >= _FULL_RUN and padded > (real + lengths[key]) * (1 + _PADDED)):
            runs.append([])
            real = 0
        runs[-1].append(key)
        real += lengths[key]
    return runs


def prefix_decoder(model: Any, device: Any) -> PrefixDecoder | None:
    """A decoder for the model; None if the model is of a build that it would not decode exactly."""
    try:
        if not _rotates_by_position(model.config.get_text_config()):
            return None
        transformers.AttentionInterface.register(ATTENTION, attend)
        network = Network(model, device)
        return PrefixDecoder(network) if network.check() else None
    except Exception:  # a model of another build raises what it likes
        return None


def _windows(config: Any) -> set[int | None]:
    """The windows of the model's layers; None is a layer that sees everything. Empty for layers of other kinds."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    known = {"full_attention": None, "sliding_attention": window}
    return {known[kind] for kind in kinds} if kinds <= known.keys() else set()


def _rotates_by_position(config: Any) -> bool:
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    each = [value for value in scaling.values() if isinstance(value, dict)] or [scaling]
    return all(one.get("rope_type", one.get("type", "default")) in _ROTATIONS for one in each)
