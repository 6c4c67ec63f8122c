from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.cache import GenerationCache
from pytest_mcpbench.models.engine import BatchReport, generate
from tests.models.fakes import FakeModel, ask, words


class OutOfMemoryError(RuntimeError):
    """Named as torch's, which the engine must know without importing torch."""


def run(
    model: FakeModel,
    texts: Sequence[str],
    *,
    batch_size: int = 0,
    cache: GenerationCache | None = None,
    reports: list[BatchReport] | None = None,
) -> dict[str, Generation]:
    ticks = count()
    pairs = generate(
        model,
        [ask(text) for text in texts],
        GenerationSettings(batch_size=batch_size),
        cache=cache,
        on_batch=None if reports is None else reports.append,
        clock=lambda: float(next(ticks)),
    )
    return {words(request): answer for request, answer in pairs}


def test_every_request_is_answered_in_batches_of_like_length() -> None:
    model = FakeModel()
    answers = run(model, ["a", "aaaa", "aa", "aaaaa", "aaa"], batch_size=2)
    assert {text: answer.text for text, answer in answers.items()} == {"a" * n: "A" * n for n in range(1, 6)}
    assert model.batches == [["a"], ["aaaaa", "aaaa"], ["aaa", "aa"]], "what is asked first comes first"


def test_equal_requests_are_generated_once_and_all_answered() -> None:
    model = FakeModel()
    pairs = list(generate(model, [ask("a"), ask("b"), ask("a")], GenerationSettings(), cache=None, on_batch=None))
    assert sorted(words(request) for request, _ in pairs) == ["a", "a", "b"]
    assert sorted(model.batches[0]) == ["a", "b"]


