"""Models that fail on purpose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_mcpbench.core.case import Message
from pytest_mcpbench.core.formats import get_format
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, request_of
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.prompt import PromptStyle


def ask(text: str) -> Request:
    """A request without tools."""
    return request_of([Message(role="user", content=text)], [])


def words(request: Request) -> str:
    """What the request's user said."""
    return request.messages[-1].content


@dataclass
class FakeModel:
    """Repeats its user in capitals, unless `fails` raises for the batch. Remembers the batches it was given."""

    fails: Callable[[Sequence[Request]], None] = lambda batch: None
    cacheable: bool = True
    device: str = "cpu"
    batches: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.style = PromptStyle(fmt=get_format("native"))
        self.info = ModelInfo(spec="fake", kind="checkpoint", fingerprint="fake", device=self.device)

    def count_tokens(self, request: Request) -> int:
        """The letters."""
        return len(words(request))

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """The request's and the limit."""
        return f"{request.key} {settings.max_new_tokens}"

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """The words in capitals."""
        self.batches.append([words(request) for request in requests])
        self.fails(requests)
        return [Generation(text=words(request).upper(), output_tokens=2) for request in requests]

    def close(self) -> None:
        """Nothing."""
