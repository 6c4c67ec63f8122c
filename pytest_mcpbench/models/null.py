"""The null models of `core.floors` as models that can be run: each costs nothing and answers one fixed thing."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pytest_mcpbench.core.floors import FLOORS
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.prompt import PromptStyle

ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "silent": "answers nothing",
        "first-tool": "calls the first tool with empty arguments",
        "echo": "repeats the user's words",
    }
)
"""What each null model does, for the list of models."""


class NullModel:
    """A null model. Its tokens are the words between white space, and no limit cuts its answer."""

    cacheable = False

    def __init__(self, name: str, style: PromptStyle) -> None:
        self.style = style
        self.on_token: Callable[[], None] | None = None
        self._answer = FLOORS[name]
        spec = f"null:{name}"
        fingerprint = hashlib.sha256(spec.encode()).hexdigest()
        self.info = ModelInfo(spec=spec, kind="null", fingerprint=fingerprint, format=style.fmt.name)

    def count_tokens(self, request: Request) -> int:
        """The number of words of the conversation, without the tools."""
        return sum(len(message.content.split()) for message in request.messages)

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """The request's own key: nothing else decides the answer."""
        return request.key

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """The fixed answers."""
        return [self._generate(request) for request in requests]

    def forget_prefix(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing to give back."""

    def _generate(self, request: Request) -> Generation:
        text = self._answer(request)
        # What a floor calls, it calls in the native format; a user who named another gets the call in that one.
        calls = parse(text, "native").calls if self._answer is FLOORS["first-tool"] else ()
        if calls:
            text = self.style.fmt.render(calls)
        if self.on_token is not None:
            self.on_token()
        return Generation(text=text, prompt_tokens=self.count_tokens(request), output_tokens=len(text.split()))
