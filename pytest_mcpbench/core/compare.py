"""Two models on the same cases: what changed case by case, and whether the change decides anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pytest_mcpbench.core.gate import Status, Verdict
from pytest_mcpbench.core.speed import SpeedComparison
from pytest_mcpbench.core.stats import mcnemar_exact, pairs_to_decide, tango_upper
from pytest_mcpbench.core.summary import rate_of, show_percent
from pytest_mcpbench.core.target import Targets

Relation = Literal["better-than", "no-worse-than", "beside"]
"""What is asked of the later model: to be better, to lose no more than a margin, or nothing."""

COMPARED_LEVELS = ("level3", "level4")
"""The levels at which a comparison decides something."""

SIGNIFICANT = 0.05
_REGRESSION = Fraction(1, 100)
_LOOK = "read the flips: mcpbench compare RUN.json, or the report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two labels to compare, and what the later has to be. `bits` are the later one's if it is quantized."""

    before: str
    after: str
    relation: Relation
    bits: int | None = None

    def gate(self, level: str) -> str:
        """The name of the gate at this level, as `better-than:base:level3`."""
        return f"{self.relation}:{self.before}:{level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One question before and after, over the `n` cases that both models answered.

    `before` and `after` count the right ones, `gained` and `lost` hold the ids of the cases that flipped.
    `change` is (after - before) / n in [-1, 1] with its 95 % interval; `p_value` is McNemar's exact one;
    `worst_loss` is the one-sided 95 % upper bound of the net loss. All four are None where n is 0.
    """

    n: int
    before: int
    after: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    change: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    worst_loss: float | None

    @property
    def exact_change(self) -> Fraction:
        """The change without rounding. Raises ZeroDivisionError if n is 0."""
        return Fraction(self.after - self.before, self.n)

    @property
    def regressed(self) -> bool:
        """Whether it is worse beyond chance: p < .05 and a net loss of a point or more."""
        return self.p_value is not None and self.p_value < SIGNIFICANT and self.exact_change <= -_REGRESSION

    def describe(self) -> str:
        """The change in words: `+3.1 points (95 % interval +0.4 to +5.9), 21 gained, 2 lost, McNemar p = 0.0001`."""
        if self.interval is None or self.p_value is None:
            return "no cases in common"
        low, high = (f"{100 * bound:+.1f}" for bound in self.interval)
        chance = f"p = {self.p_value:.2g}" if self.p_value >= 0.0001 else "p < 0.0001"
        return (
            f"{float(self.exact_change * 100):+.1f} points (95 % interval {low} to {high}), "
            f"{len(self.gained)} gained, {len(self.lost)} lost, McNemar {chance}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same cases. `margin` is the loss that is forgiven, None where nothing or no loss is.

    `levels` has an entry per level, `tools` one per expected tool at level 3. `speed` is None where the two were not
    timed in turn.
    """

    before: str
    after: str
    relation: Relation
    margin: float | None
    levels: Mapping[str, Paired]
    tools: Mapping[str, Paired] = field(default_factory=dict)
    speed: SpeedComparison | None = None

    @property
    def pair(self) -> Pair:
        """The two labels and what is asked."""
        return Pair(before=self.before, after=self.after, relation=self.relation)


def pairs_of(labels: Sequence[str], bits: Mapping[str, int | None] | None = None) -> tuple[Pair, ...]:
    """Which labels are compared, and what for, in the order of the later one.

    A quantized model (by its `bits`, or its label says int8 or int4) must be no worse than the fine-tuned one, or
    than `model`, `base` or the only other where there is none; any other must be better than `base`. Without a base,
    all stand beside the first.
    """
    known = bits if bits is not None else {label: quantized_bits(label) for label in labels}
    whole = [label for label in labels if not known[label]]
    only = whole[0] if len(whole) == 1 else None
    reference = next((label for label in ("finetuned", "model", "base") if label in whole), only)
    pairs = []
    for label in labels:
        if known[label] and reference:
            pairs.append(Pair(before=reference, after=label, relation="no-worse-than", bits=known[label]))
        elif "base" in whole and label != "base":
            pairs.append(Pair(before="base", after=label, relation="better-than"))
        elif label != labels[0] and "base" not in whole:
            pairs.append(Pair(before=labels[0], after=label, relation="beside"))
    return tuple(pairs)


