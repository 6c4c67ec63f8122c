"""The answers of one model: planned once, generated once, shared by every test and every process of a run."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from pytest_mcpbench.core.case import Tool
from pytest_mcpbench.core.formats import ParseResult, get_format
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import Model, ModelInfo
from pytest_mcpbench.models.cache import GenerationCache
from pytest_mcpbench.models.engine import BatchReport, generate
from pytest_mcpbench.models.load import LoadOptions, Source, load_model


@dataclass(slots=True, kw_only=True)
class Answers:
    """What one model says to every planned request.

    The model is loaded when the first answer is asked for and let go when the last is there. With `shared`, a
    folder that the processes of one run have in common, the first process generates the whole plan and the
    others read what it wrote. With `keep_model` it stays loaded until `close`, for a caller who asks bit by bit.
    """

    label: str
    source: Source
    load: LoadOptions
    settings: GenerationSettings
    cache_path: Path | None = None
    shared: Path | None = None
    on_batch: Callable[[str, BatchReport], None] | None = None
    keep_model: bool = False
    _planned: dict[str, Request] = field(default_factory=dict)
    _done: dict[str, Generation] = field(default_factory=dict)
    _stream: Iterator[tuple[Request, Generation]] | None = None
    _model: Model | None = None
    _info: ModelInfo | None = None
    _read_ns: int = 0

    def plan(self, requests: Iterable[Request]) -> None:
        """Add requests to what will be generated together. Equal requests are generated once."""
        for request in requests:
            self._planned.setdefault(request.key, request)

    def get(self, request: Request) -> Generation:
        """The answer to one request; generates the plan up to the batch that holds it."""
        if request.key not in self._done and self.shared is not None:
            self._read_or_make_shared(self.shared)
        if request.key not in self._done:
            self._planned.setdefault(request.key, request)
            self._advance_to(request.key)
        return self._done[request.key]

    def made(self) -> dict[str, Generation]:
        """The answers that are there by now, by the request's key; includes what other processes made."""
        if self.shared is not None:
            self._read_shared(self.shared)
        return dict(self._done)

    def parse(self, text: str, tools: Sequence[Tool]) -> ParseResult:
        """What an answer of this model holds, in the wire format that the model was found to speak."""
        assert self._info is not None, "a text to parse comes from an answer, and that from a loaded model"
        return get_format(self._info.format).parse(text, tools)

    @property
    def info(self) -> ModelInfo | None:
        """What the model is; None as long as no answer was asked for."""
        return self._info

    def close(self) -> None:
        """Let the model go; answers stay."""
        if self._stream is not None:
            self._stream.close()  # type: ignore[attr-defined]  # `generate` is a generator function
            self._stream = None
        if self._model is not None:
            self._model.close()
            self._model = None

    def _advance_to(self, key: str) -> None:
        while key not in self._done:
            if self._stream is None:
                self._stream = self._generate()
            for request, generation in self._stream:
                self._done[request.key] = generation
                if request.key == key:
                    break
            else:
                self._stream = None
        if not self.keep_model and self._planned.keys() <= self._done.keys():
            self.close()

    def _generate(self) -> Iterator[tuple[Request, Generation]]:
        if self._model is None:
            self._model = load_model(self.source, self.load)
            self._info = self._model.info
        todo = [request for key, request in self._planned.items() if key not in self._done]
        on_batch = self.on_batch
        report = (lambda batch: on_batch(self.label, batch)) if on_batch is not None else None
        cache = GenerationCache(self.cache_path) if self.cache_path is not None and self._model.cacheable else None
        try:
            yield from generate(self._model, todo, self.settings, cache=cache, on_batch=report)
        finally:
            if cache is not None:
                cache.close()

    def _read_or_make_shared(self, folder: Path) -> None:
        with FileLock(folder / f"{self.label}.lock"):
            self._read_shared(folder)
            missing = [key for key in self._planned if key not in self._done]
            if not missing:
                return
            for key in missing:
                if key not in self._done:
                    self._advance_to(key)
            self._write_shared(folder)

    def _read_shared(self, folder: Path) -> None:
        path = folder / f"{self.label}.json"
        if not path.is_file() or (stamp := path.stat().st_mtime_ns) == self._read_ns:
            return
        self._read_ns = stamp
        data = json.loads(path.read_text(encoding="ascii"))
        self._done.update({key: Generation(**fields) for key, fields in data["answers"].items()})
        info: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data["info"].items()}
        self._info = ModelInfo(**info)

    def _write_shared(self, folder: Path) -> None:
        if self._info is None:
            return
        data = {"info": asdict(self._info), "answers": {key: asdict(item) for key, item in self._done.items()}}
        part = folder / f"{self.label}.part"
        part.write_text(json.dumps(data), encoding="ascii")
        part.replace(folder / f"{self.label}.json")
