from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

from pytest_mcpbench.core.plan import GenerationSettings  # behind the importorskip
from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models import demo, onnx_folder
from pytest_mcpbench.models.load import first_use_notes, load_model, resolve
from pytest_mcpbench.training.quantize import parse_quantize, quantize
from tests.models.tiny import ask, save_adapter
from tests.models.tiny_onnx import CPU, save_exportable, tiny_exportable

pytestmark = pytest.mark.filterwarnings("ignore:Could not find a config file in demo:UserWarning")


@pytest.fixture(autouse=True)
def demo_made_of_tiny_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, with a tiny base in it; the adapter lies beside."""
    monkeypatch.setenv("MCPBENCH_CACHE", str(tmp_path / "cache"))
    base, _ = save_exportable(tmp_path / "cache" / "models" / demo.base_folder().name, "gemma3")
    monkeypatch.setattr(demo, "SHA256", {"config.json": "0"})
    base.rename(demo.base_folder())
    adapter = save_adapter(tmp_path / "adapter", "demo:base", model=tiny_exportable("gemma3"))
    monkeypatch.setattr(demo, "adapter_folder", lambda: adapter)
    return tmp_path / "cache"


def made() -> list[str]:
    return sorted(path.name for path in demo.base_folder().parent.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", demo.QUANTIZED)
def test_a_quantized_demo_model_is_made_once_and_then_kept(name: str) -> None:
    source = resolve(f"demo:{name}")
    assert "once" in first_use_notes(source)[0]
    model = load_model(source, CPU)
    assert (model.info.kind, model.info.dtype, source.default_label) == ("demo", name, name)
    assert model.generate_batch([ask("read a")], GenerationSettings(max_new_tokens=3))[0].output_tokens == 3
    folder = demo.quantized_folder(name)
    stamp = (folder / "model.onnx").stat().st_mtime_ns
    load_model(source, CPU)
    assert (folder / "model.onnx").stat().st_mtime_ns == stamp
    assert first_use_notes(source) == ()
    assert made() == sorted([demo.base_folder().name, folder.name])
    entry = next(entry for entry in demo.entries() if entry.spec == f"demo:{name}")
    assert entry.size_bytes == model.info.size_bytes


def test_another_adapter_makes_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = demo.quantized_folder("int8")
    other = save_adapter(tmp_path / "other", "demo:base", model=tiny_exportable("gemma3"))
    (other / "adapter_config.json").write_text((other / "adapter_config.json").read_text() + "\n")
    monkeypatch.setattr(demo, "adapter_folder", lambda: other)
    assert demo.quantized_folder("int8") != before
    assert demo.quantized_folder("int8") != demo.quantized_folder("int4")


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    source = resolve("demo:int8")
    monkeypatch.setattr(onnx_folder, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(MissingExtraError, match="demo:int8: exporting needs onnx"):
        load_model(source, CPU)
    assert made() == [demo.base_folder().name]


def test_a_quantized_demo_model_is_not_quantized_again(tmp_path: Path) -> None:
    flags = parse_quantize(["--model", "demo:int8", "--output", str(tmp_path / "out")])
    with pytest.raises(ModelError, match="is quantized already"):
        quantize(flags, lambda done, total: None)
    assert made() == [demo.base_folder().name]
