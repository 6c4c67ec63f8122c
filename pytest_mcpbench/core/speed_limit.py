"""Gates on speed that a user asked for: a speedup over a reference, and a limit on one machine."""

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


def speed_gates(label: str, pairs: Sequence[Pair], targets: Targets) -> tuple[str, ...]:
    """The gates that a user asked for on the model's speed.

    A speedup for any label leaves out the models that are compared with none; one for this label does not.
    """
    has_reference = pair_to(label, pairs) is not None or label in targets.speedups
    speedup = (SPEEDUP,) if targets.speedup_for(label) is not None and has_reference else ()
    return (*speedup, LATENCY) if targets.latency_for(label) is not None else speedup


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


def latency_verdict(label: str, limit: LatencyLimit, latency: Latency | None, machine: str) -> Verdict:
    """Whether 90 % of requests are answered within the limit, on the machine that it was set for.

    PASS if the upper bound of the 90th percentile is within it, FAIL if the percentile is not, else UNDECIDED, as on
    any other machine; there `n` is 0. `rate` is the percentile in milliseconds.
    """
    seen_ms = 1000 * latency.e2e_s.p90 if latency is not None and latency.e2e_s.p90 is not None else None
    n, within = 0, 0
    status: Status = "UNDECIDED"
    if limit.machine != machine:
        named = f"was set for machine {limit.machine}" if limit.machine else "names no machine"
        reason = f"the limit of {limit.ms:g} ms {named}, and this is {machine}"
        step = f"to set it for this one: --mcp-target {LATENCY}:{label}={limit.ms:g}@{machine}"
    elif latency is None or seen_ms is None:
        n = latency.n if latency is not None else 0
        reason = f"{n} requests are too few for a 90th percentile"
        step = f"time {samples_needed(0.9)} or more: --mcp-iterations"
    else:
        n, within = latency.n, sum(1000 * sample <= limit.ms for sample in latency.e2e_s.samples_s)
        at_most_ms = 1000 * (latency.e2e_s.p90_at_most or float("inf"))
        seen = f"90 % of {n} requests within {seen_ms:,.1f} ms (95 % sure: {at_most_ms:,.1f})"
        status = "PASS" if at_most_ms <= limit.ms else "FAIL" if seen_ms > limit.ms else "UNDECIDED"
        reason = f"{seen}, limit {limit.ms:g} ms"
        steps = {
            "PASS": "",
            "FAIL": "look at first token and further tokens apart",
            "UNDECIDED": "more --mcp-iterations",
        }
        step = steps[status]
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
