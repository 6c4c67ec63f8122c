"""Intervals, bounds and tests for proportions, and how many cases a claim needs."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

MAX_CASES = 10**9
"""Beyond so many cases a question counts as undecidable."""


def wilson_interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a proportion's two-sided confidence interval, each in [0, 1].

    Usable at rates 0 and 1 and at n < 30, where the normal interval is not.
    Raises ValueError if n < 1, hits is outside 0..n or confidence outside (0, 1).
    Source: E. B. Wilson, JASA 22 (1927) 209-212.
    """
    _check(hits, n, confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = hits / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else max(0.0, center - half)
    high = 1.0 if hits == n else min(1.0, center + half)
    return low, high


def predictive_range(hits: int, n: int, size: int, coverage: float = 0.9973) -> tuple[int, int]:
    """The fewest and the most hits that `size` more trials give with this probability, after `hits` in `n`.

    Both what the next trials draw and how little the first say about the rate are in it: after 100 hits in 100 a miss
    is no surprise. Raises ValueError if n or size < 1, hits is outside 0..n or coverage outside (0, 1).
    Source: the posterior predictive (beta-binomial) distribution under Jeffreys' prior, Gelman et al., Bayesian Data
    Analysis, 3rd ed., section 2.8.
    """
    _check(hits, n, coverage)
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1")
    from scipy.stats import betabinom  # noqa: PLC0415 (a second of loading)

    tail = (1 - coverage) / 2
    found = betabinom(size, hits + 0.5, n - hits + 0.5)
    return int(found.ppf(tail)), int(found.ppf(1 - tail))


def clopper_pearson_lower(hits: float, n: float, confidence: float = 0.95) -> float:
    """The exact one-sided lower bound of a proportion, in [0, 1]; 0 if nothing hit.

    Raises ValueError if n < 1, hits is outside 0..n or confidence outside (0, 1).
    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413, as a quantile of the beta distribution.
    """
    _check(hits, n, confidence)
    return float(_special().betaincinv(hits, n - hits + 1, 1 - confidence)) if hits > 0 else 0.0


def clopper_pearson_upper(hits: float, n: float, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a proportion, in [0, 1]; 1 if everything hit. Raises as the lower bound."""
    _check(hits, n, confidence)
    return float(_special().betaincinv(hits + 1, n - hits, confidence)) if hits < n else 1.0


def mcnemar_exact(gains: int, losses: int) -> float:
    """The two-sided p-value, in (0, 1], that gains and losses are equally likely; 1 if there are none.

    Raises ValueError for a negative count.
    Source: Q. McNemar, Psychometrika 12 (1947) 153-157, with the exact binomial distribution of the flips.
    """
    if gains < 0 or losses < 0:
        raise ValueError(f"{gains} gains and {losses} losses: a count is negative")
    return min(1.0, 2 * float(_special().bdtr(min(gains, losses), gains + losses, 0.5))) if gains + losses else 1.0


def tango_upper(losses: float, gains: float, n: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of the net loss (losses - gains) / n of paired cases, in [-1, 1].

    `losses` of the `n` cases were right before and are wrong now, `gains` the other way round. A model is
    non-inferior within a margin if the bound is below the margin.
    Raises ValueError if n < 1, a count is negative or the two exceed n, or confidence is outside (0, 1).
    Source: T. Tango, Statistics in Medicine 17 (1998) 891-908: the net loss at which the score statistic equals
    the normal quantile, found by bisection.
    """
    if losses < 0 or gains < 0:
        raise ValueError(f"{losses} losses and {gains} gains: a count is negative")
    _check(losses + gains, n, confidence)
    if losses == n:
        return 1.0
    z = NormalDist().inv_cdf(confidence)
    low, high = (losses - gains) / n, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if _tango_score(middle, losses, gains, n) > -z:
            low = middle
        else:
            high = middle
    return high


def cases_needed(target: float, misses: int = 0, confidence: float = 0.95) -> int | None:
    """The smallest number of cases whose lower bound reaches the target with so many misses; None if none does.

    95 % takes 59 cases without a miss. A target of 1 cannot be shown by any number of cases.
    """
    return _smallest(lambda n: clopper_pearson_lower(n - misses, n, confidence) >= target, misses + 1)


def max_certifiable(n: int, confidence: float = 0.95) -> float:
    """The lower bound that n cases show if all of them are right, in [0, 1); 29 cases show 0.902. 0 for no cases."""
    return (1 - confidence) ** (1 / n) if n > 0 else 0.0


def cases_to_decide(hits: int, n: int, target: float, confidence: float = 0.95) -> int | None:
    """The number of cases, in all, that put the target outside the one-sided bounds if the rate stays as it is.

    Each bound has the given confidence: below the rate the lower one must reach the target, above it the upper
    one must fall below. None if no number does, as at a rate equal to the target. Raises ValueError as the bounds.
    """
    _check(hits, n, confidence)
    rate = hits / n
    if rate > target:
        return _smallest(lambda m: clopper_pearson_lower(rate * m, m, confidence) >= target, n)
    if rate < target:
        return _smallest(lambda m: clopper_pearson_upper(rate * m, m, confidence) < target, n)
    return None


def pairs_to_decide(losses: int, gains: int, n: int, margin: float, confidence: float = 0.95) -> int | None:
    """The number of paired cases, in all, that put the net loss's bound below the margin if the flips stay in ratio.

    None if no number does, as where the net loss itself is not below the margin. Raises ValueError as the bound.
    """
    if (losses - gains) / n >= margin:
        return None
    return _smallest(lambda m: tango_upper(losses * m / n, gains * m / n, m, confidence) < margin, n)


def _special() -> Any:
    """Scipy's special functions, loaded when a bound is first asked for; `scipy.stats` would take a second."""
    from scipy import special  # noqa: PLC0415 (plain runs of other plugins should not pay for scipy)

    return special


def _check(hits: float, n: float, confidence: float) -> None:
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n}: a proportion needs at least one case and 0 to all of them")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")


def _tango_score(loss: float, losses: float, gains: float, n: int) -> float:
    """The score statistic of a supposed net loss, by the restricted likelihood estimate of the gains' probability."""
    a = 2 * n
    b = -losses - gains + (2 * n - losses + gains) * loss
    c = -gains * loss * (1 - loss)
    gain_rate = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * gain_rate + loss * (1 - loss))
    distance = losses - gains - n * loss
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0


def _smallest(holds: Callable[[int], bool], start: int) -> int | None:
    """The smallest number from `start` on for which a condition holds that goes on holding; None up to MAX_CASES."""
    if holds(start):
        return start
    low, high = start, 2 * start
    while not holds(high):
        if high > MAX_CASES:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
