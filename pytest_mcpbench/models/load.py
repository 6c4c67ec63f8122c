"""From what a user writes behind `--mcp-model=` to a model: look at it cheaply first, load it later."""

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from pytest_mcpbench.core.floors import FLOORS
from pytest_mcpbench.core.formats import Format, get_format
from pytest_mcpbench.core.formats.detect import detect_format
from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models import demo, hub, null, replay
from pytest_mcpbench.models.base import LoadOptions, Model, Source
from pytest_mcpbench.models.folder import (
    ADAPTER_CONFIG,
    TRAINING,
    check_adapter,
    check_checkpoint,
    folder_kind,
    onnx_files,
    read_json,
)
from pytest_mcpbench.models.onnx_format import RECIPE
from pytest_mcpbench.models.prompt import PromptStyle, prompt_digest

__all__ = [
    "LoadOptions",
    "ModelEntry",
    "Source",
    "default_label",
    "first_use_notes",
    "list_models",
    "load_model",
    "on_disk",
    "resolve",
]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_MODULES = {
    "hf": ("torch", "transformers", "safetensors"),
    "demo": ("torch", "transformers", "safetensors", "peft"),
    "onnx": ("onnxruntime", "transformers"),
}

FORMS = (
    ("FOLDER", "a transformers checkpoint, a PEFT adapter or an ONNX folder"),
    ("ORG/NAME", "a model of the hub, safetensors only"),
    ("demo:base|finetuned|int8|int4", "the demo models"),
    ("replay:FILE[#LABEL]", "recorded answers: a run's JSON, or JSONL of case and text"),
    ("null:silent|first-tool|echo", "floors that cost nothing"),
)
"""The forms that a spec can take, each with what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A line of `mcpbench models`: a spec that can be given now, or why it cannot."""

    spec: str
    about: str
    size_bytes: int = 0


def resolve(spec: str, base: str | None = None) -> Source:
    """What the spec names. Imports no torch; reads configurations and headers only.

    Raises ModelError for what cannot be a model, MissingExtraError for a model that needs packages not installed.
    """
    scheme, mark, rest = spec.partition(":")
    if mark and scheme in _SCHEMES:
        return _SCHEMES[scheme](spec, rest)
    forms = ", ".join(form for form, _ in FORMS)
    if not spec.strip():
        raise ModelError(f"a model's name is empty; it is one of {forms}")
    path = Path(spec).expanduser()
    if path.is_dir():
        return _resolve_folder(spec, path, base)
    if path.exists():
        raise ModelError(f"{spec}: is a file; give the folder of a model, or replay:{spec} for recorded answers")
    if _HUB_ID.fullmatch(spec) and not path.parent.is_dir():
        _need_extra(spec, "hf")
        return Source(spec=spec, kind="hub", default_label="base")
    raise ModelError(f"{spec}: no such folder; a model is one of {forms}")


def default_label(spec: str) -> str:
    """The label of a model that the user did not name: what it is. Never raises.

    `base` (which is measured, not gated) only for `demo:base` and hub ids. An adapter, and a checkpoint that
    `mcpbench train` wrote, is `finetuned`; any other checkpoint folder is `model`, and gated; an ONNX folder is
    `int8` or `int4` where its recipe, its name or its files' say so, else `onnx`. `replay:FILE` is `replay`,
    `replay:FILE#LABEL` is LABEL, `null:echo` is `null-echo`.
    """
    scheme, mark, rest = spec.partition(":")
    if mark and scheme == "demo":
        return rest
    if mark and scheme == "null":
        return f"null-{rest}"
    if mark and scheme == "replay":
        return replay.split_label(rest)[1] or "replay"
    path = Path(spec).expanduser()
    if path.is_dir():
        return _folder_label(path)
    return "base" if _HUB_ID.fullmatch(spec) else "model"


def load_model(source: Source, options: LoadOptions) -> Model:
    """The model, ready to generate. Raises ModelError for a model that cannot be loaded after all."""
    model = _load(source, options)
    model.info = replace(model.info, prompt=prompt_digest(model.style))
    return model


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection: importing and reading make millions of objects and no garbage worth looking for.

    Looking for it takes a fifth of the time that a small model needs to load. Making a model is another matter.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(source: Source, options: LoadOptions) -> Model:
    style = PromptStyle(fmt=pick_format(options.fmt), detail=options.tool_detail)
    if source.kind == "null":
        return null.NullModel(source.spec.partition(":")[2], style)
    if source.kind == "replay":
        path, label = replay.split_label(source.spec.partition(":")[2])
        return replay.ReplayModel(source.spec, replay.read_recording(path, label), style)
    ready = on_disk(source, options)
    with _no_collection():
        if source.kind == "onnx" or demo.quantization_of(source):
            # Here, not above: this import brings numpy, and loading brings transformers.
            from pytest_mcpbench.models import onnx  # noqa: PLC0415

            return onnx.load(ready, options)
        # Here, not above: this import brings torch and transformers.
        from pytest_mcpbench.models import hf  # noqa: PLC0415

        return hf.load(ready, options)


