"""Answers alone and together, of models that mix their rows."""

from collections.abc import Sequence

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.verify import verify_batching
from tests.models.fakes import FakeModel, words
from tests.models.fakes import ask as say

SETTINGS = GenerationSettings(max_new_tokens=12)


class MixingModel(FakeModel):
    """Answers every request but the first of a batch as if it were another one."""

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        answers = super().generate_batch(requests, settings)
        return [answers[0], *(Generation(text=answer.text + "!") for answer in answers[1:])]


class ForgetfulModel(FakeModel):
    """Its second answer in a row depends on the first, unless it is told to forget."""

    warm = False

    def forget_prefix(self) -> None:
        self.warm = False

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        answers = [
            Generation(text=words(request) + ("!" if self.warm or at else "")) for at, request in enumerate(requests)
        ]
        self.warm = True
        return answers


def test_a_model_that_answers_alike_has_no_differences_and_is_asked_alone_and_together() -> None:
    model = FakeModel()
    check = verify_batching(model, [say(text) for text in "abcd"], SETTINGS)
    assert (check.n, check.differences, check.note) == (4, (), "")
    assert [len(batch) for batch in model.batches] == [1, 1, 1, 1, 4]


def test_a_model_that_mixes_its_rows_is_caught() -> None:
    requests = [say(text) for text in "abcd"]
    check = verify_batching(MixingModel(), requests, SETTINGS)
    assert len(check.differences) == 3
    assert {(each.alone, each.together) for each in check.differences} <= {(c.upper(), f"{c.upper()}!") for c in "abcd"}


def test_what_is_answered_alone_knows_nothing_of_the_one_before() -> None:
    check = verify_batching(ForgetfulModel(), [say(text) for text in "abc"], SETTINGS)
    assert {each.alone for each in check.differences} <= set("abc")
    assert len(check.differences) == 2


def test_a_request_that_fails_only_in_a_batch_is_halved_as_in_a_run() -> None:
    def fails(batch: Sequence[Request]) -> None:
        if len(batch) > 1:
            raise RuntimeError("out of memory")

    assert verify_batching(FakeModel(fails=fails), [say(text) for text in "abc"], SETTINGS).differences == ()


def test_batches_of_one_and_models_that_compute_nothing_are_said_to_be_alike_by_nature() -> None:
    one = GenerationSettings(batch_size=1)
    assert verify_batching(FakeModel(), [say("a")], one).note == "batches of 1"
    assert verify_batching(FakeModel(device=""), [say("a")], SETTINGS).note == "its answers are not computed"
