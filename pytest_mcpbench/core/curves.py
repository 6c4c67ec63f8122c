"""A training run's curves, read from the report that `mcpbench train` leaves in the model's folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mcpbench.core.decode import DecodeError, decoder
from pytest_mcpbench.errors import ResultError

REPORT_FILE = "training_report.json"
SCHEMA = "mcpbench.training/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """`correct` of `n` rows."""

    n: int = 0
    correct: int = 0

    @property
    def rate(self) -> float | None:
        """The share in [0, 1]; None without rows."""
        return self.correct / self.n if self.n else None

    @property
    def percent(self) -> str:
        """The share for a table: one decimal, or a dash without rows."""
        return "-" if self.rate is None else f"{100 * self.rate:.1f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """The training loss up to a step, in nats a token."""

    step: int
    train_loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One evaluation during training: losses, and validation and training rows right at levels 3 and 4."""

    step: int
    epoch: float
    train_loss: float | None
    eval_loss: float | None
    tool: Count
    parameters: Count
    train_tool: Count = field(default_factory=Count)
    train_parameters: Count = field(default_factory=Count)

    @property
    def quality(self) -> float | None:
        """The mean of tool and parameter accuracy in [0, 1]; None without rows."""
        rates = [rate for rate in (self.tool.rate, self.parameters.rate) if rate is not None]
        return sum(rates) / len(rates) if rates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What a training run showed on its way."""

    ended: str
    best_step: int
    train_rows: int
    points: tuple[StepLoss, ...]
    evaluations: tuple[Checkpoint, ...]


def read_curves(path: Path) -> Curves:
    """The curves in a training report, or in the one of a model's folder. Raises ResultError for anything else."""
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or error
        raise ResultError(f"{file}: no training report: {why}; give the folder that mcpbench train wrote") from None
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{file}: no training report: {error}; give the folder that mcpbench train wrote") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ResultError(f"{file}: its schema is {schema!r}; this version reads {SCHEMA!r} of mcpbench train")
    try:
        curves: Curves = decoder(Curves)(document)
    except DecodeError as error:
        raise ResultError(f"{file}: {error}; it breaks {SCHEMA!r}: train again") from None
    return curves


def find_curves(spec: str) -> Curves | None:
    """The curves beside a model that a spec names by its folder; None where there are none to read."""
    try:
        return read_curves(Path(spec)) if (Path(spec) / REPORT_FILE).is_file() else None
    except (ResultError, OSError):
        return None
