"""From a checkpoint, or an adapter and its base, to an ONNX folder."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import Source
from pytest_mcpbench.models.folder import TRAINING, check_checkpoint, fingerprint, read_json
from pytest_mcpbench.models.onnx_arch import Arch, read_arch
from pytest_mcpbench.models.onnx_decoder import write_decoder
from pytest_mcpbench.models.onnx_format import DATA, EXPORTER, GRAPH, RECIPE
from pytest_mcpbench.models.onnx_graph import GraphWriter
from pytest_mcpbench.models.onnx_recipe import Recipe
from pytest_mcpbench.models.onnx_weights import open_tensors

_TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "merges.txt")
_TOKENIZER_MORE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json")
_CONFIGS = ("config.json", "generation_config.json")

Progress = Callable[[int, int], None]
"""Takes the number of layers that are written, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An export that can be done. `adapter` is merged into the weights of `base`; sizes are estimates in bytes."""

    base: Path
    adapter: Path | None
    recipe: Recipe
    arch: Arch
    source_bytes: int
    needed_disk_bytes: int
    needed_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A folder that was written. `parameters` counts the values of the checkpoint; sizes are those of all files."""

    folder: Path
    parameters: int
    size_bytes: int
    source_fingerprint: str


def plan_export(source: Source, recipe: Recipe) -> Plan:
    """What will be done with a source that is on disk, found out from headers.

    Raises ModelError for what cannot be exported.
    """
    if source.kind not in ("checkpoint", "adapter", "hub", "demo"):
        hint = "it is quantized already" if source.kind == "onnx" else f"it is a {source.kind} model"
        raise ModelError(f"{source.spec}: {hint}; give a checkpoint or an adapter")
    base = source.base.path if source.base else source.path
    assert base is not None, "a source is on disk before it is exported"
    config = read_json(base / "config.json")
    if config.get("quantization_config"):
        raise ModelError(f"{source.spec}: its weights are quantized already; give the checkpoint they were made from")
    transformers: Any = import_module("transformers")
    try:
        arch = read_arch(transformers.AutoConfig.from_pretrained(base, trust_remote_code=False))
    except ModelError as error:
        raise ModelError(f"{source.spec}: {error}") from None
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{source.spec}: its config.json cannot be read ({error})") from None
    source_bytes = sum(path.stat().st_size for path in check_checkpoint(base))
    values = source_bytes // (4 if config.get("dtype", config.get("torch_dtype")) == "float32" else 2)
    widest = arch.vocabulary * arch.hidden * 4
    return Plan(
        base=base,
        adapter=source.path if source.base else None,
        recipe=recipe,
        arch=arch,
        source_bytes=source_bytes,
        needed_disk_bytes=int(values * _bytes_a_value(recipe) * 1.1),
        needed_memory_bytes=3 * widest,
    )


def export(plan: Plan, folder: Path, on_progress: Progress) -> Exported:
    """Fill the folder, which exists and is empty. The file that makes it a model, `quantization.json`, comes last."""
    layers = len(plan.arch.layers)
    with open_tensors(plan.base, plan.adapter) as tensors, GraphWriter(folder) as graph:
        parameters = tensors.count()
        write_decoder(graph, plan.arch, tensors, plan.recipe, lambda done: on_progress(done, layers))
    own = plan.adapter or plan.base
    _copy(plan.base, folder, _CONFIGS)
    with_tokenizer = own if any((own / name).is_file() for name in _TOKENIZER) else plan.base
    _copy(with_tokenizer, folder, (*_TOKENIZER, *_TOKENIZER_MORE))
    _copy(own, folder, (TRAINING,))
    source = fingerprint(own, base=fingerprint(plan.base) if plan.adapter else "")
    record = {
        **plan.recipe.as_json(),
        "exporter": EXPORTER,
        "architecture": plan.arch.family,
        "parameters": parameters,
        "max_length": plan.arch.max_length,
        "source_fingerprint": source,
        "source_bytes": plan.source_bytes,
        "graph_bytes": (folder / GRAPH).stat().st_size,
        "data_bytes": (folder / DATA).stat().st_size,
        "versions": {name: version(name) for name in ("onnx", "transformers", "safetensors")},
    }
    (folder / RECIPE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Exported(folder=folder, parameters=parameters, size_bytes=size, source_fingerprint=source)


def _bytes_a_value(recipe: Recipe) -> float:
    """What a weight takes at most, with its share of a block's scale and zero point."""
    bits = max(recipe.bits, recipe.head_bits)
    return bits / 8 if bits == 32 else (bits + (32 + bits) / recipe.block_size) / 8


def _copy(source: Path, folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
