import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("peft", reason="needs the extra hf")

from pytest_mcpbench.errors import ModelError, OptionError  # noqa: E402  # behind the importorskip
from pytest_mcpbench.models import onnx_calibration  # noqa: E402
from pytest_mcpbench.models.onnx_format import DATA, RECIPE  # noqa: E402
from pytest_mcpbench.models.onnx_recipe import usual_calibration  # noqa: E402
from pytest_mcpbench.training.quantize import parse_quantize  # noqa: E402
from tests.models.tiny import tiny_tokenizer  # noqa: E402
from tests.models.tiny_onnx import save_exportable  # noqa: E402
from tests.training.test_quantize import assert_nothing_left, logits, run, save_lora  # noqa: E402


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_exportable(tmp_path / "checkpoint", "qwen2")[0]


def rows_file(folder: Path) -> Path:
    file = folder / "rows.jsonl"
    line = '{{"id": "r{0}", "prompt": "read {0}.py", "tools": "coding", "expected": []}}\n'
    file.write_text("".join(line.format(number) for number in range(6)))
    return file


def test_4_bit_weights_are_fitted_to_rows_and_the_folder_says_to_which(checkpoint: Path, tmp_path: Path) -> None:
    rows = rows_file(tmp_path)
    run(checkpoint, tmp_path / "out", "--quantization", "int4", "--calibration", str(rows))
    found = json.loads((tmp_path / "out" / RECIPE).read_text())["calibration"]
    assert found["rows_sha256"] == hashlib.sha256(rows.read_bytes()).hexdigest()
    assert (found["method"], found["rows"]) == ("gptq", 6)
    run(checkpoint, tmp_path / "alone", "--quantization", "int4", "--calibration", "none")
    assert "calibration" not in json.loads((tmp_path / "alone" / RECIPE).read_text())
    sizes = {
        name: {path.name: path.stat().st_size for path in (tmp_path / name).iterdir()} for name in ("out", "alone")
    }
    assert sizes["out"]["model.onnx.data"] == sizes["alone"]["model.onnx.data"]
    assert (tmp_path / "out" / DATA).read_bytes() != (tmp_path / "alone" / DATA).read_bytes()


def test_an_adapter_is_in_what_the_weights_are_fitted_with(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a GPU the model reads in bfloat16, to which the adapter's sum and the merged file are rounded apart.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    merged = save_lora(tmp_path / "adapter", checkpoint, r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    merged.save_pretrained(tmp_path / "merged")
    tiny_tokenizer().save_pretrained(tmp_path / "merged")
    options = ("--quantization", "int4", "--calibration", str(rows_file(tmp_path)))
    run(tmp_path / "adapter", tmp_path / "out", *options)
    run(tmp_path / "merged", tmp_path / "whole", *options)
    one, other = logits(tmp_path / "out"), logits(tmp_path / "whole")
    assert np.abs(one - other).max() <= 1e-2 * np.abs(other).max()


def test_a_model_that_computes_no_numbers_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = onnx_calibration.input_moments

    def overflown(*args: Any) -> Any:
        found, tokens = moments(*args)
        return {name: values * np.float32("inf") for name, values in found.items()}, tokens

    monkeypatch.setattr(onnx_calibration, "input_moments", overflown)
    with pytest.raises(ModelError, match=r"of its layers are no numbers on the calibration rows \(first model\.layers"):
        run(checkpoint, tmp_path / "out", "--quantization", "int4", "--calibration", str(rows_file(tmp_path)))
    assert_nothing_left(tmp_path)


def test_rows_that_cannot_be_read_are_refused_before_the_work(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.jsonl: calibration rows cannot be read"):
        run(checkpoint, tmp_path / "out", "--quantization", "int4", "--calibration", str(tmp_path / "none.jsonl"))
    with pytest.raises(OptionError, match=r"--calibration=a\.jsonl: only 4-bit weights are calibrated"):
        parse_quantize(["--model", "m", "--output", "o", "--calibration", "a.jsonl"])
    assert_nothing_left(tmp_path)


def test_int4_is_fitted_to_the_shipped_rows_unless_others_are_given() -> None:
    args = ["--model", "m", "--output", "o", "--quantization"]
    assert parse_quantize([*args, "int4"]).calibration == usual_calibration("int4")
    assert parse_quantize([*args, "int4", "--calibration", "none"]).calibration is None
    assert parse_quantize([*args, "int8"]).calibration is None


def test_a_calibration_that_fails_leaves_no_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(onnx_calibration, "input_moments", killed)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, tmp_path / "out", "--quantization", "int4", "--calibration", str(rows_file(tmp_path)))
    assert_nothing_left(tmp_path)
