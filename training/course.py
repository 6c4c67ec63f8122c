"""How far a run has come, and who looks on: what is decided from it is decided here, without any tensor."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.core.gate import tier_of
from pytest_mcpbench.core.score import Score
from pytest_mcpbench.core.summary import Rate, summarize
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.encode import EncodedRow
from pytest_mcpbench.training.report import Evaluation, Indicator, StepPoint, evaluation_of

_TOOL, _PARAMETERS, _DETECTION = "level3", "level4", "level1"


class Watcher(Protocol):
    """Who looks on while a run trains. Only the process that writes has one that does anything."""

    def step(self, step: int, total: int) -> None:
        """One optimizer step is done."""
        ...

    def point(self, point: StepPoint) -> None:
        """A step was logged."""
        ...

    def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
        """An evaluation is done, and these signs are new. True ends the run: it is not worth going on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """The rows of a run, encoded: those trained on, and those judged. The first `validation_n` judged validate."""

    train: tuple[EncodedRow, ...]
    judged_cases: tuple[Case, ...]
    judged: tuple[EncodedRow, ...]
    validation_n: int


@dataclass(slots=True, kw_only=True)
class Course:
    """How far a run has come: what a resumed one starts with."""

    step: int = 0
    stale: int = 0
    seconds: float = 0.0
    ended: str = ""
    best: Evaluation | None = None
    points: list[StepPoint] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Course":
        """The course that was kept as JSON values."""
        return cls(
            step=data["step"],
            stale=data["stale"],
            seconds=data["seconds"],
            ended=data["ended"],
            best=evaluation_of(data["best"]) if data["best"] else None,
            points=[StepPoint(**point) for point in data["points"]],
            evaluations=[evaluation_of(item) for item in data["evaluations"]],
        )


def evaluates_at(step: int, steps_per_epoch: int, evaluations_per_epoch: int) -> bool:
    """Whether an evaluation follows this step, counted from 1. The last step of an epoch always has one."""
    in_epoch = (step - 1) % steps_per_epoch + 1
    shares = (part * steps_per_epoch / evaluations_per_epoch for part in range(1, evaluations_per_epoch + 1))
    return any(in_epoch == max(1, round(share)) for share in shares)


def learning_rate_at(step: int, total: int, config: MCPFineTuningConfig) -> float:
    """The rate of one step, counted from 1: a straight warm-up, then the chosen course down to nothing."""
    warmup = math.ceil(config.warmup_ratio * total)
    if step <= warmup:
        return config.learning_rate * step / warmup
    left = (total - step + 1) / max(1, total - warmup)  # 1 at the first step behind the warm-up
    if config.lr_scheduler_type == "linear":
        return config.learning_rate * left
    if config.lr_scheduler_type == "cosine":
        return config.learning_rate * (1 - math.cos(math.pi * left)) / 2
    return config.learning_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an evaluation knows beside its scores. The fields are those of `Evaluation`."""

    step: int
    epoch: float
    train_loss: float
    eval_loss: float
    generated: int
    seconds: float


def evaluation_from(validation: Sequence[Score], training: Sequence[Score], facts: Facts) -> Evaluation:
    """The evaluation that the scores of validation rows and of sampled training rows make."""
    summary = summarize(validation)
    levels, seen = summary.levels, summarize(training).levels
    tier = tier_of(summary).tier
    return Evaluation(
        step=facts.step,
        epoch=facts.epoch,
        train_loss=facts.train_loss,
        eval_loss=facts.eval_loss,
        detection=_count(levels[_DETECTION]),
        tool=_count(levels[_TOOL]),
        parameters=_count(levels[_PARAMETERS]),
        train_tool=_count(seen[_TOOL]),
        train_parameters=_count(seen[_PARAMETERS]),
        tools={
            tool: (_count(rates[_TOOL]), _count(rates[_PARAMETERS]) if _PARAMETERS in rates else Count())
            for tool, rates in summary.tools.items()
        },
        tier=tier.name if tier else None,
        generated=facts.generated,
        seconds=facts.seconds,
    )


def _count(rate: Rate) -> Count:
    return Count(n=rate.n, correct=rate.correct)
