"""How a fine-tuning run is set: one frozen object, its presets, and every bad value named at once."""

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pytest_mcpbench.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one setting may be. `above` and `below` are open bounds, `low` and `high` closed ones."""

    meaning: str
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()

    def problem(self, value: Any, kind: type[Any]) -> str | None:
        """What is wrong with the value, in words that follow its name; None if nothing is."""
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return f"is {value!r}, which is not {_KINDS[kind]}"
        if self.choices and value not in self.choices:
            return f"is {value!r}; choose from {', '.join(self.choices)}"
        if kind is str and not value.strip():
            return "is empty"
        if kind in (int, float) and not (self.low <= value <= self.high and self.above < value < self.below):
            return f"is {value}; it must be {self._range()}"
        return None

    def _range(self) -> str:
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        return " and ".join(f"{words} {bound:g}" for words, bound in bounds if math.isfinite(bound))


_KINDS: Mapping[type[Any], str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _option(default: T, meaning: str, **bounds: Any) -> T:
    field: T = dataclasses.field(default=default, metadata={"rule": Rule(meaning=meaning, **bounds)})
    return field


@dataclass(frozen=True, slots=True, kw_only=True)
class MCPFineTuningConfig:
    """Every setting of a fine-tuning run. The defaults are the guide's `optimal` configuration.

    `gradient_accumulation_steps` holds for one process: with several, it is derived so that the effective batch
    (`per_device_train_batch_size * gradient_accumulation_steps` rows) stays what it is.
    Raises ConfigError, one line that names every value which cannot be used.
    """

    model_name: str = _option("microsoft/Phi-4", "base model: a checkpoint folder, a hub id or demo:base")
    learning_rate: float = _option(5e-5, "highest learning rate", above=0, high=1)
    num_train_epochs: int = _option(5, "passes over the training rows", low=1, high=1000)
    per_device_train_batch_size: int = _option(4, "rows in one forward pass", low=1, high=4096)
    gradient_accumulation_steps: int = _option(4, "forward passes in one step of one process", low=1, high=4096)
    micro_batch_tokens: int = _option(16384, "tokens in one forward pass; more rows are split", low=16)
    max_seq_length: int = _option(1024, "longest row in tokens; a longer one is refused", low=16, high=131072)
    lora_r: int = _option(32, "rank of the LoRA matrices", low=1, high=1024)
    lora_alpha: int = _option(64, "LoRA's scale is lora_alpha / lora_r", low=1, high=8192)
    lora_dropout: float = _option(0.05, "dropout in front of the LoRA matrices", low=0, below=1)
    early_stopping_patience: int = _option(3, "evaluations without progress before it stops; 0: never", low=0)
    validation_split: float = _option(0.2, "share held out where no validation file is given", above=0, below=1)
    weight_decay: float = _option(0.01, "AdamW's weight decay", low=0, high=1)
    lr_scheduler_type: str = _option("cosine", "course of the learning rate", choices=("cosine", "linear", "constant"))
    warmup_ratio: float = _option(0.03, "share of the steps in which the rate rises", low=0, below=1)
    max_grad_norm: float = _option(1.0, "gradients are scaled down to this norm", above=0)
    seed: int = _option(0, "decides the order of rows, LoRA's start and dropout", low=0, high=2**31 - 1)
    dtype: str = _option(
        "auto", "arithmetic; auto is bfloat16 on CUDA, else float32", choices=("auto", "bfloat16", "float32")
    )
    adapter_dtype: str = _option("bfloat16", "how the adapter is stored", choices=("bfloat16", "float32"))
    max_rows: int = _option(0, "training rows used at most; 0: all", low=0)
    data_fraction: float = _option(1.0, "share of the training rows used, for learning curves", above=0, high=1)
    eval_rows: int = _option(300, "validation rows scored at each evaluation; 0: all", low=0)
    train_eval_rows: int = _option(100, "training rows scored beside them; 0: none", low=0)
    eval_batch_size: int = _option(64, "rows in one batch of an evaluation", low=1, high=4096)
    evaluations_per_epoch: int = _option(1, "evaluations in each epoch", low=1, high=100)
    max_new_tokens: int = _option(150, "longest answer in an evaluation, in tokens", low=1, high=4096)
    logging_steps: int = _option(10, "steps between two logged points", low=1)
    save_steps: int = _option(0, "steps between two saved states, beside those at evaluations; 0: none", low=0)
    gradient_checkpointing: bool = _option(False, "compute activations twice to save memory")
    cuda_graphs: bool = _option(True, "record a step's kernels on CUDA and replay them, where one process trains")
    format: str = _option("auto", "wire format of the calls; auto asks the chat template")
    tool_detail: str = _option("line", "how much of the schemas the prompt shows", choices=("line", "schema"))

    def __post_init__(self) -> None:
        if problems := config_problems(dataclasses.asdict(self)):
            raise ConfigError(_message("MCPFineTuningConfig", problems))

    @property
    def effective_batch_size(self) -> int:
        """Rows in one optimizer step, whatever the number of processes."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def fingerprint(self) -> str:
        """A hash of every setting; runs with one fingerprint and the same data are the same run."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "budget": {"lora_r": 16, "lora_alpha": 32},
    "optimal": {},
    "research": {"lora_r": 64, "lora_alpha": 128},
    "small": {
        "model_name": "demo:base",
        "learning_rate": 1e-3,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 64,
        "gradient_accumulation_steps": 1,
    },
}
"""The guide's three, where `lora_alpha` is twice the rank; `small` is for models under a billion parameters."""

