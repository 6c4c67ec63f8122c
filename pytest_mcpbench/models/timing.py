"""One loaded model against the clock: single calls with nothing held and with the shared prefix held, and batches."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

from pytest_mcpbench.core.case import Message
from pytest_mcpbench.core.latency import WARM_UP_LIMIT, is_settled
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, request_of
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import KnowsItsRows, Model, ModelInfo, Streams, Timeable

Clock = Callable[[], float]
"""Seconds that only go forward."""

_TOPOLOGY = Path("/sys/devices/system/cpu")
_OTHER_WORDS = "What is in this folder?"
"""Said between two calls of one prompt, so that the second finds held what prompts share and not all of itself."""

_WAVES = 16
"""A stream is given so many batches at once; it empties and fills again between two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedCall:
    """One request's answer and the two times that it took: from the cold start, and to the first token when warm.

    `generation` carries `ttft_s` and `e2e_s`; `warm` is a call of the same model for one token.
    """

    request: Request
    generation: Generation
    warm: Generation | None = None

    @property
    def tpot_s(self) -> float | None:
        """Seconds for each token behind the first; None where there is none.

        Source: (e2e - ttft) / (output tokens - 1), as inference servers' benchmarks define time per output token.
        """
        found = self.generation
        if found.output_tokens < 2 or found.e2e_s is None or found.ttft_s is None:
            return None
        return (found.e2e_s - found.ttft_s) / (found.output_tokens - 1)


def timed_call(model: Model, request: Request, settings: GenerationSettings, clock: Clock) -> Generation:
    """The answer to one request, alone, with its two times: rendering, tokens, decoding and reading the calls count.

    Nothing is read from a cache and nothing forgotten. Raises ModelError for a model that cannot be timed.
    """
    if not isinstance(model, Timeable):
        raise ModelError(f"{model.info.spec}: answers are not computed here, so there is nothing to time")
    first: list[float] = []

    def note() -> None:
        if not first:
            first.append(clock())

    model.on_token = note
    try:
        started_s = clock()
        (generation,) = model.generate_batch([request], settings)
        model.style.fmt.parse(generation.text, request.tools)
        ended_s = clock()
    finally:
        model.on_token = None
    return replace(generation, ttft_s=(first or [ended_s])[0] - started_s, e2e_s=ended_s - started_s)


def cold_call(model: Model, request: Request, settings: GenerationSettings, clock: Clock) -> Generation:
    """A timed call with nothing held of earlier prompts, which the model is made to forget before the clock starts."""
    if isinstance(model, Timeable):
        model.forget_prefix()
    return timed_call(model, request, settings, clock)


class LatencyMeter:
    """Times one model, one request at a time, over and over the same requests.

    A cold call has nothing held. A warm one asks another request right behind it, for one token, and so finds held
    what the two share. Whoever measures calls `prepare` and `call` in turn, and `calls` in the end.
    """

    def __init__(
        self, model: Model, requests: Sequence[Request], settings: GenerationSettings, clock: Clock = time.perf_counter
    ) -> None:
        self._model = model
        self._settings = settings
        self._clock = clock
        distinct = {request.key: request for request in requests}
        self._only_one = len(distinct) == 1
        self._requests = cycle(distinct.values())
        self._next = next(self._requests)
        self._calls: list[TimedCall] = []
        self.warm_up_s: list[float] = []

    @property
    def done(self) -> int:
        """How many cold calls were timed."""
        return len(self._calls)

    def warm_up(self) -> bool:
        """Whether the times of the first request, asked again and again, settled before the limit of calls."""
        while len(self.warm_up_s) < WARM_UP_LIMIT:
            generation = cold_call(self._model, self._next, self._settings, self._clock)
            self.warm_up_s.append(generation.e2e_s or 0.0)
            if is_settled(self.warm_up_s):
                return True
        return False

    def prepare(self) -> Request:
        """The next request. The warm call that belongs to the one before happens here, outside of its time."""
        self._measure_warm()
        return self._next

    def call(self, request: Request) -> None:
        """Time a cold call of the request that `prepare` gave."""
        generation = cold_call(self._model, request, self._settings, self._clock)
        self._calls.append(TimedCall(request=request, generation=generation))
        self._next = next(self._requests)

    def calls(self) -> tuple[TimedCall, ...]:
        """Every call, in order, each with the warm one behind it."""
        self._measure_warm()
        return tuple(self._calls)

    def _measure_warm(self) -> None:
        if not self._calls or self._calls[-1].warm is not None:
            return
        request = self._next
        if self._only_one:
            request = request_of([Message(role="user", content=_OTHER_WORDS)], request.tools)
        warm = timed_call(self._model, request, replace(self._settings, max_new_tokens=1), self._clock)
        self._calls[-1] = replace(self._calls[-1], warm=warm)


def answered_over_time(
    model: Model, requests: Sequence[Request], settings: GenerationSettings, clock: Clock = time.perf_counter
) -> Iterator[tuple[float, list[tuple[Request, Generation]]]]:
    """Without end: when answers came, and what they answer; `settings.batch_size` requests are on their way at once.

    A model that streams takes up a request as soon as another is answered; others answer batch by batch.
    Raises what the model raises.
    """
    size = settings.batch_size
    endless = cycle(requests)
    while True:
        if isinstance(model, Streams):
            wave = [next(endless) for _ in range(_WAVES * size)]
            for part in model.stream(wave, settings, size):
                now_s = clock()
                yield now_s, [(wave[at], generation) for at, generation in part]
        else:
            batch = [next(endless) for _ in range(size)]
            answers = model.generate_batch(batch, settings)
            now_s = clock()
            yield now_s, list(zip(batch, answers, strict=True))


def fits(model: Model, requests: Sequence[Request], settings: GenerationSettings, batch_size: int) -> bool:
    """Whether so many rows fit in memory; True where the model does not tell."""
    if not isinstance(model, KnowsItsRows) or batch_size == 1:
        return True
    longest = max(model.count_tokens(request) for request in requests) + settings.max_new_tokens
    return batch_size <= model.rows_that_fit(longest, 0)


def timing_threads(wanted: int | None) -> int:
    """The CPU threads to time with: what is wanted, or `OMP_NUM_THREADS`, or one a core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return wanted or (int(asked) if asked.isdecimal() and int(asked) > 0 else _cores())


def check_timeable(model: Model) -> ModelInfo:
    """What the model is. Raises ModelError, as `timed_call`, for one whose answers are not computed here."""
    if not isinstance(model, Timeable):
        raise ModelError(f"{model.info.spec}: answers are not computed here, so there is nothing to time")
    return model.info


def _cores() -> int:
    """The cores among the processors that this process may use: two threads of one core share what computes."""
    try:
        usable = os.sched_getaffinity(0)
        places = {
            tuple(
                (_TOPOLOGY / f"cpu{cpu}/topology/{name}").read_text("ascii")
                for name in ("physical_package_id", "core_id")
            )
            for cpu in usable
        }
    except (AttributeError, OSError):
        return os.cpu_count() or 1
    return len(places)
