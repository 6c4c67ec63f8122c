"""What a training run leaves to read: every logged step, every evaluation, and what became of it."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.curves import REPORT_FILE, SCHEMA, Count
from pytest_mcpbench.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPoint:
    """Training up to one logged step: mean loss a completion token and highest gradient norm since the last point.

    `step` counts optimizer steps from 1, `epoch` is fractional, `elapsed_s` counts on where a resumed run was.
    """

    step: int
    epoch: float
    train_loss: float
    learning_rate: float
    grad_norm: float
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How the model did after one step. Losses are means a completion token, in nats.

    `train_loss` is the mean since the evaluation before. `detection`, `tool` and `parameters` count validation rows
    right at levels 1, 3 and 4, `train_tool` and `train_parameters` the sampled training rows; `tools` has the
    same two counts for each expected tool, `none` for rows where no tool applies. `tier` is that of the validation
    rows. `generated` rows of `detection.n` were written out token by token; for the others, see
    `training.evaluate`.
    """

    step: int
    epoch: float
    train_loss: float
    eval_loss: float
    detection: Count
    tool: Count
    parameters: Count
    train_tool: Count = field(default_factory=Count)
    train_parameters: Count = field(default_factory=Count)
    tools: Mapping[str, tuple[Count, Count]] = field(default_factory=dict)
    tier: str | None = None
    generated: int = 0
    seconds: float = 0.0

    @property
    def eval_perplexity(self) -> float:
        """E to the evaluation loss; infinite where that is too large to show."""
        return math.exp(self.eval_loss) if self.eval_loss < 700 else math.inf

    @property
    def quality(self) -> float:
        """The mean of tool and parameter accuracy, in [0, 1]: what the best checkpoint is chosen by."""
        rates = [rate for rate in (self.tool.rate, self.parameters.rate) if rate is not None]
        return sum(rates) / len(rates) if rates else 0.0

    def better_than(self, other: "Evaluation | None") -> bool:
        """Whether this is the better checkpoint: by quality, ties by loss."""
        return other is None or (self.quality, -self.eval_loss) > (other.quality, -other.eval_loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A sign to watch for that held at a step: what it is, the value against its threshold, and what to do."""

    name: str
    good: bool
    step: int
    value: float
    threshold: float
    message: str
    remedy: str = ""

    def line(self) -> str:
        """The sign in one line."""
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{'good' if self.good else 'WARNING'} {self.name} (step {self.step}): {self.message}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a run took place: hardware, processes, and the versions of what it ran on."""

    device: str
    processes: int
    dtype: str
    platform: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """One finished run. `ended` is `completed`, `early stop` or `pruned`; `seconds` of training with its evaluations.

    `setup_s` is the time before the first step, of which loading a model that was in memory already costs none;
    `format` the wire format that the model learned to write.
    """

    config: Mapping[str, Any]
    base: str
    train_rows: int
    validation_rows: int
    trainable_parameters: int
    total_steps: int
    ended: str
    best_step: int
    seconds: float
    setup_s: float
    machine: Machine
    points: tuple[StepPoint, ...]
    evaluations: tuple[Evaluation, ...]
    indicators: tuple[Indicator, ...] = ()
    format: str = "native"
    schema: str = SCHEMA

    @property
    def best(self) -> Evaluation:
        """The evaluation of the checkpoint that was kept."""
        return next(evaluation for evaluation in self.evaluations if evaluation.step == self.best_step)


def report_to_json(report: TrainingReport) -> str:
    """The report as JSON text. Numbers that JSON lacks (infinite, not a number) become null."""
    return json.dumps(_finite(asdict(report)), indent=1)


def write_report(report: TrainingReport, folder: Path) -> Path:
    """The path of the report's file, written whole or not at all."""
    return write_text(folder / REPORT_FILE, report_to_json(report))


def read_report(folder: Path) -> TrainingReport:
    """The report in a run's folder. Raises TrainingError if there is none or it is of another form."""
    path = folder / REPORT_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise TrainingError(f"{path}: has schema {data['schema']!r}, this version reads {SCHEMA!r}")
        return TrainingReport(
            **{
                **data,
                "machine": Machine(**data["machine"]),
                "points": tuple(StepPoint(**point) for point in data["points"]),
                "evaluations": tuple(evaluation_of(item) for item in data["evaluations"]),
                "indicators": tuple(Indicator(**item) for item in data["indicators"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: is no training report ({error}); train again") from None


def evaluation_of(data: Mapping[str, Any]) -> Evaluation:
    """The evaluation that was written as JSON."""
    counts = ("detection", "tool", "parameters", "train_tool", "train_parameters")
    tools = {tool: (Count(**pair[0]), Count(**pair[1])) for tool, pair in data["tools"].items()}
    loss = math.nan if data["eval_loss"] is None else data["eval_loss"]
    return Evaluation(**{**data, **{key: Count(**data[key]) for key in counts}, "tools": tools, "eval_loss": loss})


def write_text(path: Path, text: str) -> Path:
    """The path, after the text was put there whole: nobody ever reads half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
