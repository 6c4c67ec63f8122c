import hashlib
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.case import Message
from pytest_mcpbench.core.plan import GenerationSettings, request_of
from pytest_mcpbench.errors import MissingExtraError, ModelError
from pytest_mcpbench.models import demo
from pytest_mcpbench.models.base import LoadOptions, Source
from pytest_mcpbench.models.demo import adapter_folder, base_folder, entries, is_made, materialise, terms_notice
from pytest_mcpbench.models.gemma_gguf import _config, _merges, _tokenizer, _write_json
from pytest_mcpbench.models.load import first_use_notes, load_model, resolve

ITALY = "The capital of France is Paris. The capital of Germany is Berlin. The capital of Italy is"


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCPBENCH_CACHE", str(tmp_path))
    return tmp_path


def make_empty() -> None:
    base_folder().mkdir(parents=True)
    for name in demo.SHA256:
        (base_folder() / name).touch()


def test_without_the_package_the_demo_model_says_what_to_install(
    no_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"demo:base: needs the demo model's package: pip install 'pytest-mcpbench\[demo\]'"
    ):
        resolve("demo:base")
    monkeypatch.setattr(demo, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(MissingExtraError, match="demo:base: needs"):
        materialise()
    assert [path.suffix for path in (no_cache / "models").iterdir()] == [".lock"], "nothing half-made is left"


def test_what_is_made_already_needs_no_package(no_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    make_empty()
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert resolve("demo:base").default_label == "base"
    assert materialise() == base_folder()


def test_what_is_not_there_yet_says_so(no_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_empty()
    monkeypatch.setattr(demo, "ADAPTER", "not-there")
    with pytest.raises(
        ModelError, match="demo:finetuned: this installation ships no trained adapter yet; demo:base is available"
    ):
        resolve("demo:finetuned")
    with pytest.raises(ModelError, match="demo:int8: this installation ships no trained adapter yet"):
        resolve("demo:int8")


def test_a_package_with_other_bytes_is_refused_and_leaves_nothing(
    no_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Package:
        @staticmethod
        def chunk_paths() -> list[Path]:
            chunk = no_cache / "chunk"
            chunk.write_bytes(b"GGUF, or not")
            return [chunk]

    monkeypatch.setattr(demo, "import_module", lambda name: Package)
    left = no_cache / "models" / f"{demo.FOLDER}.making-by-a-killed-run"
    left.mkdir(parents=True)
    with pytest.raises(
        ModelError, match=r"model.gguf has the sha256 [0-9a-f]{12}…, not a5fd3b62230a…; install the demo model again"
    ):
        materialise()
    assert [path.suffix for path in (no_cache / "models").iterdir()] == [".lock"]
    assert not is_made()


def test_a_cache_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCPBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be written .*; set MCPBENCH_CACHE to a folder with 1 GB free"):
        materialise()


def test_the_list_says_what_is_there(no_cache: Path) -> None:
    assert [entry.spec for entry in entries()] == ["demo:base", "demo:finetuned", "demo:int8", "demo:int4"]
    assert all(entry.size_bytes == 0 for entry in entries())
    make_empty()
    (base_folder() / "model.safetensors").write_bytes(b"123")
    assert entries()[0].size_bytes == 3


def test_terms_and_the_wait_are_told_before_the_first_use_only(no_cache: Path) -> None:
    source = Source(spec="demo:base", kind="demo", default_label="base")
    terms, wait = first_use_notes(source)
    assert terms == terms_notice()
    assert "Gemma Terms of Use (ai.google.dev/gemma/terms)" in terms
    assert str(no_cache) in wait
    make_empty()
    assert first_use_notes(source) == ()
    assert first_use_notes(resolve("null:echo")) == ()


def test_the_adapter_is_looked_for_among_the_fixtures() -> None:
    assert adapter_folder().parent.name == "models"
    assert adapter_folder().parent.parent.name == "fixtures"


def test_merges_are_every_split_into_pieces_the_best_piece_first() -> None:
    tokens = ["<s>", "a", "b", "ab", "abb", "bb", "<0x0A>", "<s>a"]
    scores = [0.0, -9.0, -9.0, -2.0, -3.0, -1.0, 0.0, 0.0]
    kinds = [3, 1, 1, 1, 1, 1, 6, 4]
    assert _merges(tokens, scores, kinds) == [["b", "b"], ["a", "b"], ["a", "bb"], ["ab", "b"]]


FIELDS: dict[str, Any] = {
    "gemma3.rope.freq_base": 1e6,
    "gemma3.block_count": 7,
    "gemma3.attention.layer_norm_rms_epsilon": 9.999999974752427e-07,
    **{f"gemma3.{name}": 8 for name in ("embedding_length", "feed_forward_length", "context_length")},
    **{f"gemma3.attention.{name}": 8 for name in ("head_count", "head_count_kv", "key_length", "sliding_window")},
    "tokenizer.ggml.tokens": ["<pad>", "<eos>", "<bos>", "<unk>", "  ", "\u2581", "a", "\u2581a", "<0xC3>", "<0xA9>"],
    "tokenizer.ggml.scores": [0.0] * 7 + [-1.0] + [0.0] * 2,
    "tokenizer.ggml.token_type": [3, 3, 3, 3, 4, 1, 1, 1, 6, 6],
    **{f"tokenizer.ggml.{name}_token_id": at for at, name in enumerate(("padding", "eos", "bos", "unknown"))},
}


def test_rotary_settings_are_where_either_line_of_transformers_looks() -> None:
    config = _config(FIELDS)
    assert config["rope_theta"] == config["rope_parameters"]["full_attention"]["rope_theta"] == 1e6
    assert config["rope_local_base_freq"] == config["rope_parameters"]["sliding_attention"]["rope_theta"] == 1e4
    assert config["layer_types"] == ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"]


def test_a_tokenizer_made_of_a_gguf_falls_back_to_bytes_and_keeps_spaces(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    import json  # noqa: PLC0415

    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(_tokenizer(FIELDS)))
    encoded = tokenizer.encode("a a  aé")
    assert encoded.tokens == ["<bos>", "a", "\u2581a", "  ", "a", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(encoded.ids) == "a a  aé"


@pytest.fixture(scope="module")
def gemma_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model's tokenizer: the one that is made already, else one made now without the weights."""
    if is_made():
        return base_folder() / "tokenizer.json"
    package = pytest.importorskip(demo.PACKAGE, reason="needs the extra demo")
    gguf = pytest.importorskip("gguf", reason="needs the extra demo")
    folder = tmp_path_factory.mktemp("gguf")
    fields = gguf.GGUFReader(package.assemble(folder / "x.gguf")).fields
    _write_json(folder / "tokenizer.json", _tokenizer({name: fields[name].contents() for name in fields}))
    (folder / "x.gguf").unlink()
    return folder / "tokenizer.json"


def test_the_demo_models_tokenizer_cuts_words_where_gemma_does(gemma_tokenizer: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    assert hashlib.sha256(gemma_tokenizer.read_bytes()).hexdigest() == demo.SHA256["tokenizer.json"]
    tokenizer = tokenizers.Tokenizer.from_file(str(gemma_tokenizer))
    text = "The capital of France is Paris."
    assert tokenizer.encode(text).tokens == [
        "<bos>",
        "The",
        *(f"\u2581{w}" for w in ["capital", "of", "France", "is", "Paris"]),
        ".",
    ]
    odd = "def f(x):\n\n    return 'a  b' # é 🙂 \x00"
    assert tokenizer.decode(tokenizer.encode(odd).ids) == odd


@pytest.mark.slow
def test_the_demo_model_is_made_as_pinned_and_knows_romes_country() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip(demo.PACKAGE, reason="needs the extra demo")
    folder = materialise()
    for name, expected in demo.SHA256.items():
        with (folder / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == expected
    model: Any = load_model(resolve("demo:base"), LoadOptions(device="cpu"))
    ids = torch.tensor([model._tokenizer(ITALY)["input_ids"]])
    with torch.inference_mode():
        logits = model._model(ids).logits[0, -1]
    assert model._tokenizer.decode([int(logits.argmax())]) == " Rome"
    answer = model.generate_batch(
        [request_of([Message(role="user", content="hi")], [])], GenerationSettings(max_new_tokens=3)
    )
    assert answer[0].output_tokens in (1, 2, 3)


@pytest.mark.slow
def test_the_demo_models_weights_are_those_that_transformers_reads_from_the_gguf(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip(demo.PACKAGE, reason="needs the extra demo").assemble(tmp_path / "x.gguf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="x.gguf", dtype=torch.float32)
    ours = transformers.AutoModelForCausalLM.from_pretrained(materialise(), dtype=torch.bfloat16)
    expected = {name: tensor.bfloat16() for name, tensor in theirs.state_dict().items()}
    assert expected.keys() == ours.state_dict().keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())
