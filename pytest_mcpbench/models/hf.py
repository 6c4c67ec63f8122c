"""Models that transformers runs: checkpoints, and PEFT adapters merged into the checkpoint they were trained on."""

import warnings
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import LoadOptions, ModelInfo, Source, answer_key
from pytest_mcpbench.models.folder import check_checkpoint, fingerprint, trained
from pytest_mcpbench.models.hf_attention import Prefix
from pytest_mcpbench.models.hf_decode import Limits, prefix_decoder
from pytest_mcpbench.models.hf_generate import PAD, write_rows
from pytest_mcpbench.models.load import pick_format
from pytest_mcpbench.models.memory import row_bytes, rows_that_fit
from pytest_mcpbench.models.prompt import Prompt, PromptStyle, build_prompt, encode_prompt
from pytest_mcpbench.models.quiet import quiet
from pytest_mcpbench.models.stops import OnToken, Row, end_tokens
from pytest_mcpbench.models.weight_facts import torch_weights

# Not `import transformers`: half of it is typed, and mypy would read all of it to tell which half.
transformers: Any = import_module("transformers")

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_AUTO_DTYPES = {"cpu": "float32", "cuda": "bfloat16", "mps": "float32"}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")
_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class _Answer:
    """A prompt's tokens, and what is written to it."""

    ids: Sequence[int]
    row: Row

    def generation(self, known: int) -> Generation:
        return Generation(
            text=self.row.text(),
            finish_reason="stop" if self.row.stopped else "length",
            prompt_tokens=len(self.ids),
            cached_prompt_tokens=known,
            output_tokens=len(self.row.ids),
        )


