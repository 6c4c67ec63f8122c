"""Floors that cost nothing: what a model gets for saying nothing, for one fixed call, for repeating its user."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pytest_mcpbench.core.case import Json, Tool, ToolCall
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.prompt import PromptStyle

_EMPTY: Mapping[str, Json] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}


class NullModel:
    """A model that is one line of code. Its tokens are the words between white space."""

    cacheable = False

    def __init__(self, name: str, style: PromptStyle) -> None:
        self.style = style
        self._answer = ANSWERS[name]
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
        """The fixed answers, whole: the token limit is for models that would not stop."""
        return [self._generate(request) for request in requests]

    def close(self) -> None:
        """Nothing to give back."""

    def _generate(self, request: Request) -> Generation:
        text = self._answer(request, self.style)
        return Generation(text=text, prompt_tokens=self.count_tokens(request), output_tokens=len(text.split()))


def _silent(request: Request, style: PromptStyle) -> str:
    return ""


def _first_tool(request: Request, style: PromptStyle) -> str:
    if not request.tools:
        return ""
    tool = request.tools[0]
    return style.fmt.render([ToolCall(name=tool.name, arguments={name: _empty(tool, name) for name in tool.required})])


def _empty(tool: Tool, parameter: str) -> Json:
    """The empty value of the parameter's type, of its first where it has several; the empty string without a type."""
    schema = tool.parameters.get(parameter)
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    return _EMPTY.get(kind, "") if isinstance(kind, str) else ""


def _echo(request: Request, style: PromptStyle) -> str:
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")


ANSWERS: Mapping[str, Callable[[Request, PromptStyle], str]] = MappingProxyType(
    {"silent": _silent, "first-tool": _first_tool, "echo": _echo}
)
"""The null models by the name behind `null:`."""

SAYS: Mapping[str, str] = MappingProxyType(
    {
        "silent": "answers nothing",
        "first-tool": "calls the first tool with empty arguments",
        "echo": "repeats the user's words",
    }
)
"""What each null model does, for the list of models."""
