"""The guide's tables: trials side by side, one of them recommended. Pure functions, and one that draws."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.training.report import TrainingReport


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One finished trial: the settings that it varied, and what came of them on the validation rows."""

    key: str
    settings: Mapping[str, Json]
    folder: str
    seconds: float
    tool: Count
    parameters: Count
    eval_loss: float
    quality: float
    tier: str | None
    trainable_parameters: int
    train_rows: int
    epochs: int
    kept_epoch: float
    ended: str
    device: str = ""
    tools: Mapping[str, Sequence[float | None]] = field(default_factory=dict)

    @property
    def standard_error(self) -> float:
        """That of the quality, taken as a share of the validation rows."""
        return math.sqrt(self.quality * (1 - self.quality) / self.tool.n) if self.tool.n else math.inf


def result_of(key: str, settings: Mapping[str, Json], folder: Path, report: TrainingReport) -> TrialResult:
    """The result that a trial's report tells."""
    best = report.best
    return TrialResult(
        key=key,
        settings=dict(settings),
        folder=folder.name,
        seconds=report.seconds,
        tool=best.tool,
        parameters=best.parameters,
        eval_loss=best.eval_loss,
        quality=best.quality,
        tier=best.tier,
        trainable_parameters=report.trainable_parameters,
        train_rows=report.train_rows,
        epochs=report.config["num_train_epochs"],
        kept_epoch=best.epoch,
        ended=report.ended,
        device=report.machine.device,
        tools={tool: [pair[0].rate, pair[1].rate] for tool, pair in best.tools.items()},
    )


def result_from(data: Mapping[str, Any]) -> TrialResult:
    """The result that was written as JSON."""
    return TrialResult(**{**data, "tool": Count(**data["tool"]), "parameters": Count(**data["parameters"])})


def recommend(results: Sequence[TrialResult]) -> TrialResult | None:
    """The trial to use: the cheapest whose quality is within one standard error of the best; None without trials.

    Cheaper is fewer trained parameters, then fewer epochs; between equally cheap ones, more data, then higher
    quality, then lower loss. Source of the rule: Breiman et al., Classification and Regression Trees (1984), 3.4.3.
    """
    finished = [result for result in results if result.ended != "pruned"]
    if not finished:
        return None
    best = max(finished, key=lambda result: (result.quality, -result.eval_loss))
    close = [result for result in finished if result.quality >= best.quality - best.standard_error]
    return min(close, key=lambda r: (r.trainable_parameters, r.epochs, -r.train_rows, -r.quality, r.eval_loss))


def markdown_table(results: Sequence[TrialResult], chosen: TrialResult | None) -> str:
    """The trials as a markdown table: what varied, time, accuracies, loss, quality, and which is recommended."""
    varied = sorted({name for result in results for name in result.settings})
    head = [*varied, "time", "tool accuracy", "parameter accuracy", "eval loss", "quality", "recommended"]
    rows = [
        [
            *(_shown(result.settings.get(name)) for name in varied),
            f"{result.seconds:.0f} s",
            f"{result.tool.percent} ({result.tool.correct}/{result.tool.n})",
            f"{result.parameters.percent} ({result.parameters.correct}/{result.parameters.n})",
            f"{result.eval_loss:.4f}",
            (result.tier or "-") + ("" if result.ended == "completed" else f" ({result.ended})"),
            "yes" if result == chosen else "",
        ]
        for result in sorted(results, key=lambda result: [_order(result.settings.get(name)) for name in varied])
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def table_json(results: Sequence[TrialResult], chosen: TrialResult | None) -> str:
    """The same as JSON text."""
    return json.dumps(
        {"recommended": chosen and chosen.key, "trials": [asdict(result) for result in results]}, indent=1
    )


def write_plot(results: Sequence[TrialResult], path: Path) -> Path | None:
    """The path of a picture: accuracies over the first setting with several numbers.

    None where there is no such setting, or matplotlib is not installed.
    """
    over = _numeric_setting(results)
    try:
        # Here, not above: it is slow to load, and only drawing needs it.
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return None
    if over is None:
        return None
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axes = figure.subplots()
    points = sorted(results, key=lambda result: _number(result, over))
    ticks = sorted({_number(result, over) for result in results})
    for name, label in (("tool", "tool accuracy"), ("parameters", "parameter accuracy")):
        rates = [100 * (getattr(result, name).rate or 0) for result in points]
        axes.plot([_number(result, over) for result in points], rates, marker="o", label=label)
    axes.set(xlabel=over, ylabel="validation accuracy (%)")
    if ticks[-1] >= 4 * ticks[0] > 0:
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    part = path.with_name(path.name + ".part")
    figure.savefig(part, format="svg", metadata={"Date": None})
    part.replace(path)
    return path


def _numeric_setting(results: Sequence[TrialResult]) -> str | None:
    """The first setting that is a number in every trial, and not the same in all."""
    for name in sorted({name for result in results for name in result.settings}):
        values = [result.settings.get(name) for result in results]
        if all(map(_is_number, values)) and len(set(values)) > 1:
            return name
    return None


def _number(result: TrialResult, name: str) -> float:
    return float(result.settings[name])


def _shown(value: Json) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _order(value: Json) -> tuple[int, float, str]:
    return (0, float(value), "") if _is_number(value) else (1, 0.0, str(value))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
