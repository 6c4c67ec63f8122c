import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models import load, null
from pytest_mcpbench.models.base import LoadOptions, Source
from pytest_mcpbench.models.folder import check_safetensors, fingerprint, trained
from pytest_mcpbench.models.load import default_label, list_models, load_model, pick_format, resolve
from pytest_mcpbench.models.prompt import PromptStyle
from tests.models.bad_folders import BAD_FOLDERS, adapter, checkpoint, pickled, tensors

MESSAGES = dict(
    line.split("\t") for line in Path(__file__).with_name("bad_folders.txt").read_text(encoding="utf-8").splitlines()
)


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_a_folder_that_cannot_be_a_model_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    BAD_FOLDERS[name](folder)
    with pytest.raises(ModelError) as caught:
        resolve(str(folder))
    assert str(caught.value) == MESSAGES[name].format(f=folder)


FORMS = "FOLDER, ORG/NAME, demo:base|finetuned|int8|int4, replay:FILE[#LABEL], null:silent|first-tool|echo"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("/nowhere/model", f"/nowhere/model: no such folder; a model is one of {FORMS}"),
        ("", f"a model's name is empty; it is one of {FORMS}"),
        ("mode", f"mode: no such folder; a model is one of {FORMS}"),
        ("out/finetuned", f"out/finetuned: no such folder; a model is one of {FORMS}"),
        ("ftp:somewhere", f"ftp:somewhere: no such folder; a model is one of {FORMS}"),
        ("run.json", "run.json: is a file; give the folder of a model, or replay:run.json for recorded answers"),
        ("null:loud", "null:loud: no such null model (known: silent, first-tool, echo)"),
        ("demo:huge", "demo:huge: no such demo model (known: base, finetuned, int8, int4)"),
    ],
)
def test_a_spec_that_names_nothing_is_refused_with_what_could_be_meant(
    spec: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        resolve(spec)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("missing", "build", "message"),
    [
        ("torch", checkpoint, "{f}: needs torch: pip install 'pytest-mcpbench[hf]'"),
        ("peft", adapter, "{f}: needs peft: pip install 'pytest-mcpbench[hf]'"),
        ("onnxruntime", None, "{f}: needs onnxruntime: pip install 'pytest-mcpbench[onnx]'"),
    ],
)
def test_a_model_whose_extra_is_not_installed_says_what_to_install(
    missing: str, build: Callable[[Path], Path] | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(tmp_path / "base")
    folder = tmp_path / "given"
    if build is None:
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"")
    else:
        build(folder)
    monkeypatch.setattr(load, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingExtraError) as caught:
        resolve(str(folder))
    assert str(caught.value) == message.format(f=folder)


def test_an_adapters_base_is_the_one_given_or_the_one_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, other = checkpoint(tmp_path / "base"), checkpoint(tmp_path / "other")
    beside = resolve(str(adapter(tmp_path / "beside", "../base")))
    assert beside.base is not None
    assert beside.base.path is not None
    assert beside.base.path.resolve() == base
    assert (beside.kind, beside.default_label) == ("adapter", "finetuned")
    named = resolve(str(adapter(tmp_path / "named", str(base))), base=str(other))
    assert named.base is not None
    assert named.base.path == other
    hub = resolve(str(adapter(tmp_path / "hub", "some-org/Some-Model.7B")))
    assert hub.base is not None
    assert (hub.base.kind, hub.base.spec) == ("hub", "some-org/Some-Model.7B")
    monkeypatch.chdir(tmp_path)
    assert resolve("named", base="other").base is not None


