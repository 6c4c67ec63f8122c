"""The `mcpbench` command: what is done beside a pytest run."""

import sys

import typer

from pytest_mcpbench.commands import cache, cases, history, release, reports, results
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.models.load import list_models
from pytest_mcpbench.training import __main__ as training
from pytest_mcpbench.training import data_command
from pytest_mcpbench.training.quantize import quantize_command

HANDS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Commands whose flags are read elsewhere get all of them, --help too."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(results.app)
app.add_typer(reports.app)
app.add_typer(history.app)
app.add_typer(release.app)
app.add_typer(cases.app, name="cases")
app.add_typer(cache.app, name="cache")
app.add_typer(data_command.app, name="data")
app.add_typer(training.app, name="train")
app.command("quantize", context_settings=HANDS_ON, add_help_option=False)(quantize_command)


@app.callback()
def about() -> None:
    """Benchmark tool-calling models, train and quantize them. The benchmark itself is `pytest --mcp-model=PATH`."""


@app.command("models")
def models() -> None:
    """List the models that --mcp-model can name."""
    for entry in list_models():
        size = f"{entry.size_bytes / 1e6:8,.0f} MB" if entry.size_bytes else " " * 11
        typer.echo(f"{entry.spec:32} {size}  {entry.about}")


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except McpBenchError as error:
        typer.echo(f"mcpbench: {error}", err=True)
        sys.exit(2)
