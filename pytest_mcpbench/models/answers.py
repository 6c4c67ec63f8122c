"""The answers of one model: planned once, generated once, shared by every test and every process of a run."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from pytest_mcpbench.core.batching import BatchingCheck
from pytest_mcpbench.core.case import Tool
from pytest_mcpbench.core.decode import decoder
from pytest_mcpbench.core.formats import ParseResult, get_format
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.models.base import Model, ModelInfo
from pytest_mcpbench.models.cache import GenerationCache
from pytest_mcpbench.models.engine import BatchReport, generate
from pytest_mcpbench.models.load import LoadOptions, Source, load_model
from pytest_mcpbench.models.verify import verify_batching


@dataclass(slots=True, kw_only=True)
class Answers:
    """What one model says to every planned request.

    The model is loaded when the first answer is asked for and let go when the last is there. With `shared`, a
    folder that the processes of one run have in common, the first process generates the whole plan and the
    others read what it wrote. With `keep_model` it stays loaded until `close`, for a caller who asks bit by bit.
    A model that cannot be loaded raises ModelError, each time that it is asked. `problems` are what went wrong
    without harm to the answers.
    """

    label: str
    source: Source
    load: LoadOptions
    settings: GenerationSettings
    cache_path: Path | None = None
    shared: Path | None = None
    on_batch: Callable[[str, BatchReport], None] | None = None
    keep_model: bool = False
    problems: list[str] = field(default_factory=list)
    _planned: dict[str, Request] = field(default_factory=dict)
    _done: dict[str, Generation] = field(default_factory=dict)
    _stream: Iterator[tuple[Request, Generation]] | None = None
    _model: Model | None = None
    _info: ModelInfo | None = None
    _broken: McpBenchError | None = None
    _read_ns: int = 0
    _batching: BatchingCheck | None = None

    def plan(self, requests: Iterable[Request]) -> None:
        """Add requests to what will be generated together. Those that a model answers alike are generated once."""
        for request in requests:
            self._planned.setdefault(_id(request), request)

    def get(self, request: Request) -> Generation:
        """The answer to one request; generates the plan up to the batch that holds it."""
        wanted = _id(request)
        if wanted not in self._done and self.shared is not None:
            self._read_or_make_shared(self.shared)
        if wanted not in self._done:
            self._planned.setdefault(wanted, request)
            self._advance_to(wanted)
        return self._done[wanted]

    def made(self, requests: Iterable[Request]) -> list[bool]:
        """Which of the requests have an answer by now; counts what other processes made, and generates nothing."""
        if self.shared is not None:
            self._read_shared(self.shared)
        return [_id(request) in self._done for request in requests]

    def parse(self, text: str, tools: Sequence[Tool]) -> ParseResult:
        """What an answer of this model holds, in the wire format that the model was found to speak."""
        assert self._info is not None, "a text to parse comes from an answer, and that from a loaded model"
        return get_format(self._info.format).parse(text, tools)

    def check_batching(self, requests: Sequence[Request]) -> BatchingCheck:
        """Whether the model answers these alone as it does together; found once, by one of the run's processes."""
        if self._batching is None and self.shared is not None:
            path = self.shared / f"{self.label}.batching.json"
            with FileLock(self.shared / f"{self.label}.lock"):
                if path.is_file():
                    self._batching = decoder(BatchingCheck)(json.loads(path.read_text(encoding="ascii")))
                else:
                    path.write_text(json.dumps(asdict(self._verified(requests))), encoding="ascii")
        return self._verified(requests)

    @property
    def info(self) -> ModelInfo | None:
        """What the model is; None as long as no answer was asked for."""
        return self._info

    def known(self) -> ModelInfo:
        """What the model is; it is loaded to find out, and let go again, where nothing was asked of it yet."""
        if self._info is None and self.shared is not None:
            self._read_shared(self.shared)
        if self._info is None:
            found = self._loaded().info
            self.close()
            return found
        return self._info

    def close(self) -> None:
        """Let the model go; answers stay."""
        if self._stream is not None:
            self._stream.close()  # type: ignore[attr-defined]  # `generate` is a generator function
            self._stream = None
        if self._model is not None:
            self._model.close()
            self._model = None

    def _verified(self, requests: Sequence[Request]) -> BatchingCheck:
        if self._batching is None:
            # What is under way holds the model's state: it comes to its end first.
            for request, generation in self._stream or ():
                self._done[_id(request)] = generation
            self._stream = None
            self._batching = verify_batching(self._loaded(), requests, self.settings)
            self._close_if_done()
        return self._batching

    def _close_if_done(self) -> None:
        if not self.keep_model and self._planned.keys() <= self._done.keys():
            self.close()

    def _advance_to(self, wanted: str) -> None:
        while wanted not in self._done:
            if self._stream is None:
                self._stream = self._generate()
            for request, generation in self._stream:
                self._done[_id(request)] = generation
                if _id(request) == wanted:
                    break
            else:
                self._stream = None
        self._close_if_done()

    def _generate(self) -> Iterator[tuple[Request, Generation]]:
        model = self._loaded()
        todo = [request for name, request in self._planned.items() if name not in self._done]
        on_batch = self.on_batch
        report = (lambda batch: on_batch(self.label, batch)) if on_batch is not None else None
        cache = GenerationCache(self.cache_path) if self.cache_path is not None and model.cacheable else None
        try:
            yield from generate(model, todo, self.settings, cache=cache, on_batch=report)
        finally:
            if cache is not None:
                cache.close()
                self.problems += [problem for problem in cache.problems if problem not in self.problems]

    def _loaded(self) -> Model:
        # A model that failed to load would fail again, a minute a test later.
        if self._broken is not None:
            raise self._broken
        if self._model is None:
            try:
                self._model = load_model(self.source, self.load)
            except McpBenchError as error:
                self._broken = error
                raise
            self._info = self._model.info
        return self._model

    def _read_or_make_shared(self, folder: Path) -> None:
        with FileLock(folder / f"{self.label}.lock"):
            self._read_shared(folder)
            missing = [name for name in self._planned if name not in self._done]
            for name in missing:
                self._advance_to(name)
            if missing:
                self._write_shared(folder)

    def _read_shared(self, folder: Path) -> None:
        path = folder / f"{self.label}.json"
        if not path.is_file() or (stamp := path.stat().st_mtime_ns) == self._read_ns:
            return
        self._read_ns = stamp
        data = json.loads(path.read_text(encoding="ascii"))
        self._done.update({name: Generation(**fields) for name, fields in data["answers"].items()})
        self.problems += [problem for problem in data["problems"] if problem not in self.problems]
        self._info = decoder(ModelInfo)(data["info"])

    def _write_shared(self, folder: Path) -> None:
        if self._info is None:
            return
        answers = {name: asdict(generation) for name, generation in self._done.items()}
        data = {"info": asdict(self._info), "answers": answers, "problems": self.problems}
        part = folder / f"{self.label}.part"
        part.write_text(json.dumps(data), encoding="ascii")
        part.replace(folder / f"{self.label}.json")


def _id(request: Request) -> str:
    """What tells two requests apart here: a recording may answer cases that ask the same differently."""
    return f"{request.case_id}\n{request.key}"
