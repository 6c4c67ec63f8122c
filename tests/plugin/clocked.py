"""Models whose time is simulated: what takes them minutes takes a test none."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import pytest

from pytest_mcpbench import session, speed
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import LoadOptions, ModelInfo, Source
from pytest_mcpbench.models.prompt import PromptStyle
from pytest_mcpbench.speed import SpeedBench
from tests.plugin.conftest import ANSWERS

PREFIX, OWN, WRITTEN = 90, 10, 5
"""Tokens of each prompt that all share, its own, and of each answer."""


class Clocked:
    """Reads 100 tokens a second and writes 10: 1.4 s a request cold, 0.1 s to the first token warm.

    `null:first-tool` is twice as fast, `null:silent` half as fast.
    """

    cacheable = True
    now_s = 0.0
    loaded: ClassVar[list[tuple[str, int | None]]] = []

    def __init__(self, source: Source, options: LoadOptions) -> None:
        Clocked.loaded.append((source.spec, options.threads))
        self.style = PromptStyle(fmt=get_format("native"))
        self.speed = {"null:first-tool": 2.0, "null:silent": 0.5}.get(source.spec, 1.0)
        self.info = ModelInfo(spec=source.spec, kind=source.kind, fingerprint=source.spec, device="cpu")
        self.on_token: Callable[[], None] | None = None
        self.held = False

    @classmethod
    def clock(cls) -> float:
        return cls.now_s

    def count_tokens(self, request: Request) -> int:
        return PREFIX + OWN

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        return request.key

    def forget_prefix(self) -> None:
        self.held = False

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """Rows cost what one does: a batch of four takes as long as a single request."""
        cached = PREFIX if self.held else 0
        Clocked.now_s += (PREFIX + OWN - cached) / (100 * self.speed)
        self.held = True
        written = min(WRITTEN, settings.max_new_tokens)
        for token in range(written):
            Clocked.now_s += 0.1 / self.speed if token else 0.0
            if self.on_token is not None:
                self.on_token()
        return [
            Generation(
                text=ANSWERS.get(request.case_id, ""),
                prompt_tokens=PREFIX + OWN,
                cached_prompt_tokens=cached,
                output_tokens=written,
            )
            for request in requests
        ]

    def close(self) -> None:
        """Nothing to give back."""


def use_clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model that is timed be a clocked one, and the clock theirs."""
    monkeypatch.setattr(Clocked, "now_s", 0.0)
    monkeypatch.setattr(Clocked, "loaded", [])
    monkeypatch.setattr(speed, "load_model", Clocked)
    monkeypatch.setattr(session, "SpeedBench", partial(SpeedBench, clock=Clocked.clock))
