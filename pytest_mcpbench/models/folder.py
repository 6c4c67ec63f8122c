"""What a model folder holds and whether its files are whole, found out without torch: configurations and headers."""

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.curves import REPORT_FILE
from pytest_mcpbench.errors import ModelError

FolderKind = Literal["checkpoint", "adapter", "onnx"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TRAINING = "mcpbench_training.json"

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "optimizer.bin", "scheduler.bin"})
_DECIDING = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".onnx", ".onnx_data", ".data"})
_NOT_DECIDING = frozenset(
    {TRAINING, REPORT_FILE, "trainer_state.json", "README.txt", "LICENSE.txt", "requirements.txt"}
)
_MAX_HEADER_BYTES = 100_000_000
_DTYPES = {
    64: "F64 I64 U64 C64",
    32: "F32 I32 U32",
    16: "F16 BF16 I16 U16",
    8: "I8 U8 BOOL F8_E4M3 F8_E5M2 F8_E8M0",
}
_ITEM_BITS = {dtype: bits for bits, dtypes in _DTYPES.items() for dtype in dtypes.split()}
"""Bits an item takes. A dtype that is not here is newer than this table, and its tensors' sizes go unchecked."""


def folder_kind(folder: Path) -> FolderKind:
    """What the folder is. Raises ModelError if it is no model."""
    if (folder / ADAPTER_CONFIG).is_file():
        return "adapter"
    if onnx_files(folder):
        return "onnx"
    if (folder / "config.json").is_file():
        return "checkpoint"
    inside = sorted(path.parent.name for path in folder.glob("*/config.json"))
    hint = f"did you mean its folder {inside[0]!r}?" if inside else "give the folder that the training wrote"
    raise ModelError(f"{folder}: is no model: it has no config.json, {ADAPTER_CONFIG} or .onnx file; {hint}")


def onnx_files(folder: Path) -> list[Path]:
    """The ONNX graphs in the folder or in its subfolder `onnx`."""
    return sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])


def read_json(path: Path) -> Mapping[str, Json]:
    """The JSON object in the file. Raises ModelError if it is missing, broken or no object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); copy the model again") from None
    except ValueError as error:
        raise ModelError(f"{path}: is no JSON ({error}); copy the model again") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: holds a JSON {type(value).__name__} where an object is needed; copy the model again")
    return value


def check_checkpoint(folder: Path) -> list[Path]:
    """The weight files of a checkpoint, each of them whole. Raises ModelError for what cannot be loaded safely."""
    if not isinstance(read_json(folder / "config.json").get("model_type"), str):
        raise ModelError(f"{folder / 'config.json'}: names no 'model_type', so this is no transformers model")
    shards = _weight_files(folder)
    for shard in shards:
        check_safetensors(shard)
    return shards


def check_adapter(folder: Path) -> list[Path]:
    """The weight file of a PEFT adapter, whole. Raises ModelError as `check_checkpoint` does."""
    config = read_json(folder / ADAPTER_CONFIG)
    if not isinstance(config.get("peft_type"), str):
        raise ModelError(f"{folder / ADAPTER_CONFIG}: names no 'peft_type', so this is no PEFT adapter")
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file():
        _refuse_pickle(folder)
        raise ModelError(f"{folder}: has no {ADAPTER_WEIGHTS}; save the adapter again")
    check_safetensors(weights)
    return [weights]


def fingerprint(folder: Path, *, base: str = "") -> str:
    """The sha256 in hex of every file of the folder that can change an answer, and of the base's fingerprint.

    That is weights, configurations, tokenizer and chat template, by name and content; not what a training run left.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and _decides(path)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        digests = list(pool.map(_sha256, paths))
    total = hashlib.sha256(base.encode())
    for path, digest in zip(paths, digests, strict=True):
        total.update(f"{path.name}\n{digest}\n".encode())
    return total.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the training of a model recorded: the hashes of its rows, and the wire format that it was taught."""

    rows: tuple[str, ...] = ()
    format: str | None = None


def trained(folder: Path) -> Trained:
    """What the training of the model in the folder recorded; nothing where it left no record."""
    if not (folder / TRAINING).is_file():
        return Trained()
    facts = read_json(folder / TRAINING)
    rows, fmt = facts.get("rows"), facts.get("format")
    return Trained(
        rows=tuple(map(str, rows.values())) if isinstance(rows, dict) else (),
        format=fmt if isinstance(fmt, str) else None,
    )


def _decides(path: Path) -> bool:
    # Weights of a large graph lie in several files: model.onnx_data, model.onnx_data_1, and so on.
    weights = path.suffix in _DECIDING or path.suffix.startswith(".onnx_data")
    return weights and path.name not in _NOT_DECIDING


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        _refuse_pickle(folder)
        raise ModelError(f"{folder}: has a config.json but no weights ({WEIGHTS}); copy or save the model again")
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{index}: has no 'weight_map'; copy or save the model again")
    shards = [folder / str(name) for name in sorted({str(name) for name in weight_map.values()})]
    for shard in shards:
        if shard.parent != folder or not shard.is_file():
            raise ModelError(f"{index}: names the shard {shard.name!r}, which is not in the folder; copy it again")
    return shards


def _refuse_pickle(folder: Path) -> None:
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern) if p.name not in _NOT_WEIGHTS)
    if pickles:
        raise ModelError(
            f"{folder}: safetensors only: {pickles[0]} is a pickle, which can run code when it is read; "
            "save it again with save_pretrained(..., safe_serialization=True)"
        )


def check_safetensors(path: Path) -> None:
    """Nothing, if the header is readable and its tensors fill the file exactly; else raises ModelError.

    Source of the layout: the safetensors format (8 bytes of header length, little-endian; a JSON header; the data).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if head == b"version ":
            raise ModelError(f"{path}: is a Git LFS pointer, not the weights; run `git lfs pull`")
        header_bytes = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= header_bytes <= min(_MAX_HEADER_BYTES, size - 8):
            raise _broken(path, f"its header claims {header_bytes:,} bytes, the file has {size:,}")
        try:
            header = json.loads(file.read(header_bytes))
        except ValueError:
            raise _broken(path, "its header is no JSON") from None
    if not isinstance(header, dict):
        raise _broken(path, "its header is no JSON object")
    header.pop("__metadata__", None)
    end = _data_end(path, header)
    if 8 + header_bytes + end != size:
        raise _broken(path, f"it should have {8 + header_bytes + end:,} bytes and has {size:,}")


def _data_end(path: Path, header: Mapping[str, Json]) -> int:
    """Where the last tensor ends, in bytes behind the header. Tensors must follow one another without a gap."""
    end = 0
    try:
        for name, item in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
            start, stop = item["data_offsets"]
            bits = _ITEM_BITS.get(item["dtype"])
            fits = bits is None or (stop - start) * 8 == math.prod(item["shape"]) * bits
            if start != end or stop < start or not fits:
                raise _broken(path, f"the place of its tensor {name!r} does not fit")
            end = stop
    except (KeyError, TypeError, ValueError):
        raise _broken(path, "its header does not describe tensors") from None
    return end


def _broken(path: Path, why: str) -> ModelError:
    return ModelError(f"{path}: is truncated or corrupt: {why}; copy or download it again")