def on_disk(source: Source, options: LoadOptions) -> Source:
    """The source with every path set: hub models are downloaded, demo models are made."""
    if quantized := demo.quantization_of(source):
        return replace(source, path=demo.materialise_quantized(quantized), base=None)
    if source.kind == "hub":
        found = resolve(str(hub.download(source.spec)), options.base)
        source = replace(source, path=found.path, base=found.base)
    elif source.path is None:
        source = replace(source, path=demo.materialise())
    return replace(source, base=on_disk(source.base, options)) if source.base else source


def first_use_notes(source: Source) -> tuple[str, ...]:
    """Lines to show before `load_model` makes this source for the first time: its terms, and what takes the time.

    Empty for a source that is there already. Nothing here prints, since a test run has its own lines to keep whole.
    """
    if source.kind != "demo":
        return ()
    notes = []
    if not demo.is_made():
        notes += [demo.terms_notice(), f"demo models: making {demo.base_folder()} (537 MB, half a minute, once)"]
    if (name := demo.quantization_of(source)) and not (folder := demo.quantized_folder(name)).is_dir():
        notes.append(f"demo models: making {folder} (about 300 MB, two minutes at most, once)")
    return tuple(notes)


def pick_format(name: str, chat_template: str | None = None, trained: str | None = None) -> Format:
    """The format that a model is spoken to in.

    For `auto` the one it was trained in, else the one whose markers its chat template has, else native.
    """
    if name != "auto":
        return get_format(name)
    found = trained or (detect_format(chat_template) if chat_template else None)
    return get_format(found or "native")


def list_models() -> list[ModelEntry]:
    """The demo models, the null models, and the forms that any other model is given in."""
    demos = [ModelEntry(spec=entry.spec, about=entry.about, size_bytes=entry.size_bytes) for entry in demo.entries()]
    nulls = [ModelEntry(spec=f"null:{name}", about=about) for name, about in null.ABOUT.items()]
    return [*demos, *nulls, *(ModelEntry(spec=form, about=about) for form, about in FORMS)]


def _resolve_folder(spec: str, path: Path, base: str | None) -> Source:
    kind = folder_kind(path)
    label = default_label(spec)
    if kind == "adapter":
        check_adapter(path)
        found = _resolve_base(path, base)
        _need_extra(spec, "hf", "peft")
        return Source(spec=spec, kind=kind, default_label=label, path=path, base=found)
    if kind == "checkpoint":
        check_checkpoint(path)
        _need_extra(spec, "hf")
    else:
        _need_extra(spec, "onnx")
    return Source(spec=spec, kind=kind, default_label=label, path=path)


def _resolve_base(adapter: Path, base: str | None) -> Source:
    """The model that the adapter was trained on: the one given, or the one that its configuration names."""
    config = adapter / ADAPTER_CONFIG
    named = base or read_json(config).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise ModelError(f"{config}: names no base model; give it with --mcp-base=FOLDER or ORG/NAME")
    beside = adapter / named
    try:
        source = resolve(str(beside) if not Path(named).expanduser().exists() and beside.is_dir() else named)
    except MissingExtraError:
        raise
    except ModelError as error:
        where = "--mcp-base" if base else f"named in {config}"
        raise ModelError(f"{adapter}: its base model cannot be used ({where}): {error}; set --mcp-base") from None
    if source.kind not in ("checkpoint", "hub") and source.spec != "demo:base":
        raise ModelError(f"{adapter}: its base {named!r} is a {source.kind} model; an adapter needs a checkpoint")
    return source


def _resolve_demo(spec: str, name: str) -> Source:
    source = demo.resolve(spec, name)
    _need_extra(spec, "onnx" if demo.quantization_of(source) else "demo")
    return source


def _resolve_replay(spec: str, target: str) -> Source:
    path, label = replay.split_label(target)
    replay.read_recording(path, label)
    return Source(spec=spec, kind="replay", default_label=label or "replay", path=path)


def _resolve_null(spec: str, name: str) -> Source:
    if name not in FLOORS:
        raise ModelError(f"{spec}: no such null model (known: {', '.join(FLOORS)})")
    return Source(spec=spec, kind="null", default_label=f"null-{name}")


_SCHEMES: dict[str, Callable[[str, str], Source]] = {
    "demo": _resolve_demo,
    "replay": _resolve_replay,
    "null": _resolve_null,
}


def _folder_label(path: Path) -> str:
    if (path / ADAPTER_CONFIG).is_file():
        return "finetuned"
    if graphs := onnx_files(path):
        names = [_quantization(path), path.resolve().name, *(graph.name for graph in graphs)]
        return next((bits for bits in ("int8", "int4") if any(bits in name.lower() for name in names)), "onnx")
    return "finetuned" if (path / TRAINING).is_file() else "model"


def _quantization(folder: Path) -> str:
    """What the folder's own record says of its quantization; empty without one that can be read."""
    try:
        return str(read_json(folder / RECIPE).get("quantization", ""))
    except ModelError:
        return ""


def _need_extra(spec: str, extra: str, *more: str) -> None:
    missing = [name for name in (*_MODULES[extra], *more) if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{spec}: needs {', '.join(missing)}: pip install 'pytest-mcpbench[{extra}]'")
