"""Answers alone and together, of tiny models that are computed."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

from pytest_mcpbench.core.plan import GenerationSettings  # behind the importorskip
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.models.onnx_recipe import make_recipe
from pytest_mcpbench.models.verify import verify_batching
from tests.models.tiny import ask, save_tiny
from tests.models.tiny_onnx import CPU, exported, save_exportable

SETTINGS = GenerationSettings(max_new_tokens=12)
TEXTS = ["Read setup.py", "Read README.md and say what it is for, in a sentence", "x", "find all TODOs in src"]
REQUESTS = [ask(text) for text in TEXTS]


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_model_of_pytorch_answers_alike(family: str, tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path / family, family))), CPU)
    check = verify_batching(model, REQUESTS, SETTINGS)
    assert (check.n, check.differences, check.note) == (4, (), "")


@pytest.mark.parametrize(
    ("name", "note"), [("int8", ""), ("int4", ""), ("int8-dynamic", "not batch-invariant: each prompt runs alone")]
)
def test_a_quantized_model_answers_alike_and_one_that_could_not_says_that_it_runs_alone(
    name: str, note: str, tmp_path: Path
) -> None:
    folder, _ = save_exportable(tmp_path / "checkpoint", "phi3")
    model = load_model(resolve(str(exported(folder, tmp_path / "out", make_recipe(name)))), CPU)
    check = verify_batching(model, REQUESTS, SETTINGS)
    assert (check.n, check.differences, check.note) == (4, (), note)


def test_what_is_forced_to_run_alone_would_be_caught_in_a_batch(tmp_path: Path) -> None:
    folder, _ = save_exportable(tmp_path / "checkpoint", "phi3")
    model = load_model(resolve(str(exported(folder, tmp_path / "out", make_recipe("int8-dynamic")))), CPU)
    model._dynamic = False  # type: ignore[attr-defined]  # as if it were run like the others
    assert verify_batching(model, REQUESTS, SETTINGS).differences
