import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
peft = pytest.importorskip("peft", reason="needs the extra hf")

from filelock import FileLock  # noqa: E402  # behind the importorskip
from safetensors.torch import load_file, save_file  # noqa: E402

from pytest_mcpbench.errors import MissingExtraError, ModelError, OptionError  # noqa: E402
from pytest_mcpbench.models import onnx_folder  # noqa: E402
from pytest_mcpbench.models.base import LoadOptions  # noqa: E402
from pytest_mcpbench.models.folder import TRAINING  # noqa: E402
from pytest_mcpbench.models.load import load_model, resolve  # noqa: E402
from pytest_mcpbench.models.onnx_folder import unfinished  # noqa: E402
from pytest_mcpbench.models.onnx_format import GRAPH, RECIPE  # noqa: E402
from pytest_mcpbench.models.onnx_session import Decoder, SessionOptions, open_graph  # noqa: E402
from pytest_mcpbench.training.quantize import QuantizeReport, parse_quantize, quantize, run_quantize  # noqa: E402
from tests.models.tiny import tiny_tokenizer  # noqa: E402
from tests.models.tiny_onnx import save_exportable, tiny_exportable  # noqa: E402

IDS = list(range(2, 40))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_exportable(tmp_path / "checkpoint", "qwen2")[0]


def run(checkpoint: Path, output: Path, *more: str) -> QuantizeReport:
    flags = parse_quantize(["--model", str(checkpoint), "--output", str(output), *more])
    return quantize(flags, lambda done, total: None)


def logits(folder: Path) -> Any:
    return Decoder(open_graph(folder, SessionOptions(threads=1))).logits(IDS)


def save_lora(folder: Path, base: Path, **settings: Any) -> Any:
    """The merged model of the adapter that is saved in the folder."""
    torch.manual_seed(1)
    config = peft.LoraConfig(init_lora_weights=False, **settings)
    wrapped = peft.get_peft_model(tiny_exportable("qwen2"), config)
    wrapped.peft_config["default"].base_model_name_or_path = str(base)
    wrapped.save_pretrained(folder)
    return wrapped.merge_and_unload()


def test_the_folder_is_a_model_and_says_how_it_was_made(checkpoint: Path, tmp_path: Path) -> None:
    report = run(checkpoint, tmp_path / "out", "--quantization", "int4", "--block-size", "16", "--keep", "o_proj")
    record = json.loads((tmp_path / "out" / RECIPE).read_text())
    assert record["quantization"] == "int4"
    assert (record["bits"], record["head_bits"], record["block_size"], record["keep"]) == (4, 8, 16, ["o_proj"])
    assert record["source_bytes"] == (checkpoint / "model.safetensors").stat().st_size
    assert len(record["source_fingerprint"]) == 64
    assert resolve(str(tmp_path / "out")).default_label == "int4"
    assert report.size_bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert "int4" in report.line()
    assert f"--mcp-model={tmp_path / 'out'}" in report.line()


def test_progress_counts_the_layers(checkpoint: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    flags = parse_quantize(["--model", str(checkpoint), "--output", str(tmp_path / "out")])
    quantize(flags, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 6, "target_modules": "all-linear"},
        {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": ["q_proj", "v_proj"]},
        {"r": 2, "target_modules": ["down_proj"], "modules_to_save": ["lm_head"]},
    ],
    ids=["all linear layers", "rank-stabilized", "a layer of its own"],
)
def test_an_adapter_is_merged_as_peft_merges_it(settings: dict[str, Any], checkpoint: Path, tmp_path: Path) -> None:
    merged = save_lora(tmp_path / "adapter", checkpoint, **settings)
    (tmp_path / "adapter" / TRAINING).write_text('{"rows": {"row": "abc"}}')
    run(tmp_path / "adapter", tmp_path / "out", "--quantization", "none")
    with torch.inference_mode():
        expected = merged(torch.tensor([IDS])).logits[0].numpy()
    assert np.abs(logits(tmp_path / "out") - expected).max() <= 1e-4 * np.abs(expected).max()
    assert (tmp_path / "out" / TRAINING).is_file()
    assert resolve(str(tmp_path / "out")).default_label == "onnx"


