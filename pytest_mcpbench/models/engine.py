"""All answers of one model: what the cache has first, the rest in batches, each kept as soon as it is there."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import Model
from pytest_mcpbench.models.cache import GenerationCache

_BATCH_SIZES = {"": 1024, "cuda": 64, "mps": 32, "cpu": 32}
"""Requests a batch by the kind of device; "" is a model that computes nothing.

32 on CPU: of the demo model's smoke cases, 32 took 78 s of one core's time in one batch, 86 s in two of 16 (fp32).
A larger batch would gain little more, and keep a first result waiting.
"""

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
    """Each request with its answer: those that the cache has, then the others, batch by batch.

    Requests with one cache key are answered once. A batch that raises is halved, down to one request; one that
    fails alone is answered by a Generation with the finish reason "error", which the cache does not keep. Whoever
    stops iterating, or is killed, loses at most the batch under way.
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
    pending = _ordered(model, [(key, group[0]) for key, group in groups.items() if key not in found])
    while pending:
        batch, pending = pending[: batches.size], pending[batches.size :]
        answers = batches.answer([request for _, request in batch])
        keyed = [(key, answer) for (key, _), answer in zip(batch, answers, strict=True)]
        if cache is not None:
            cache.put_many((key, answer) for key, answer in keyed if answer.finish_reason != "error")
        tally.add(answers)
        for key, answer in keyed:
            yield from ((request, answer) for request in groups[key])


def _key(model: Model, request: Request, settings: GenerationSettings) -> str:
    """The request's cache key; a request whose prompt cannot be built gets one of its own and fails in its batch."""
    try:
        return model.cache_key(request, settings)
    except Exception:  # whatever a chat template raises
        return f"no prompt: {request.key}"


def _ordered(model: Model, keyed: list[tuple[str, Request]]) -> list[tuple[str, Request]]:
    """Longest prompt first: a batch then pads little, and one that does not fit in memory fails at once, not late.

    Sharing a prefix between the prompts of a batch starts here: what shares one has to stand together.
    """
    return sorted(keyed, key=lambda pair: _length(model, pair[1]), reverse=True)


def _length(model: Model, request: Request) -> int:
    try:
        return model.count_tokens(request)
    except Exception:  # as in _key
        return 0


class _Batches:
    """Answers batches of a size that fits in memory."""

    def __init__(self, model: Model, settings: GenerationSettings) -> None:
        self._model = model
        self._settings = settings
        self._wanted = settings.batch_size or _BATCH_SIZES.get(model.info.device.partition(":")[0], 32)
        self.size = self._wanted

    def answer(self, batch: list[Request]) -> list[Generation]:
        """One answer a request. Halves what fails; after a memory error, later batches are smaller as well."""
        if len(batch) <= self.size:
            try:
                answers = self._model.generate_batch(batch, self._settings)
                if len(answers) != len(batch):
                    raise ValueError(f"{len(answers)} answers to {len(batch)} requests")
                return answers
            except Exception as error:  # any failure of a model is data: the run goes on
                reason = _one_line(error)
                if _out_of_memory(error):
                    self.size = max(1, len(batch) // 2)
            if len(batch) == 1:
                # One request that fails alone is no measure of what fits for the others.
                self.size = self._wanted
                return [Generation(text="", finish_reason="error", error=reason)]
        middle = (len(batch) + 1) // 2
        return [*self.answer(batch[:middle]), *self.answer(batch[middle:])]


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out. By name and text, since torch must not be imported for it."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _ERROR_CHARACTERS else text[: _ERROR_CHARACTERS - 1] + "…"
