"""What a release has to hold to, as a TOML file says it."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.gate import Tier
from pytest_mcpbench.errors import OptionError

POINTS = (
    "baseline",
    "data",
    "training",
    "tool",
    "parameters",
    "detection",
    "tier",
    "gates",
    "export",
    "int8",
    "speedup",
    "quantized",
    "integration",
    "monitoring",
    "alerting",
    "rollback",
)
"""The points of the checklist, in the guide's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the numbers must be: rates in [0, 1] to be exceeded, a least speedup, a least number of training rows."""

    tool: float = 0.95
    parameters: float = 0.90
    detection: float = 0.97
    quantized: float = 0.94
    speedup: float = 2.5
    rows: int = 29
    tiers: tuple[str, ...] = (Tier.EXCELLENT.name, Tier.GOOD.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where the evidence lies that is not in the result: files and folders. What is None is not asked for."""

    data: str | None = None
    training: str | None = None
    export: str | None = None
    integration: str | None = None
    monitoring: str | None = None
    alerting: str | None = None
    rollback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is released, measured against what, under which limits; `waive` maps a point to why it need not hold.

    `release` None is the INT8 model of the run, or else the fine-tuned one.
    """

    release: str | None = None
    reference: str = "finetuned"
    baseline: str = "base"
    limits: Limits = field(default_factory=Limits)
    evidence: Evidence = field(default_factory=Evidence)
    waive: Mapping[str, str] = field(default_factory=dict)


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file. Raises OptionError for one that cannot be read or has unknown or wrong keys."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror or error}; give a policy in TOML") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"{path}: no policy: {error}; see docs/ci.md for its form") from None
    known = {"models", "limits", "evidence", "waive"}
    for name, table in document.items():
        if name not in known or not isinstance(table, dict):
            raise OptionError(f"{path}: there is no table {name!r} (tables: {', '.join(sorted(known))})")
    models = _texts(path, "models", document.get("models", {}), ("release", "reference", "baseline"))
    names = tuple(entry.name for entry in fields(Evidence))
    waive = _texts(path, "waive", document.get("waive", {}), POINTS)
    return Policy(
        **models,
        limits=_limits(path, document.get("limits", {})),
        evidence=Evidence(**_texts(path, "evidence", document.get("evidence", {}), names)),
        waive=waive,
    )


def _texts(path: Path, table: str, found: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    for key, value in found.items():
        if key not in known:
            raise OptionError(f"{path}: [{table}] has no key {key!r} (keys: {', '.join(known)})")
        if not isinstance(value, str) or not value.strip():
            raise OptionError(f"{path}: [{table}] {key} is {value!r}; it must be a text that is not empty")
    return dict(found)


def _limits(path: Path, found: Mapping[str, Any]) -> Limits:
    known = [entry.name for entry in fields(Limits)]
    for key, value in found.items():
        if key not in known:
            raise OptionError(f"{path}: [limits] has no key {key!r} (keys: {', '.join(known)})")
        if key == "tiers":
            names = [tier.name for tier in Tier]
            if not isinstance(value, list) or not value or any(name not in names for name in value):
                raise OptionError(f"{path}: [limits] tiers is {value!r}; it must be a list of {', '.join(names)}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise OptionError(f"{path}: [limits] {key} is {value!r}; it must be a number of at least 0")
        elif key == "rows" and not isinstance(value, int):
            raise OptionError(f"{path}: [limits] rows is {value!r}; it must be a whole number")
        elif key not in ("speedup", "rows") and value >= 1:
            raise OptionError(f"{path}: [limits] {key} is {value!r}; write {value / 100:g} for {value} %")
    return Limits(**{**found, **({"tiers": tuple(found["tiers"])} if "tiers" in found else {})})
