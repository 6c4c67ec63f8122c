"""The `mcpbench` command: what is done beside a pytest run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands import release, reports, results
from pytest_mcpbench.core.dataset import CaseReader, cases_hash
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.models.load import list_models
from pytest_mcpbench.session import CODING_CASES, FIXTURES

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
cases_app = typer.Typer(no_args_is_help=True)
app.add_typer(results.app)
app.add_typer(reports.app)
app.add_typer(release.app)
app.add_typer(cases_app, name="cases", help="Check case files and import other case sets.")


@app.callback()
def about() -> None:
    """Benchmark tool-calling models, train and quantize them. The benchmark itself is `pytest --mcp-model=PATH`."""


@app.command("models")
def models() -> None:
    """List the models that --mcp-model can name."""
    for entry in list_models():
        size = f"{entry.size_bytes / 1e6:8,.0f} MB" if entry.size_bytes else " " * 11
        typer.echo(f"{entry.spec:32} {size}  {entry.about}")


@cases_app.command("check")
def check_cases(
    paths: Annotated[list[Path] | None, typer.Argument(help="Case files or folders; none: the shipped set.")] = None,
) -> None:
    """Read cases as a run would, and say how many there are of each kind."""
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read(paths or [CODING_CASES])
    counts: dict[str, int] = {}
    for case in cases:
        for tool in sorted(case.expected_tools) or ["no tool"]:
            counts[tool] = counts.get(tool, 0) + 1
    typer.echo(f"{len(cases)} cases, hash {cases_hash(cases)[:12]}")
    for tool, count in sorted(counts.items()):
        typer.echo(f"  {tool:12} {count}")


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except McpBenchError as error:
        typer.echo(f"mcpbench: {error}", err=True)
        sys.exit(2)
