"""The command line of training: every setting of the configuration is a flag, made from the one table of settings."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.training.config import FIELDS, PRESETS, MCPFineTuningConfig, kind_of, load_config, rule_of


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that argparse puts in front."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{self.prog}: {message}; see {self.prog} --help")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneFlags:
    """What `finetune` was asked for."""

    config: MCPFineTuningConfig
    data: tuple[Path, ...]
    validation: tuple[Path, ...]
    output: Path
    base_name: str | None
    merge: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFlags:
    """What `sweep` was asked for. `grid` maps a setting to the texts of its values."""

    config: MCPFineTuningConfig
    data: tuple[Path, ...]
    validation: tuple[Path, ...]
    output: Path
    base_name: str | None
    grid: tuple[tuple[str, tuple[str, ...]], ...]
    sampler: str
    trials: int
    final_cases: tuple[Path, ...]


def parse_finetune(args: Sequence[str]) -> FinetuneFlags:
    """What the arguments ask for. Raises OptionError for arguments that are none, ConfigError for bad settings."""
    parser = _parser("finetune", "Fine-tune a base model with LoRA to call tools.")
    parser.add_argument("--merge", action="store_true", help="also write a checkpoint with the adapter merged in")
    given = parser.parse_args(args)
    return FinetuneFlags(merge=given.merge, **_common(given))


def parse_sweep(args: Sequence[str]) -> SweepFlags:
    """What the arguments ask for. Raises OptionError for arguments that are none, ConfigError for bad settings."""
    parser = _parser("sweep", "Train with several settings, and recommend one by the validation rows.")
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="SETTING=A,B,C",
        help="values of one setting; with several, all combinations (repeatable)",
    )
    parser.add_argument(
        "--sampler",
        choices=("grid", "tpe", "random"),
        default="grid",
        help="grid: every combination; tpe, random: trials drawn between the lowest and highest value (needs optuna)",
    )
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trials of a sampler (default 20)")
    parser.add_argument(
        "--final-cases",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="cases on which the recommended model alone is scored, once (repeatable)",
    )
    given = parser.parse_args(args)
    grid = tuple(_grid_entry(text) for text in given.grid)
    if not grid:
        raise OptionError("sweep: give at least one --grid SETTING=A,B,C, as --grid lora_r=16,32,64")
    return SweepFlags(
        grid=grid,
        sampler=given.sampler,
        trials=given.trials,
        final_cases=tuple(given.final_cases),
        **_common(given),
    )


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"mcpbench train {command}", description=description, allow_abbrev=False)
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        required=True,
        help="training rows: case files, or a folder that may hold validation.jsonl too (repeatable)",
    )
    parser.add_argument(
        "--validation",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="validation rows; without any, validation_split of the rows are held out (repeatable)",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", required=True, help="where the result goes")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")
    parser.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (default optimal)")
    parser.add_argument("--model", dest="model_name", metavar="MODEL", help="the same as --model-name")
    parser.add_argument("--base-name", metavar="NAME", help="what the adapter records as its base (default: the model)")
    settings = parser.add_argument_group("settings", "the configuration's own; each may also stand in the TOML file")
    for name, field in FIELDS.items():
        kind, rule = kind_of(name), rule_of(name)
        settings.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            metavar="|".join(rule.choices) or {int: "N", float: "X", bool: "true|false"}.get(kind, "NAME"),
            help=f"{rule.meaning} (default {field.default})".replace("%", "%%"),
        )
    return parser


def _common(given: argparse.Namespace) -> dict[str, Any]:
    overrides = {name: text for name in FIELDS if (text := getattr(given, name)) is not None}
    return {
        "config": load_config(given.config, given.preset, overrides),
        "data": tuple(given.data),
        "validation": tuple(given.validation),
        "output": given.output,
        "base_name": given.base_name,
    }


def _grid_entry(text: str) -> tuple[str, tuple[str, ...]]:
    name, mark, values = text.partition("=")
    name = name.replace("-", "_")
    if not mark or not values:
        raise OptionError(f"sweep: --grid {text!r} is not of the form SETTING=A,B,C")
    return name, tuple(values.split(","))
