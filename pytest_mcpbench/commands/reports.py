"""`mcpbench report`: the page, the markdown and the JUnit file of a run, made again from its result."""

from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands.shared import load, new_app, show
from pytest_mcpbench.core.curves import Curves, read_curves
from pytest_mcpbench.core.result import RunResult
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.publish import Outputs, publish

app = new_app()


@app.command("report")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="The result of a run.")],
    html: Annotated[Path | None, typer.Option(help="Write the page there.", metavar="FILE")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write markdown there.", metavar="FILE")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML there.", metavar="FILE")] = None,
    training: Annotated[
        list[str] | None,
        typer.Option(help="Show these training curves with a model of the run.", metavar="[LABEL=]FOLDER"),
    ] = None,
    runs: Annotated[Path, typer.Option(help="The folder of earlier runs, for the history.", metavar="FOLDER")] = Path(
        ".mcpbench/runs"
    ),
) -> None:
    """Write a run's report; with no file named, the page beside the result."""
    result = load(run)
    if html is None and markdown is None and junit is None:
        html = run.with_suffix(".html")
    curves = dict(_curves(text, result) for text in training or [])
    outputs = Outputs(html=html, markdown=markdown, junit=junit, runs=runs, curves=curves)
    for path in publish(result, outputs):
        show(f"written: {path}")


def _curves(text: str, result: RunResult) -> tuple[str, Curves]:
    """The label and curves of one `--training`. Raises OptionError for a label that the run does not have."""
    label, mark, folder = text.partition("=")
    if not mark or Path(text).exists():
        label = "finetuned" if "finetuned" in result.models else next(iter(result.models), "")
        folder = text
    if label not in result.models:
        raise OptionError(f"--training: the run has no model {label!r} (it has: {', '.join(result.models) or 'none'})")
    return label, read_curves(Path(folder))
