"""Single calls and batches against the clock: a clocked model for the arithmetic, tiny real ones for the wiring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pytest

from pytest_mcpbench.core.latency import WARM_UP_LIMIT
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models import timing
from pytest_mcpbench.models.base import LoadOptions, Model
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.models.onnx_recipe import make_recipe
from pytest_mcpbench.models.peak_memory import PeakMemory
from pytest_mcpbench.models.timing import LatencyMeter, answered_over_time, timed_call
from tests.models.fakes import FakeModel, ask, words
from tests.models.tiny import ask as ask_tiny
from tests.models.tiny import save_tiny
from tests.models.tiny_onnx import exported, save_exportable

SETTINGS = GenerationSettings(max_new_tokens=4, batch_size=2)
READ_S, HELD_S, TOKEN_S = 1.0, 0.25, 0.125


@dataclass
class Clocked(FakeModel):
    """Takes a second to read a prompt, a quarter where one was read before, and an eighth a token; writes four."""

    now_s: float = 0.0
    held: Request | None = None
    asked: list[tuple[str, bool, int]] = field(default_factory=list)
    slower_s: Iterator[float] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.on_token = None

    def clock(self) -> float:
        return self.now_s

    def forget_prefix(self) -> None:
        self.held = None

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        answers = []
        for request in requests:
            assert request != self.held, "a prompt that is held whole is no shared prefix"
            self.asked.append((words(request), self.held is not None, settings.max_new_tokens))
            self.now_s += (READ_S if self.held is None else HELD_S) + next(self.slower_s, 0.0)
            cached = 0 if self.held is None else 30
            self.held = request
            for _ in range(settings.max_new_tokens):
                self.now_s += TOKEN_S
                if self.on_token is not None:
                    self.on_token()
            answers.append(
                Generation(
                    text="x", prompt_tokens=40, cached_prompt_tokens=cached, output_tokens=settings.max_new_tokens
                )
            )
        return answers


def measured(model: Clocked, requests: Sequence[Request], calls: int) -> tuple[timing.TimedCall, ...]:
    meter = LatencyMeter(model, requests, SETTINGS, model.clock)
    for _ in range(calls):
        meter.call(meter.prepare())
    return meter.calls()


def test_a_call_has_the_time_of_its_first_token_and_of_all_of_it() -> None:
    model = Clocked()
    answer = timed_call(model, ask("a"), SETTINGS, model.clock)
    assert (answer.ttft_s, answer.e2e_s) == (READ_S + TOKEN_S, READ_S + 4 * TOKEN_S)
    assert (answer.prompt_tokens, answer.output_tokens) == (40, 4)
    assert model.on_token is None


def test_cold_calls_hold_nothing_and_warm_ones_what_the_prompts_share() -> None:
    model = Clocked()
    calls = measured(model, [ask("a"), ask("b")], 3)
    assert [words(call.request) for call in calls] == ["a", "b", "a"]
    assert [call.generation.ttft_s for call in calls] == [READ_S + TOKEN_S] * 3
    assert [call.generation.cached_prompt_tokens for call in calls] == [0] * 3
    assert [call.warm.ttft_s for call in calls if call.warm] == [HELD_S + TOKEN_S] * 3
    assert [call.warm.cached_prompt_tokens for call in calls if call.warm] == [30] * 3
    assert [call.tpot_s for call in calls] == [TOKEN_S] * 3
    assert model.asked[:4] == [("a", False, 4), ("b", True, 1), ("b", False, 4), ("a", True, 1)]


def test_a_single_prompt_is_warm_behind_another_one() -> None:
    model = Clocked()
    (call, _) = measured(model, [ask("a"), ask("a")], 2)
    assert call.warm is not None
    assert call.warm.cached_prompt_tokens == 30


def test_an_answer_of_one_token_has_no_time_per_further_token() -> None:
    model = Clocked()
    (call,) = measured(model, [ask("a"), ask("b")], 1)
    assert replace(call, generation=replace(call.generation, output_tokens=1)).tpot_s is None


def test_a_warm_up_ends_when_two_medians_agree() -> None:
    model = Clocked(slower_s=iter([3.0] * 5))
    meter = LatencyMeter(model, [ask("a"), ask("b")], SETTINGS, model.clock)
    assert meter.warm_up()
    assert (
        len(meter.warm_up_s) == 13
    )  # of the last ten, the first five hold two slow ones: their median is as the rest's
    assert {words_of for words_of, _, _ in model.asked} == {"a"}
    assert meter.done == 0


def test_a_warm_up_that_never_settles_ends_at_its_limit() -> None:
    model = Clocked(slower_s=iter(1.3**number for number in range(100)))
    meter = LatencyMeter(model, [ask("a")], SETTINGS, model.clock)
    assert not meter.warm_up()
    assert len(meter.warm_up_s) == WARM_UP_LIMIT


def test_a_recording_cannot_be_timed() -> None:
    with pytest.raises(ModelError, match="nothing to time"):
        timed_call(FakeModel(), ask("a"), SETTINGS, lambda: 0.0)


def test_a_batch_is_answered_after_the_other_without_end() -> None:
    model = Clocked()
    parts = list(islice(answered_over_time(model, [ask("a"), ask("b"), ask("c")], SETTINGS, model.clock), 3))
    assert [[words(request) for request, _ in part] for _, part in parts] == [["a", "b"], ["c", "a"], ["b", "c"]]
    assert [at_s for at_s, _ in parts] == sorted(at_s for at_s, _ in parts)


def test_threads_are_those_asked_for_or_the_environments_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert timing.timing_threads(2) == 2
    assert timing.timing_threads(None) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert timing.timing_threads(None) >= 1


def test_the_peak_of_the_process_counts_what_was_held_and_given_back() -> None:
    memory = PeakMemory("cpu", "")
    before = memory.peak_bytes()
    held = bytearray(80_000_000)
    held[::4096] = b"x" * len(held[::4096])
    del held
    after = memory.peak_bytes()
    assert before is not None
    assert after is not None
    assert after - before > 40_000_000
    assert memory.of == "process"


@pytest.fixture(scope="module", params=["hf", "onnx"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "onnx":
        checkpoint, _ = save_exportable(folder / "checkpoint", "llama")
        folder = exported(checkpoint, folder / "onnx", make_recipe("none"))
    else:
        save_tiny(folder)
    model = load_model(resolve(str(folder)), LoadOptions(device="cpu", threads=1))
    yield model
    model.close()


PROMPTS = [ask_tiny("Read a.txt"), ask_tiny("Read the file b.txt"), ask_tiny("What is in c.txt?")]


def test_a_real_model_tells_its_first_token_and_answers_as_untimed(tiny: Model) -> None:
    settings = GenerationSettings(max_new_tokens=6)
    meter = LatencyMeter(tiny, PROMPTS, settings)
    for _ in range(4):
        meter.call(meter.prepare())
    untimed = tiny.generate_batch([PROMPTS[0]], settings)[0].text
    first, *_, last = meter.calls()
    assert [first.generation.text, last.generation.text] == [untimed, untimed]
    for call in meter.calls():
        assert call.warm is not None
        assert 0 < (call.generation.ttft_s or 0) < (call.generation.e2e_s or 0)
        assert call.generation.cached_prompt_tokens == 0
        assert 65 <= call.warm.cached_prompt_tokens < call.warm.prompt_tokens - 4
        assert call.warm.output_tokens == 1


def test_a_real_model_answers_over_time(tiny: Model) -> None:
    settings = GenerationSettings(max_new_tokens=3, batch_size=2)
    parts = list(islice(answered_over_time(tiny, PROMPTS, settings), 5))
    assert sum(len(part) for _, part in parts) >= 5
    for _, part in parts:
        for request, generation in part:
            assert generation.text == tiny.generate_batch([request], settings)[0].text


def test_rows_that_do_not_fit_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), LoadOptions(device="cpu", threads=1))
    assert timing.fits(model, PROMPTS, SETTINGS, 4)
    monkeypatch.setattr(model, "rows_that_fit", lambda longest, shared: 3)
    assert not timing.fits(model, PROMPTS, SETTINGS, 4)
    assert timing.fits(model, PROMPTS, SETTINGS, 1)
