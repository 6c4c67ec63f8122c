"""What quantizing saved, gained and cost: measured, beside the guide's claim and beside what is possible at all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from pytest_mcpbench.core.claims import GUIDE, Claim
from pytest_mcpbench.core.compare import Comparison, Pair, Paired, compare_verdict
from pytest_mcpbench.core.gate import Status, Verdict, show_target
from pytest_mcpbench.core.pairs import bits_of
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed import SpeedComparison, check_speedup
from pytest_mcpbench.core.stats import pairs_to_decide
from pytest_mcpbench.core.target import Targets, exact_target
from pytest_mcpbench.core.weights import Bound, Weights, format_ratio, show_bytes, speed_bound

SIZE = "size"
"""The name of the gate that a `size` target sets."""

_UNKNOWN = "not known"
MISSING_REFERENCE = "no other model"
"""What stands in the place of the reference's label where a run has none."""

_CHECK = "check what was measured"
_GIVE_BOTH = "give the model that it was made from as well, both with their weights: --mcp-model=finetuned=PATH"
_SLACK = 0.98
"""A size may be so much below what its form takes: a model's norms and biases have another one."""


_WORDS: dict[Status, str] = {"PASS": "holds", "FAIL": "does not hold", "UNDECIDED": "undecided"}
"""What becomes of a claim, which decides about a run only where it is asked for."""

_Found = tuple[Status, float | None, str, str]
"""What becomes of a gate: status, rate, reason, next step."""


class Weighed(Protocol):
    """What is known both of a loaded model and of one in a result file."""

    @property
    def size_bytes(self) -> int | None:
        """What its files take on disk."""
        ...

    @property
    def weights(self) -> Weights | None:
        """What it ran with."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A quantized model beside the one that it was made from; None is what is not known or was not measured.

    `disk_bytes` are those of the reference's files, `loss` is what changed at level 3.
    """

    label: str
    reference: str
    bits: int
    weights: Weights | None = None
    reference_weights: Weights | None = None
    disk_bytes: int | None = None
    loss: Paired | None = None
    speed: SpeedComparison | None = None

    @property
    def bound(self) -> Bound | None:
        """The most that the smaller weights can speed up a token."""
        return speed_bound(self.reference_weights, self.weights)

    @property
    def share(self) -> Fraction | None:
        """The bytes of its weights over those of the reference's as that ran."""
        own, whole = self._sizes
        return Fraction(own, whole) if own and whole else None

    @property
    def least_share(self) -> float | None:
        """The share that its form takes; None where a form is not known."""
        if self.reference_weights is None or self.weights is None:
            return None
        return 1 / format_ratio(self.reference_weights, self.weights)

    def describe_size(self) -> str:
        """The share in words: of the reference as it ran, and of its files where those are of another size."""
        own, whole = self._sizes
        if not own or not whole or self.reference_weights is None:
            return "its size is not known"
        disk = self.disk_bytes
        files = f"; {_percent(own / disk)} of its files" if disk and abs(disk / whole - 1) > 1 - _SLACK else ""
        ran = f"{self.reference} in {self.reference_weights.dtype}"
        return f"{_percent(own / whole)} of {ran} ({show_bytes(own)} of {show_bytes(whole)}{files})"

    @property
    def _sizes(self) -> tuple[int | None, int | None]:
        own, whole = (weights.size_bytes if weights else None for weights in (self.weights, self.reference_weights))
        return own, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A claim of the guide about one model: what was measured, what is possible, and the verdict that follows."""

    claim: Claim
    measured: str
    bound: str
    verdict: Verdict

    def line(self) -> str:
        """The row in one line: `int8 guide -75 % size: 29.5 % of finetuned in float32 …; bound: …; does not hold`."""
        judged = _WORDS[self.verdict.status] if self.verdict.rate is not None else "no data"
        return f"{self.verdict.model} guide {self.claim.words}: {self.measured}; bound: {self.bound}; {judged}"


def subject_of(
    pair: Pair, whole: Weighed | None, own: Weighed | None, loss: Paired | None, speed: SpeedComparison | None
) -> Subject:
    """What is known of a pair whose later model is quantized."""
    return Subject(
        label=pair.after,
        reference=pair.before,
        bits=pair.bits or 8,
        weights=own.weights if own else None,
        reference_weights=whole.weights if whole else None,
        disk_bytes=whole.size_bytes if whole else None,
        loss=loss,
        speed=speed,
    )


def subjects_of(result: RunResult) -> Iterator[Subject]:
    """Every quantized model of a run that was compared with the one it was made from."""
    bits = bits_of(result)
    for found in result.comparisons:
        if found.relation == "no-worse-than" and bits.get(found.after):
            pair = Pair(before=found.before, after=found.after, relation=found.relation, bits=bits[found.after])
            sides = result.models.get(found.before), result.models.get(found.after)
            yield subject_of(pair, *sides, found.levels.get("level3"), found.speed)


def claims_of(result: RunResult, comparison: Comparison) -> tuple[ClaimRow, ...]:
    """The rows of a run's quantized model beside the one in this comparison; none where it is about another one."""
    found = [subject for subject in subjects_of(result) if subject.label == comparison.after]
    return tuple(row for subject in found if subject.reference == comparison.before for row in claim_rows(subject))


def quantized_gates(pair: Pair, targets: Targets) -> list[str]:
    """The gates that a user asked for on a quantized model: `size`, and the guide's claims about its bits."""
    # A size that was set for a label alone holds for whatever that is; one for all labels, for quantized models.
    asked = targets.size_for(pair.after) is not None and (pair.bits or pair.after in targets.sizes)
    size = [SIZE] if asked else []
    return [*size, *(claim.gate for claim in targets.claims if claim.bits == pair.bits)]


