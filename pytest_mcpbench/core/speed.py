"""How much faster one model is than another: from times that were measured in pairs, with an interval."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Literal

from pytest_mcpbench.core.gate import Status, Verdict

Side = Literal["reference", "candidate"]

LEAST_PAIRS = 20
"""Fewer pairs decide nothing."""

SHARED_TOLERANCE = 0.10
"""How much longer a candidate may take on a machine that others use too."""

DEDICATED_TOLERANCE = 0.03
"""The same on a machine of one's own, whose times scatter less."""

MOST_PAIRS = 200
"""So many are measured at most where fewer do not decide."""

RESAMPLES = 4000
_CONFIDENCE = 0.95
_MOST_PAIRS = 10**6
_CHECK = "check what was measured: the same prompts and answers, the right model, no cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedComparison:
    """Two models' times on the same prompts, pair by pair.

    `speedup` is the geometric mean of reference_s / candidate_s, so above 1 the candidate is faster; `interval` is
    its BCa 95 % interval, None with fewer than 2 pairs. `tolerance` is the share of the reference's time that the
    candidate may take longer: PASS if the whole interval lies above 1 / (1 + tolerance), FAIL if all of it lies
    below, else UNDECIDED. `pairs` counts the times of either side; `reason` holds the numbers.
    """

    reference: str
    candidate: str
    pairs: int
    speedup: float
    interval: tuple[float, float] | None
    tolerance: float
    status: Status
    reason: str = ""
    reference_s: tuple[float, ...] = ()
    candidate_s: tuple[float, ...] = ()

    def describe(self) -> str:
        """The speedup in words: `2.41x as fast (95 % interval 2.30 to 2.52, 40 pairs)`."""
        return _described(self.speedup, self.interval, f"{self.pairs} pairs")


def compare_speed(
    reference_s: Sequence[float],
    candidate_s: Sequence[float],
    *,
    labels: tuple[str, str] = ("reference", "candidate"),
    tolerance: float = SHARED_TOLERANCE,
    seed: int = 0,
) -> SpeedComparison:
    """What times say that belong together by position; `labels` are the reference's and the candidate's.

    Fewer than 20 pairs are UNDECIDED, and the reason says so.
    Raises ValueError if the two differ in length, are empty, or hold a time that is not positive and finite.
    """
    if len(reference_s) != len(candidate_s) or not reference_s:
        raise ValueError(f"{len(reference_s)} and {len(candidate_s)} times are no pairs")
    ratios = [was - now for was, now in zip(_logs(reference_s), _logs(candidate_s), strict=True)]
    mean = fmean(ratios)
    bounds = bca_interval([ratios], seed=seed) if len(ratios) > 1 else None
    interval = None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))
    status, why = _judge(mean, bounds, tolerance, len(ratios))
    return SpeedComparison(
        reference=labels[0],
        candidate=labels[1],
        pairs=len(ratios),
        speedup=math.exp(mean),
        interval=interval,
        tolerance=tolerance,
        status=status,
        reason=f"{_described(math.exp(mean), interval, f'{len(ratios)} pairs')} {why}",
        reference_s=tuple(reference_s),
        candidate_s=tuple(candidate_s),
    )


def compare_apart(
    before: Sequence[float], after: Sequence[float], *, labels: tuple[str, str], tolerance: float, seed: int = 0
) -> SpeedComparison:
    """What two samples say that do not belong together by position, such as times of two runs in seconds.

    The speedup is the ratio of their geometric means; `pairs` is the size of the smaller sample.
    Raises ValueError if a sample is empty or holds a value that is not positive and finite.
    """
    groups = [_logs(before), _logs(after)]
    n = min(map(len, groups))
    if not n:
        raise ValueError("a sample of times is empty")
    mean = fmean(groups[0]) - fmean(groups[1])
    bounds = bca_interval(groups, seed=seed) if n > 1 else None
    interval = None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))
    status, why = _judge(mean, bounds, tolerance, n)
    return SpeedComparison(
        reference=labels[0],
        candidate=labels[1],
        pairs=n,
        speedup=math.exp(mean),
        interval=interval,
        tolerance=tolerance,
        status=status,
        reason=f"{_described(math.exp(mean), interval, f'{len(before)} and {len(after)} values')} {why}",
    )


def further_pairs(comparison: SpeedComparison, most: int = MOST_PAIRS) -> int:
    """How many pairs to measure next: 0 where the comparison is decided or so many are there already.

    At most as many as there are, so that the first pairs' scatter does not set the price of the rest.
    """
    if comparison.status != "UNDECIDED":
        return 0
    needed = LEAST_PAIRS - comparison.pairs
    if comparison.interval is not None and needed <= 0:
        low, high = (math.log(bound) for bound in comparison.interval)
        needed = _further(
            math.log(comparison.speedup), (low, high), -math.log1p(comparison.tolerance), comparison.pairs
        )
    return max(0, min(max(needed, 1), max(comparison.pairs, LEAST_PAIRS), most - comparison.pairs))


