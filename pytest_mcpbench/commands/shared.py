"""What the commands share: results from files, one label of several, targets."""

from collections.abc import Sequence
from pathlib import Path

import typer

from pytest_mcpbench.core.result import RunResult, read_result
from pytest_mcpbench.core.target import Targets, targets_of
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.errors import OptionError


def new_app() -> typer.Typer:
    """A group of commands that joins the main one."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def labels_of(result: RunResult, path: Path, label: str | None) -> list[str]:
    """The label that was asked for, or every one. Raises OptionError for one, or a run, that has no model."""
    if not result.models:
        raise OptionError(f"{path}: the run has no model; give the file of a run that had one")
    if label is None:
        return list(result.models)
    if label not in result.models:
        raise OptionError(f"--model: {path} has no model {label!r} (it has: {', '.join(result.models) or 'none'})")
    return [label]


def show(line: str) -> None:
    """Print a line with everything in it that a terminal would act on escaped."""
    typer.echo(printable(line))


def load(path: Path) -> RunResult:
    """The result in a file. Raises ResultError."""
    return read_result(path)


def read_targets(texts: Sequence[str] | None) -> Targets:
    """The default targets with the given ones over them. Raises OptionError."""
    return targets_of(texts or [])