def test_an_adapter_that_needs_more_than_a_product_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    save_lora(tmp_path / "adapter", checkpoint, r=2, target_modules=["q_proj"], use_dora=True)
    with pytest.raises(ModelError, match="uses use_dora; merge it with PEFT first"):
        run(tmp_path / "adapter", tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_an_adapter_of_another_model_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    save_lora(tmp_path / "adapter", checkpoint, r=2, target_modules=["q_proj"])
    other, _ = save_exportable(tmp_path / "other", "phi3")
    with pytest.raises(ModelError, match="have no place in"):
        run(tmp_path / "adapter", tmp_path / "out", "--base", str(other))
    assert_nothing_left(tmp_path)


def assert_nothing_left(folder: Path) -> None:
    assert not [path.name for path in folder.iterdir() if path.name.startswith("out")]


def with_config(checkpoint: Path, **changes: Any) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "gpt2"}, "architecture 'gpt2' cannot be exported.*supported: llama, mistral, qwen2"),
        ({"quantization_config": {"bits": 4}}, "quantized already; give the checkpoint"),
        ({"hidden_act": "relu"}, "activation 'relu' cannot be exported"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rotary positions of type 'dynamic'"),
        ({"layer_types": ["linear_attention"] * 3}, "linear_attention"),
    ],
)
def test_a_model_that_cannot_be_exported_is_named(
    changes: dict[str, Any], says: str, checkpoint: Path, tmp_path: Path
) -> None:
    with_config(checkpoint, **changes)
    with pytest.raises(ModelError, match=says) as caught:
        run(checkpoint, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert_nothing_left(tmp_path)


def test_a_tensor_that_is_missing_leaves_nothing_behind(checkpoint: Path, tmp_path: Path) -> None:
    with_config(checkpoint, num_hidden_layers=4, layer_types=["full_attention"] * 4)
    with pytest.raises(ModelError, match=r"no tensor 'model\.layers\.3"):
        run(checkpoint, tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_a_model_that_is_quantized_already_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    run(checkpoint, tmp_path / "once")
    with pytest.raises(ModelError, match="is quantized already"):
        run(tmp_path / "once", tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_an_output_in_use_is_refused_and_kept(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "notes").write_text("mine")
    with pytest.raises(ModelError, match="is not empty"):
        run(checkpoint, output)
    assert [path.name for path in output.iterdir()] == ["notes"]
    with pytest.raises(ModelError, match="is a file"):
        run(checkpoint, output / "notes")


def test_an_output_that_another_process_writes_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / "out.lock"), pytest.raises(ModelError, match="being written by another process"):
        run(checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_little_disk_or_memory_is_found_before_the_work(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10))
    with pytest.raises(ModelError, match="its disk has 0 MB free and the model needs"):
        run(checkpoint, tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(onnx_folder, "available_memory_bytes", lambda: 10)
    with pytest.raises(ModelError, match="0 MB of memory are free and the export needs"):
        run(checkpoint, tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_a_missing_package_is_named_with_its_extra(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_folder, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(MissingExtraError, match=r"exporting needs onnx: pip install 'pytest-mcpbench\[onnx\]'"):
        run(checkpoint, tmp_path / "out")


def test_an_older_onnx_runtime_is_told_of_before_and_after_an_export(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(checkpoint, tmp_path / "made")
    monkeypatch.setattr(onnxruntime, "__version__", "1.31.1")
    told = r"ONNX Runtime 1\.31\.1 cannot run its graph.*pip install 'onnxruntime>=1\.32'"
    with pytest.raises(ModelError, match=told):
        run(checkpoint, tmp_path / "out")
    with pytest.raises(ModelError, match=told):
        load_model(resolve(str(tmp_path / "made")), LoadOptions())
    monkeypatch.setattr(onnxruntime, "__version__", "2.0.0")
    load_model(resolve(str(tmp_path / "made")), LoadOptions()).close()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(checkpoint: Path, tmp_path: Path, value: float) -> None:
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    tensors["model.layers.1.mlp.up_proj.weight"][3, 2] = value
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.up_proj\.weight' holds values that are no numbers"):
        run(checkpoint, tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_an_export_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with unfinished(tmp_path / "out") as work:
            (work / GRAPH).write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_no_model_and_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / "out.unfinished"
    left.mkdir()
    (left / GRAPH).write_text("half")
    with unfinished(tmp_path / "out") as work:
        assert list(work.iterdir()) == []
        (work / RECIPE).write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--output", "o"], "--model"),
        (["--model", "m", "--output", "o", "--quantization", "int3"], "--quantization=int3: is unknown"),
        (["--model", "m", "--output", "o", "--block-size", "33"], "--block-size=33"),
        (["--model", "m", "--output", "o", "--head-bits", "5"], "--head-bits=5"),
        (["--model", "m", "--output", "o", "--accuracy-level", "3"], "--accuracy-level=3"),
    ],
)
def test_a_bad_option_is_named(args: list[str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        parse_quantize(args)


def test_the_command_says_what_it_wrote(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_quantize(["--model", str(checkpoint), "--output", str(tmp_path / "out")])
    assert f"{tmp_path / 'out'}: int8, " in capsys.readouterr().err


def test_a_model_that_is_not_there_ends_the_module_in_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest_mcpbench.training.quantize", "--model", "nowhere", "--output", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: nowhere: ")
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_beside_the_adapter_is_the_one_that_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    save_lora(tmp_path / "adapter", checkpoint, r=2, target_modules=["q_proj"])
    tiny_tokenizer(template="{{ messages }}").save_pretrained(tmp_path / "adapter")
    run(tmp_path / "adapter", tmp_path / "out")
    assert (tmp_path / "out" / "chat_template.jinja").read_text() == "{{ messages }}"
