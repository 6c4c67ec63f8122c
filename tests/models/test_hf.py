from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.core.formats import get_format  # noqa: E402  # behind the importorskip
from pytest_mcpbench.core.plan import GenerationSettings  # noqa: E402
from pytest_mcpbench.errors import ModelError  # noqa: E402
from pytest_mcpbench.models.base import LoadOptions, ModelInfo  # noqa: E402
from pytest_mcpbench.models.hf import HFModel  # noqa: E402
from pytest_mcpbench.models.load import load_model, resolve  # noqa: E402
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt, encode_prompt  # noqa: E402
from pytest_mcpbench.models.stops import Row, end_tokens  # noqa: E402
from tests.models.tiny import FAMILIES, ask, save_adapter, save_tiny, tiny_model, tiny_tokenizer  # noqa: E402

CPU = LoadOptions(device="cpu")
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}<assistant>"
REQUESTS = [ask("read " + "x" * length) for length in (1, 60, 7, 25)]


class Script:
    """Stands for a model: writes a fixed text, whatever it reads."""

    def __init__(self, tokenizer: Any, text: str) -> None:
        self.generation_config = self.config = self
        self.device = "cpu"
        self.eos_token_id = 1
        self.seen: dict[str, Any] = {}
        self._ids = tokenizer(text, add_special_tokens=False)["input_ids"] + [1]

    def get_text_config(self) -> "Script":
        return self

    def generate(self, input_ids: Any, max_new_tokens: int, stopping_criteria: Any, **kwargs: Any) -> Any:
        self.seen = {"input_ids": input_ids, **kwargs}
        for token in self._ids[:max_new_tokens]:
            input_ids = torch.cat([input_ids, torch.full((len(input_ids), 1), token)], dim=1)
            if stopping_criteria(input_ids, None).all():
                break
        return SimpleNamespace(sequences=input_ids, past_key_values=None)


def scripted(text: str, **tokenizer: Any) -> tuple[HFModel, Script]:
    made = tiny_tokenizer(**tokenizer)
    script = Script(made, text)
    info = ModelInfo(spec="script", kind="checkpoint", fingerprint="0", device="cpu")
    return HFModel(script, made, PromptStyle(fmt=get_format("native"), tokenizer=made), info), script


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_does_not_depend_on_what_else_is_in_its_batch(family: str, tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path, family))), CPU)
    settings = GenerationSettings(max_new_tokens=30)
    together = model.generate_batch(REQUESTS, settings)
    alone = [model.generate_batch([request], settings)[0] for request in REQUESTS]
    assert together == alone
    assert together[0].cached_prompt_tokens > 100, "what the prompts share is computed once"
    assert len({answer.text for answer in together}) > 1, "random weights that say one thing would prove nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_other_builds_answer_the_same_through_generate(family: str, tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path, family))), CPU)
    assert isinstance(model, HFModel)
    settings = GenerationSettings(max_new_tokens=30)
    ours = model.generate_batch(REQUESTS, settings)
    model._decoder = None
    theirs = model.generate_batch(REQUESTS, settings)
    assert {answer.cached_prompt_tokens for answer in theirs} == {0}
    assert [replace(answer, cached_prompt_tokens=0) for answer in ours] == theirs
    assert [at for part in model.stream(REQUESTS, settings, 3) for at, _ in part] == [0, 1, 2, 3]


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_go_on_when_others_have_stopped_say_what_they_would_alone(family: str, tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path, family))), CPU)
    assert isinstance(model, HFModel)
    model._ends = frozenset(range(0, 259, 16))
    settings = GenerationSettings(max_new_tokens=40)
    requests = [ask("read " + "x" * length) for length in range(1, 40, 4)]
    together = model.generate_batch(requests, settings)
    assert together == [model.generate_batch([request], settings)[0] for request in requests]
    assert len({answer.output_tokens for answer in together}) > 3, "rows that all end together would prove nothing"


def test_a_cache_whose_rows_cannot_be_picked_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), CPU)
    assert isinstance(model, HFModel)
    model._decoder = None
    model._ends = frozenset(range(0, 259, 16))
    settings = GenerationSettings(max_new_tokens=40)
    expected = model.generate_batch(REQUESTS, settings)
    monkeypatch.setattr("pytest_mcpbench.models.hf_generate._rows_of", lambda cache, rows: None)
    assert model.generate_batch(REQUESTS, settings) == expected


