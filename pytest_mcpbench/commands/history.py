"""`mcpbench history`: how each metric went over the kept runs, and whether the latest is a regression."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands.shared import load, new_app, show
from pytest_mcpbench.core.earlier import Earlier
from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.history import PastModel, past_models
from pytest_mcpbench.core.regression import accuracy_between, speed_between
from pytest_mcpbench.core.trend import DEFAULT_METRICS, Trend, check_metrics, trend_lines, trends
from pytest_mcpbench.errors import OptionError, ResultError
from pytest_mcpbench.publish import need_report
from pytest_mcpbench.session import MEASURED_ONLY

app = new_app()

RUNS = Path(".mcpbench/runs")
"""Where pytest keeps every run, from the folder that it was started in."""


@app.command("history")
def history(
    folder: Annotated[Path, typer.Argument(help="The folder of kept runs.", metavar="FOLDER")] = RUNS,
    label: Annotated[str | None, typer.Option(help="Only models with this label.", metavar="LABEL")] = None,
    metric: Annotated[str, typer.Option(help="Which metrics, with commas between them.", metavar="NAMES")] = ",".join(
        DEFAULT_METRICS
    ),
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit code 1 if the latest run is a regression from the one before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the first metric there.", metavar="FILE.svg", show_default=False)
    ] = None,
) -> None:
    """Show each metric of each model over the kept runs, with 95 % intervals; runs unlike the latest are marked."""
    names = check_metrics([name.strip() for name in metric.split(",") if name.strip()] or list(DEFAULT_METRICS))
    past = past_models(folder)
    if not past:
        raise OptionError(f"{folder}: holds no result of a run; run pytest --mcp-model=… here, or name another folder")
    found = trends(past, names, label)
    if not found:
        labels = ", ".join(dict.fromkeys(model.label for model in past))
        raise OptionError(f"no run in {folder} has {', '.join(names)} of {label or 'any model'} (models: {labels})")
    verdicts = list(_verdicts(folder, past, label))
    if as_json:
        typer.echo(json.dumps(_payload(found, verdicts)))
    else:
        for line in (*trend_lines(found), *(verdict.line() for verdict in verdicts)):
            show(line)
    if svg is not None:
        _draw(found, svg, quiet=as_json)
    if gate and not all(verdict.passed or verdict.model == MEASURED_ONLY for verdict in verdicts):
        raise typer.Exit(1)


def _verdicts(folder: Path, past: Sequence[PastModel], label: str | None) -> Iterator[Verdict]:
    """For each label, what the latest answers and times say beside the ones before them that are like them."""
    for name in dict.fromkeys(model.label for model in past if label in (None, model.label)):
        runs = [model for model in past if model.label == name]
        answered = [model for model in runs if model.levels and any(rate.n for rate in model.levels.values())]
        if both := _last_two(answered, lambda model: model.cases):
            yield from accuracy_between(_earlier(folder, both[0]), load(folder / both[1].file), name)
        timed = [model for model in runs if model.latency is not None]
        if both := _last_two(timed, lambda model: (model.latency and model.latency.cases, _machine(model))):
            found = speed_between(_earlier(folder, both[0]), load(folder / both[1].file), name)
            if found is not None:
                yield found


def _last_two(runs: Sequence[PastModel], key: Callable[[PastModel], object]) -> tuple[PastModel, PastModel] | None:
    """The latest run, with the latest before it that has the same key in front."""
    before = next((model for model in reversed(runs[:-1]) if key(model) == key(runs[-1])), None)
    return None if before is None else (before, runs[-1])


def _machine(model: PastModel) -> str | None:
    return model.asked.machine if model.asked else None


def _earlier(folder: Path, model: PastModel) -> Earlier:
    path = folder / model.file
    return Earlier(name=path.stem, path=path, result=load(path))


def _payload(found: Sequence[Trend], verdicts: Sequence[Verdict]) -> dict[str, object]:
    return {
        "schema": "mcpbench.history/1",
        "trends": [asdict(trend) for trend in found],
        "verdicts": [
            {"name": v.gate, "model": v.model, "verdict": v.status, "rate": v.rate, "n": v.n, "reason": v.reason}
            for v in verdicts
        ],
    }


def _draw(found: Sequence[Trend], file: Path, *, quiet: bool) -> None:
    need_report()
    from pytest_mcpbench.html.plots import trend_plot  # noqa: PLC0415 (the other ways of use need no plots)

    text = trend_plot([trend for trend in found if trend.metric == found[0].metric])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{file}: cannot be written: {error.strerror or error}; name another file") from None
    if not quiet:
        show(f"written: {file}")
