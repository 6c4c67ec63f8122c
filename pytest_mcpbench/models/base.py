"""What every model backend answers: facts about itself, and generations for requests."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, ToolDetail
from pytest_mcpbench.core.weights import Weights
from pytest_mcpbench.models.prompt import Prompt, PromptStyle

Kind = Literal["checkpoint", "adapter", "onnx", "hub", "demo", "replay", "null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A spec that was looked at, without loading anything: what it is and where it lies.

    `path` is None for null models, for hub ids and for a demo model that is made when it is loaded; `base` is an
    adapter's. `default_label` names the model where the user did not.
    """

    spec: str
    kind: Kind
    default_label: str
    path: Path | None = None
    base: "Source | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How a model is loaded. `threads` None leaves the library's own choice; `device` is auto, cpu, cuda[:N] or mps."""

    base: str | None = None
    fmt: str = "auto"
    tool_detail: ToolDetail = "line"
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Facts about one loaded model.

    `fingerprint` is a sha256 in hex over weights, adapter, tokenizer, configuration and chat template;
    `size_bytes` counts the files of weights, an adapter's and its base's together; `trained_on` holds the
    hashes of the rows it was trained on, where its training left them. `weights` are those that it runs with; None
    for a model that has none. `prompt` is a hash of how it is asked, as `prompt_digest` gives it.
    """

    spec: str
    kind: Kind
    fingerprint: str
    size_bytes: int = 0
    format: str = "native"
    backend: str = ""
    device: str = ""
    dtype: str = ""
    parameters: int | None = None
    trained_on: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    weights: Weights | None = None
    prompt: str = ""


class Model(Protocol):
    """One loaded model. `cacheable` says whether its answers are worth keeping between runs."""

    info: ModelInfo
    style: PromptStyle
    cacheable: bool

    def count_tokens(self, request: Request) -> int:
        """The length of the request's prompt, in the model's own tokens."""
        ...

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """A hash of everything that decides the answer; requests with one key share an answer."""
        ...

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """One answer a request, in their order. May raise anything; the engine then halves the batch."""
        ...

    def close(self) -> None:
        """Give back memory and files. The model is not used again."""
        ...


@runtime_checkable
class SharesPrefixes(Protocol):
    """A model that computes once what the prompts of a batch, or of two in a row, begin with."""

    def token_ids(self, request: Request) -> Sequence[int]:
        """The prompt's tokens."""
        ...


@runtime_checkable
class Streams(Protocol):
    """A model that takes up the next request as soon as another is answered."""

    def stream(
        self, requests: Sequence[Request], settings: GenerationSettings, rows: int
    ) -> Iterator[list[tuple[int, Generation]]]:
        """The answers with their requests' indices, some at a time, as they come; `rows` are on their way at once."""
        ...


@runtime_checkable
class KnowsItsRows(Protocol):
    """A model that can tell what a batch takes."""

    def rows_that_fit(self, longest: int, shared: int) -> int:
        """How many rows of so many tokens fit in memory, at least 1; `shared` of the tokens are all rows' own once."""
        ...


@runtime_checkable
class Timeable(Protocol):
    """A model whose single calls can be timed. `on_token`, where it is set, is called as each token is there."""

    on_token: Callable[[], None] | None

    def forget_prefix(self) -> None:
        """Hold nothing of earlier prompts any more."""
        ...


def answer_key(info: ModelInfo, prompt: Prompt, settings: GenerationSettings) -> str:
    """The sha256 in hex of what decides a greedy answer.

    The batch size and the seed do not: greedy decoding draws nothing, and an answer must not depend on its batch.
    The device and dtype do, since rounding differs between them. The versions do that make tokens of the prompt and
    an answer of the tokens: the tokenizers' library and this package, whose decoding and stops are part of the backend.
    """
    decides = [
        *_versions(),
        *(info.fingerprint, info.backend, info.device, info.dtype, info.format),
        *(prompt.text, prompt.adds_bos, list(prompt.stops)),
        *(settings.max_new_tokens, settings.tool_detail),
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    found = []
    for package in ("pytest-mcpbench", "tokenizers"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return tuple(found)
