"""`python -m pytest_mcpbench.training`: the commands behind `mcpbench train`, also for `accelerate launch -m`."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer
from rich.console import Console

from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.flags import parse_finetune
from pytest_mcpbench.training.progress import Shown, Silent
from pytest_mcpbench.training.rows import read_data

USAGE_ERROR = 2

app = typer.Typer(name="train", help="Fine-tune models to call tools.", no_args_is_help=True, add_completion=False)

# The flags are made from the table of settings, by argparse; typer hands all of them on, --help too.
_HANDS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.callback()
def train() -> None:
    """Fine-tune models to call tools."""


@app.command(context_settings=_HANDS_ON, add_help_option=False)
def finetune(context: typer.Context) -> None:
    """Fine-tune a base model with LoRA; `finetune --help` lists every setting."""
    _run(_finetune, context.args)


def _finetune(args: Sequence[str]) -> None:
    flags = parse_finetune(args)
    data = read_data(flags.data, flags.validation, split=flags.config.validation_split, seed=flags.config.seed)
    # Only one of several processes speaks.
    console = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")
    with Shown(console, title="finetune") as shown:
        options = RunOptions(base_name=flags.base_name, merge=flags.merge, watcher=Silent() if console.quiet else shown)
        report = run_finetuning(flags.config, data, flags.output, options)
    best = report.best
    console.print(
        f"{flags.output}: {report.ended} after {report.seconds:.0f} s; kept step {best.step} of {report.total_steps}: "
        f"tool accuracy {best.tool.percent}, parameter accuracy {best.parameters.percent} "
        f"of {best.tool.n} validation rows, eval loss {best.eval_loss:.4f}; "
        f"next: pytest --mcp-model={flags.output}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _run(command: Callable[[Sequence[str]], None], args: Sequence[str]) -> None:
    try:
        command(args)
    except McpBenchError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last saved state", file=sys.stderr)
        raise typer.Exit(130) from None


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(USAGE_ERROR)


if __name__ == "__main__":
    app()
