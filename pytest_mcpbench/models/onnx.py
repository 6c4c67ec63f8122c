"""Models that ONNX Runtime runs: the folders that `mcpbench quantize` writes, and those of other exporters."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.core.weights import Weights
from pytest_mcpbench.errors import McpBenchError, ModelError
from pytest_mcpbench.models.base import LoadOptions, ModelInfo, Source, answer_key
from pytest_mcpbench.models.folder import fingerprint, read_json, trained
from pytest_mcpbench.models.load import pick_format
from pytest_mcpbench.models.memory import row_bytes, rows_that_fit
from pytest_mcpbench.models.onnx_facts import graph_facts
from pytest_mcpbench.models.onnx_foreign import ForeignDecoder, read_graph
from pytest_mcpbench.models.onnx_format import DATA, GRAPH, RECIPE
from pytest_mcpbench.models.onnx_session import Decoder, Push, SessionOptions, open_graph, open_session
from pytest_mcpbench.models.prompt import Prompt, PromptStyle, build_prompt, encode_prompt
from pytest_mcpbench.models.stops import OnToken, Row, end_tokens
from pytest_mcpbench.models.weight_facts import onnx_weights

_PROVIDERS = {"auto": "CPUExecutionProvider", "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERROR_CHARACTERS = 300
_DYNAMIC = "int8-dynamic"


class GreedyDecoder(Protocol):
    """What decodes prompts of token ids."""

    def decode(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, push: Push) -> int:
        """Push each row's tokens; how many tokens of a prompt were not computed again."""
        ...

    def forget(self) -> None:
        """Compute the next prompt from its start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A graph that is ready, and how its weights are kept."""

    decoder: GreedyDecoder
    weights: Weights
    size_bytes: int


class OnnxModel:
    """An exported model and its tokenizer, decoding greedily.

    What prompts share is computed once, also from one batch to the next. A model with dynamic scales is the
    exception: its answers depend on what is computed together, so each prompt is computed alone and whole.
    """

    cacheable = True

    def __init__(self, decoder: GreedyDecoder, declared: Any, style: PromptStyle, info: ModelInfo) -> None:
        self.info = info
        self.style = style
        self.on_token: OnToken | None = None
        self._decoder: GreedyDecoder | None = decoder
        self._ends = end_tokens(declared, style.tokenizer)
        self._config = declared.config
        self._dynamic = info.dtype == _DYNAMIC
        self._encoded: dict[str, tuple[Prompt, list[int]]] = {}

    def count_tokens(self, request: Request) -> int:
        """The length of the prompt in tokens, the beginning-of-text token included."""
        return len(self._encode(request)[1])

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """A hash of the model, the exact prompt and the settings."""
        return answer_key(self.info, self._encode(request)[0], settings)

    def token_ids(self, request: Request) -> Sequence[int]:
        """The prompt's tokens, by which requests that share a prefix are found."""
        return self._encode(request)[1]

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """The answers, up to the end of their calls. Their tokens include the one that ended them."""
        encoded = [self._encode(request) for request in requests]
        groups = [[each] for each in encoded] if self._dynamic else [encoded]
        answers = [answer for group in groups for answer in self._answer(group, settings.max_new_tokens)]
        for request in requests:
            self._encoded.pop(request.key, None)
        return answers

    def rows_that_fit(self, longest: int, shared: int) -> int:
        """How many rows of so many tokens fit into half of the free memory, at least 1.

        Each row has a copy of what is shared, in the memory of the process whatever device computes.
        """
        return rows_that_fit("cpu", row_bytes(self._config.get_text_config(), longest, np.float32().itemsize))

    def forget_prefix(self) -> None:
        """Compute the next prompt from its start, as the first one of a run is."""
        assert self._decoder is not None, "a closed model is not used again"
        self._decoder.forget()

    def close(self) -> None:
        """Give the memory back."""
        self._decoder = None

    def _answer(self, encoded: Sequence[tuple[Prompt, list[int]]], max_new_tokens: int) -> list[Generation]:
        assert self._decoder is not None, "a closed model is not used again"
        if self._dynamic:
            self._decoder.forget()
        tokenizer, fmt = self.style.tokenizer, self.style.fmt
        rows = [Row(tokenizer, fmt, self._ends, prompt.stops, self.on_token) for prompt, _ in encoded]

        def push(index: int, token: int) -> bool:
            rows[index].push(token)
            return not rows[index].stopped

        reused = self._decoder.decode([ids for _, ids in encoded], max_new_tokens, push)
        return [
            Generation(
                text=row.text(),
                finish_reason="stop" if row.stopped else "length",
                prompt_tokens=len(ids),
                cached_prompt_tokens=reused,
                output_tokens=len(row.ids),
            )
            for row, (_, ids) in zip(rows, encoded, strict=True)
        ]

    def _encode(self, request: Request) -> tuple[Prompt, list[int]]:
        found = self._encoded.get(request.key)
        if found is None:
            prompt = build_prompt(request, self.style)
            found = self._encoded[request.key] = prompt, encode_prompt(self.style.tokenizer, prompt)
        return found


