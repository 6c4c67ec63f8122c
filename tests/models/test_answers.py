import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.case import Message, Tool
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, request_of
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models import answers as answers_module
from pytest_mcpbench.models.answers import Answers
from pytest_mcpbench.models.base import LoadOptions, ModelInfo, Source
from pytest_mcpbench.models.engine import BatchReport

SOURCE = Source(spec="fake:one", kind="checkpoint", default_label="fake")
TOOLS = (Tool(name="read"),)


class Fake:
    """A model that shouts, and notes what it was asked."""

    cacheable = True
    style: Any = None

    def __init__(self) -> None:
        self.info = ModelInfo(spec="fake:one", kind="checkpoint", fingerprint="f", trained_on=("a", "b"), device="cpu")
        self.asked: list[str] = []
        self.batches: list[int] = []
        self.closed = 0

    def count_tokens(self, request: Request) -> int:
        return 0

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        return request.key

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        self.batches.append(len(requests))
        self.asked += [request.messages[-1].content for request in requests]
        return [
            Generation(text=request.messages[-1].content.upper() + "\ud800", output_tokens=1) for request in requests
        ]

    def close(self) -> None:
        self.closed += 1


class Loader:
    """Counts how often a model is loaded, and keeps each."""

    def __init__(self) -> None:
        self.models: list[Fake] = []
        self.error: ModelError | None = None
        self.tries = 0

    def __call__(self, source: Source, options: LoadOptions) -> Fake:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.models.append(Fake())
        return self.models[-1]

    @property
    def asked(self) -> list[str]:
        return [word for model in self.models for word in model.asked]


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    found = Loader()
    monkeypatch.setattr(answers_module, "load_model", found)
    return found


def ask(word: str, case_id: str = "") -> Request:
    found = request_of([Message(role="user", content=word)], TOOLS)
    return Request(key=found.key, messages=found.messages, tools=found.tools, case_id=case_id)


def make(**options: Any) -> Answers:
    settings = options.pop("settings", GenerationSettings(batch_size=2))
    return Answers(label="fake", source=SOURCE, load=LoadOptions(), settings=settings, **options)


WORDS = ["one", "two", "three", "four", "five"]
PLAN = [ask(word, f"case-{word}") for word in WORDS]


def test_nothing_is_loaded_before_the_first_answer_is_asked_for(loader: Loader) -> None:
    answers = make()
    answers.plan(PLAN)
    assert answers.made(PLAN) == [False] * 5
    assert answers.info is None
    assert loader.tries == 0


def test_answers_come_in_batches_as_far_as_they_are_asked_for_and_the_model_goes_with_the_last(loader: Loader) -> None:
    answers = make()
    answers.plan(PLAN)
    assert answers.get(PLAN[0]).text == "ONE\ud800"
    (model,) = loader.models
    assert (model.asked, model.closed) == (WORDS[:2], 0)
    assert [answers.get(request).text for request in PLAN] == [f"{word.upper()}\ud800" for word in WORDS]
    assert (model.batches, model.closed) == ([2, 2, 1], 1)
    assert answers.made(PLAN) == [True] * 5
    assert answers.info is model.info


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 2, 0, 4, 1, 3]])
def test_the_order_of_asking_changes_neither_answers_nor_count(loader: Loader, order: list[int]) -> None:
    answers = make()
    answers.plan(PLAN)
    assert [answers.get(PLAN[i]).text for i in order] == [f"{WORDS[i].upper()}\ud800" for i in order]
    assert sorted(loader.asked) == sorted(WORDS)


def test_what_was_not_planned_is_answered_all_the_same(loader: Loader) -> None:
    answers = make()
    assert answers.get(ask("six")).text == "SIX\ud800"
    assert answers.get(ask("seven")).text == "SEVEN\ud800"
    assert loader.tries == 2
    assert [model.closed for model in loader.models] == [1, 1]


def test_a_kept_model_stays_until_it_is_closed(loader: Loader) -> None:
    answers = make(keep_model=True)
    assert [answers.get(ask(word)).text for word in ("six", "seven", "six")] == [
        "SIX\ud800",
        "SEVEN\ud800",
        "SIX\ud800",
    ]
    (model,) = loader.models
    assert (model.asked, model.closed) == (["six", "seven"], 0)
    answers.close()
    answers.close()
    assert model.closed == 1
    assert answers.get(ask("six")).text == "SIX\ud800"


def test_more_may_be_planned_while_answers_are_under_way(loader: Loader) -> None:
    answers = make()
    answers.plan(PLAN)
    answers.get(PLAN[0])
    answers.plan([ask("six")])
    assert answers.get(ask("six")).text == "SIX\ud800"
    assert sorted(loader.asked) == sorted([*WORDS, "six"])


