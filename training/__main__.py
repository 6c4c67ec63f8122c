"""`python -m pytest_mcpbench.training`: the commands behind `mcpbench train`, also for `accelerate launch -m`."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer
from rich.console import Console

from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.gate import tier_of
from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.training.base import look_at
from pytest_mcpbench.training.data_check import check_data, require_fit
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.flags import FinetuneFlags, SweepFlags, parse_finetune, parse_sweep
from pytest_mcpbench.training.progress import Shown, Silent
from pytest_mcpbench.training.rows import TrainingData, read_data, shipped_tools
from pytest_mcpbench.training.sampler import run_sampler
from pytest_mcpbench.training.sweep import combinations, grid_values, open_sweep, run_grid, score_final

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


@app.command(context_settings=_HANDS_ON, add_help_option=False)
def sweep(context: typer.Context) -> None:
    """Train with several settings and recommend one; `sweep --help` lists what can vary."""
    _run(_sweep, context.args)


def _sweep(args: Sequence[str]) -> None:
    flags = parse_sweep(args)
    values = grid_values(flags.grid)
    final = CaseReader(shipped_tools=shipped_tools()).read(flags.final_cases) if flags.final_cases else []
    console = Console(stderr=True)
    data = _checked_data(flags, console)
    opened = open_sweep(flags.config, data, flags.output, base_name=flags.base_name)
    left = 0
    if flags.sampler == "grid":
        left = run_grid(opened, combinations(values), lambda key: Shown(console, title=key))
    else:
        run_sampler(opened, values, flags.sampler, flags.trials, lambda key: Shown(console, title=key))
    print(opened.study.write_tables())
    if left:
        _say(console, f"{left} trials are still at work in other processes; the last one writes the whole table")
    elif final:
        summary = score_final(opened, final)
        levels = "; ".join(f"{level.title} {summary.levels[level.name].describe()}" for level in LEVELS)
        _say(console, f"the recommended trial on the final cases: {levels}; {tier_of(summary).line()}")


def _finetune(args: Sequence[str]) -> None:
    flags = parse_finetune(args)
    # Only one of several processes speaks.
    console = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")
    data = _checked_data(flags, console)
    with Shown(console, title="finetune") as shown:
        options = RunOptions(base_name=flags.base_name, merge=flags.merge, watcher=Silent() if console.quiet else shown)
        report = run_finetuning(flags.config, data, flags.output, options)
    _part_from_others()
    best = report.best
    _say(
        console,
        f"{flags.output}: {report.ended} after {report.seconds:.0f} s; kept step {best.step} of {report.total_steps}: "
        f"tool accuracy {best.tool.percent}, parameter accuracy {best.parameters.percent} "
        f"of {best.tool.n} validation rows, eval loss {best.eval_loss:.4f}; "
        f"next: pytest --mcp-model={flags.output}",
    )


def _part_from_others() -> None:
    """Close the connections to other processes, if there are any: PyTorch warns of those that are left open."""
    # Here, not above: it is loaded by now, and the checks before do without.
    import accelerate  # noqa: PLC0415

    accelerate.PartialState().destroy_process_group()


def _checked_data(flags: FinetuneFlags | SweepFlags, console: Console) -> TrainingData:
    """The rows, fit to train on and free of the shipped benchmark's cases. Raises TrainingError for others.

    A model that cannot be trained is refused first.
    """
    look_at(flags.config.model_name)  # before the rows, of which there may be many
    # A hundred thousand rows take half a minute.
    with console.status("reading rows"):
        data = read_data(flags.data, flags.validation, split=flags.config.validation_split, seed=flags.config.seed)
    with console.status(f"comparing {len(data.train)} rows with the benchmark's cases"):
        benchmark = CaseReader(shipped_tools=shipped_tools()).read([shipped_tools().parent / "cases"])
        require_fit(check_data(data.train, benchmark))
    return data


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


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
