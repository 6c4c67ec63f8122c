"""Folders that optimum and onnxruntime's quantizers wrote, held to what PyTorch writes."""

from collections.abc import Iterable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("optimum.exporters.onnx", reason="needs the extra onnx")

import onnx  # behind the importorskip
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from optimum.exporters.onnx import main_export

from pytest_mcpbench.core.plan import Generation, GenerationSettings
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.models.onnx_facts import graph_facts
from pytest_mcpbench.models.onnx_foreign import ForeignDecoder, read_graph
from pytest_mcpbench.models.onnx_format import GRAPH, RECIPE
from pytest_mcpbench.models.onnx_recipe import make_recipe
from pytest_mcpbench.models.onnx_session import SessionOptions, open_session
from tests.models.tiny import ask
from tests.models.tiny_onnx import CPU, exported, reference, save_exportable, tokens, written

LENGTHS = (1, 30, 7, 7, 25)
COUNTS = (9, 2, 12, 5, 12)

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the exporters' own
]


@pytest.fixture(scope="module", params=["gemma3", "phi3", "qwen3"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Path]:
    """A model, its checkpoint, and what optimum makes of it.

    gemma3 has windows and a graph that takes no positions; phi3 is of Phi-4's shape.
    """
    checkpoint, model = save_exportable(tmp_path_factory.mktemp("checkpoint"), request.param)
    folder = tmp_path_factory.mktemp("optimum")
    main_export(str(checkpoint), output=str(folder), task="text-generation-with-past", do_validation=False)
    return model, checkpoint, folder


def open_foreign(folder: Path) -> ForeignDecoder:
    facts = graph_facts(folder)
    return ForeignDecoder(read_graph(open_session(facts.path, SessionOptions(threads=1)), "x"), alone=facts.alone)


def test_prompts_of_any_length_behind_a_prefix_get_what_pytorch_writes(both: tuple[Any, Path, Path]) -> None:
    model, _, folder = both
    shared = tokens(9, 40)
    prompts = [shared + tokens(seed, length) for seed, length in enumerate(LENGTHS)]
    expected = [reference(model, prompt, count) for prompt, count in zip(prompts, COUNTS, strict=True)]
    decoder = open_foreign(folder)
    assert written(decoder, prompts, COUNTS) == expected
    assert written(decoder, prompts[2:3], COUNTS[2:3]) == expected[2:3]


def test_what_the_next_prompt_shares_is_not_read_again(both: tuple[Any, Path, Path]) -> None:
    _, _, folder = both
    decoder, shared = open_foreign(folder), tokens(9, 40)
    assert decoder.decode([shared + tokens(1, 5)], 3, lambda row, token: True) == 0
    assert decoder.decode([shared + tokens(2, 5)], 3, lambda row, token: True) == 40
    assert decoder.decode([shared + tokens(n, 5) for n in (3, 4)], 3, lambda row, token: True) == 40
    decoder.forget()
    assert decoder.decode([shared + tokens(2, 5)], 3, lambda row, token: True) == 0


def test_a_long_prompt_is_read_in_pieces_and_says_the_same(
    both: tuple[Any, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, folder = both
    prompts = [tokens(seed, length) for seed, length in enumerate((50, 31))]
    whole = written(open_foreign(folder), prompts, (6, 6))
    monkeypatch.setattr("pytest_mcpbench.models.onnx_foreign._LOGIT_BYTES", 4 * 259 * 7)
    assert written(open_foreign(folder), prompts, (6, 6)) == whole


def test_answers_equal_those_of_the_checkpoint(both: tuple[Any, Path, Path]) -> None:
    _, checkpoint, folder = both
    requests = [ask("read " + "x" * length) for length in (3, 40, 3)]
    settings = GenerationSettings(max_new_tokens=12)
    ours, theirs = (load_model(resolve(str(path)), CPU) for path in (folder, checkpoint))
    assert said(ours.generate_batch(requests, settings)) == said(theirs.generate_batch(requests, settings))
    assert ours.info.weights is not None
    assert (ours.info.dtype, ours.info.weights.bits) == ("float32", 32)


def said(generations: Iterable[Generation]) -> list[tuple[str, str, int]]:
    return [(each.text, each.finish_reason, each.output_tokens) for each in generations]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkpoint, _ = save_exportable(tmp_path_factory.mktemp("checkpoint"), "llama")
    folder = tmp_path_factory.mktemp("optimum")
    main_export(str(checkpoint), output=str(folder), task="text-generation-with-past", do_validation=False)
    return folder


@pytest.mark.parametrize(("bits", "block", "symmetric"), [(8, 32, True), (4, 16, False)])
def test_onnxruntimes_blocks_are_known_by_their_bits(
    bits: int, block: int, symmetric: bool, llama: Path, tmp_path: Path
) -> None:
    folder = Path(copytree(llama, tmp_path / "out"))
    quantizer = MatMulNBitsQuantizer(
        onnx.load(str(folder / GRAPH)), bits=bits, block_size=block, is_symmetric=symmetric
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(folder / GRAPH))
    model = load_model(resolve(str(folder)), CPU)
    weights = model.info.weights
    assert weights is not None
    assert (weights.dtype, weights.bits, weights.block_size) == (f"int{bits}", bits, block)
    assert (weights.scale_bits, weights.zero_points) == (32, not symmetric)
    assert model.info.size_bytes == (folder / GRAPH).stat().st_size
    requests = [ask("read " + "x" * length) for length in (3, 40, 9)]
    settings = GenerationSettings(max_new_tokens=8)
    alone = [model.generate_batch([request], settings)[0] for request in requests]
    assert said(model.generate_batch(requests, settings)) == said(alone)


def test_dynamic_scales_run_each_prompt_alone_and_whole(llama: Path, tmp_path: Path) -> None:
    folder = Path(copytree(llama, tmp_path / "out"))
    quantize_dynamic(llama / GRAPH, folder / GRAPH)
    model = load_model(resolve(str(folder)), CPU)
    assert model.info.dtype == "int8-dynamic"
    assert model.info.notes == ("not batch-invariant: each prompt runs alone",)
    answers = model.generate_batch([ask("read a"), ask("read b")], GenerationSettings(max_new_tokens=4))
    assert [answer.cached_prompt_tokens for answer in answers] == [0, 0]


def broken(folder: Path, change: Any) -> str:
    change(folder)
    with pytest.raises(ModelError) as caught:
        load_model(resolve(str(folder)), CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def garbage(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"no graph at all")


def two_graphs(folder: Path) -> None:
    (folder / "a.onnx").write_bytes((folder / GRAPH).read_bytes())
    (folder / GRAPH).rename(folder / "b.onnx")


def in_a_folder(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / GRAPH).rename(folder / "onnx" / GRAPH)


def changed(folder: Path, change: Any) -> None:
    model = onnx.load(str(folder / GRAPH))
    change(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def without_caches(folder: Path) -> None:
    x = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["b", "s"])
    y = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.INT64, ["b", "s"])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["input_ids"], ["logits"])], "g", [x], [y])
    opset = onnx.helper.make_opsetid("", 21)
    (folder / GRAPH).write_bytes(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    )


