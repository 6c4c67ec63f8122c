"""Earlier runs, read from the folder where every run is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_mcpbench.core.alike import Circumstances, circumstances_of
from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.decode import DecodeError, decoder
from pytest_mcpbench.core.latency import Latency, read_latency
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.run import Environment
from pytest_mcpbench.core.summary import Rate
from pytest_mcpbench.core.throughput import Throughput, read_throughput

SCHEMA = "mcpbench.run/1"

LATEST = 30
"""How many runs are read at most, from the latest back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastModel:
    """One model of one earlier run. `passed` is None where it was not gated.

    `asked` is under what it answered; `latency` and `throughput` are None where they were not measured.
    """

    file: str
    created: str
    cases: str
    label: str
    spec: str
    fingerprint: str
    tier: str | None
    levels: Mapping[str, Rate]
    passed: bool | None
    asked: Circumstances | None = None
    latency: Latency | None = None
    throughput: Throughput | None = None
    size_bytes: int | None = None


def past_models(folder: Path, latest: int = LATEST) -> tuple[PastModel, ...]:
    """The models of the latest runs in a folder, the oldest first. Files that are no results are passed over."""
    files = sorted(folder.glob("*.json"))[-latest:] if folder.is_dir() else []
    return tuple(model for file in files for model in _models_in(file))


def last_passing(models: Sequence[PastModel], label: str | None = None, skip: str = "") -> PastModel | None:
    """The latest model that passed its gates, of this label if one is given, with another fingerprint than `skip`."""
    fits = [m for m in models if m.passed and label in (None, m.label) and m.fingerprint != skip]
    return fits[-1] if fits else None


def _models_in(file: Path) -> list[PastModel]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return []
        return [_past_model(file, document, label) for label in document["models"]]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, DecodeError):
        return []


def _past_model(file: Path, document: Mapping[str, Json], label: str) -> PastModel:
    entry = document["models"][label]
    verdicts = [gate["verdict"] for gate in document["gates"] if gate["model"] == label]
    return PastModel(
        file=file.name,
        created=str(document["created"]),
        cases=str(document["cases"]["hash"]),
        label=label,
        spec=str(entry["spec"]),
        fingerprint=str(entry["fingerprint"]),
        tier=entry["tier"],
        levels=decoder(Mapping[str, Rate])(entry["levels"]),
        passed=all(verdict == "PASS" for verdict in verdicts) if verdicts else None,
        asked=circumstances_of(
            decoder(Environment)(document["environment"]),
            prompt=str(entry.get("prompt", "")),
            settings=decoder(GenerationSettings | None)(document.get("settings")),
        ),
        latency=read_latency(entry.get("latency")),
        throughput=read_throughput(entry.get("throughput")),
        size_bytes=entry.get("size_bytes"),
    )
