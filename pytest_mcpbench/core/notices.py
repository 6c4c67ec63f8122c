"""What can be said of a run's targets before it begins: which cannot be shown, and which judge nothing."""

from collections.abc import Mapping

from pytest_mcpbench.core.claims import GUIDE_KEY
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.quantized import show_points
from pytest_mcpbench.core.stats import pairs_to_decide
from pytest_mcpbench.core.target import Targets


def margin_notice(n_cases: int, pair: Pair, margin: float | None) -> str | None:
    """One line if so few cases cannot show a loss below the margin even without a disagreement; None if they can."""
    if pair.relation != "no-worse-than" or margin is None:
        return None
    needed = pairs_to_decide(0, 0, 1, margin) if margin else None
    if needed is not None and needed <= n_cases:
        return None
    limit = f"that {pair.after} loses less than {show_points(margin)} against {pair.before}"
    without = f": that takes {needed:,} without a disagreement" if needed else ""
    return f"{n_cases} case{'' if n_cases == 1 else 's'} cannot show {limit}{without}"


def idle_notice(targets: Targets, bits: Mapping[str, int | None]) -> str | None:
    """One line that names the targets on quantized models that judge none of these, by label; None if all do."""
    there = set(bits.values())
    wanted = sorted({claim.bits for claim in targets.claims} - there, reverse=True)
    keys = [f"{GUIDE_KEY}:int{missing}" for missing in wanted]
    if len(wanted) == 1 and f"{GUIDE_KEY}" in targets.given:
        keys = []  # `guide` asks for whatever fits, and something does
    named = {"size": targets.sizes, "margin": targets.margins}
    keys += [f"{kind}:{label}" for kind, labels in named.items() for label in labels if label and label not in bits]
    if "" in targets.sizes and not there - {None}:
        keys.append("size")
    return f"no model of this run is judged by {', '.join(keys)} (it has: {', '.join(bits)})" if keys else None