def load(source: Source, options: LoadOptions) -> OnnxModel:
    """The model in the source's folder. Raises ModelError for anything that cannot be loaded."""
    folder = source.path
    assert folder is not None, "a source is on disk before it is loaded"
    provider, device_id = _provider(options.device)
    settings = SessionOptions(threads=options.threads, provider=provider, device_id=device_id)
    try:
        tokenizer, declared = _transformers_part(folder)
        opened = _open_own(folder, settings, declared.config) if _is_own(folder) else _open_foreign(folder, settings)
    except McpBenchError:
        raise
    except Exception as error:  # whatever the libraries raise on loading
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_ERROR_CHARACTERS]
        raise ModelError(f"{source.spec}: could not be loaded ({reason})") from error
    training = trained(folder)
    fmt = pick_format(options.fmt, tokenizer.chat_template, training.format)
    info = ModelInfo(
        spec=source.spec,
        kind=source.kind,
        fingerprint=fingerprint(folder),
        size_bytes=opened.size_bytes,
        format=fmt.name,
        backend=f"onnxruntime {version('onnxruntime')} / transformers {version('transformers')}",
        device="cpu" if provider == "CPUExecutionProvider" else options.device,
        dtype=opened.weights.dtype,
        parameters=opened.weights.parameters,
        trained_on=training.rows,
        notes=("not batch-invariant: each prompt runs alone",) if opened.weights.dtype == _DYNAMIC else (),
        weights=opened.weights,
    )
    style = PromptStyle(fmt=fmt, detail=options.tool_detail, tokenizer=tokenizer)
    return OnnxModel(opened.decoder, declared, style, info)


def _is_own(folder: Path) -> bool:
    return (folder / GRAPH).is_file() and (folder / RECIPE).is_file()


def _open_own(folder: Path, settings: SessionOptions, config: Any) -> _Opened:
    recipe = read_json(folder / RECIPE)
    size_bytes = sum((folder / name).stat().st_size for name in (GRAPH, DATA))
    decoder = Decoder(open_graph(folder, settings))
    return _Opened(decoder=decoder, weights=onnx_weights(recipe, config, size_bytes), size_bytes=size_bytes)


def _open_foreign(folder: Path, settings: SessionOptions) -> _Opened:
    facts = graph_facts(folder)
    graph = read_graph(open_session(facts.path, settings), str(folder))
    decoder = ForeignDecoder(graph, alone=facts.alone)
    return _Opened(decoder=decoder, weights=facts.weights, size_bytes=facts.size_bytes)


def _provider(device: str) -> tuple[str, int]:
    """The execution provider that a device is, and the device's number."""
    kind, _, number = device.partition(":")
    if kind not in _PROVIDERS or not (number or "0").isdecimal():
        raise ModelError(f"--mcp-device={device}: ONNX models run on {', '.join(_PROVIDERS)}")
    return _PROVIDERS[kind], int(number or 0)


def _transformers_part(folder: Path) -> tuple[Any, Any]:
    """The tokenizer, and an object with the two configurations that say which tokens end an answer."""
    transformers: Any = import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    generation = SimpleNamespace(eos_token_id=None)
    if (folder / "generation_config.json").is_file():
        generation = transformers.GenerationConfig.from_pretrained(folder)
    return tokenizer, SimpleNamespace(config=config, generation_config=generation)
