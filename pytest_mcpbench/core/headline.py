"""What a person wants to know first: may it ship, what is its tier, which tool is weakest, what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_mcpbench.core.batching import BATCHING
from pytest_mcpbench.core.diagnose import Diagnosis, Miss, diagnose
from pytest_mcpbench.core.gate import TierResult, Verdict
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import NO_TOOL, Rate

Decision = Literal["PASS", "FAIL", "UNDECIDED", "MEASURED"]

FAILURES = 3
"""How many concrete failures are shown first."""

_WORDS: dict[Decision, str] = {
    "PASS": "may ship",
    "FAIL": "must not ship",
    "UNDECIDED": "is undecided",
    "MEASURED": "was measured, not gated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakTool:
    """The tool that a model is worst at, with its level 3 and its level 4."""

    name: str
    level3: Rate
    level4: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHeadline:
    """One model at a glance. `stopped` are the gates that did not pass, `failures` misses of different kinds."""

    label: str
    decision: Decision
    tier: TierResult
    gates: int
    stopped: tuple[Verdict, ...]
    weakest: WeakTool | None
    failures: tuple[Miss, ...]
    missed: int
    n: int

    @property
    def sentence(self) -> str:
        """The decision in words, as `int4 must not ship: 6 of 12 gates did not pass`."""
        if self.decision == "MEASURED":
            return f"{self.label} {_WORDS['MEASURED']}"
        passed = f"all {self.gates} gates passed" if self.gates > 1 else "its gate passed"
        count = f"{len(self.stopped)} of {self.gates} gates did not pass" if self.stopped else passed
        return f"{self.label} {_WORDS[self.decision]}: {count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A whole run at a glance. `focus` is the model to look at first; None for a run without models."""

    decision: Decision
    sentence: str
    models: tuple[ModelHeadline, ...]
    focus: ModelHeadline | None


def headline_of(result: RunResult) -> Headline:
    """The run at a glance. Its decision is the worst of its models'."""
    models = tuple(_model_headline(result, label) for label in result.models)
    gated = [model for model in models if model.decision != "MEASURED"]
    decision = _worst([model.decision for model in models])
    by_decision = [
        f"{_listed([model.label for model in gated if model.decision == word])} {_plural(gated, word)}"
        for word in ("FAIL", "UNDECIDED", "PASS")
        if any(model.decision == word for model in gated)
    ]
    measured = [model.label for model in models if model.decision == "MEASURED"]
    sentence = "; ".join(by_decision) or f"Nothing was gated: {_listed(measured)} measured only"
    return Headline(
        decision=decision,
        sentence=sentence,
        models=models,
        focus=next((m for m in gated if m.decision == decision), models[-1] if models else None),
    )


def _model_headline(result: RunResult, label: str) -> ModelHeadline:
    verdicts = [verdict for verdict in result.gates if verdict.model == label]
    stopped = tuple(verdict for verdict in verdicts if not verdict.passed)
    diagnosis = diagnose(result, label)
    weakest = _weakest(result, label)
    return ModelHeadline(
        label=label,
        # That answers do not depend on their batch is no reason to ship.
        decision=_worst([verdict.status for verdict in verdicts if verdict.gate != BATCHING or not verdict.passed]),
        tier=result.models[label].tier,
        gates=len(verdicts),
        stopped=stopped,
        weakest=weakest,
        failures=_failures(diagnosis, weakest),
        missed=len(diagnosis.misses),
        n=diagnosis.n,
    )


def _worst(decisions: Sequence[Decision]) -> Decision:
    order: tuple[Decision, ...] = ("FAIL", "UNDECIDED", "PASS")
    return next((word for word in order if word in decisions), "MEASURED")


def _weakest(result: RunResult, label: str) -> WeakTool | None:
    tools = result.models[label].summary.tools
    rows = [
        WeakTool(name=tool, level3=rates["level3"], level4=rates["level4"])
        for tool, rates in tools.items()
        if tool != NO_TOOL and "level4" in rates and rates["level3"].n
    ]
    return min(rows, key=lambda row: (row.level3.rate or 0.0, row.level4.rate or 0.0), default=None)


def _failures(diagnosis: Diagnosis, weakest: WeakTool | None) -> tuple[Miss, ...]:
    """A few misses that differ: of the most frequent kinds, one of the weakest tool, then of other tools."""
    by_kind: dict[tuple[str, str], list[Miss]] = {(group.kind, group.detail): [] for group in diagnosis.groups}
    for miss in diagnosis.misses:
        by_kind[miss.kind, miss.detail].append(miss)
    kinds = list(by_kind.values())
    found: list[Miss] = []
    seen: set[str] = set()
    while len(found) < min(FAILURES, len(diagnosis.misses)):
        rest = [miss for miss in kinds[len(found) % len(kinds)] if miss not in found]
        if not rest:
            rest = [miss for miss in diagnosis.misses if miss not in found]
        wanted = weakest.name if weakest and not found else None
        found.append(
            min(rest, key=lambda miss: (bool(wanted) and wanted not in miss.tools, bool(seen & set(miss.tools))))
        )
        seen.update(found[-1].tools)
    return tuple(found)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:-1]) + " and " + labels[-1] if len(labels) > 1 else "".join(labels)


def _plural(models: Sequence[ModelHeadline], word: Decision) -> str:
    many = sum(model.decision == word for model in models) > 1
    return _WORDS[word].replace("is ", "are ") if many else _WORDS[word]
