"""The release checklist as code: each point held against the result and the evidence named for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_mcpbench.core.comparison_lines import average_latency_s
from pytest_mcpbench.core.curves import Curves
from pytest_mcpbench.core.gate import show_target
from pytest_mcpbench.core.history import PastModel, last_passing
from pytest_mcpbench.core.pairs import bits_of
from pytest_mcpbench.core.policy import Limits, Policy
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed import check_speedup
from pytest_mcpbench.core.summary import Rate
from pytest_mcpbench.core.target import exact_target
from pytest_mcpbench.errors import OptionError

CheckStatus = Literal["PASS", "FAIL", "WAIVED"]

OVERFIT_GAP = 0.10
"""The guide's sign of overfitting: training accuracy above validation accuracy by more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found on disk: the result's own file, the checked rows and their errors, training curves, past runs.

    `present` says of each named piece of evidence whether it is there and not empty, `problems` what speaks against it.
    """

    run_file: str
    data_rows: int | None = None
    data_errors: tuple[str, ...] = ()
    curves: Curves | None = None
    past: tuple[PastModel, ...] = ()
    present: Mapping[str, bool] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One point of the checklist: whether it holds, why, and where that can be seen."""

    name: str
    status: CheckStatus
    reason: str
    evidence: str

    def line(self) -> str:
        """The point in one line."""
        return f"{self.status:6} {self.name}: {self.reason} [{self.evidence}]"


_Found = tuple[bool, str, str]
"""Whether a point holds, the reason, the evidence."""


