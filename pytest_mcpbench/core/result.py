"""The result file, `mcpbench.run/1`: written in one step, read with errors that say what is wrong.

Its JSON Schema is `run.schema.json` beside this module.
"""

import contextlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.decode import DecodeError, decoder
from pytest_mcpbench.core.environment import environment
from pytest_mcpbench.core.kept import CaseSet
from pytest_mcpbench.core.run import (
    Environment,
    ModelResult,
    ParseNote,
    Record,
    RunResult,
    missed_cases,
    record_of,
)
from pytest_mcpbench.errors import ResultError

__all__ = [
    "SCHEMA",
    "CaseSet",
    "Environment",
    "ModelResult",
    "ParseNote",
    "Record",
    "RunResult",
    "environment",
    "missed_cases",
    "read_result",
    "record_of",
    "to_json",
    "write_result",
]

SCHEMA = "mcpbench.run/1"


def to_json(result: RunResult) -> str:
    """The result as one JSON text in ASCII, which any text that a model wrote survives.

    A number that JSON does not have is written as the text "NaN", "Infinity" or "-Infinity".
    """
    document = {"schema": SCHEMA, **_plain(result)}
    try:
        return json.dumps(document, default=_plain, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(document), allow_nan=False) + "\n"


def write_result(result: RunResult, path: Path) -> None:
    """Write the whole file or leave what was there; folders are made. Raises ResultError if that cannot be done."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(to_json(result), encoding="ascii")
        part.replace(path)
    except OSError as error:
        raise ResultError(f"{path}: cannot be written: {error.strerror or error}; name another file") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read_result(path: Path) -> RunResult:
    """The result in a file. Raises ResultError for one that cannot be read, is broken, or has another schema."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror or error}; give the file of --mcp-json") from None
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not JSON: {error}; was it cut off? run again with --mcp-json={path}") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        found = f"its schema is {schema!r}" if schema is not None else "it has no 'schema'"
        raise ResultError(f"{path}: {found}; this version reads {SCHEMA!r}, as pytest --mcp-json writes it")
    try:
        return _decode(document)
    except DecodeError as error:
        raise ResultError(f"{path}: {error}; it breaks {SCHEMA!r}: run again with --mcp-json={path}") from None


def _decode(document: dict[str, Json]) -> RunResult:
    models = document.get("models")
    if isinstance(models, dict):
        models = {label: _with_tiers(entry) for label, entry in models.items()}
    result: RunResult = decoder(RunResult)({**document, "models": models})
    for name, entries in (("gates", result.gates), ("records", result.records)):
        stray = next((entry.model for entry in entries if entry.model not in result.models), None)
        if stray is not None:
            raise DecodeError(f"{stray!r} is none of the models", (name,))
    return result


def _with_tiers(entry: Json) -> Json:
    """A model's entry with each tier's name and its companions in one object."""
    if not isinstance(entry, dict):
        return entry
    tiers = {key: {"tier": entry.get(key), **_companions(entry, key)} for key in ("tier", "certified_tier")}
    return {**entry, **tiers}


def _companions(entry: dict[str, Json], key: str) -> dict[str, Json]:
    return {name: entry[f"{key}_{name}"] for name in ("set_by", "reason") if f"{key}_{name}" in entry}


def _plain(value: Any) -> Any:
    """What JSON can hold of one value; what is inside it follows."""
    if isinstance(value, ModelResult):
        return _plain_model(value)
    if is_dataclass(value):
        names: Mapping[str, str] = getattr(value, "JSON_NAMES", {})
        return {names.get(field.name, field.name): getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no form in a result file")


def _plain_model(model: ModelResult) -> dict[str, Json]:
    """A model's entry: tiers by name with their reasons beside them, and the summary's keys on the same level."""
    entry: dict[str, Json] = {
        "spec": model.spec,
        "fingerprint": model.fingerprint,
        "size_bytes": model.size_bytes,
        "format": model.format,
    }
    for key, result in (("tier", model.tier), ("certified_tier", model.certified_tier)):
        entry[key] = result.tier.name if result.tier else None
        entry[f"{key}_set_by"] = result.set_by
        entry[f"{key}_reason"] = result.reason
    return {
        **entry,
        **_plain(model.summary),
        "latency": model.latency,
        "throughput": model.throughput,
        "trained_cases": model.trained_cases,
        "weights": model.weights,
        "prompt": model.prompt,
    }


def _finite(value: Any) -> Json:
    """The value all the way down, with texts for the numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return {str(key): _finite(item) for key, item in _plain(value).items()}
