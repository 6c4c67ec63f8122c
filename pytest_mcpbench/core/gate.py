"""Whether a model may ship: quality tiers, and gates that compare a rate with a target."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import ClassVar, Literal

from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.core.stats import (
    cases_needed,
    cases_to_decide,
    clopper_pearson_lower,
    clopper_pearson_upper,
    max_certifiable,
)
from pytest_mcpbench.core.summary import NO_TOOL, Rate, Summary, rate_of, show_percent
from pytest_mcpbench.core.target import Targets, exact_target, parse_target, targets_of

__all__ = [
    "GateMode",
    "Status",
    "Targets",
    "Tier",
    "TierResult",
    "Verdict",
    "certifiable_notice",
    "certified_tier",
    "check_gate",
    "check_gates",
    "parse_target",
    "show_target",
    "targets_of",
    "tier_of",
    "tier_of_rates",
]

Status = Literal["PASS", "FAIL", "UNDECIDED"]
GateMode = Literal["point", "certified"]
SetBy = Literal["tool accuracy", "parameter accuracy", "both"]

LOOK_AT_MISSES = "look at the misses: add --mcp-missed -v, or mcpbench debug RUN.json"


class Tier(Enum):
    """How good a model is, best first, with what to do about it."""

    EXCELLENT = "deploy"
    GOOD = "deploy with monitoring"
    ACCEPTABLE = "more training"
    POOR = "restart with another configuration"

    @property
    def action(self) -> str:
        """What to do with a model of this tier."""
        return self.value


_TIERS = tuple(Tier)
_TOOL_STEPS = (Fraction(95, 100), Fraction(85, 100), Fraction(75, 100))
_PARAMETER_STEPS = (Fraction(90, 100), Fraction(80, 100), Fraction(70, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class TierResult:
    """The tier, or None where there is nothing to base one on. `set_by` is the column that is worse."""

    tier: Tier | None
    set_by: SetBy | None
    reason: str

    @property
    def action(self) -> str | None:
        """What to do with the model; None without a tier."""
        return self.tier.action if self.tier else None

    def line(self) -> str:
        """Tier, action and reason, as `GOOD (deploy with monitoring): tool accuracy 93.2 % …`."""
        return f"{self.tier.name} ({self.tier.action}): {self.reason}" if self.tier else f"no tier: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate decided about a model, with the numbers, the reason and what to do next.

    `gate` is a level's name or `tool:NAME`; rates and target are in [0, 1], `interval` is the Wilson 95 % interval.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"gate": "name", "status": "verdict"}
    """What two fields are called in the result file."""

    gate: str
    model: str
    status: Status
    rate: float | None
    n: int
    correct: int
    interval: tuple[float, float] | None
    target: float
    reason: str
    next_step: str = ""

    @property
    def passed(self) -> bool:
        """Whether the gate lets the model through; what is undecided does not pass."""
        return self.status == "PASS"

    def line(self) -> str:
        """One line, as `FAIL level3 finetuned: 143/200 right (71.5 %, …) < target 95 %; look at the misses: …`."""
        step = f"; {self.next_step}" if self.next_step else ""
        return f"{self.status} {self.gate} {self.model}: {self.reason}{step}"


def tier_of(summary: Summary) -> TierResult:
    """The worse of the tiers of tool accuracy (level 3) and of parameter accuracy (level 4), compared exactly."""
    return tier_of_rates(summary.levels["level3"], summary.levels["level4"])


def tier_of_rates(tool: Rate, parameters: Rate) -> TierResult:
    """The tier of a tool accuracy and a parameter accuracy; none if either has no data."""
    return _missing_column(tool, parameters) or _tier_result(tool.exact, parameters.exact, "{}")


def certified_tier(summary: Summary, confidence: float = 0.95) -> TierResult:
    """The best tier that is proven: by the one-sided Clopper-Pearson lower bounds in place of the rates."""
    tool, parameters = summary.levels["level3"], summary.levels["level4"]
    missing = _missing_column(tool, parameters)
    if missing is not None:
        return missing
    bounds = [Fraction(clopper_pearson_lower(rate.correct, rate.n, confidence)) for rate in (tool, parameters)]
    return _tier_result(bounds[0], bounds[1], "at least {}")


def check_gate(name: str, model: str, rate: Rate, target: float, mode: GateMode = "point") -> Verdict:
    """The verdict on one rate. No data fails.

    "point" compares the rate itself, exactly. "certified" asks for proof: PASS if the one-sided 95 %
    Clopper-Pearson lower bound reaches the target, FAIL if the upper one is below it, else UNDECIDED.
    """
    goal = exact_target(target)
    shown = f"target {show_target(target)}"
    status: Status
    if rate.n == 0:
        status, reason, step = "FAIL", f"no data for {shown}", "add cases that reach it, or select fewer gates"
    elif mode == "certified":
        status, reason, step = _certify(rate, target)
    else:
        status = "PASS" if rate.exact >= goal else "FAIL"
        sign = ">=" if status == "PASS" else "<"
        reason, step = f"{rate.describe(goal)} {sign} {shown}", "" if status == "PASS" else LOOK_AT_MISSES
    return Verdict(
        gate=name,
        model=model,
        status=status,
        rate=rate.rate,
        n=rate.n,
        correct=rate.correct,
        interval=rate.interval,
        target=target,
        reason=reason,
        next_step=step,
    )


def check_gates(summary: Summary, model: str, targets: Targets, mode: GateMode = "point") -> tuple[Verdict, ...]:
    """The verdicts on the four levels, then on each tool at level 3.

    A tool that has a target of its own and no case fails for lack of data. The cases without a tool are gated only
    if they have a target of their own, `tool:none`.
    """
    verdicts = [
        check_gate(level.name, model, summary.levels[level.name], targets.levels[level.name], mode) for level in LEVELS
    ]
    tools = sorted((summary.tools.keys() - {NO_TOOL}) | targets.tools.keys())
    for tool in tools:
        rates: Mapping[str, Rate] = summary.tools.get(tool, {})
        rate = rates.get("level3", rate_of(0, 0))
        verdicts.append(check_gate(f"tool:{tool}", model, rate, targets.for_tool(tool), mode))
    return tuple(verdicts)


def certifiable_notice(n_cases: int, targets: Targets) -> str | None:
    """One line if so few cases cannot certify every level's target even without a miss; None if they can."""
    levels_by_target: dict[float, list[str]] = {}
    for level, target in sorted(targets.levels.items()):
        levels_by_target.setdefault(target, []).append(level)
    needed = {target: cases_needed(target) for target in sorted(levels_by_target)}
    short = {target: n for target, n in needed.items() if n is None or n > n_cases}
    if not short:
        return None
    best = show_percent(Fraction(max_certifiable(n_cases)), *map(exact_target, short))
    parts: list[str] = []
    for target, n in short.items():
        shown = f"> {show_target(target)} ({', '.join(levels_by_target[target])})"
        needs = "" if parts else " without a miss are needed"
        parts.append(f"no number can show {shown}" if n is None else f"{n}{needs} for {shown}")
    return f"{n_cases} case{'' if n_cases == 1 else 's'} can show at most > {best} %; {', '.join(parts)}"


