"""Folders that cannot be a model, each broken in one way, and the parts that whole ones are made of."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

CONFIG = {"model_type": "llama"}
ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "../base"}


def tensors(path: Path, *, cut: int = 0, header: object = None, more: bytes = b"") -> None:
    """A safetensors file of two small tensors; broken in one way if asked."""
    described = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
    }
    text = json.dumps(header or described).encode()
    content = struct.pack("<Q", len(text)) + text + bytes(32) + more
    path.write_bytes(content[: len(content) - cut])


def checkpoint(folder: Path, *, weights: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    if weights:
        tensors(folder / "model.safetensors")
    return folder


def adapter(folder: Path, base: str = "../base") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**ADAPTER, "base_model_name_or_path": base}))
    tensors(folder / "adapter_model.safetensors")
    return folder


def pickled(folder: Path) -> None:
    checkpoint(folder, weights=False)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")


def pickled_adapter(folder: Path) -> None:
    adapter(folder)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def without_weights(folder: Path) -> None:
    checkpoint(folder, weights=False)
    (folder / "training_args.bin").write_bytes(b"")


def short(folder: Path) -> None:
    tensors(checkpoint(folder) / "model.safetensors", cut=5)


def long(folder: Path) -> None:
    tensors(checkpoint(folder) / "model.safetensors", more=b"12345")


def headless(folder: Path) -> None:
    (checkpoint(folder) / "model.safetensors").write_bytes(b"\x01\x02\x03")


def pointer(folder: Path) -> None:
    (checkpoint(folder) / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def noise(folder: Path) -> None:
    (checkpoint(folder) / "model.safetensors").write_bytes(struct.pack("<Q", 20) + b"\xff" * 60)


def overlapping(folder: Path) -> None:
    header = {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"}
    tensors(checkpoint(folder) / "model.safetensors", header=header)


def misshapen(folder: Path) -> None:
    header = {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 32]}}
    tensors(checkpoint(folder) / "model.safetensors", header=header)


def undescribed(folder: Path) -> None:
    tensors(checkpoint(folder) / "model.safetensors", header={"a": {"dtype": "F32"}})


def index(folder: Path, content: object) -> None:
    checkpoint(folder, weights=False)
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))


def lost_shard(folder: Path) -> None:
    index(folder, {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    tensors(folder / "model-1.safetensors")


def cut_shard(folder: Path) -> None:
    lost_shard(folder)
    tensors(folder / "model-2.safetensors", cut=1)


def outside_shard(folder: Path) -> None:
    index(folder, {"weight_map": {"a": "../x.safetensors"}})
    tensors(folder.parent / "x.safetensors")


def empty_index(folder: Path) -> None:
    index(folder, {"weight_map": {}})


def broken_config(folder: Path) -> None:
    (checkpoint(folder) / "config.json").write_text("{")


def list_config(folder: Path) -> None:
    (checkpoint(folder) / "config.json").write_text("[]")


def nameless_config(folder: Path) -> None:
    (checkpoint(folder) / "config.json").write_text("{}")


def nested(folder: Path) -> None:
    checkpoint(folder / "checkpoint-20")


def no_such_base(folder: Path) -> None:
    adapter(folder, "/nowhere/base")


def no_base(folder: Path) -> None:
    adapter(folder, "")


def null_base(folder: Path) -> None:
    adapter(folder, "null:echo")


def broken_base(folder: Path) -> None:
    short(folder.parent / "base")
    adapter(folder)


def no_adapter_type(folder: Path) -> None:
    adapter(folder)
    (folder / "adapter_config.json").write_text("{}")


def empty(folder: Path) -> None:
    folder.mkdir()


BAD_FOLDERS: dict[str, Callable[[Path], object]] = {
    build.__name__: build
    for build in (
        empty,
        nested,
        broken_config,
        list_config,
        nameless_config,
        without_weights,
        pickled,
        pickled_adapter,
        short,
        long,
        headless,
        pointer,
        noise,
        overlapping,
        misshapen,
        undescribed,
        lost_shard,
        cut_shard,
        outside_shard,
        empty_index,
        no_adapter_type,
        no_base,
        no_such_base,
        broken_base,
        null_base,
    )
}