def data_elsewhere(folder: Path) -> None:
    model = onnx.load(str(folder / GRAPH))
    onnx.save_model(model, str(folder / GRAPH), save_as_external_data=True, location="weights.data", size_threshold=0)
    (folder / "weights.data").unlink()


def more_inputs(folder: Path) -> None:
    value = onnx.helper.make_tensor_value_info("encoder_hidden_states", onnx.TensorProto.FLOAT, [1])
    changed(folder, lambda model: model.graph.input.append(value))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (garbage, "could not be loaded"),
        (two_graphs, "holds several graphs (a.onnx, b.onnx); rename the one to use to model.onnx"),
        (in_a_folder, "copy one of them to"),
        (without_caches, "is no decoder with caches (has no attention_mask)"),
        (data_elsewhere, "weights are in 'weights.data', which is not in the folder"),
        (more_inputs, "is no decoder with caches (takes encoder_hidden_states)"),
    ],
    ids=["garbage", "two graphs", "in a folder", "without caches", "data elsewhere", "more inputs"],
)
def test_a_graph_that_cannot_be_used_is_one_line(change: Any, says: str, llama: Path, tmp_path: Path) -> None:
    assert says in broken(Path(copytree(llama, tmp_path / "out")), change)


def test_weights_that_lie_outside_the_folder_are_not_read(llama: Path, tmp_path: Path) -> None:
    def outside(folder: Path) -> None:
        (folder.parent / "w.data").write_bytes(b"\0" * 1024)
        data_elsewhere(folder)
        model = onnx.load(str(folder / GRAPH), load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = "../w.data"
        (folder / GRAPH).write_bytes(model.SerializeToString())

    assert "'../w.data'" in broken(Path(copytree(llama, tmp_path / "out")), outside)


def test_a_graph_of_our_own_that_lost_its_record_is_unfinished(tmp_path: Path) -> None:
    checkpoint, _ = save_exportable(tmp_path / "checkpoint", "llama")
    folder = exported(checkpoint, tmp_path / "out", make_recipe("none"))
    (folder / RECIPE).unlink()
    assert "run mcpbench quantize" in broken(folder, lambda path: None)
