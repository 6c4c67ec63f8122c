"""`mcpbench data`: build training rows, and check rows of any origin."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.training.base import look_at, open_base
from pytest_mcpbench.training.data import TRAIN_ROWS, VALIDATION_ROWS, write_data
from pytest_mcpbench.training.data_check import check_data
from pytest_mcpbench.training.generate.blocks import Effort
from pytest_mcpbench.training.rows import shipped_tools

app = typer.Typer(no_args_is_help=True, help="Build training data for the coding tools, and check data of any origin.")

UNFIT = 1


@app.command("build")
def build(
    output: Annotated[Path, typer.Argument(help="Folder for train.jsonl and validation.jsonl.")],
    rows: Annotated[int, typer.Option(help="Rows to train on.")] = TRAIN_ROWS,
    validation: Annotated[int, typer.Option(help="Rows to validate with.")] = VALIDATION_ROWS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    processes: Annotated[int, typer.Option(min=0, help="How many draw rows; 0: one a core.")] = 0,
) -> None:
    """Write generated rows, none of them a near-duplicate of a shipped benchmark case."""
    console = Console(stderr=True)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=rows + validation)
        effort = Effort(processes=processes or None, on_rows=lambda count: progress.advance(task, count))
        written = write_data(output, seed, rows, validation, _shipped_cases(), effort)
    typer.echo(f"{written.train}: {written.train_rows} rows; {written.validation}: {written.validation_rows} rows")


@app.command("check")
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of rows in the form of cases.")],
    model: Annotated[str | None, typer.Option(help="Measure rows in this model's tokens.")] = None,
    max_seq_length: Annotated[int, typer.Option(help="The longest row in tokens.")] = 1024,
    cases: Annotated[list[Path] | None, typer.Option(help="Benchmark cases that no row may repeat.")] = None,
) -> None:
    """Say whether rows are fit to train on; exit code 1 if they are not."""
    tokenizer = open_base(look_at(model)).tokenizer if model else None
    benchmark = CaseReader(shipped_tools=shipped_tools()).read(cases) if cases else _shipped_cases()
    # A hundred thousand rows take a minute.
    with Console(stderr=True).status("checking rows"):
        report = check_data(paths, benchmark, tokenizer, max_seq_length)
    for line in report.lines():
        typer.echo(line)
    if not report.ok:
        raise typer.Exit(UNFIT)


def _shipped_cases() -> list[Case]:
    return CaseReader(shipped_tools=shipped_tools()).read([shipped_tools().parent / "cases"])