def test_two_cases_that_ask_the_same_are_generated_once_and_both_answered(loader: Loader) -> None:
    twins = [ask("one", "a"), ask("one", "b")]
    answers = make()
    answers.plan(twins)
    assert [answers.get(twin).text for twin in twins] == ["ONE\ud800"] * 2
    assert loader.asked == ["one"]


def test_a_model_that_cannot_be_loaded_is_tried_once_and_says_so_each_time(loader: Loader) -> None:
    loader.error = ModelError("fake:one: is broken")
    answers = make()
    answers.plan(PLAN)
    for request in PLAN:
        with pytest.raises(ModelError, match="fake:one: is broken"):
            answers.get(request)
    assert loader.tries == 1
    assert answers.made(PLAN) == [False] * 5


def test_the_cache_of_an_earlier_run_saves_generating(loader: Loader, tmp_path: Path) -> None:
    for _ in range(2):
        answers = make(cache_path=tmp_path / "cache")
        answers.plan(PLAN)
        assert [answers.get(request).text for request in PLAN] == [f"{word.upper()}\ud800" for word in WORDS]
    assert loader.asked == WORDS


def test_a_run_that_was_stopped_goes_on_where_it_was(loader: Loader, tmp_path: Path) -> None:
    first = make(cache_path=tmp_path / "cache")
    first.plan(PLAN)
    first.get(PLAN[0])
    first.close()
    assert first.made(PLAN) == [True, False, False, False, False]
    second = make(cache_path=tmp_path / "cache")
    second.plan(PLAN)
    for request in PLAN:
        second.get(request)
    assert loader.asked == WORDS


def test_a_cache_that_cannot_be_used_is_told_and_costs_no_answer(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    answers = make(cache_path=tmp_path / "cache")
    answers.plan(PLAN)
    assert answers.get(PLAN[4]).text == "FIVE\ud800"
    answers.close()
    (told,) = answers.problems
    assert "the cache cannot be used" in told


def test_progress_names_the_label_and_ends_with_all_of_them(loader: Loader) -> None:
    seen: list[tuple[str, BatchReport]] = []
    answers = make(on_batch=lambda label, batch: seen.append((label, batch)))
    answers.plan(PLAN)
    answers.get(PLAN[4])
    assert [(label, batch.done, batch.total) for label, batch in seen] == [("fake", n, 5) for n in (2, 4, 5)]


def test_processes_share_what_one_of_them_generated(loader: Loader, tmp_path: Path) -> None:
    first, second, third = (make(shared=tmp_path) for _ in range(3))
    first.plan(PLAN)
    second.plan(PLAN)
    assert first.get(PLAN[3]).text == "FOUR\ud800"
    assert loader.asked == WORDS
    assert [second.get(request) for request in PLAN] == [first.get(request) for request in PLAN]
    assert third.made(PLAN) == [True] * 5
    assert third.info == second.info == first.info
    assert loader.tries == 1


def test_processes_that_ask_at_once_generate_once(loader: Loader, tmp_path: Path) -> None:
    both = [make(shared=tmp_path) for _ in range(2)]
    found: list[list[str]] = []

    def run(answers: Answers) -> None:
        answers.plan(PLAN)
        found.append([answers.get(request).text for request in PLAN])

    threads = [threading.Thread(target=run, args=(answers,)) for answers in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == [[f"{word.upper()}\ud800" for word in WORDS]] * 2
    assert sorted(loader.asked) == sorted(WORDS)


def test_what_processes_share_is_plain_json_without_leftovers(loader: Loader, tmp_path: Path) -> None:
    answers = make(shared=tmp_path)
    answers.plan(PLAN)
    answers.get(PLAN[0])
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".lock"}
    data = json.loads((tmp_path / "fake.json").read_text(encoding="ascii"))
    assert len(data["answers"]) == 5
    assert data["info"]["spec"] == "fake:one"


def test_a_process_that_asks_for_more_adds_to_what_is_shared(loader: Loader, tmp_path: Path) -> None:
    first, second = make(shared=tmp_path), make(shared=tmp_path)
    first.plan(PLAN[:2])
    first.get(PLAN[0])
    second.plan(PLAN)
    second.get(PLAN[4])
    assert sorted(loader.asked) == sorted(WORDS)
    assert first.made(PLAN) == [True] * 5


def test_an_answer_is_parsed_in_the_models_own_format(loader: Loader) -> None:
    answers = make()
    answers.get(ask("one"))
    assert answers.parse("<tool_use>read()</tool_use>", TOOLS).calls[0].name == "read"