def test_labels_are_what_the_folder_is(tmp_path: Path) -> None:
    (tmp_path / "export-int8").mkdir()
    (tmp_path / "export-int8" / "model.onnx").touch()
    (tmp_path / "out" / "onnx").mkdir(parents=True)
    (tmp_path / "out" / "onnx" / "model_int4.onnx").touch()
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "model.onnx").touch()
    checkpoint(tmp_path / "base")
    (checkpoint(tmp_path / "trained") / "mcpbench_training.json").write_text("{}")
    adapter(tmp_path / "lora")
    labels = {
        "demo:base": "base",
        "demo:finetuned": "finetuned",
        "org/name": "base",
        "null:first-tool": "null-first-tool",
        "replay:x.jsonl": "replay",
        "replay:x.json#int8": "int8",
        str(tmp_path / "base"): "model",
        str(tmp_path / "trained"): "finetuned",
        str(tmp_path / "lora"): "finetuned",
        str(tmp_path / "export-int8"): "int8",
        str(tmp_path / "out"): "int4",
        str(tmp_path / "graph"): "onnx",
        "/nowhere/at/all": "model",
    }
    assert {spec: default_label(spec) for spec in labels} == labels


def test_a_hub_id_is_taken_as_one_and_is_a_base() -> None:
    source = resolve("some-org/Some-Model.7B")
    assert (source.kind, source.default_label, source.path) == ("hub", "base", None)


def test_a_hub_model_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr(hub, "snapshot_download", fail)
    with pytest.raises(
        ModelError, match=r"^a/b: is no folder here and could not be had from the hub \(OSError: no network\)"
    ):
        load_model(resolve("a/b"), LoadOptions())


def test_a_hub_model_is_looked_at_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    pickled(tmp_path / "snapshot")
    asked: dict[str, object] = {}

    def snapshot(name: str, **kwargs: object) -> str:
        asked.update(kwargs)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(ModelError, match="safetensors only"):
        load_model(resolve("a/b"), LoadOptions())
    assert not any(".bin" in pattern or ".py" in pattern for pattern in asked["allow_patterns"])  # type: ignore[attr-defined]


def test_whole_files_pass(tmp_path: Path) -> None:
    tensors(tmp_path / "x.safetensors")
    check_safetensors(tmp_path / "x.safetensors")
    tensors(tmp_path / "new.safetensors", header={"a": {"dtype": "NEW", "shape": [5], "data_offsets": [0, 32]}})
    check_safetensors(tmp_path / "new.safetensors")


def test_a_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(one, base="another")
    for left in ("trainer_state.json", "mcpbench_training.json", "training_report.json"):
        (two / left).write_text("{}")
    assert fingerprint(one) == fingerprint(two)
    (two / "tokenizer.json").write_text("{}")
    assert fingerprint(one) != fingerprint(two)


def test_loading_collects_no_garbage_but_making_a_model_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def made(source: Source, options: LoadOptions) -> Source:
        seen.append(gc.isenabled())
        return source

    def loaded(source: Source, options: LoadOptions) -> null.NullModel:
        seen.append(gc.isenabled())
        return null.NullModel("silent", PromptStyle(fmt=get_format("native")))

    monkeypatch.setattr(load, "on_disk", made)
    monkeypatch.setattr(pytest.importorskip("pytest_mcpbench.models.hf"), "load", loaded)
    load_model(Source(spec="here", kind="checkpoint", default_label="here"), LoadOptions())
    assert [*seen, gc.isenabled()] == [True, False, True]


def test_training_rows_are_known_where_training_left_them(tmp_path: Path) -> None:
    assert trained(tmp_path).rows == ()
    (tmp_path / "mcpbench_training.json").write_text('{"rows": {"1": "x", "2": "y"}}')
    assert trained(tmp_path).rows == ("x", "y")


def test_the_format_is_the_named_one_and_native_by_default() -> None:
    assert pick_format("auto").name == "native"
    assert pick_format("hermes").name == "hermes"


def test_the_list_of_models_names_every_demo_and_null_model() -> None:
    specs = [entry.spec for entry in list_models()]
    assert specs[:4] == ["demo:base", "demo:finetuned", "demo:int8", "demo:int4"]
    assert {"null:silent", "null:first-tool", "null:echo", "FOLDER"} <= set(specs)


def test_looking_at_models_loads_nothing_heavy(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "lora", str(checkpoint(tmp_path / "base")))
    code = (
        "import sys; from pytest_mcpbench.models.load import *; import pytest_mcpbench.models.engine;"
        f"resolve({str(folder)!r}); list_models(); load_model(resolve('null:echo'), LoadOptions());"
        "print({'torch', 'transformers', 'peft', 'onnxruntime', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