class HFModel:
    """A causal language model and its tokenizer, decoding greedily.

    A row's answer does not depend on what else is in its batch: prompts are padded on the left, the padding is
    masked, and each row stops for itself. That holds exactly in float32, up to rounding in shorter types.
    """

    cacheable = True

    def __init__(self, model: Any, tokenizer: Any, style: PromptStyle, info: ModelInfo) -> None:
        self.info = info
        self.style = style
        self.on_token: OnToken | None = None
        self._model = model
        self._tokenizer = tokenizer
        self._ends = end_tokens(model, tokenizer)
        # The model's own configuration is replaced, not overridden: `generate` fills every field that a caller
        # leaves at its default (do_sample=False is one) from the model's.
        model.generation_config = transformers.GenerationConfig(pad_token_id=PAD)
        self._decoder = prefix_decoder(model, info.device)
        self._prompts: dict[str, Prompt] = {}
        self._ids: dict[str, array[int]] = {}

    @property
    def network(self) -> Any:
        """The transformers model, with an adapter's weights merged in."""
        return self._model

    def count_tokens(self, request: Request) -> int:
        """The length of the prompt in tokens, the beginning-of-text token included."""
        return len(self._encode(request))

    def cache_key(self, request: Request, settings: GenerationSettings) -> str:
        """A hash of the model, the exact prompt and the settings."""
        return answer_key(self.info, self._prompt(request), settings)

    def token_ids(self, request: Request) -> Sequence[int]:
        """The prompt's tokens, by which requests that share a prefix are found."""
        return self._encode(request)

    def generate_batch(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        """The answers, up to the end of their calls. Their tokens include the one that ended them."""
        answers = dict(pair for part in self.stream(requests, settings, len(requests)) for pair in part)
        return [answers[index] for index in range(len(requests))]

    def stream(
        self, requests: Sequence[Request], settings: GenerationSettings, rows: int
    ) -> Iterator[list[tuple[int, Generation]]]:
        """The answers with their requests' indices, some at a time, as they come; `rows` are on their way at once."""
        if self._decoder is None:
            yield from self._generated(requests, settings.max_new_tokens, rows)
            return
        answers = self._answers(requests)

        def push(index: int, token: int) -> bool:
            answers[index].row.push(token)
            return not answers[index].row.stopped

        limits = Limits(max_new_tokens=settings.max_new_tokens, rows=rows)
        decoding = self._decoder.start([answer.ids for answer in answers], limits, push)
        while ended := decoding.advance():
            yield [(index, answers[index].generation(decoding.known)) for index in ended]

    def rows_that_fit(self, longest: int, shared: int) -> int:
        """How many rows of so many tokens fit into half of the free memory, at least 1.

        Many where free memory cannot be told; a batch that does not fit is then halved.
        """
        own = longest - (shared if self._decoder is not None else 0)
        config = self._model.config.get_text_config()
        return rows_that_fit(self.info.device, row_bytes(config, own, self._model.dtype.itemsize))

    def forget_prefix(self) -> None:
        """Compute the next prompt from its start, as the first one of a run is."""
        if self._decoder is not None:
            self._decoder.kept = Prefix()

    def close(self) -> None:
        """Give the memory back."""
        self._model = self._tokenizer = self._decoder = None
        if self.info.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _prompt(self, request: Request) -> Prompt:
        found = self._prompts.get(request.key)
        if found is None:
            found = self._prompts[request.key] = build_prompt(request, self.style)
        return found

    def _encode(self, request: Request) -> "array[int]":
        found = self._ids.get(request.key)
        if found is None:
            found = self._ids[request.key] = array("i", encode_prompt(self._tokenizer, self._prompt(request)))
        return found

    def _answers(self, requests: Sequence[Request]) -> list["_Answer"]:
        answers = []
        for request in requests:
            row = Row(self._tokenizer, self.style.fmt, self._ends, self._prompt(request).stops, self.on_token)
            answers.append(_Answer(self._encode(request), row))
        for request in requests:
            self._prompts.pop(request.key, None)
            self._ids.pop(request.key, None)
        return answers

    def _generated(
        self, requests: Sequence[Request], max_new_tokens: int, rows: int
    ) -> Iterator[list[tuple[int, Generation]]]:
        for start in range(0, len(requests), rows):
            batch = self._answers(requests[start : start + rows])
            write_rows(self._model, [answer.ids for answer in batch], [answer.row for answer in batch], max_new_tokens)
            yield [(start + at, answer.generation(0)) for at, answer in enumerate(batch)]


def load(source: Source, options: LoadOptions) -> HFModel:
    """The model in the source's folder; an adapter is merged into its base's weights, in the dtype of the run.

    Merging makes an adapter as fast as the checkpoint it will be deployed as, and rounds each weight once more.
    Raises ModelError for anything that cannot be loaded.
    """
    device = _device(options.device)
    dtype = _dtype(options.dtype, device)
    if options.threads:
        torch.set_num_threads(options.threads)
    assert source.path is not None, "a source is on disk before it is loaded"
    base = source.base.path if source.base else source.path
    assert base is not None, "so is its base"
    own = source.path if source.base else base
    # Hashing weights and reading them go on at the same time.
    with ThreadPoolExecutor(max_workers=1) as pool, _one_line(source.spec), quiet():
        identity = pool.submit(lambda: fingerprint(own, base=fingerprint(base) if source.base else ""))
        tokenizer = _tokenizer(source.path if _has_tokenizer(source.path) else base)
        model = _checkpoint(base, dtype)
        if source.base:
            model = _merged(model, tokenizer, source.path)
        model = model.to(device).eval()
    training = trained(own)
    weights = check_checkpoint(base) + ([own / "adapter_model.safetensors"] if source.base else [])
    fmt = pick_format(options.fmt, tokenizer.chat_template, training.format)
    info = ModelInfo(
        spec=source.spec,
        kind=source.kind,
        fingerprint=identity.result(),
        size_bytes=sum(path.stat().st_size for path in weights),
        format=fmt.name,
        backend=_backend(source),
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trained_on=training.rows,
        weights=torch_weights(model),
    )
    return HFModel(model, tokenizer, PromptStyle(fmt=fmt, detail=options.tool_detail, tokenizer=tokenizer), info)


def _backend(source: Source) -> str:
    parts = [f"transformers {transformers.__version__}", f"torch {torch.__version__}"]
    return " / ".join([*parts, f"peft {version('peft')}"] if source.base else parts)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(name.partition(":")[0], False):
        known = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ModelError(f"--mcp-device={name}: is not on this machine (there are: auto, {known})")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    chosen = _AUTO_DTYPES[device.type] if name == "auto" else name
    if chosen not in _DTYPES:
        raise ModelError(f"--mcp-dtype={name}: is unknown (known: auto, {', '.join(_DTYPES)})")
    return _DTYPES[chosen]


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def _tokenizer(folder: Path) -> Any:
    if not _has_tokenizer(folder):
        raise ModelError(
            f"{folder}: has no tokenizer ({_TOKENIZER_FILES[0]}); save the tokenizer into the folder as well"
        )
    return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _checkpoint(folder: Path, dtype: torch.dtype) -> Any:
    """The model with every weight from the folder. Raises ModelError if some would be made up at random."""
    model, loaded = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
    )
    lacking = sorted(str(name) for name in loaded["missing_keys"])
    if lacking:
        raise ModelError(f"{folder}: its weights lack {len(lacking)} tensors ({lacking[0]}); save the model again")
    return model


def _merged(model: Any, tokenizer: Any, adapter: Path) -> Any:
    # Here, not above: only an adapter needs it.
    import peft  # noqa: PLC0415

    if _has_tokenizer(adapter) and len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="(?i).*missing adapter keys")
        wrapped = peft.PeftModel.from_pretrained(model, adapter)
    if not hasattr(wrapped.base_model, "merge_and_unload"):
        raise ModelError(f"{adapter}: a {wrapped.active_peft_config.peft_type} adapter cannot be merged; use LoRA")
    return wrapped.merge_and_unload()


@contextmanager
def _one_line(spec: str) -> Iterator[None]:
    """Turn whatever the libraries raise on loading into one line that names the model."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_ERROR_CHARACTERS]
        raise ModelError(f"{spec}: could not be loaded ({reason})") from error