def test_a_key_costs_no_tokenizing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), CPU)
    assert isinstance(model, HFModel)
    monkeypatch.setattr(model, "_tokenizer", None)
    keys = {model.cache_key(request, GenerationSettings()) for request in REQUESTS}
    assert len(keys) == len(REQUESTS)


def test_answers_come_as_their_rows_end(tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), CPU)
    assert isinstance(model, HFModel)
    model._ends = frozenset(range(0, 259, 16))
    settings = GenerationSettings(max_new_tokens=40)
    requests = [ask("read " + "x" * length) for length in range(1, 40, 3)]
    parts = list(model.stream(requests, settings, 4))
    assert len(parts) > 4
    answers = dict(pair for part in parts for pair in part)
    assert [answers[at] for at in range(len(requests))] == model.generate_batch(requests, settings)


def test_an_answer_is_what_the_model_alone_would_write(tmp_path: Path) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), CPU)
    plain, tokenizer = tiny_model().eval(), tiny_tokenizer()
    for request in REQUESTS:
        ids = encode_prompt(tokenizer, build_prompt(request, model.style))
        written: list[int] = []
        while len(written) < 20 and 1 not in written:
            with torch.inference_mode():
                logits = plain(torch.tensor([ids + written])).logits[:, -1, :]  # (1, V)
            written.append(int(logits.argmax()))
        answer = model.generate_batch([request], GenerationSettings(max_new_tokens=20))[0]
        assert answer.text == tokenizer.decode([token for token in written if token != 1])
        assert (answer.prompt_tokens, answer.output_tokens) == (len(ids), len(written))


def test_a_models_own_sampling_settings_are_not_used(tmp_path: Path) -> None:
    greedy = load_model(resolve(str(save_tiny(tmp_path / "greedy"))), CPU)
    model = tiny_model()
    model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=9.0, max_length=3)
    model.save_pretrained(tmp_path / "sampling")
    tiny_tokenizer().save_pretrained(tmp_path / "sampling")
    sampling = load_model(resolve(str(tmp_path / "sampling")), CPU)
    settings = GenerationSettings(max_new_tokens=20)
    assert sampling.generate_batch(REQUESTS, settings) == greedy.generate_batch(REQUESTS, settings)


def test_an_adapter_answers_as_its_unmerged_self_and_not_as_its_base(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")

    base = save_tiny(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapter", str(base))
    (adapter / "mcpbench_training.json").write_text('{"rows": {"1": "a", "2": "b"}}')
    merged = load_model(resolve(str(adapter)), CPU)
    plain = load_model(resolve(str(base)), CPU)
    settings = GenerationSettings(max_new_tokens=20)
    unmerged = HFModel(
        peft.PeftModel.from_pretrained(tiny_model(), adapter).eval(), tiny_tokenizer(), plain.style, plain.info
    )
    answers = merged.generate_batch(REQUESTS, settings)
    assert [a.text for a in answers] == [a.text for a in unmerged.generate_batch(REQUESTS, settings)]
    assert answers != plain.generate_batch(REQUESTS, settings)
    assert merged.info.fingerprint != plain.info.fingerprint
    assert merged.info.trained_on == ("a", "b")
    assert merged.info.kind == "adapter"
    assert "peft" in merged.info.backend


def test_the_facts_about_a_model_are_those_of_its_files(tmp_path: Path) -> None:
    info = load_model(resolve(str(save_tiny(tmp_path))), CPU).info
    assert info.size_bytes == (tmp_path / "model.safetensors").stat().st_size
    assert info.parameters == sum(parameter.numel() for parameter in tiny_model().parameters())
    assert (info.device, info.dtype, info.format) == ("cpu", "float32", "native")
    before = info.fingerprint
    (tmp_path / "README.md").write_text("words")
    assert load_model(resolve(str(tmp_path)), CPU).info.fingerprint == before
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE)
    assert load_model(resolve(str(tmp_path)), CPU).info.fingerprint != before


def test_weights_that_are_missing_are_refused_and_not_made_up(tmp_path: Path) -> None:
    weights = tiny_model().state_dict()
    del weights["model.layers.1.mlp.up_proj.weight"]
    tiny_model().save_pretrained(tmp_path, state_dict=weights)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"its weights lack 1 tensors \(model.layers.1.mlp.up_proj.weight\)"):
        load_model(resolve(str(tmp_path)), CPU)


