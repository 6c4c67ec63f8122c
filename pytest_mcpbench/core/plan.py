"""From cases to requests: what has to be generated, each distinct request once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from pytest_mcpbench.core.case import Case, Message, Tool

FinishReason = Literal["stop", "length", "error"]
ToolDetail = Literal["line", "schema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model is asked: a conversation and the tools it is offered. `key` is a hash of both.

    The order of tools, parameters and arguments counts, since the prompt shows it.

    `case_id` names the case it was planned for, for recorded answers and error lines; it is not part of the key.
    """

    key: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    case_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What a model answered, and what it cost.

    `cached_prompt_tokens` of the `prompt_tokens` came from a shared prefix. Times are seconds; None where the
    model was not timed alone. `error` is the one-line reason if the `finish_reason` is "error".
    """

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    ttft_s: float | None = None
    e2e_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """How answers are generated: always greedily. `batch_size` 0 lets the engine choose."""

    max_new_tokens: int = 150
    batch_size: int = 0
    tool_detail: ToolDetail = "line"
    seed: int = 0


def request_of(messages: Iterable[Message], tools: Iterable[Tool]) -> Request:
    """The request for a conversation and a set of tools, keyed by its content."""
    turns, offered = tuple(messages), tuple(tools)
    return Request(key=_request_key(turns, _tools_digest(offered)), messages=turns, tools=offered)


def plan(cases: Iterable[Case]) -> dict[str, Request]:
    """The request of each case by the case's id. Cases with one key share what is generated for it."""
    digests: dict[int, str] = {}
    requests: dict[str, Request] = {}
    for case in cases:
        digest = digests.get(id(case.tools))
        if digest is None:
            digest = digests[id(case.tools)] = _tools_digest(case.tools)
        key = _request_key(case.messages, digest)
        requests[case.id] = Request(key=key, messages=case.messages, tools=case.tools, case_id=case.id)
    return requests


def _tools_digest(tools: tuple[Tool, ...]) -> str:
    return hashlib.sha256(json.dumps([asdict(tool) for tool in tools]).encode()).hexdigest()


def _request_key(messages: tuple[Message, ...], tools_digest: str) -> str:
    turns = [(m.role, m.content, m.name, [(call.name, call.arguments) for call in m.calls]) for m in messages]
    return hashlib.sha256(json.dumps([turns, tools_digest]).encode()).hexdigest()
