"""Gates on speed that a user asked for: a speedup over a reference, and a limit on one machine."""

import math
from collections.abc import Sequence

from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.gate import Status, Verdict
from pytest_mcpbench.core.latency import Latency, samples_needed
from pytest_mcpbench.core.target import LatencyLimit, Targets

SPEEDUP = "speedup"
LATENCY = "latency_p90_ms"
"""The names of the gates, which are those of the targets."""

SPEED_GATES = (SPEEDUP, LATENCY)


def pair_to(label: str, pairs: Sequence[Pair]) -> Pair | None:
    """The pair in which this model is the later one; None if it is compared with none."""
    return next((pair for pair in pairs if pair.after == label), None)


def speed_gates(label: str, pairs: Sequence[Pair], targets: Targets, machine: str) -> tuple[str, ...]:
    """The gates that a user asked for on the model's speed.

    A speedup for any label leaves out the models that are compared with none; one for this label does not.
    A limit is a gate on the machine that it was set for and on no other.
    """
    has_reference = pair_to(label, pairs) is not None or label in targets.speedups
    speedup = (SPEEDUP,) if targets.speedup_for(label) is not None and has_reference else ()
    limit = targets.latency_for(label)
    return (*speedup, LATENCY) if limit is not None and limit.machine == machine else speedup


def limit_elsewhere(label: str, targets: Targets, machine: str) -> str | None:
    """A line for a limit that is no gate here, with the fingerprint that would make it one; None without one."""
    limit = targets.latency_for(label)
    if limit is None or limit.machine == machine:
        return None
    named = f"was set for machine {limit.machine}" if limit.machine else "names no machine"
    return (
        f"{label}: its limit of {limit.ms:g} ms {named} and decides nothing; "
        f"to set it for this one: --mcp-target {LATENCY}:{label}={limit.ms:g}@{machine}"
    )


def no_reference(label: str, target: float) -> Verdict:
    """The verdict on a speedup over nothing: a failure that says what is missing."""
    return Verdict(
        gate=SPEEDUP,
        model=label,
        status="FAIL",
        rate=None,
        n=0,
        correct=0,
        interval=None,
        target=target,
        reason=f"there is no model to be faster than (target {target:g}x)",
        next_step="give the reference too, as --mcp-model=finetuned=PATH",
    )


def latency_verdict(label: str, limit: LatencyLimit, latency: Latency | None) -> Verdict:
    """Whether 90 % of requests are answered within the limit.

    PASS if the upper bound of the 90th percentile is within it, FAIL if the percentile is not, else UNDECIDED.
    `rate` is the percentile in milliseconds.
    """
    n = within = 0
    seen_ms: float | None = None
    status: Status = "UNDECIDED"
    if latency is None or latency.e2e_s.p90 is None:
        n = latency.n if latency is not None else 0
        reason = f"{n} requests are too few for a 90th percentile"
        step = f"time {samples_needed(0.9)} or more: --mcp-iterations"
    else:
        n, within = latency.n, sum(1000 * sample <= limit.ms for sample in latency.e2e_s.samples_s)
        seen_ms = 1000 * latency.e2e_s.p90
        status, reason, step = _judge(n, seen_ms, 1000 * (latency.e2e_s.p90_at_most or math.inf), limit.ms)
    return Verdict(
        gate=LATENCY,
        model=label,
        status=status,
        rate=seen_ms,
        n=n,
        correct=within,
        interval=None,
        target=limit.ms,
        reason=reason,
        next_step=step,
    )


def _judge(n: int, seen_ms: float, at_most_ms: float, limit_ms: float) -> tuple[Status, str, str]:
    reason = f"90 % of {n} requests within {seen_ms:,.1f} ms (95 % sure: {at_most_ms:,.1f}), limit {limit_ms:g} ms"
    if at_most_ms <= limit_ms:
        return "PASS", reason, ""
    if seen_ms > limit_ms:
        return "FAIL", reason, "see in the result which of first token and further tokens takes the time"
    return "UNDECIDED", reason, "time more requests: --mcp-iterations"