def show_target(target: float) -> str:
    """The target in percent with its sign, without needless decimals: `95 %`, `97.5 %`."""
    return f"{float(exact_target(target) * 100):g} %"


def _certify(rate: Rate, target: float) -> tuple[Status, str, str]:
    low = clopper_pearson_lower(rate.correct, rate.n)
    high = clopper_pearson_upper(rate.correct, rate.n)
    goal, shown = exact_target(target), f"target {show_target(target)}"
    seen = rate.describe(goal)
    at_least = f"{seen}, lower bound {show_percent(Fraction(low), goal)} %"
    if low >= target:
        return "PASS", f"{at_least} >= {shown}", ""
    if high < target:
        return "FAIL", f"{seen}, upper bound {show_percent(Fraction(high), goal)} % < {shown}", LOOK_AT_MISSES
    return "UNDECIDED", f"{at_least} < {shown}", _more_cases(rate, target)


def _more_cases(rate: Rate, target: float) -> str:
    needed = cases_to_decide(rate.correct, rate.n, target)
    if needed is None:
        return "no number of cases decides at this rate"
    outcome = "pass" if rate.exact > exact_target(target) else "fail"
    return f"{needed - rate.n} more cases at this rate would {outcome} it: add cases with --mcp-cases"


def _missing_column(tool: Rate, parameters: Rate) -> TierResult | None:
    empty = [name for name, rate in (("tool accuracy", tool), ("parameter accuracy", parameters)) if rate.n == 0]
    if not empty:
        return None
    asked = "no case that expects a call" if tool.n else "no case"
    return TierResult(tier=None, set_by=None, reason=f"no data for {' and '.join(empty)}: {asked} was run")


def _tier_result(tool: Fraction, parameters: Fraction, form: str) -> TierResult:
    by_tool, by_parameters = _rank(tool, _TOOL_STEPS), _rank(parameters, _PARAMETER_STEPS)
    worse = max(by_tool, by_parameters)
    set_by: SetBy = "both"
    if by_tool != by_parameters:
        set_by = "tool accuracy" if by_tool > by_parameters else "parameter accuracy"
    columns = (("tool accuracy", tool, _TOOL_STEPS), ("parameter accuracy", parameters, _PARAMETER_STEPS))
    rates = " and ".join(f"{name} {form.format(show_percent(rate, *steps))} %" for name, rate, steps in columns)
    return TierResult(tier=_TIERS[worse], set_by=set_by, reason=f"{rates}; set by {set_by}")


def _rank(rate: Fraction, steps: tuple[Fraction, ...]) -> int:
    """0 for EXCELLENT to 3 for POOR: above the first step, or at least the second, or the third."""
    if rate > steps[0]:
        return 0
    return next((rank for rank, step in enumerate(steps[1:], 1) if rate >= step), len(steps))
