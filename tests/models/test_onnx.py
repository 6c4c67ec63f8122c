from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="needs the extra onnx")

from pytest_mcpbench.core.plan import Generation, GenerationSettings  # noqa: E402  # behind the importorskip
from pytest_mcpbench.errors import ModelError  # noqa: E402
from pytest_mcpbench.models import memory, onnx_session  # noqa: E402
from pytest_mcpbench.models.base import Source  # noqa: E402
from pytest_mcpbench.models.engine import generate  # noqa: E402
from pytest_mcpbench.models.load import load_model, resolve  # noqa: E402
from pytest_mcpbench.models.onnx import OnnxModel  # noqa: E402
from pytest_mcpbench.models.onnx_blocks import dequantize_blocks, quantize_blocks  # noqa: E402
from pytest_mcpbench.models.onnx_format import DATA, GRAPH, RECIPE  # noqa: E402
from pytest_mcpbench.models.onnx_recipe import make_recipe  # noqa: E402
from pytest_mcpbench.models.onnx_session import (  # noqa: E402
    Cache,
    Decoder,
    Graph,
    SessionOptions,
    Step,
    open_graph,
)
from tests.models.tiny import ask  # noqa: E402
from tests.models.tiny_onnx import (  # noqa: E402
    CONFIGS,
    CPU,
    exported,
    reference,
    save_exportable,
    tokens,
    written,
)

FLOAT = make_recipe("none")
FAMILIES = sorted(CONFIGS)
LENGTHS = (1, 60, 7, 25)
SETTINGS = GenerationSettings(max_new_tokens=12)


def open_decoder(folder: Path) -> Decoder:
    return Decoder(open_graph(folder, SessionOptions(threads=1)))