def quantized_verdict(gate: str, subject: Subject, targets: Targets) -> Verdict:
    """The verdict of one of these gates. Raises StopIteration for a gate that is none of them."""
    target = targets.size_for(subject.label)
    if gate == SIZE and target is not None:
        return size_verdict(subject, target)
    return claim_row(next(claim for claim in GUIDE if claim.gate == gate), subject).verdict


def claim_rows(subject: Subject) -> tuple[ClaimRow, ...]:
    """The guide's three claims about models of so many bits, whether they were asked for or not.

    Where nothing was measured and nothing is known to be possible, as of recorded answers, there is no row.
    """
    rows = (claim_row(claim, subject) for claim in GUIDE if claim.bits == subject.bits)
    return tuple(row for row in rows if row.verdict.rate is not None or row.bound != _UNKNOWN)


def claim_row(claim: Claim, subject: Subject) -> ClaimRow:
    """The row of one claim."""
    judge = {"size": _size_row, "speed": _speed_row, "loss": _loss_row}[claim.kind]
    measured, bound, verdict = judge(claim, subject)
    return ClaimRow(claim=claim, measured=measured, bound=bound, verdict=replace(verdict, gate=claim.gate))


def size_verdict(subject: Subject, target: float) -> Verdict:
    """PASS if the weights take at most that share of the reference's bytes. A size below its form's is no size."""
    share, least, goal = subject.share, subject.least_share, f"target {show_target(target)}"
    if share is None or least is None:
        return _no_data(subject, SIZE, target, f"{subject.describe_size()} for {goal}", _GIVE_BOTH)
    seen, found = subject.describe_size(), float(share)
    over: _Found = ("FAIL", found, f"{seen} > {goal}", "quantize embedding and last layer too, or use larger blocks")
    if share < least * _SLACK:
        step = f"{_CHECK}: is it the same model?"
        over = ("FAIL", found, f"{seen}, below the {_percent(least)} that its form takes", step)
    elif share <= exact_target(target):
        over = ("PASS", found, f"{seen} <= {goal}", "")
    elif target < least * _SLACK:
        over = ("FAIL", found, f"{seen} > {goal}", f"no file of this form can reach it: {_form(subject)}")
    return _verdict(subject, SIZE, target, over)


def _size_row(claim: Claim, subject: Subject) -> tuple[str, str, Verdict]:
    return subject.describe_size(), _form(subject), size_verdict(subject, claim.value)


def _form(subject: Subject) -> str:
    least, own, whole = subject.least_share, subject.weights, subject.reference_weights
    if least is None or own is None or whole is None:
        return _UNKNOWN
    return f"not below {_percent(least)} ({own.form()} from {whole.form()})"


def _speed_row(claim: Claim, subject: Subject) -> tuple[str, str, Verdict]:
    bound = subject.bound
    text = _UNKNOWN if bound is None else f"at most {bound.factor:.2f}x by smaller weights ({bound.reason})"
    if subject.speed is None:
        reason = f"speed was not measured for target {claim.value:g}x; bound: {text}"
        step = "measure it in the same run: -m 'latency or comparison'"
        return "speed not measured", text, _no_data(subject, claim.gate, claim.value, reason, step)
    verdict = check_speedup(subject.speed, claim.value, bound.factor if bound and bound.binds else None)
    if bound and bound.binds and claim.value > bound.factor:
        verdict = replace(verdict, next_step=f"{_CHECK} when it was claimed: bytes do not allow it")
    elif bound and not bound.binds and subject.speed.speedup > bound.factor:
        text += ", the rest by another engine"
        verdict = replace(verdict, reason=f"{verdict.reason}; {text}")
    return subject.speed.describe(), text, verdict


def _loss_row(claim: Claim, subject: Subject) -> tuple[str, str, Verdict]:
    found, text = subject.loss, f"loss < {100 * claim.value:g} points"
    if found is None or found.worst_loss is None:
        reason = f"no case was answered by both {subject.reference} and {subject.label}, for {text}"
        verdict = _no_data(subject, claim.gate, claim.value, reason, "run both on the same cases")
        return "loss not measured", _UNKNOWN, verdict
    pair = Pair(before=subject.reference, after=subject.label, relation="no-worse-than", bits=subject.bits)
    lost = f"net loss {100 * float(-found.exact_change):.1f} points, at most {100 * found.worst_loss:.2f}"
    return lost, f"none; {cases_for(found, claim.value)}", compare_verdict(pair, "level3", found, claim.value)


def cases_for(found: Paired, margin: float) -> str:
    """How many cases it takes, at the disagreement seen, to show a loss below the margin."""
    needed = pairs_to_decide(len(found.lost), len(found.gained), found.n, margin)
    shown = show_points(margin)
    if needed is None:
        return f"no number of cases shows less than {shown} at this loss"
    if needed <= found.n:
        return f"these {found.n} cases show less than {shown}"
    return f"to show less than {shown} takes {needed:,} cases at this disagreement, {found.n:,} were run"


def _no_data(subject: Subject, gate: str, target: float, reason: str, step: str) -> Verdict:
    return _verdict(subject, gate, target, ("FAIL", None, f"no data: {reason}", step))


def _verdict(subject: Subject, gate: str, target: float, found: _Found) -> Verdict:
    status, rate, reason, step = found
    return Verdict(
        gate=gate,
        model=subject.label,
        status=status,
        rate=rate,
        n=0,
        correct=0,
        interval=None,
        target=target,
        reason=reason,
        next_step=step,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def show_points(margin: float) -> str:
    """A loss in points: `1 point`, `2.5 points`."""
    return f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"