def quantized_bits(label: str) -> int | None:
    """8 or 4 for a label that names a quantized model, else None."""
    return 8 if "int8" in label.lower() else 4 if "int4" in label.lower() else None


def margin_of(pair: Pair, targets: Targets) -> float | None:
    """The net loss in [0, 1] that a pair's later model may have; None unless it must be no worse."""
    return (
        targets.margin_for(pair.after, pair.bits or quantized_bits(pair.after))
        if pair.relation == "no-worse-than"
        else None
    )


def paired(before: Mapping[str, bool | None], after: Mapping[str, bool | None]) -> Paired:
    """What changed between two sets of answers by case; cases that only one has, or that are not asked, stay out."""
    answers = [
        (case, before[case], after[case]) for case in before if before[case] is not None and after.get(case) is not None
    ]
    gained = tuple(case for case, was, now in answers if now and not was)
    lost = tuple(case for case, was, now in answers if was and not now)
    n, gains, losses = len(answers), len(gained), len(lost)
    return Paired(
        n=n,
        before=sum(bool(was) for _, was, _ in answers),
        after=sum(bool(now) for _, _, now in answers),
        gained=gained,
        lost=lost,
        change=(gains - losses) / n if n else None,
        interval=(-tango_upper(losses, gains, n, 0.975), tango_upper(gains, losses, n, 0.975)) if n else None,
        p_value=mcnemar_exact(gains, losses) if n else None,
        worst_loss=tango_upper(losses, gains, n) if n else None,
    )


def compare_verdict(pair: Pair, level: str, found: Paired, margin: float | None = None) -> Verdict:
    """Whether the later model is what the pair asks for, at one level.

    Better: PASS with a net gain and McNemar's p < .05, UNDECIDED with a gain that may be chance, else FAIL.
    No worse: PASS if the bound of the net loss is below the margin, FAIL if the loss itself is not, else UNDECIDED.
    """
    was, now = rate_of(found.before, found.n), rate_of(found.after, found.n)
    if found.n == 0:
        status: Status = "FAIL"
        reason, step = f"no case was answered by both {pair.before} and {pair.after}", "run both on the same cases"
    elif pair.relation == "no-worse-than":
        status, reason, step = _no_worse(found, margin or 0.0)
    elif pair.relation == "better-than":
        status, reason, step = _better(found)
    else:
        status, reason, step = "PASS", found.describe(), ""
    numbers = f"{show_percent(was.exact)} % -> {show_percent(now.exact)} %, " if found.n else ""
    return Verdict(
        gate=pair.gate(level),
        model=pair.after,
        status=status,
        rate=now.rate,
        n=found.n,
        correct=found.after,
        interval=now.interval,
        target=max(0.0, (was.rate or 0.0) - (margin or 0.0)),
        reason=numbers + reason,
        next_step=step,
    )


def _better(found: Paired) -> tuple[Status, str, str]:
    assert found.p_value is not None
    if found.after <= found.before:
        word = "worse beyond chance" if found.regressed else "no better"
        return "FAIL", f"{found.describe()}: {word}", _LOOK
    if found.p_value < SIGNIFICANT:
        return "PASS", f"{found.describe()}: better", ""
    return "UNDECIDED", f"{found.describe()}: may be chance", "add cases with --mcp-cases"


def _no_worse(found: Paired, margin: float) -> tuple[Status, str, str]:
    assert found.worst_loss is not None
    limit = f"margin {100 * margin:g} points"
    text = f"{found.describe()}; net loss at most {100 * found.worst_loss:.2f} points"
    if found.worst_loss < margin:
        return "PASS", f"{text} < {limit}", ""
    if -found.exact_change >= Fraction(str(margin)):
        return "FAIL", f"{text}, itself not below {limit}", _LOOK
    needed = pairs_to_decide(len(found.lost), len(found.gained), found.n, margin)
    more = f"{needed - found.n} more cases at this rate would pass it: " if needed else ""
    return "UNDECIDED", f"{text} >= {limit}", f"{more}add cases with --mcp-cases"
