"""The options: one table, read once into a frozen object."""

import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.target import Targets, parse_target, targets_of
from pytest_mcpbench.errors import OptionError

_LABEL = re.compile(r"[A-Za-z][\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One `--mcp-model`: where the model is, and the name it goes by if the user gave one."""

    spec: str
    label: str | None = None


def _text(value: str) -> str:
    if not value.strip():
        raise OptionError("the value is empty")
    return value


def _model(value: str) -> ModelSpec:
    """`[LABEL=]SPEC`. A path that exists is a path, even with '=' in it."""
    label, separator, spec = value.partition("=")
    if not separator or Path(value).exists():
        return ModelSpec(spec=_text(value))
    if not _LABEL.fullmatch(label):
        raise OptionError(f"{label!r} is no label: a letter, then letters, digits, '.', '_' and '-'")
    return ModelSpec(spec=_text(spec), label=label)


def _path(value: str) -> Path:
    return Path(_text(value)).expanduser()


def _writable(value: str) -> Path:
    path = _path(value)
    if path.is_dir():
        raise OptionError(f"{value!r} is a folder; name a file in it")
    return path


def _existing(value: str) -> Path:
    path = _path(value)
    if not path.exists():
        raise OptionError(f"{value!r} does not exist; give a file or a folder")
    return path


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise OptionError(f"{value!r} is not one of {', '.join(choices)}")
        return value

    return check


def _whole(low: int, *, auto: int | None = None) -> Callable[[str], int]:
    """A whole number of at least `low`; the word `auto` stands for `auto` where that is given."""

    def check(value: str) -> int:
        if auto is not None and value == "auto":
            return auto
        if not re.fullmatch(r"\d{1,9}", value) or int(value) < low:
            words = "a whole number" if auto is None else "'auto' or a whole number"
            raise OptionError(f"{value!r} is not {words} of at least {low}")
        return int(value)

    return check


def _number(low: float, high: float, unit: str) -> Callable[[str], float]:
    """A number between two bounds, in a unit that the error names."""

    def check(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise OptionError(f"{value!r} is not a number of {unit} from {low:g} to {high:g}")
        return number

    return check


def _target(value: str) -> str:
    parse_target(value)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: `--mcp-NAME` and its ini twin `mcp_NAME`. `parse` None makes it a flag."""

    name: str
    metavar: str
    help: str
    parse: Callable[[str], Any] | None = None
    default: str | None = None
    repeatable: bool = False

    @property
    def flag(self) -> str:
        """What stands on the command line."""
        return f"--mcp-{self.name}"

    @property
    def key(self) -> str:
        """The ini file's name for it, and the attribute of pytest's own option object."""
        return f"mcp_{self.name.replace('-', '_')}"

    @property
    def full_help(self) -> str:
        """The help text, which ends with the default."""
        default = self.default if self.default is not None else ("off" if self.parse is None else "none")
        return f"{self.help} (default: {default})"


OPTIONS = (
    Option(
        name="model",
        metavar="[LABEL=]SPEC",
        parse=_model,
        repeatable=True,
        help="measure this model: a checkpoint, adapter or ONNX folder, a hub id, demo:base|finetuned|int8|int4, "
        "replay:FILE, null:silent|first-tool|echo; may be given several times; the label 'base' is measured, not gated",
    ),
    Option(name="base", metavar="SPEC", parse=_text, help="the base model of adapters that do not name theirs"),
    Option(
        name="cases",
        metavar="FILE_OR_FOLDER",
        parse=_existing,
        repeatable=True,
        help="take the cases from here in place of the shipped ones; may be given several times",
    ),
    Option(
        name="tools", metavar="FILE.json", parse=_existing, help="offer these tools (tools/list form) in every case"
    ),
    Option(name="format", metavar="NAME", parse=_text, default="auto", help="the wire format of the models' calls"),
    Option(
        name="tool-detail",
        metavar="line|schema",
        parse=_one_of("line", "schema"),
        default="line",
        help="how the prompt describes a tool: one line, or its JSON Schema too",
    ),
    Option(
        name="gate",
        metavar="point|certified|off",
        parse=_one_of("point", "certified", "off"),
        default="point",
        help="what must reach the target: the rate, its 95 %% lower bound (undecided does not pass), or nothing",
    ),
    Option(
        name="target",
        metavar="NAME=RATE",
        parse=_target,
        repeatable=True,
        help="a gate's target, such as level3=0.97, tool=0.9 or tool:grep=0.95; may be given several times",
    ),
    Option(name="strict", metavar="", help="let every missed case fail, beside the gates"),
    Option(name="missed", metavar="", help="run only the cases that the last run missed, without gates"),
    Option(
        name="compare",
        metavar="RUN|last|NAME",
        parse=_text,
        help="fail where a model is worse or slower than in this earlier run: a result file, 'last' for the latest "
        "kept run of the same cases, a kept run's name, or the label of a model it has",
    ),
    Option(
        name="report",
        metavar="FILE.html",
        parse=_writable,
        help="write a report that a person reads there: one page that opens without a network",
    ),
    Option(
        name="markdown",
        metavar="FILE.md",
        parse=_writable,
        help="write a summary for a pull request or a job summary there",
    ),
    Option(name="json", metavar="FILE", parse=_writable, help="write the result there, in the form mcpbench.run/1"),
    Option(
        name="batch-size",
        metavar="N|auto",
        parse=_whole(1, auto=0),
        default="auto",
        help="how many prompts are generated together; throughput is measured at 4 unless this says otherwise",
    ),
    Option(
        name="iterations",
        metavar="N",
        parse=_whole(1),
        default="100",
        help="how many single requests -m latency times; p90 takes 29, p99 takes 299",
    ),
    Option(
        name="duration",
        metavar="SECONDS",
        parse=_number(0.1, 86_400, "seconds"),
        default="60",
        help="for how long -m throughput keeps a model busy at the batch size asked for; its sweep takes as long again",
    ),
    Option(
        name="speed-tolerance",
        metavar="SHARE",
        parse=_number(0.001, 1, "the time"),
        default="0.1",
        help="how much slower counts as no slower: 0.1 suits a shared machine, 0.03 a dedicated one",
    ),
    Option(
        name="verify-batching",
        metavar="N",
        parse=_whole(1),
        help="answer N of the cases alone and again in batches, without the cache; fail the run if they differ",
    ),
    Option(name="max-new-tokens", metavar="TOKENS", parse=_whole(1), default="150", help="the longest answer"),
    Option(
        name="device",
        metavar="auto|cpu|cuda|mps",
        parse=_one_of("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where PyTorch models run",
    ),
    Option(
        name="dtype",
        metavar="auto|float32|bfloat16|float16",
        parse=_one_of("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="the number type of PyTorch models; auto is float32 on a CPU and bfloat16 on a GPU",
    ),
    Option(name="threads", metavar="N|auto", parse=_whole(1, auto=0), default="auto", help="CPU threads of a model"),
    Option(name="seed", metavar="N", parse=_whole(0), default="0", help="the seed of everything random"),
    Option(name="no-cache", metavar="", help="generate everything anew, and keep nothing for later runs"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """The options of one run, checked. `batch_size` and `threads` 0 leave the choice to the engine."""

    model: tuple[ModelSpec, ...]
    base: str | None
    cases: tuple[Path, ...]
    tools: Path | None
    format: str
    tool_detail: Any
    gate: str
    targets: Targets
    strict: bool
    missed: bool
    compare: str | None
    report: Path | None
    markdown: Path | None
    json: Path | None
    batch_size: int
    iterations: int
    duration: float
    speed_tolerance: float
    verify_batching: int | None
    max_new_tokens: int
    device: str
    dtype: str
    threads: int
    seed: int
    no_cache: bool

    @property
    def settings(self) -> GenerationSettings:
        """How answers are generated."""
        return GenerationSettings(
            max_new_tokens=self.max_new_tokens,
            batch_size=self.batch_size,
            tool_detail=self.tool_detail,
            seed=self.seed,
        )


def add_options(parser: pytest.Parser) -> None:
    """Declare every option of the table, on the command line and for the ini file."""
    group = parser.getgroup("mcpbench", "benchmarks of tool-calling models")
    for option in OPTIONS:
        if option.parse is None:
            group.addoption(option.flag, dest=option.key, action="store_true", default=None, help=option.full_help)
            parser.addini(option.key, option.full_help.replace("%%", "%"), type="bool", default=False)
            continue
        action = "append" if option.repeatable else "store"
        group.addoption(
            option.flag, dest=option.key, action=action, metavar=option.metavar, default=None, help=option.full_help
        )
        kind: Any = "linelist" if option.repeatable else "string"
        parser.addini(option.key, option.full_help.replace("%%", "%"), type=kind, default=None)


def read_options(config: pytest.Config) -> BenchOptions | None:
    """The run's options, or None if none was given, on the command line or in the ini file.

    Raises pytest.UsageError, in one line that names option, value and rule.
    """
    given = {option.name: _given(config, option) for option in OPTIONS}
    if not any(given.values()):
        return None
    values = {option.name.replace("-", "_"): _checked(option, given[option.name]) for option in OPTIONS}
    targets = targets_of([*_target_table(config.rootpath / "pyproject.toml"), *values.pop("target")])
    _check_marker_levels(config)
    return BenchOptions(targets=targets, **values)


def _given(config: pytest.Config, option: Option) -> Any:
    value = getattr(config.option, option.key, None)
    return value if value is not None else config.getini(option.key) or None


def _checked(option: Option, given: Any) -> Any:
    if option.parse is None:
        return bool(given)
    # An empty value is not the default: `--mcp-compare=$UNSET` must not switch a gate off.
    texts: Sequence[str | None] = given if isinstance(given, list) else [option.default if given is None else given]
    try:
        values = tuple(option.parse(text) for text in texts if text is not None)
    except OptionError as error:
        raise pytest.UsageError(f"{option.flag}: {error}") from error
    return values if option.repeatable else next(iter(values), None)


def _target_table(path: Path) -> list[str]:
    """The targets of `[tool.mcpbench.targets]`, which options of the command line override."""
    if not path.is_file():
        return []
    try:
        table: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("mcpbench", {})
        return [_target(f"{key}={value}") for key, value in table.get("targets", {}).items()]
    except OptionError as error:
        raise pytest.UsageError(f"{path}: [tool.mcpbench.targets]: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise pytest.UsageError(f"{path}: [tool.mcpbench] cannot be read: {error}") from error


def _check_marker_levels(config: pytest.Config) -> None:
    known = [level.name for level in LEVELS]
    for name in re.findall(r"\blevel\d+\b", config.option.markexpr or ""):
        if name not in known:
            raise pytest.UsageError(f"-m: there is no marker {name!r}; levels: {', '.join(known)}")
