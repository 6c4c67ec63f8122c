"""All answers of one model: what the cache has first, the rest by shared prefix, each kept as soon as it is there."""

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import KnowsItsRows, Model, ModelInfo, SharesPrefixes, Streams
from pytest_mcpbench.models.cache import GenerationCache
from pytest_mcpbench.models.prefix import common_prefix, prefix_groups

_BATCH_SIZES = {"": 1024, "cuda": 64, "mps": 32, "cpu": 64, "cpu float32": 128}
"""Requests a batch by the kind of device, and on CPU by the weights; "" is a model that computes nothing.

In float32 a product reaches what the processor can do from about 128 rows on: 200 cases of the demo model took 115 s at
32 rows, 94 at 64 and 87 at 128 on two cores with AVX2; quantized they took 73, 73 and 88 s.
"""

_LOOK_AHEAD = 4
"""So many batches are put together from what is asked next, for prompts of like length."""

_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """How far one model's generation is; made after each batch. Counts are of distinct requests since the start.

    `cached` and `failed` are among the `done`; `output_tokens` are those generated now, in `elapsed_s` seconds.
    """

    done: int
    total: int
    cached: int
    failed: int
    output_tokens: int
    elapsed_s: float


@dataclass(slots=True, kw_only=True)
class _Tally:
    """The counts behind the reports."""

    total: int
    clock: Callable[[], float]
    started_s: float
    on_batch: Callable[[BatchReport], None] | None
    done: int = 0
    cached: int = 0
    failed: int = 0
    output_tokens: int = 0

    def add(self, answers: Sequence[Generation], *, cached: bool = False) -> None:
        self.done += len(answers)
        self.failed += sum(answer.finish_reason == "error" for answer in answers)
        self.cached += len(answers) if cached else 0
        self.output_tokens += 0 if cached else sum(answer.output_tokens for answer in answers)
        if self.on_batch is not None:
            report = BatchReport(
                done=self.done,
                total=self.total,
                cached=self.cached,
                failed=self.failed,
                output_tokens=self.output_tokens,
                elapsed_s=self.clock() - self.started_s,
            )
            self.on_batch(report)


def generate(
    model: Model,
    requests: Sequence[Request],
    settings: GenerationSettings,
    *,
    cache: GenerationCache | None,
    on_batch: Callable[[BatchReport], None] | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[Request, Generation]]:
    """Each request with its answer: those that the cache has, then the others, some at a time.

    Requests with one cache key are answered once, and those that begin with the same tokens together. A batch that
    raises is halved, down to one request; one that fails alone is answered by a Generation with the finish reason
    "error", which the cache does not keep. Whoever stops iterating, or is killed, loses at most what is under way.
    """
    groups: dict[str, list[Request]] = {}
    for request in requests:
        groups.setdefault(_key(model, request, settings), []).append(request)
    tally = _Tally(total=len(groups), clock=clock, started_s=clock(), on_batch=on_batch)
    found = {key: answer for key in groups if cache is not None and (answer := cache.get(key)) is not None}
    if found:
        tally.add(list(found.values()), cached=True)
    for key, answer in found.items():
        yield from ((request, answer) for request in groups[key])
    batches = _Batches(model, settings)
    asked = [_Asked(key, group[0], _tokens(model, group[0])) for key, group in groups.items() if key not in found]
    for keyed in (part for group in _groups(asked) for part in batches.answers(group)):
        if cache is not None:
            cache.put_many((key, answer) for key, answer in keyed if answer.finish_reason != "error")
        tally.add([answer for _, answer in keyed])
        for key, answer in keyed:
            yield from ((request, answer) for request in groups[key])


def _key(model: Model, request: Request, settings: GenerationSettings) -> str:
    """The request's cache key; a request whose prompt cannot be built gets one of its own and fails in its batch."""
    try:
        return model.cache_key(request, settings)
    except Exception:  # whatever a chat template raises
        return f"no prompt: {request.key}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to generate for. Of a model that does not tell its tokens only their number is known."""

    key: str
    request: Request
    tokens: "int | array[int]"

    @property
    def length(self) -> int:
        return self.tokens if isinstance(self.tokens, int) else len(self.tokens)


def _tokens(model: Model, request: Request) -> "int | array[int]":
    try:
        return (
            array("i", model.token_ids(request)) if isinstance(model, SharesPrefixes) else model.count_tokens(request)
        )
    except Exception:  # as in _key
        return 0