def test_an_adapter_of_another_model_is_refused_in_one_line(tmp_path: Path) -> None:
    base = save_tiny(tmp_path / "base", "phi3")
    adapter = save_adapter(tmp_path / "adapter", str(base))
    with pytest.raises(ModelError, match="could not be loaded") as caught:
        load_model(resolve(str(adapter)), CPU)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(CPU, device="cuda:9"), "--mcp-device=cuda:9: "),
        (replace(CPU, device="abacus"), "--mcp-device=abacus: "),
        (replace(CPU, dtype="int3"), "--mcp-dtype=int3: is unknown"),
    ],
)
def test_a_device_or_dtype_that_is_not_there_is_named(options: LoadOptions, message: str, tmp_path: Path) -> None:
    if options.device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelError, match=message):
        load_model(resolve(str(save_tiny(tmp_path))), options)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no tokenizer"):
        load_model(resolve(str(tmp_path)), CPU)


def test_only_ids_and_mask_are_passed_and_the_padding_is_on_the_left() -> None:
    model, script = scripted("hello")
    model.generate_batch(REQUESTS[:2], GenerationSettings(max_new_tokens=3))
    assert not {"token_type_ids", "position_ids"} & set(script.seen)
    mask = script.seen["attention_mask"]
    assert mask[0].tolist() == sorted(mask[0].tolist())
    assert int(mask[0].sum()) == model.count_tokens(REQUESTS[0])
    assert bool(mask[1].all())


def test_an_answer_ends_behind_its_calls_and_says_so() -> None:
    call = "<tool_use>read(path='a')</tool_use>"
    model, _ = scripted(f"{call}\nand then a long story that nobody asked for")
    answer = model.generate_batch([ask("a")], GenerationSettings(max_new_tokens=150))[0]
    assert answer.text.startswith(call)
    assert (answer.finish_reason, answer.output_tokens) == ("stop", len(call) + 2)


def test_an_answer_of_two_calls_is_not_cut_between_them() -> None:
    calls = "<tool_use>read(path='a')</tool_use>\n<tool_use>read(path='b')</tool_use>"
    model, _ = scripted(calls)
    answer = model.generate_batch([ask("a")], GenerationSettings(max_new_tokens=150))[0]
    assert (answer.text, answer.finish_reason, answer.output_tokens) == (calls, "stop", len(calls) + 1)


def test_an_answer_is_cut_where_the_model_invents_the_next_turn() -> None:
    model, _ = scripted("No tool.\nUser: and now?")
    answer = model.generate_batch([ask("a")], GenerationSettings(max_new_tokens=150))[0]
    assert (answer.text, answer.finish_reason) == ("No tool.", "stop")
    assert answer.output_tokens == len("No tool.\nUser:")


def test_an_answer_at_the_token_limit_is_cut_and_not_stopped() -> None:
    model, _ = scripted("abcdef")
    answer = model.generate_batch([ask("a")], GenerationSettings(max_new_tokens=6))[0]
    assert (answer.text, answer.finish_reason, answer.output_tokens) == ("abcdef", "length", 6)
    answer = model.generate_batch([ask("a")], GenerationSettings(max_new_tokens=7))[0]
    assert (answer.text, answer.finish_reason, answer.output_tokens) == ("abcdef", "stop", 7)


def test_the_end_of_a_turn_in_the_template_ends_an_answer() -> None:
    model, _ = scripted("fine<|im_end|>and more", template=TEMPLATE)
    answer = model.generate_batch([ask("a")], GenerationSettings())[0]
    assert (answer.text, answer.output_tokens) == ("fine", 5)
    model, _ = scripted("fine<|im_end|>and more")
    assert model.generate_batch([ask("a")], GenerationSettings())[0].text == "fine<|im_end|>and more"


def test_characters_of_several_tokens_arrive_whole() -> None:
    tokenizer = tiny_tokenizer()
    row = Row(tokenizer, get_format("native"), frozenset({1}), ("é!",))
    for token in tokenizer("🙂 né!", add_special_tokens=False)["input_ids"]:
        assert not row.stopped
        row.push(token)
    assert row.stopped
    assert row.text() == "🙂 n"


def test_every_declared_end_of_text_counts() -> None:
    model, tokenizer = tiny_model(), tiny_tokenizer(template=TEMPLATE)
    model.generation_config.eos_token_id = [1, 7]
    model.config.eos_token_id = 9
    assert end_tokens(model, tokenizer) == {1, 7, 9, 2}
    channelled = tiny_tokenizer(template=TEMPLATE + "<|channel|>")
    assert end_tokens(model, channelled) == {1, 7, 9}
