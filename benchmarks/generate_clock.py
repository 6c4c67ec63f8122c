"""A pytest plugin: how long a run's models take to load and to generate. Loaded by overhead.py, with `-p`.

Writes the seconds of load and generate, and those of the processor, to the file that $GENERATE_CLOCK names. With
$GENERATE_CLOCK_ANSWER, every answer is that text at once, so that a cache can be filled without a model's time.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.models import answers
from pytest_mcpbench.models.base import Model

SECONDS = {"load_s": 0.0, "generate_s": 0.0, "load_cpu_s": 0.0, "generate_cpu_s": 0.0}
_running: list[str] = []


@contextmanager
def counted(name: str) -> Iterator[None]:
    """Count the time within, once where one call is made by another."""
    outer, started_s, started_cpu_s = bool(_running), time.perf_counter(), time.process_time()
    _running.append(name)
    try:
        yield
    finally:
        _running.pop()
        if not outer:
            SECONDS[f"{name}_s"] += time.perf_counter() - started_s
            SECONDS[f"{name}_cpu_s"] += time.process_time() - started_cpu_s


def clocked(model: Any) -> Any:
    """The model, whose answers are counted."""
    batch, stream = model.generate_batch, getattr(model, "stream", None)

    def generate_batch(*args: Any) -> list[Generation]:
        with counted("generate"):
            found: list[Generation] = batch(*args)
        return found

    def streamed(*args: Any) -> Iterator[list[tuple[int, Generation]]]:
        parts = stream(*args)
        while True:
            with counted("generate"):
                part = next(parts, None)
            if part is None:
                return
            yield part

    model.generate_batch = generate_batch
    if stream is not None:
        model.stream = streamed
    return model


def constant(model: Any, text: str) -> Any:
    """The model, which answers everything with one text."""

    def generate_batch(requests: Sequence[Any], _settings: Any) -> list[Generation]:
        return [Generation(text=text, output_tokens=1) for _ in requests]

    def stream(requests: Sequence[Any], settings: Any, _rows: int) -> Iterator[list[tuple[int, Generation]]]:
        yield list(enumerate(generate_batch(requests, settings)))

    model.generate_batch = generate_batch
    if hasattr(model, "stream"):
        model.stream = stream
    return model


def pytest_configure() -> None:
    """Put the clock around whatever is loaded."""
    load: Callable[..., Model] = answers.load_model
    text = os.environ.get("GENERATE_CLOCK_ANSWER")

    def load_model(*args: Any) -> Model:
        with counted("load"):
            model = load(*args)
        return clocked(constant(model, text) if text else model)

    answers.load_model = load_model


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Write down what was counted."""
    Path(os.environ["GENERATE_CLOCK"]).write_text(json.dumps(SECONDS), encoding="ascii")