FIELDS: Mapping[str, "dataclasses.Field[Any]"] = {
    field.name: field for field in dataclasses.fields(MCPFineTuningConfig)
}
"""The settings by name, in the order of the class."""


def rule_of(name: str) -> Rule:
    """What the setting of that name may be."""
    rule: Rule = FIELDS[name].metadata["rule"]
    return rule


def kind_of(name: str) -> type[Any]:
    """The type of the setting of that name."""
    return type(FIELDS[name].default)


def config_problems(values: Mapping[str, Any]) -> list[str]:
    """One text for each value that cannot be used and each name that is no setting."""
    problems = []
    for name, value in values.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.0)[0]
            problems.append(f"{name!r} is no setting (nearest: {near})")
        elif problem := rule_of(name).problem(_widened(value, kind_of(name)), kind_of(name)):
            problems.append(f"{name} {problem}")
    return problems


def load_config(
    path: Path | None = None, preset: str | None = None, overrides: Mapping[str, str] | None = None
) -> MCPFineTuningConfig:
    """The configuration from a preset, then a TOML file, then flags, each stronger than the one before.

    The file holds settings by name, and may name the preset itself. Overrides are texts, as typed.
    Raises ConfigError that names everything wrong with all three.
    """
    given = _read_toml(path) if path is not None else {}
    problems: list[str] = []
    named = preset if preset is not None else given.pop("preset", "optimal")
    given.pop("preset", None)
    if named not in PRESETS:
        problems.append(f"preset {named!r} is unknown (presets: {', '.join(PRESETS)})")
    flags = {name: _parsed(name, text) for name, text in (overrides or {}).items()}
    values = {**(PRESETS.get(str(named), {})), **given, **flags}
    problems += config_problems(values)
    if problems:
        raise ConfigError(_message(str(path) if path is not None else "training configuration", problems))
    return MCPFineTuningConfig(**{name: _widened(value, kind_of(name)) for name, value in values.items()})


def with_settings(config: MCPFineTuningConfig, settings: Mapping[str, Any]) -> MCPFineTuningConfig:
    """The configuration with some settings changed. Raises ConfigError as `load_config` does."""
    if problems := config_problems(settings):
        raise ConfigError(_message("training configuration", problems))
    return dataclasses.replace(config, **{name: _widened(value, kind_of(name)) for name, value in settings.items()})


def parse_setting(name: str, text: str) -> Any:
    """The value that a text gives to a setting. Raises ConfigError if it cannot be one."""
    value = _parsed(name, text)
    if problems := config_problems({name: value}):
        raise ConfigError(_message("training configuration", problems))
    return value


def _parsed(name: str, text: str) -> Any:
    """The value in the setting's own type; the text itself where it is none, for the check to refuse."""
    kind = kind_of(name).__name__ if name in FIELDS else "str"
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "bool" else text


def _widened(value: Any, kind: type[Any]) -> Any:
    """A whole number where a number is wanted, as a float; anything else as it is."""
    return float(value) if kind is float and isinstance(value, int) and not isinstance(value, bool) else value


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a TOML file of settings") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML ({error}); write one `name = value` a line") from None


def _message(place: str, problems: list[str]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{place}: {count}: {'; '.join(problems)}; correct {'it' if len(problems) == 1 else 'them'} and run again"
