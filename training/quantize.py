"""`mcpbench quantize`: a checkpoint or an adapter becomes an ONNX folder of 8- or 4-bit weights."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pytest_mcpbench.errors import McpBenchError, ModelError, OptionError
from pytest_mcpbench.models.base import LoadOptions
from pytest_mcpbench.models.demo import quantization_of
from pytest_mcpbench.models.load import on_disk, resolve
from pytest_mcpbench.models.onnx_folder import check_output, check_room, need_exporter, unfinished
from pytest_mcpbench.models.onnx_recipe import QUANTIZATIONS, Recipe, make_recipe, usual_calibration

if TYPE_CHECKING:
    from pytest_mcpbench.models.onnx_export import Progress as OnProgress

_FLOAT_BYTES = 4
_LESS_MEMORY = "--calibration none takes a layer at a time and needs far less; or use a larger machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeFlags:
    """What `quantize` was asked for. `base` is for an adapter that does not name its own.

    `calibration` are the rows that 4-bit weights are rounded to fit; None: each weight by itself.
    """

    model: str
    output: Path
    recipe: Recipe
    base: str | None = None
    calibration: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeReport:
    """What was written. `share` is of the bytes that the model's values take in float32.

    `peak_memory_bytes` is the whole process's, None where the system does not say.
    """

    output: Path
    quantization: str
    size_bytes: int
    float_bytes: int
    seconds: float
    peak_memory_bytes: int | None

    @property
    def share(self) -> float:
        """The folder's size, its tokenizer included, over the size of the model in float32."""
        return self.size_bytes / self.float_bytes

    def line(self) -> str:
        """One line for the terminal."""
        peak = "" if self.peak_memory_bytes is None else f", at most {self.peak_memory_bytes / 1e6:,.0f} MB of memory"
        return (
            f"{self.output}: {self.quantization}, {self.size_bytes / 1e6:,.0f} MB, {self.share:.1%} of the "
            f"{self.float_bytes / 1e6:,.0f} MB in float32; took {self.seconds:.0f} s{peak}; "
            f"next: pytest --mcp-model=MODEL --mcp-model={self.output}"
        )


def quantize(flags: QuantizeFlags, on_progress: "OnProgress") -> QuantizeReport:
    """Write the ONNX folder. Raises McpBenchError for what cannot be done, and leaves nothing behind then."""
    began_s = time.perf_counter()
    need_exporter(flags.model)
    check_output(flags.output)
    source = resolve(flags.model, flags.base)
    if source.kind == "onnx" or quantization_of(source):
        raise ModelError(f"{flags.model}: is quantized already; give the checkpoint or adapter that it was made from")
    # Here, not above: it brings onnx and numpy, which the checks before it do without.
    from pytest_mcpbench.models.onnx_export import export, plan_export  # noqa: PLC0415

    plan = plan_export(on_disk(source, LoadOptions(base=flags.base)), flags.recipe, flags.calibration)
    advice = {"advice": _LESS_MEMORY} if flags.calibration else {}
    check_room(flags.output, disk_bytes=plan.needed_disk_bytes, memory_bytes=plan.needed_memory_bytes, **advice)
    with unfinished(flags.output) as folder:
        exported = export(plan, folder, on_progress)
    return QuantizeReport(
        output=flags.output,
        quantization=flags.recipe.quantization,
        size_bytes=exported.size_bytes,
        float_bytes=exported.parameters * _FLOAT_BYTES,
        seconds=time.perf_counter() - began_s,
        peak_memory_bytes=_peak_memory_bytes(),
    )


def parse_quantize(args: Sequence[str]) -> QuantizeFlags:
    """What the arguments ask for. Raises OptionError for arguments that are none."""
    parser = _Parser(prog="mcpbench quantize", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--model", required=True, metavar="MODEL", help="a checkpoint folder, an adapter, a hub id or a demo model")
    add("--output", required=True, type=Path, metavar="FOLDER", help="where the model goes; new or empty")
    names = "|".join(QUANTIZATIONS)
    add("--quantization", default="int8", metavar=names, help="how the weights are stored (default int8)")
    add("--base", metavar="MODEL", help="an adapter's base (default: the one its configuration names)")
    add("--head-bits", type=int, metavar="4|8|32", help="bits of embedding and last layer (default 8; none: 32)")
    add("--block-size", type=int, metavar="N", help="weights that share a scale (default 32; int4's last layer: 64)")
    level = "4 multiplies in 8-bit integers, 0 and 1 in float32, which is slow (default 4)"
    add("--accuracy-level", type=int, metavar="0|1|4", help=level)
    points = "whether blocks have a zero point: asymmetric ones do (default: int4 asymmetric, int8 symmetric)"
    add("--symmetric", action=argparse.BooleanOptionalAction, default=None, help=points)
    eight = "layers that get 8 bits, by a part of their name (repeatable; default for int4: qkv_proj)"
    add("--eight", action="append", metavar="PART", help=eight)
    add("--keep", action="append", metavar="PART", help="layers that stay in float32, likewise (repeatable)")
    rows = "rows that 4-bit weights are rounded to fit, such as your training rows; none: each by itself"
    add("--calibration", metavar="FILE|none", help=f"{rows} (default for int4: generated rows of the coding tools)")
    given = parser.parse_args(args)
    recipe = make_recipe(
        given.quantization,
        head_bits=given.head_bits,
        block_size=given.block_size,
        accuracy_level=given.accuracy_level,
        symmetric=given.symmetric,
        eight=None if given.eight is None else tuple(given.eight),
        keep=None if given.keep is None else tuple(given.keep),
    )
    return QuantizeFlags(
        model=given.model,
        output=given.output,
        recipe=recipe,
        base=given.base,
        calibration=_calibration(given.calibration, recipe),
    )


def run_quantize(args: Sequence[str]) -> None:
    """Do what the arguments ask for, with a progress line, and say what came of it. Raises McpBenchError."""
    flags = parse_quantize(args)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)
        report = quantize(
            flags, lambda done, total: progress.update(task, description="layers", completed=done, total=total)
        )
    console.print(report.line(), markup=False, highlight=False, soft_wrap=True)


def quantize_command(context: typer.Context) -> None:
    """Write a model as ONNX in 8 or 4 bits; `quantize --help` lists every option."""
    run_quantize(context.args)


def _calibration(given: str | None, recipe: Recipe) -> Path | None:
    """The rows to calibrate with. Raises OptionError for rows that nothing would be made of."""
    if given is None:
        return usual_calibration(recipe.quantization)
    if given == "none":
        return None
    if recipe.bits != 4:
        raise OptionError(f"--calibration={given}: only 4-bit weights are calibrated; use --quantization int4")
    return Path(given)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that argparse puts in front."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{self.prog}: {message}; see {self.prog} --help")


def _peak_memory_bytes() -> int | None:
    try:
        resource: Any = import_module("resource")
    except ImportError:  # not on Windows
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    try:
        run_quantize(sys.argv[1:])
    except McpBenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
