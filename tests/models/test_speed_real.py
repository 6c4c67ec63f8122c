"""Speed compared on this machine, as busy as it is: a model with itself, and with itself slowed down by 15 %."""

import time
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench import speed
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.speed import MOST_PAIRS
from pytest_mcpbench.models.base import LoadOptions, Source
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.speed import SpeedBench, SpeedLimits
from tests.core.planted import read_case
from tests.models.tiny import tiny_model, tiny_tokenizer

CASES = [read_case(f"read-{number}", number) for number in range(20)]
PAIR = Pair(before="then", after="now", relation="beside")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    tiny_model("llama").save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    return resolve(str(tmp_path))


def statuses(source: Source, runs: int) -> list[str]:
    found = []
    for seed in range(runs):
        settings = GenerationSettings(max_new_tokens=6, seed=seed)
        limits = SpeedLimits(iterations=20, duration_s=1, tolerance=0.1)
        bench = SpeedBench({"then": source, "now": source}, CASES, LoadOptions(threads=1), settings, limits)
        compared = bench.compare(PAIR)
        assert 20 <= compared.pairs <= MOST_PAIRS
        found.append(compared.status)
    return found


def every_second_model_takes_longer(by: float) -> Any:
    """A loader whose second, fourth… model is busy for so much longer, as a share."""
    loaded = []

    def load(source: Source, options: LoadOptions) -> Any:
        model = load_model(source, options)
        loaded.append(model)
        if len(loaded) % 2 == 0:
            fast = model.generate_batch

            def slow(requests: Any, settings: Any) -> Any:
                started = time.perf_counter()
                answers = fast(requests, settings)
                ends = time.perf_counter() + by * (time.perf_counter() - started)
                while time.perf_counter() < ends:
                    pass
                return answers

            model.generate_batch = slow  # type: ignore[method-assign]
        return model

    return load


@pytest.mark.slow
def test_a_model_against_itself_gives_no_failure_in_twenty_runs(source: Source) -> None:
    assert "FAIL" not in statuses(source, 20)


@pytest.mark.slow
def test_a_slowdown_of_fifteen_percent_is_caught_in_eighteen_of_twenty_runs(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "load_model", every_second_model_takes_longer(0.15))
    assert statuses(source, 20).count("FAIL") >= 18