def test_what_the_cache_has_comes_first_and_is_not_generated_again(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    run(FakeModel(), ["b"], cache=cache)
    model, reports = FakeModel(), []
    answers = run(model, ["aaa", "b"], cache=cache, reports=reports)
    assert list(answers) == ["b", "aaa"]
    assert model.batches == [["aaa"]]
    assert reports == [
        BatchReport(done=1, total=2, cached=1, failed=0, output_tokens=0, elapsed_s=1.0),
        BatchReport(done=2, total=2, cached=1, failed=0, output_tokens=2, elapsed_s=2.0),
    ]


def test_each_batch_is_kept_before_the_next_begins(tmp_path: Path) -> None:
    pairs = generate(
        FakeModel(),
        [ask("aaa"), ask("bb"), ask("c")],
        GenerationSettings(batch_size=1),
        cache=GenerationCache(tmp_path),
        on_batch=None,
    )
    next(pairs)
    next(pairs)
    assert GenerationCache(tmp_path).info().entries == 2


def test_a_batch_out_of_memory_is_halved_and_later_ones_are_no_larger() -> None:
    def at_most_two(batch: Sequence[Request]) -> None:
        if len(batch) > 2:
            raise OutOfMemoryError("CUDA")

    model = FakeModel(fails=at_most_two)
    answers = run(model, [f"{n:02}" for n in range(16)], batch_size=8)
    assert {answer.text for answer in answers.values()} == {f"{n:02}" for n in range(16)}
    assert [len(batch) for batch in model.batches] == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    "error", [MemoryError(), OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: out of memory")]
)
def test_one_request_too_large_for_memory_fails_alone(error: Exception) -> None:
    def too_long(batch: Sequence[Request]) -> None:
        if any(len(words(request)) > 5 for request in batch):
            raise error

    model = FakeModel(fails=too_long)
    answers = run(model, ["a" * 9, *"bcdefgh"], batch_size=4)
    failed = {text: answer for text, answer in answers.items() if answer.finish_reason == "error"}
    assert list(failed) == ["a" * 9]
    assert failed["a" * 9].error is not None
    assert failed["a" * 9].error.startswith(type(error).__name__)
    assert len(model.batches[-1]) == 4, "the request that failed alone must not make the others slow"


def test_a_request_that_raises_is_an_answer_with_an_error_and_is_not_cached(tmp_path: Path) -> None:
    def poison(batch: Sequence[Request]) -> None:
        if any(words(request) == "bad" for request in batch):
            raise ValueError("first line\nsecond line " + "x" * 1000)

    reports: list[BatchReport] = []
    cache = GenerationCache(tmp_path)
    answers = run(FakeModel(fails=poison), ["bad", "good", "fine", "nice"], cache=cache, reports=reports)
    assert [text for text, answer in answers.items() if answer.finish_reason == "error"] == ["bad"]
    error = answers["bad"].error
    assert error is not None
    assert error.startswith("ValueError: first line second line x")
    assert len(error) <= 300
    assert answers["good"].text == "GOOD"
    assert (reports[-1].done, reports[-1].failed, cache.info().entries) == (4, 1, 3)


def test_answers_that_are_too_few_are_a_failure_of_the_batch() -> None:
    class Short(FakeModel):
        def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
            return super().generate_batch(requests, settings)[: 1 if len(requests) > 1 else None]

    assert {answer.text for answer in run(Short(), ["a", "b", "c"]).values()} == {"A", "B", "C"}


def test_a_prompt_that_cannot_be_built_is_the_error_of_its_request_only() -> None:
    class Picky(FakeModel):
        def cache_key(self, request: Request, settings: GenerationSettings) -> str:
            if words(request) == "bad":
                raise TypeError("the template wants something else")
            return super().cache_key(request, settings)

        count_tokens = cache_key  # type: ignore[assignment]  # raises likewise

        def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
            for request in requests:
                self.cache_key(request, settings)
            return super().generate_batch(requests, settings)

    answers = run(Picky(), ["bad", "good"])
    assert answers["good"].text == "GOOD"
    assert answers["bad"].error == "TypeError: the template wants something else"


def test_an_interrupt_is_not_taken_for_a_failure_of_the_model() -> None:
    def interrupt(batch: Sequence[Request]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(FakeModel(fails=interrupt), ["a"])


class Sharing(FakeModel):
    """A model whose tokens are letters."""

    def token_ids(self, request: Request) -> Sequence[int]:
        return [ord(letter) for letter in words(request)]


class Streaming(Sharing):
    """Answers two at a time, and breaks when it comes to `breaks_at`, if it has more than `holds` rows."""

    breaks_at = ""
    holds = 0
    error: Exception = ValueError("broken")

    def stream(
        self, requests: Sequence[Request], settings: GenerationSettings, rows: int
    ) -> Iterator[list[tuple[int, Generation]]]:
        self.batches.append([words(request) for request in requests])
        for start in range(0, len(requests), 2):
            pair = list(enumerate(requests))[start : start + 2]
            if rows > self.holds and any(words(request) == self.breaks_at for _, request in pair):
                raise self.error
            yield [(at, Generation(text=words(request).upper())) for at, request in pair]

    def rows_that_fit(self, longest: int, shared: int) -> int:
        return 4


def test_requests_that_share_a_prefix_are_batched_together_and_the_first_asked_comes_first() -> None:
    model, start = Sharing(), "x" * 300
    run(model, ["b1" + start, "a1", "b2" * 200, *(f"b1{start}{n}" for n in range(3)), "a2"], batch_size=8)
    assert model.batches == [[f"b1{start}{n}" for n in range(3)] + ["b1" + start], ["b2" * 200, "a1", "a2"]]


def test_what_a_model_streams_is_handed_on_part_by_part_and_kept(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    pairs = generate(Streaming(), [ask(text) for text in "abcde"], GenerationSettings(), cache=cache, on_batch=None)
    first = next(pairs)
    assert cache.info().entries == 2
    answers = {words(request): answer.text for request, answer in (first, *pairs)}
    assert answers == {letter: letter.upper() for letter in "abcde"}


def test_what_a_broken_stream_left_is_answered_in_batches() -> None:
    model = Streaming()
    model.breaks_at = "c"
    answers = run(model, list("abcdefg"))
    assert {text: answer.text for text, answer in answers.items()} == {letter: letter.upper() for letter in "abcdefg"}
    assert model.batches == [list("abcdefg"), ["c", "d"], ["e", "f", "g"]]


def test_a_stream_out_of_memory_goes_on_with_fewer_rows() -> None:
    model = Streaming()
    model.breaks_at, model.holds, model.error = "c", 1, MemoryError()
    answers = run(model, list("abcde"))
    assert sorted(answer.text for answer in answers.values()) == list("ABCDE")
    assert model.batches == [list("abcde"), list("cde"), list("cde")]


@pytest.mark.parametrize(
    ("device", "dtype", "size"),
    [("cuda:1", "bfloat16", 64), ("cpu", "int8", 64), ("cpu", "float32", 128), ("", "", 150), ("tpu", "", 32)],
)
def test_the_size_of_a_batch_suits_the_device(device: str, dtype: str, size: int) -> None:
    model = FakeModel(device=device)
    model.info = replace(model.info, dtype=dtype)
    run(model, [str(n) for n in range(150)])
    assert max(map(len, model.batches)) == size
