"""Requests over time: rates without the ramp, and the batch size from which on more gains little."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.decode import DecodeError, decoder

SWEEP = (1, 2, 4, 8, 16, 32)
"""The batch sizes of a sweep, in the order in which they are tried."""

KNEE_SHARE = 0.9
"""The knee is the smallest batch size with this part of the best rate."""

NO_GAIN = 1.02
"""Two batch sizes in a row that bring less than this factor over the best so far end a sweep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Answers that came together, `at_s` on the clock of the run."""

    at_s: float
    requests: int
    tokens: int
    correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRate:
    """What one batch size got done, a second: `n` requests in `seconds`. `correct_per_s` counts right calls only."""

    batch_size: int
    requests_per_s: float
    tokens_per_s: float
    correct_per_s: float
    n: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The rates of one model: at the batch size asked for, and of the sweep in ascending order with its knee."""

    batch_size: int
    threads: int
    device: str
    batches: tuple[BatchRate, ...]
    knee: int | None = None
    cases: str = ""

    @property
    def asked(self) -> BatchRate | None:
        """The rates at the batch size that was asked for; None if only others were measured."""
        return next((batch for batch in self.batches if batch.batch_size == self.batch_size), None)


def ramp_end(done: Sequence[Done], batch_size: int) -> int | None:
    """The place of the answers with which the ramp ends: a full batch has been answered. None if none has."""
    answered = 0
    for place, each in enumerate(done):
        answered += each.requests
        if answered >= batch_size:
            return place
    return None


def is_enough(done: Sequence[Done], batch_size: int) -> bool:
    """Whether a full batch was answered after the ramp."""
    end = ramp_end(done, batch_size)
    return end is not None and sum(each.requests for each in done[end + 1 :]) >= batch_size


def steady_rate(done: Sequence[Done], batch_size: int) -> BatchRate:
    """The rates from the end of the ramp to the last answer, which leaves out both the filling and the emptying.

    Raises ValueError where no time passed after the ramp.
    """
    end = ramp_end(done, batch_size)
    seconds = done[-1].at_s - done[end].at_s if end is not None else 0.0
    if end is None or seconds <= 0:
        raise ValueError(f"fewer than two batches of {batch_size} were answered: nothing is left without the ramp")
    counted = done[end + 1 :]
    n = sum(each.requests for each in counted)
    return BatchRate(
        batch_size=batch_size,
        requests_per_s=n / seconds,
        tokens_per_s=sum(each.tokens for each in counted) / seconds,
        correct_per_s=sum(each.correct for each in counted) / seconds,
        n=n,
        seconds=seconds,
    )


def knee_of(batches: Sequence[BatchRate]) -> int | None:
    """The smallest batch size that gets 90 % of the best requests a second done; None without a batch."""
    best = max((batch.requests_per_s for batch in batches), default=0.0)
    fits = [batch.batch_size for batch in batches if batch.requests_per_s >= KNEE_SHARE * best]
    return min(fits, default=None)


def is_over(batches: Sequence[BatchRate]) -> bool:
    """Whether a sweep may end: the last two batch sizes gained nothing over the best before them."""
    if len(batches) < 3:
        return False
    rates = [batch.requests_per_s for batch in batches]
    return max(rates[-2:]) < NO_GAIN * max(rates[:-2])


def to_mapping(throughput: Throughput) -> dict[str, Json]:
    """The throughput as it stands in a result file."""
    found: dict[str, Json] = json.loads(json.dumps(asdict(throughput)))
    return found


def extra_info_of(throughput: Throughput) -> dict[str, Json]:
    """The figures in one level of plain values, for the files of pytest-benchmark."""
    figures: dict[str, Json] = {
        "batch_size": throughput.batch_size,
        "threads": throughput.threads,
        "device": throughput.device,
        "knee": throughput.knee,
    }
    for batch in throughput.batches:
        for name in ("requests_per_s", "tokens_per_s", "correct_per_s", "n", "seconds"):
            figures[f"batch_{batch.batch_size}_{name}"] = getattr(batch, name)
    return figures


def read_throughput(entry: Mapping[str, Json] | None) -> Throughput | None:
    """The throughput in a result's entry; None where there is none, or one that something else wrote."""
    try:
        found: Throughput | None = decoder(Throughput)(entry) if entry is not None else None
    except DecodeError:
        return None
    return found