def check_policy(result: RunResult, policy: Policy, facts: Facts) -> tuple[Check, ...]:
    """Every point of the checklist, in the guide's order. Points whose evidence the policy does not name are left out.

    Raises OptionError where the run does not have the model to release.
    """
    label = _release(result, policy)
    asked = _Asked(result=result, policy=policy, facts=facts, label=label)
    checks = []
    for name, check in CHECKS.items():
        found = check(asked, name)
        if found is None:
            continue
        holds, reason, evidence = found
        status: CheckStatus = "PASS" if holds else "FAIL"
        if not holds and name in policy.waive:
            status, reason = "WAIVED", f"{policy.waive[name]} ({reason})"
        checks.append(Check(name=name, status=status, reason=reason, evidence=evidence))
    return tuple(checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a check looks at."""

    result: RunResult
    policy: Policy
    facts: Facts
    label: str

    @property
    def quantized(self) -> str | None:
        """The label of the model to release if that is quantized, else of the run's INT8 model."""
        bits = bits_of(self.result)
        labels = [self.label, *self.result.models]
        return next((label for label in labels if bits[label] == 8), None) or (self.label if bits[self.label] else None)

    def rate(self, label: str, level: str) -> Rate:
        return self.result.models[label].summary.levels[level]


def _baseline(asked: _Asked, _name: str) -> _Found:
    base = asked.policy.baseline
    if base not in asked.result.models:
        return False, f"the run has no model {base!r} to compare with", asked.facts.run_file
    return True, f"{base}: tool accuracy {asked.rate(base, 'level3').describe()}", asked.facts.run_file


def _data(asked: _Asked, _name: str) -> _Found:
    least, facts, where = asked.policy.limits.rows, asked.facts, asked.policy.evidence
    if facts.data_rows is None:
        if facts.curves is None:
            return False, "no data is named; name [evidence] data or training in the policy", "policy"
        rows, seen = facts.curves.train_rows, where.training or f"the training report beside {asked.policy.reference}"
        return rows >= least, f"{rows} training rows, {least} needed (by the training report)", seen
    if facts.data_errors:
        return False, f"{len(facts.data_errors)} wrong, first: {facts.data_errors[0]}", str(where.data)
    return facts.data_rows >= least, f"{facts.data_rows} rows without an error, {least} needed", str(where.data)


def _training(asked: _Asked, _name: str) -> _Found | None:
    curves, folder = asked.facts.curves, asked.policy.evidence.training
    if folder is None:
        return None
    if curves is None or not curves.evaluations:
        return False, "no training report with an evaluation", folder
    best = next((point for point in curves.evaluations if point.step == curves.best_step), curves.evaluations[-1])
    pairs = ((best.train_tool.rate, best.tool.rate), (best.train_parameters.rate, best.parameters.rate))
    gap = max((train - held for train, held in pairs if train is not None and held is not None), default=0.0)
    reason = (
        f"{len(curves.evaluations)} evaluations, ended by {curves.ended}, train above validation by {100 * gap:.1f}"
    )
    return gap <= OVERFIT_GAP, f"{reason} points (at most {100 * OVERFIT_GAP:g})", folder


def _above(level: str, limit: Callable[[Limits], float]) -> Callable[[_Asked, str], _Found]:
    def check(asked: _Asked, _name: str) -> _Found:
        return _exceeds(asked, asked.label, level, limit(asked.policy.limits))

    return check


def _exceeds(asked: _Asked, label: str, level: str, limit: float) -> _Found:
    rate, goal = asked.rate(label, level), exact_target(limit)
    holds = rate.n > 0 and rate.exact > goal
    sign = ">" if holds else "not >"
    return holds, f"{label} {rate.describe(goal)} {sign} {show_target(limit)}", asked.facts.run_file


def _tier(asked: _Asked, _name: str) -> _Found:
    tier = asked.result.models[asked.label].tier
    holds = tier.tier is not None and tier.tier.name in asked.policy.limits.tiers
    return holds, f"{asked.label} {tier.line()}", asked.facts.run_file


def _gates(asked: _Asked, _name: str) -> _Found:
    verdicts = [verdict for verdict in asked.result.gates if verdict.model == asked.label]
    stopped = [f"{verdict.gate} {verdict.status}" for verdict in verdicts if not verdict.passed]
    if not verdicts:
        return False, f"no gate was run on {asked.label}", asked.facts.run_file
    reason = f"{len(verdicts) - len(stopped)} of {len(verdicts)} gates of {asked.label} passed"
    return not stopped, f"{reason}{': ' + ', '.join(stopped) if stopped else ''}", asked.facts.run_file


def _export(asked: _Asked, name: str) -> _Found:
    folder = asked.policy.evidence.export
    if folder is not None and not asked.facts.present.get(name, False):
        return False, "the exported model is not there", folder
    if asked.quantized is None:
        return False, "the run has no model that was exported and quantized", asked.facts.run_file
    spec = asked.result.models[asked.quantized].spec
    return True, f"{asked.quantized} answered {asked.result.cases.n} cases as {spec}", folder or asked.facts.run_file


def _int8(asked: _Asked, _name: str) -> _Found:
    label = asked.quantized
    if label is None or bits_of(asked.result)[label] != 8:
        return False, "the run has no INT8 model, by its folder or its label", asked.facts.run_file
    size, whole = (
        asked.result.models[name].size_bytes if name in asked.result.models else None
        for name in (label, asked.policy.reference)
    )
    share = f", {100 * size / whole:.0f} % of the bytes of {asked.policy.reference}" if size and whole else ""
    return True, f"{label} was measured{share}", asked.facts.run_file


def _speedup(asked: _Asked, _name: str) -> _Found:
    limit, label, reference = asked.policy.limits.speedup, asked.quantized, asked.policy.reference
    sides = (reference, label)
    paired = next((each.speed for each in asked.result.comparisons if (each.before, each.after) == sides), None)
    if paired is not None:
        verdict = check_speedup(paired, limit)
        return verdict.passed, f"{label} {verdict.reason}", asked.facts.run_file
    times = [
        average_latency_s(asked.result.models[name]) if name in asked.result.models else None
        for name in (reference, label or "")
    ]
    if not times[0] or not times[1]:
        return False, f"no latency of both {reference} and {label or 'an int8 model'}", asked.facts.run_file
    factor = times[0] / times[1]
    return factor >= limit, f"{label} is {factor:.2f}x as fast as {reference}, {limit:g}x needed", asked.facts.run_file


def _quantized(asked: _Asked, _name: str) -> _Found:
    if asked.quantized is None:
        return False, "the run has no quantized model", asked.facts.run_file
    return _exceeds(asked, asked.quantized, "level3", asked.policy.limits.quantized)


def _file(asked: _Asked, name: str) -> _Found | None:
    named: str | None = getattr(asked.policy.evidence, name)
    if named is None:
        return None
    if not asked.facts.present.get(name, False):
        return False, "evidence is missing or empty", named
    problem = asked.facts.problems.get(name)
    return problem is None, problem or "evidence is there", named


def _rollback(asked: _Asked, _name: str) -> _Found | None:
    folder = asked.policy.evidence.rollback
    if folder is None:
        return None
    own = asked.result.models[asked.label].fingerprint
    # The folder keeps this run too, and what passed beside the model was never released.
    earlier = [past for past in asked.facts.past if past.created < asked.result.created]
    passing = last_passing(earlier, skip=own)
    if passing is None:
        return False, "no earlier run with a model that passed its gates", folder
    return True, f"back to {passing.label} ({passing.spec}) of {passing.created}", folder


CHECKS: Mapping[str, Callable[[_Asked, str], _Found | None]] = {
    "baseline": _baseline,
    "data": _data,
    "training": _training,
    "tool": _above("level3", lambda limits: limits.tool),
    "parameters": _above("level4", lambda limits: limits.parameters),
    "detection": _above("level1", lambda limits: limits.detection),
    "tier": _tier,
    "gates": _gates,
    "export": _export,
    "int8": _int8,
    "speedup": _speedup,
    "quantized": _quantized,
    "integration": _file,
    "monitoring": _file,
    "alerting": _file,
    "rollback": _rollback,
}
"""The points of the checklist by name, in the order of `POINTS`."""


def _release(result: RunResult, policy: Policy) -> str:
    if policy.release is not None:
        if policy.release not in result.models:
            raise OptionError(
                f"the policy releases {policy.release!r}, which the run does not have "
                f"(it has: {', '.join(result.models)})"
            )
        return policy.release
    int8 = next((label for label, bits in bits_of(result).items() if bits == 8), None)
    found = int8 or (policy.reference if policy.reference in result.models else None)
    if found is None:
        raise OptionError(
            f"no model to release: the run has {', '.join(result.models) or 'none'}; name one under [models] release"
        )
    return found
