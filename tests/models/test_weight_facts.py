"""What backends say of their weights, held against the models and files themselves."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

from pytest_mcpbench.models.base import LoadOptions  # behind the importorskip
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.models.onnx_format import DATA, GRAPH
from pytest_mcpbench.models.onnx_recipe import make_recipe
from tests.models.tiny_onnx import CPU, exported, save_exportable

VALUES_OF_AN_EMBEDDING = 259 * 64


def test_a_checkpoints_weights_are_those_it_runs_with_whatever_lies_on_disk(tmp_path: Path) -> None:
    folder, model = save_exportable(tmp_path / "checkpoint", "qwen2")
    half = load_model(resolve(str(folder)), LoadOptions(device="cpu", dtype="bfloat16")).info.weights
    values = sum(parameter.numel() for parameter in model.parameters())
    assert half is not None
    assert (half.dtype, half.bits, half.engine, half.quantized_bits) == ("bfloat16", 16, "PyTorch", None)
    assert (half.parameters, half.size_bytes) == (values, 2 * values)
    assert half.read_bytes == 2 * (values - VALUES_OF_AN_EMBEDDING)


def test_an_embedding_that_is_also_the_last_layer_is_read_for_every_token(tmp_path: Path) -> None:
    folder, _ = save_exportable(tmp_path / "checkpoint", "qwen3")
    tied = load_model(resolve(str(folder)), CPU).info.weights
    assert tied is not None
    assert tied.read_bytes == tied.size_bytes
    assert tied.dtype == "float32"


@pytest.mark.parametrize(
    ("name", "bits_a_weight"), [("int8", 9.0), ("int4", 5.125), ("int8-dynamic", 8.0), ("none", 32.0)]
)
def test_an_exported_models_weights_follow_from_its_recipe(name: str, bits_a_weight: float, tmp_path: Path) -> None:
    folder, model = save_exportable(tmp_path / "checkpoint", "qwen2")
    out = exported(folder, tmp_path / "out", make_recipe(name))
    weights = load_model(resolve(str(out)), CPU).info.weights
    assert weights is not None
    assert weights.bits_a_weight == bits_a_weight
    assert weights.quantized_bits == (None if name == "none" else int(name[3]))
    assert weights.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert weights.size_bytes == sum((out / file).stat().st_size for file in (GRAPH, DATA))
    assert weights.read_bytes is not None
    assert VALUES_OF_AN_EMBEDDING <= weights.size_bytes - weights.read_bytes <= 4 * VALUES_OF_AN_EMBEDDING
    assert weights.engine == "ONNX Runtime"


def test_the_form_is_that_of_the_smallest_weights_and_the_name_that_of_the_recipe(tmp_path: Path) -> None:
    folder, _ = save_exportable(tmp_path / "checkpoint", "qwen3")
    out = exported(folder, tmp_path / "out", make_recipe("int8", head_bits=4, block_size=64))
    weights = load_model(resolve(str(out)), CPU).info.weights
    assert weights is not None
    assert (weights.bits, weights.bits_a_weight, weights.quantized_bits) == (4, 4.5, 8)
