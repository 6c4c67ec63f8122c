"""Fixtures for a project's own tests: the models of the command line, ready to be asked."""

from collections.abc import Iterator, Sequence

import pytest

from pytest_mcpbench.core.case import Message, Tool
from pytest_mcpbench.core.formats import ParseResult
from pytest_mcpbench.core.plan import Generation, request_of
from pytest_mcpbench.models.answers import Answers
from pytest_mcpbench.startup import session_of


class BenchModel:
    """A model of the command line. Answers are greedy and come from the run's cache where they are known."""

    def __init__(self, answers: Answers, tools: tuple[Tool, ...]) -> None:
        self.label = answers.label
        self.tools = tools
        self._answers = answers

    def generate(self, prompts: str | Sequence[str]) -> list[Generation]:
        """One generation for each prompt, in their order; the prompts are generated together."""
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        requests = [request_of([Message(role="user", content=text)], self.tools) for text in texts]
        self._answers.plan(requests)
        return [self._answers.get(request) for request in requests]

    def call(self, prompt: str) -> ParseResult:
        """What the model's answer to the prompt holds: no attempt, an unreadable one, or calls."""
        text = self.generate(prompt)[0].text
        return self._answers.parse(text, self.tools)


def mcp_model_labels(config: pytest.Config) -> list[object]:
    """The labels of the models given; one skipped parameter where there are none."""
    bench = session_of(config)
    if bench is None or not bench.labels:
        return [pytest.param("", marks=pytest.mark.skip(reason="no model: pass --mcp-model=PATH"))]
    return list(bench.labels)


@pytest.fixture(scope="session")
def mcp_model(request: pytest.FixtureRequest) -> Iterator[BenchModel]:
    """Each model that was given with `--mcp-model`, one after the other."""
    yield from _model(request, request.param)


@pytest.fixture(scope="session")
def base_model(request: pytest.FixtureRequest) -> Iterator[BenchModel]:
    """The model labelled `base`; the test skips if none was given."""
    yield from _model(request, "base")


@pytest.fixture(scope="session")
def finetuned_model(request: pytest.FixtureRequest) -> Iterator[BenchModel]:
    """The model labelled `finetuned`; the test skips if none was given."""
    yield from _model(request, "finetuned")


@pytest.fixture(scope="session")
def int8_model(request: pytest.FixtureRequest) -> Iterator[BenchModel]:
    """The model labelled `int8`; the test skips if none was given."""
    yield from _model(request, "int8")


@pytest.fixture(scope="session")
def int4_model(request: pytest.FixtureRequest) -> Iterator[BenchModel]:
    """The model labelled `int4`; the test skips if none was given."""
    yield from _model(request, "int4")


def _model(request: pytest.FixtureRequest, label: str) -> Iterator[BenchModel]:
    bench = session_of(request.config)
    if bench is None or label not in bench.labels:
        pytest.skip(f"no model labelled {label!r}: pass --mcp-model={label}=PATH")
    answers = bench.new_answers(label, keep_model=True)
    yield BenchModel(answers, bench.offered_tools)
    answers.close()
