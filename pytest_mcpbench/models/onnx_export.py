"""From a checkpoint, or an adapter and its base, to an ONNX folder."""

import gc
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
from pytest_mcpbench.models.onnx_calibration import Calibration, calibrate, read_rows
from pytest_mcpbench.models.onnx_decoder import write_decoder
from pytest_mcpbench.models.onnx_format import DATA, EXPORTER, GRAPH, RECIPE
from pytest_mcpbench.models.onnx_graph import GraphWriter
from pytest_mcpbench.models.onnx_linear import LinearWriter
from pytest_mcpbench.models.onnx_recipe import Recipe
from pytest_mcpbench.models.onnx_weights import open_tensors

_TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "merges.txt")
_TOKENIZER_MORE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json")
_CONFIGS = ("config.json", "generation_config.json")

Progress = Callable[[int, int], None]
"""Takes the number of layers that are written, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An export that can be done. `adapter` is merged into the weights of `base`; sizes are estimates in bytes.

    `calibration` are the rows that 4-bit weights are rounded to fit; None: each weight by itself.
    """

    source: Source
    calibration: Path | None
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


def plan_export(source: Source, recipe: Recipe, calibration: Path | None = None) -> Plan:
    """What will be done with a source that is on disk, found out from headers.

    Raises ModelError for what cannot be exported, and for calibration rows that cannot be read.
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
    needed_memory_bytes = 3 * arch.vocabulary * arch.hidden * 4
    if calibration is not None:
        read_rows(calibration)
        inputs = (arch.hidden, arch.heads * arch.head_dim, int(config.get("intermediate_size", 0)))
        moments_bytes = len(arch.layers) * sum(size**2 for size in inputs) * 4
        # While it is loaded, a model is there twice: as its files have it and in float32.
        needed_memory_bytes = max(source_bytes + values * 4, needed_memory_bytes) + moments_bytes
    return Plan(
        source=source,
        calibration=calibration,
        base=base,
        adapter=source.path if source.base else None,
        recipe=recipe,
        arch=arch,
        source_bytes=source_bytes,
        needed_disk_bytes=int(values * _bytes_a_value(recipe) * 1.1),
        needed_memory_bytes=needed_memory_bytes,
    )


def export(plan: Plan, folder: Path, on_progress: Progress) -> Exported:
    """Fill the folder, which exists and is empty. The file that makes it a model, `quantization.json`, comes last."""
    layers = len(plan.arch.layers)
    calibration = _calibration(plan)
    moments = calibration.moments if calibration else {}
    with open_tensors(plan.base, plan.adapter) as tensors, GraphWriter(folder) as graph:
        parameters = tensors.count()
        linear = LinearWriter(graph=graph, recipe=plan.recipe, moments=moments)
        write_decoder(linear, plan.arch, tensors, lambda done: on_progress(done, layers))
    own = plan.adapter or plan.base
    _copy(plan.base, folder, _CONFIGS)
    with_tokenizer = own if any((own / name).is_file() for name in _TOKENIZER) else plan.base
    _copy(with_tokenizer, folder, (*_TOKENIZER, *_TOKENIZER_MORE))
    _copy(own, folder, (TRAINING,))
    source = fingerprint(own, base=fingerprint(plan.base) if plan.adapter else "")
    record = {
        **plan.recipe.as_json(),
        **(_calibrated(calibration) if calibration else {}),
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


def _calibration(plan: Plan) -> Calibration | None:
    if plan.calibration is None:
        return None
    found = calibrate(plan.source, plan.calibration, lambda name: plan.recipe.bits_of(name) == 4)
    gc.collect()  # the model that was read with is a web of references, and the next thing is large too
    return found


def _calibrated(calibration: Calibration) -> dict[str, Any]:
    """How the 4-bit weights were found, for the folder's own record."""
    counts = {"rows": calibration.rows, "tokens": calibration.tokens, "rows_sha256": calibration.rows_sha256}
    return {"calibration": {"method": "gptq", **counts}}


def _bytes_a_value(recipe: Recipe) -> float:
    """What a weight takes at most, with its share of a block's scale and zero point."""
    bits = max(recipe.bits, recipe.head_bits)
    return bits / 8 if bits == 32 else (bits + (32 + bits) / recipe.block_size) / 8


def _copy(source: Path, folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