def _groups(asked: Sequence[_Asked]) -> list[list[_Asked]]:
    """Requests that share a prefix together, in the order asked; the first asked comes in the first group."""
    known = [(at, each.tokens) for at, each in enumerate(asked) if not isinstance(each.tokens, int)]
    places = [sorted(known[at][0] for at in group) for group in prefix_groups([tokens for _, tokens in known])]
    places.append([at for at, each in enumerate(asked) if isinstance(each.tokens, int)])
    return [[asked[at] for at in group] for group in sorted(group for group in places if group)]


def _in_batches(group: Sequence[_Asked], size: int) -> list[list[_Asked]]:
    """Batches of requests of like length, since what is long is mostly answered at length too.

    Of the shipped cases, the lengths of prompts and answers correlate at 0.72. Those asked first come first, so that
    results begin to flow.
    """
    batches: list[list[_Asked]] = []
    for start in range(0, len(group), size * _LOOK_AHEAD):
        window = range(start, min(start + size * _LOOK_AHEAD, len(group)))
        order = sorted(window, key=lambda at: group[at].length, reverse=True)
        parts = [order[at : at + size] for at in range(0, len(order), size)]
        batches += [[group[at] for at in part] for part in sorted(parts, key=min)]
    return batches


def _usual_size(info: ModelInfo) -> int:
    device = info.device.partition(":")[0]
    return _BATCH_SIZES.get(f"{device} {info.dtype}", _BATCH_SIZES.get(device, 32))


class _Batches:
    """Answers requests, so many at a time as fit in memory."""

    def __init__(self, model: Model, settings: GenerationSettings) -> None:
        self._model = model
        self._settings = settings
        self._wanted = settings.batch_size or _usual_size(model.info)
        self._size = self._wanted

    def answers(self, group: Sequence[_Asked]) -> Iterator[list[tuple[str, Generation]]]:
        """The answers to requests that share a prefix, with their keys, some at a time."""
        rows = min(self._size, self._fitting(group))
        batches = _in_batches(group, rows)
        left = {each.key: each for batch in batches for each in batch}
        if isinstance(self._model, Streams):
            yield from self._streamed(self._model, left, rows)
        for batch in batches:
            requests = {each.key: each.request for each in batch if each.key in left}
            if requests:
                yield list(zip(requests, self._answer(list(requests.values())), strict=True))

    def _fitting(self, group: Sequence[_Asked]) -> int:
        if not isinstance(self._model, KnowsItsRows):
            return self._wanted
        tokens = [each.tokens for each in group if not isinstance(each.tokens, int)]
        longest = max(each.length for each in group) + self._settings.max_new_tokens
        return self._model.rows_that_fit(longest, common_prefix(tokens))

    def _streamed(self, model: Streams, left: dict[str, _Asked], rows: int) -> Iterator[list[tuple[str, Generation]]]:
        """The answers as they come, until the stream breaks; what is answered is no longer among the `left`."""
        while left:
            asked = list(left.values())
            try:
                for part in model.stream([each.request for each in asked], self._settings, rows):
                    yield [(left.pop(asked[at].key).key, answer) for at, answer in part]
            except Exception as error:  # any failure of a model is data: what is left is tried batch by batch
                if rows == 1 or not _out_of_memory(error):
                    return
                rows = self._size = rows // 2
            else:
                return

    def _answer(self, batch: list[Request]) -> list[Generation]:
        """One answer a request. Halves what fails; after a memory error, later batches are smaller as well."""
        if len(batch) <= self._size:
            try:
                answers = self._model.generate_batch(batch, self._settings)
                if len(answers) != len(batch):
                    raise ValueError(f"{len(answers)} answers to {len(batch)} requests")
                return answers
            except Exception as error:  # any failure of a model is data: the run goes on
                reason = _one_line(error)
                if _out_of_memory(error):
                    self._size = max(1, len(batch) // 2)
            if len(batch) == 1:
                # One request that fails alone is no measure of what fits for the others.
                self._size = self._wanted
                return [Generation(text="", finish_reason="error", error=reason)]
        middle = (len(batch) + 1) // 2
        return [*self._answer(batch[:middle]), *self._answer(batch[middle:])]


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out. By name and text, since torch must not be imported for it."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _ERROR_CHARACTERS else text[: _ERROR_CHARACTERS - 1] + "…"