@pytest.fixture(scope="session", params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model, and the folder with its float32 graph."""
    folder, model = save_exportable(tmp_path_factory.mktemp("checkpoint"), request.param)
    return model, exported(folder, folder / "onnx-float", FLOAT)


def round_weights(model: Any, recipe: Any) -> None:
    """Give the model the weights that the recipe makes of its own."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim != 2 or any(part in name for part in recipe.keep):
                continue
            ends = "embed_tokens" in name or "lm_head" in name
            eight = "qkv_proj" in recipe.eight and any(part in name for part in ("q_proj", "k_proj", "v_proj", "qkv"))
            blocks = quantize_blocks(
                parameter.numpy(),
                bits=recipe.head_bits if ends else 8 if eight else recipe.bits,
                block_size=recipe.head_block_size if ends else recipe.block_size,
                symmetric=recipe.symmetric or ends,
            )
            parameter.copy_(torch.from_numpy(dequantize_blocks(blocks, parameter.shape[1])))


def test_logits_equal_pytorchs(both: tuple[Any, Path]) -> None:
    model, folder = both
    ids = tokens(0, 40)
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    found = open_decoder(folder).logits(ids)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_batch_with_padding_and_a_shared_prefix_writes_what_pytorch_writes(both: tuple[Any, Path]) -> None:
    model, folder = both
    shared = tokens(1, 70)
    prompts = [shared + tokens(seed, n) for seed, n in enumerate((1, 13, 5), start=2)]
    expected = [reference(model, prompt, 10) for prompt in prompts]
    assert written(open_decoder(folder), prompts, [10, 10, 10]) == expected


def test_rows_that_end_early_leave_the_others_as_they_were(both: tuple[Any, Path]) -> None:
    model, folder = both
    prompts = [tokens(seed, 4 + 3 * seed) for seed in range(4)]
    lengths = [1, 9, 4, 6]
    expected = [reference(model, prompt, n) for prompt, n in zip(prompts, lengths, strict=True)]
    assert written(open_decoder(folder), prompts, lengths) == expected


def test_a_prefix_is_computed_once_and_what_follows_is_not_changed_by_it(both: tuple[Any, Path]) -> None:
    model, folder = both
    decoder, shared = open_decoder(folder), tokens(5, 80)
    prompts = [shared + tokens(seed, 6) for seed in range(6, 9)]
    found, reused = [], []
    for prompt in prompts:
        rows: list[int] = []
        reused.append(decoder.decode([prompt], 5, lambda _, token, rows=rows: rows.append(token) is None))
        found.append(rows)
    assert reused == [0, 80, 80]
    assert found == [reference(model, prompt, 5) for prompt in prompts]
    # The same prompt again: its last tokens are computed again, since their logits are needed.
    assert decoder.decode([prompts[-1]], 1, lambda row, token: True) == len(prompts[-1]) - 2
    decoder.forget()
    assert decoder.decode([prompts[-1]], 1, lambda row, token: True) == 0


def test_a_cache_that_has_to_grow_keeps_what_it_holds(both: tuple[Any, Path]) -> None:
    model, folder = both
    decoder, start = open_decoder(folder), tokens(9, 250)
    longer = start + tokens(10, 40)
    assert written(decoder, [start], [2]) == [reference(model, start, 2)]
    assert written(decoder, [longer], [3]) == [reference(model, longer, 3)]


def last_logits(graph: Graph, ids: Sequence[int], cuts: Sequence[int]) -> Any:
    """The logits behind the ids, which are read in pieces that end at the cuts."""
    cache, at = Cache(graph, 1, len(ids)), 0
    for end in [*cuts, len(ids)]:
        step = Step(graph, cache, rows=1, chunk=end - at)
        step.ids[0], step.chunk_lengths[0], step.last[0], step.at[0] = ids[at:end], end - at, end - 1, end - at - 1
        step.run()
        at = end
    return step.logits[0, 0].copy()


@pytest.mark.parametrize("quantization", ["none", "int8", "int4"])
def test_reusing_a_prefix_changes_not_a_bit(quantization: str, tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "gemma3")
    folder = exported(checkpoint, tmp_path / "out", make_recipe(quantization))
    graph, ids = open_graph(folder, SessionOptions(threads=1)), tokens(0, 300)
    whole = last_logits(graph, ids, [])
    for cuts in ([65], [70], [128], [129], [150], [257], [298], [90, 180, 270]):
        assert (last_logits(graph, ids, cuts) == whole).all(), cuts


def test_a_long_prompt_is_read_in_pieces_and_says_the_same(
    both: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, folder = both
    prompts = [tokens(seed, n) for seed, n in enumerate((200, 66, 131, 132))]
    expected = [reference(model, prompt, 3) for prompt in prompts]
    monkeypatch.setattr(onnx_session, "_SCORES_BYTES", 1)
    assert written(open_decoder(folder), prompts, [3] * 4) == expected


@pytest.mark.parametrize(("length", "pieces"), [(10, [10]), (130, [65, 65]), (131, [65, 66]), (140, [65, 65, 10])])
def test_pieces_cover_a_chunk_and_none_is_a_single_token(
    length: int, pieces: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_session, "_SCORES_BYTES", 1)
    assert [end - at for at, end in onnx_session._pieces(length, length)] == pieces


def test_fewer_rows_fit_where_memory_is_short_and_a_batch_is_as_large_as_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, network = save_exportable(tmp_path / "checkpoint", "qwen3")
    model = load_model(resolve(str(exported(checkpoint, tmp_path / "out", FLOAT))), CPU)
    assert isinstance(model, OnnxModel)
    assert isinstance(model._decoder, Decoder)
    cache = Cache(model._decoder._graph, 1, 200)
    held = sum(array.nbytes for array in cache.arrays.values())
    assert held <= memory.row_bytes(network.config, 200, 4)
    assert model.rows_that_fit(200, 150) > 100
    (tmp_path / "meminfo").write_text(f"MemAvailable: {14 * held // 1024} kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    fitting = model.rows_that_fit(200, 150)
    assert 1 < fitting <= 7
    assert model.rows_that_fit(400, 150) < fitting
    sizes: list[int] = []
    whole = model.generate_batch

    def noted(requests: Sequence[Any], settings: GenerationSettings) -> list[Generation]:
        sizes.append(len(requests))
        return whole(requests, settings)

    monkeypatch.setattr(model, "generate_batch", noted)
    requests = [ask(f"read {number:02}") for number in range(12)]
    most = model.rows_that_fit(model.count_tokens(requests[0]) + SETTINGS.max_new_tokens, 0)
    assert len(list(generate(model, requests, SETTINGS, cache=None, on_batch=None))) == 12
    assert max(sizes) == most < 12


def answers(model: Any, requests: Sequence[Any]) -> list[Generation]:
    return [replace(answer, cached_prompt_tokens=0) for answer in model.generate_batch(requests, SETTINGS)]


@pytest.mark.parametrize("quantization", ["none", "int8", "int4", "int8-dynamic"])
def test_an_answer_does_not_depend_on_what_else_is_in_its_batch(quantization: str, tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "mistral")
    folder = exported(checkpoint, tmp_path / "out", make_recipe(quantization))
    model = load_model(resolve(str(folder)), CPU)
    requests = [ask("read " + "x" * length) for length in LENGTHS]
    together = answers(model, requests)
    assert together == [answers(model, [request])[0] for request in requests]
    assert len({answer.text for answer in together}) > 1


def test_answers_equal_those_of_the_checkpoint(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "phi3")
    folder = exported(checkpoint, tmp_path / "out", FLOAT)
    requests = [ask("read " + "x" * length) for length in LENGTHS]
    ours, theirs = (load_model(resolve(str(path)), CPU) for path in (folder, checkpoint))
    assert answers(ours, requests) == answers(theirs, requests)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_quantized_logits_equal_pytorchs_with_the_same_rounded_weights(
    name: str, quantization: str, tmp_path: Path
) -> None:
    checkpoint, model = save_exportable(tmp_path / "checkpoint", name)
    recipe = make_recipe(quantization, accuracy_level=1)
    folder = exported(checkpoint, tmp_path / "out", recipe)
    round_weights(model, recipe)
    ids = tokens(3, 30)
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    found = open_decoder(folder).logits(ids)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    "recipe",
    [
        make_recipe("int8-dynamic"),
        make_recipe("int4", head_bits=4, block_size=64),
        make_recipe("int4", symmetric=True, eight=(), accuracy_level=1),
        make_recipe("int8", symmetric=False, keep=("down_proj",), accuracy_level=1),
        make_recipe("int8", block_size=128, accuracy_level=0),
    ],
    ids=[
        "dynamic",
        "4-bit head",
        "4 bits throughout, symmetric",
        "8 bits, zero points, some kept",
        "blocks wider than a row",
    ],
)
def test_every_recipe_runs(recipe: Any, tmp_path: Path) -> None:
    checkpoint, model = save_exportable(tmp_path / "checkpoint", "qwen3")
    decoder, ids = open_decoder(exported(checkpoint, tmp_path / "out", recipe)), tokens(3, 30)
    if not recipe.dynamic:
        round_weights(model, recipe)
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    # Activations in 8 bits move the logits by some hundredths.
    allowed = 1e-4 if recipe.accuracy_level == 1 else 0.1
    found = decoder.logits(ids)
    assert np.linalg.norm(found - expected) <= allowed * np.linalg.norm(expected)


def test_a_tied_embedding_is_stored_once(tmp_path: Path) -> None:
    checkpoint, model = save_exportable(tmp_path / "checkpoint", "gemma3")
    folder = exported(checkpoint, tmp_path / "out", FLOAT)
    values = sum(parameter.numel() for parameter in model.parameters())
    # A weight begins at a page of the file.
    assert (folder / DATA).stat().st_size < values * 4 + 4096 * 40


def test_facts_about_the_model(tmp_path: Path) -> None:
    checkpoint, model = save_exportable(tmp_path / "checkpoint", "llama")
    folder = exported(checkpoint, tmp_path / "out", make_recipe("int4"))
    source = resolve(str(folder))
    info = load_model(source, CPU).info
    assert (source.kind, source.default_label, info.dtype, info.device) == ("onnx", "int4", "int4", "cpu")
    assert info.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert info.size_bytes == (folder / GRAPH).stat().st_size + (folder / DATA).stat().st_size


def test_the_same_export_has_the_same_fingerprint(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    folders = [exported(checkpoint, tmp_path / name, make_recipe("int8")) for name in "ab"]
    one, other = (load_model(resolve(str(folder)), CPU).info.fingerprint for folder in folders)
    assert one == other


@pytest.mark.parametrize(
    ("device", "says"),
    [("mps", "ONNX models run on auto, cpu, cuda"), ("cuda", "CUDAExecutionProvider is not in this onnxruntime")],
)
def test_a_device_that_is_not_there_is_named(device: str, says: str, tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    folder = exported(checkpoint, tmp_path / "out", FLOAT)
    with pytest.raises(ModelError, match=says):
        load_model(resolve(str(folder)), replace(CPU, device=device))


def test_a_folder_without_its_recipe_is_unfinished(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    folder = exported(checkpoint, tmp_path / "out", FLOAT)
    (folder / RECIPE).unlink()
    with pytest.raises(ModelError, match="run mcpbench quantize"):
        load_model(resolve(str(folder)), CPU)


def test_a_graph_that_is_cut_off_is_one_line(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    folder = exported(checkpoint, tmp_path / "out", FLOAT)
    graph = folder / GRAPH
    graph.write_bytes(graph.read_bytes()[:-100])
    with pytest.raises(ModelError, match="could not be loaded") as caught:
        load_model(resolve(str(folder)), CPU)
    assert "\n" not in str(caught.value)


def test_a_graph_of_somebody_else_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [onnx.helper.make_tensor_value_info("y", 1, [1])])
    opset = onnx.helper.make_opsetid("", 21)
    (tmp_path / GRAPH).write_bytes(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    )
    with pytest.raises(ModelError, match="not of mcpbench's making"):
        open_graph(tmp_path, SessionOptions())


def test_a_prompt_that_does_not_fit_is_an_error_of_its_own(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    decoder = open_decoder(exported(checkpoint, tmp_path / "out", FLOAT))
    with pytest.raises(ModelError, match="do not fit into the graph's 512 positions"):
        decoder.decode([tokens(0, 510)], 10, lambda row, token: True)


def test_an_export_needs_a_checkpoint(tmp_path: Path) -> None:
    from pytest_mcpbench.models.onnx_export import plan_export  # noqa: PLC0415  # behind the importorskip

    source = Source(spec="x", kind="onnx", default_label="onnx", path=tmp_path)
    with pytest.raises(ModelError, match="quantized already"):
        plan_export(source, FLOAT)