def check_speedup(comparison: SpeedComparison, target: float, bound: float | None = None) -> Verdict:
    """Whether a speedup is proven: PASS if its interval's lower end reaches the target, FAIL if the upper is below.

    `bound` is the most that physics allows, None where nothing is known: a target or a measured interval beyond it
    fails, as something else was measured. UNDECIDED says how many more pairs it takes. In the verdict `rate` is the
    speedup, `n` counts the pairs and `correct` those in which the candidate was the faster.
    """
    seen, goal = comparison.describe(), f"target {target:g}x"
    low, high = comparison.interval or (0.0, math.inf)
    status: Status = "FAIL"
    reason, step = f"{seen}, {goal}", ""
    if bound is not None and target > bound:
        reason, step = f"{goal} is above the physical bound of {bound:.2f}x ({seen})", "set a target within the bound"
    elif bound is not None and low > bound:
        reason, step = f"{seen} is above the physical bound of {bound:.2f}x", _CHECK
    elif comparison.pairs < LEAST_PAIRS:
        status, step = "UNDECIDED", f"measure {LEAST_PAIRS - comparison.pairs} more pairs"
    elif low >= target:
        status, reason = "PASS", f"{seen} >= {goal}"
    elif high < target:
        reason, step = f"{seen} < {goal}", "look at batch size, threads and format, or measure on the target machine"
    else:
        bounds = (math.log(low), math.log(high))
        status, step = "UNDECIDED", _more(math.log(comparison.speedup), bounds, math.log(target), comparison.pairs)
    faster = sum(now < was for was, now in zip(comparison.reference_s, comparison.candidate_s, strict=True))
    return Verdict(
        gate="speedup",
        model=comparison.candidate,
        status=status,
        rate=comparison.speedup,
        n=comparison.pairs,
        correct=faster,
        interval=comparison.interval,
        target=target,
        reason=f"over {comparison.reference}: {reason}",
        next_step=step,
    )


def abba_order(pairs: int, seed: int = 0) -> list[tuple[Side, Side]]:
    """Which side of each pair is measured first: blocks of ABBA or BAAB, drawn at random.

    A drift of the machine that is linear within a block falls on both sides alike. An odd last pair is drawn alone.
    """
    draw = random.Random(seed)
    order: list[tuple[Side, Side]] = []
    while len(order) < pairs:
        one: tuple[Side, Side] = ("reference", "candidate")
        other: tuple[Side, Side] = ("candidate", "reference")
        order += [one, other] if draw.random() < 0.5 else [other, one]
    return order[:pairs]


def bca_interval(
    groups: Sequence[Sequence[float]], confidence: float = _CONFIDENCE, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Bounds of the mean of one group, or of the first group's mean less the second's; bias-corrected, accelerated.

    Each group is resampled within itself. Values that are all equal give an interval without width.
    Raises ValueError if a group has fewer than 2 values.
    Source: B. Efron, JASA 82 (1987) 171-185.
    """
    if any(len(group) < 2 for group in groups):
        raise ValueError("an interval needs 2 values")
    signs = (1.0, -1.0)[: len(groups)]
    draw = random.Random(seed)
    found = sorted(
        sum(sign * fmean(draw.choices(group, k=len(group))) for sign, group in zip(signs, groups, strict=True))
        for _ in range(resamples)
    )
    seen = sum(sign * fmean(group) for sign, group in zip(signs, groups, strict=True))
    if found[0] == found[-1]:
        return seen, seen
    below = (sum(value < seen for value in found) + sum(value <= seen for value in found)) / (2 * resamples)
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(below, 0.5 / resamples), 1 - 0.5 / resamples))
    influences = [
        sign * (value - fmean(group)) / len(group) for sign, group in zip(signs, groups, strict=True) for value in group
    ]
    spread = sum(value**2 for value in influences)
    acceleration = sum(value**3 for value in influences) / (6 * spread**1.5)
    ends = []
    for share in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + normal.inv_cdf(share)
        ends.append(_quantile(found, normal.cdf(bias + z / (1 - acceleration * z))))
    return ends[0], ends[1]


def _logs(times: Sequence[float]) -> list[float]:
    if not all(0 < time < math.inf for time in times):
        raise ValueError("a time is not a positive number")
    return [math.log(time) for time in times]


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 2)
    return ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])


def _judge(mean: float, bounds: tuple[float, float] | None, tolerance: float, n: int) -> tuple[Status, str]:
    """The status, and the rest of the reason; mean and bounds are logarithms."""
    limit = -math.log1p(tolerance)
    allowed = f"{100 * tolerance:g} % slower"
    if bounds is None or n < LEAST_PAIRS:
        return "UNDECIDED", f"says too little: {LEAST_PAIRS} pairs are needed"
    if bounds[0] > limit:
        return "PASS", f"is not more than {allowed}"
    if bounds[1] < limit:
        return "FAIL", f"is more than {allowed}"
    return "UNDECIDED", f"may be more than {allowed}: {_more(mean, bounds, limit, n)}"


def _more(mean: float, bounds: tuple[float, float], limit: float, n: int) -> str:
    more = _further(mean, bounds, limit, n)
    return "no number of pairs decides at this speed" if more > _MOST_PAIRS else f"about {more} more pairs decide it"


def _further(mean: float, bounds: tuple[float, float], limit: float, n: int) -> int:
    """How many further pairs would narrow the interval enough, if mean and scatter stay; at least 1."""
    distance, half = abs(mean - limit), (bounds[1] - bounds[0]) / 2
    needed = n * (half / max(distance, 1e-9)) ** 2
    return max(1, math.ceil(needed) - n)


def _described(speedup: float, interval: tuple[float, float] | None, count: str) -> str:
    spread = "" if interval is None else f"95 % interval {interval[0]:.2f} to {interval[1]:.2f}, "
    return f"{speedup:.2f}x as fast ({spread}{count})"
