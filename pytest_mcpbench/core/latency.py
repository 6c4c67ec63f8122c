"""Times of single requests: percentiles that a sample can carry, and when a warm-up is over."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.decode import DecodeError, decoder

CONFIDENCE = 0.95

WARM_UP_WINDOW = 5
WARM_UP_AGREEMENT = 0.05
WARM_UP_LIMIT = 40
"""A warm-up is over when the medians of two successive windows differ by at most this part, or after so many calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Times of one kind, in seconds.

    A percentile is the smallest time that so many of the samples do not exceed; `p90_at_most` and `p99_at_most` are
    one-sided 95 % upper bounds of the true percentile. A percentile is None where the sample is too small to bound it.
    """

    mean: float
    p50: float | None
    p90: float | None
    p99: float | None
    p90_at_most: float | None
    p99_at_most: float | None
    samples_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long single requests took, one at a time, no answer from a cache.

    `n` requests were timed after `warmup` that were not counted; `warmup_settled` says whether the times had become
    steady by then. `ttft_cold_s` is to the first token with nothing held from earlier prompts, `ttft_warm_s` with
    what prompts share held, `tpot_s` a further token (None if no answer had two), `e2e_s` from the cold request to
    its calls, read. Token counts are means: `cached_prompt_tokens` is what was held in the warm calls. `correct` of
    the answers were right. `peak_memory_bytes` is the process's, or the device's where `memory_of` says cuda; None
    where it cannot be told. `cases` is a hash of the requests' cases, so that like is compared with like.
    """

    n: int
    warmup: int
    warmup_settled: bool
    threads: int
    device: str
    batch_size: int
    e2e_s: Times
    ttft_cold_s: Times
    ttft_warm_s: Times
    tpot_s: Times | None
    prompt_tokens: float
    cached_prompt_tokens: float
    output_tokens: float
    correct: int
    peak_memory_bytes: int | None
    memory_of: str
    cases: str


def times(samples_s: Sequence[float]) -> Times:
    """The mean and the percentiles of some times. Raises ValueError for none."""
    if not samples_s:
        raise ValueError("no times: nothing was measured")
    return Times(
        mean=statistics.fmean(samples_s),
        p50=percentile(samples_s, 0.50),
        p90=percentile(samples_s, 0.90),
        p99=percentile(samples_s, 0.99),
        p90_at_most=percentile_bound(samples_s, 0.90),
        p99_at_most=percentile_bound(samples_s, 0.99),
        samples_s=tuple(samples_s),
    )


def percentile(samples: Sequence[float], share: float) -> float | None:
    """The smallest sample that a `share` in (0, 1) of all do not exceed; None if `samples_needed` are not there."""
    if len(samples) < samples_needed(share):
        return None
    return sorted(samples)[_rank(share, len(samples)) - 1]


def percentile_bound(samples: Sequence[float], share: float, confidence: float = CONFIDENCE) -> float | None:
    """The one-sided upper bound of the true percentile: the smallest sample that is above it with that confidence.

    None if not even the largest is. Nothing is assumed of how times are distributed but that they are independent.
    Source: the r-th smallest of n exceeds the percentile unless r or more samples are below it, whose number is
    binomial (H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1).
    """
    n, below = len(samples), 0.0
    for rank in range(1, n + 1):
        below += _binomial(rank - 1, n, share)
        if below >= confidence:
            return sorted(samples)[rank - 1]
    return None


def samples_needed(share: float, confidence: float = CONFIDENCE) -> int:
    """The fewest samples whose largest bounds the percentile: 5 for the median, 29 for 0.90, 299 for 0.99.

    Raises ValueError for a share or confidence outside (0, 1).
    Source: all of n samples are below the percentile with probability share**n (S. S. Wilks, Annals of Mathematical
    Statistics 12 (1941) 91-96).
    """
    if not 0 < share < 1 or not 0 < confidence < 1:
        raise ValueError(f"a share of {share} and a confidence of {confidence}: both lie between 0 and 1")
    return math.ceil(math.log(1 - confidence) / math.log(share))


def is_settled(samples: Sequence[float]) -> bool:
    """Whether the medians of the last two windows of a warm-up agree."""
    if len(samples) < 2 * WARM_UP_WINDOW:
        return False
    before = statistics.median(samples[-2 * WARM_UP_WINDOW : -WARM_UP_WINDOW])
    after = statistics.median(samples[-WARM_UP_WINDOW:])
    return abs(after - before) <= WARM_UP_AGREEMENT * before


def to_mapping(latency: Latency) -> dict[str, Json]:
    """The latency as it stands in a result file."""
    found: dict[str, Json] = json.loads(json.dumps(asdict(latency)))
    return found


def extra_info_of(latency: Latency) -> dict[str, Json]:
    """The figures without the samples, in one level of plain values, for the files of pytest-benchmark."""
    figures: dict[str, Json] = {}
    for name, value in to_mapping(latency).items():
        if isinstance(value, dict):
            figures |= {f"{name}_{key}": figure for key, figure in value.items() if key != "samples_s"}
        else:
            figures[name] = value
    return figures


def read_latency(entry: Mapping[str, Json] | None) -> Latency | None:
    """The latency in a result's entry; None where there is none, or one that something else wrote."""
    try:
        found: Latency | None = decoder(Latency)(entry) if entry is not None else None
    except DecodeError:
        return None
    return found


def _rank(share: float, n: int) -> int:
    # 0.9 * 10 is a little more than 9 in binary, and its ceiling must be 9.
    return max(1, math.ceil(round(share * n, 9)))


def _binomial(hits: int, n: int, share: float) -> float:
    """The probability of so many hits in n, by logarithms: n may be thousands."""
    ways = math.lgamma(n + 1) - math.lgamma(hits + 1) - math.lgamma(n - hits + 1)
    return math.exp(ways + hits * math.log(share) + (n - hits) * math.log1p(-share))
