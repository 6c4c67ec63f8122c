"""The model that a run starts from: looked at before anything heavy is imported, loaded once for many runs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.plan import ToolDetail
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models import demo, hub
from pytest_mcpbench.models.base import Source
from pytest_mcpbench.models.folder import read_json
from pytest_mcpbench.models.load import pick_format, resolve
from pytest_mcpbench.models.prompt import PromptStyle
from pytest_mcpbench.models.quiet import quiet
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.encode import EncodedRow, encode_rows

if TYPE_CHECKING:
    import torch

_CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_EncodingKey = tuple[int, int, str, str]


@dataclass(slots=True, kw_only=True)
class BaseModel:
    """A base model and its tokenizer, and the rows encoded with it; kept in memory between the runs of a sweep.

    `name` is what an adapter records as its base. `network` is loaded on first use and never changed by a run.
    """

    folder: Path
    name: str
    tokenizer: Any
    network: Any = None
    _encoded: dict[_EncodingKey, tuple[Case, EncodedRow]] = field(default_factory=dict)

    def style(self, config: MCPFineTuningConfig) -> PromptStyle:
        """How evaluation prompts this model, and so how training must."""
        fmt = pick_format(config.format, self.tokenizer.chat_template)
        detail: ToolDetail = "schema" if config.tool_detail == "schema" else "line"
        return PromptStyle(fmt=fmt, detail=detail, tokenizer=self.tokenizer)

    def encode(self, cases: list[Case], config: MCPFineTuningConfig) -> list[EncodedRow]:
        """The rows in token ids; each row is encoded once. Raises TrainingError for rows that are too long."""
        settings = (config.max_seq_length, config.format, config.tool_detail)
        new = [case for case in cases if (id(case), *settings) not in self._encoded]
        rows = encode_rows(new, self.style(config), self.tokenizer, config.max_seq_length)
        # A case is known by its identity, which stays its own as long as the case is kept.
        self._encoded.update({(id(case), *settings): (case, row) for case, row in zip(new, rows, strict=True)})
        return [self._encoded[(id(case), *settings)][1] for case in cases]

    def load(self, dtype: "torch.dtype", device: "torch.device") -> Any:
        """The network with its weights in that dtype, on that device. Raises TrainingError if it cannot be loaded."""
        if self.network is None or self.network.dtype != dtype:
            self.network = _load_network(self.folder, dtype)
        return self.network.to(device)


def look_at(model_name: str) -> Source:
    """What the name of a base model stands for. Imports no torch.

    Raises ModelError for what is no model, TrainingError for one that cannot be fine-tuned: an adapter, an ONNX
    folder, a model that is not causal.
    """
    source = resolve(model_name)
    if source.kind not in ("checkpoint", "hub") and source.spec != "demo:base":
        raise TrainingError(
            f"{model_name}: is {source.kind}; fine-tuning starts from a checkpoint folder, a hub id or demo:base"
        )
    if source.kind == "checkpoint" and source.path is not None:
        check_causal(source.path)
    return source


def check_causal(folder: Path) -> None:
    """Nothing, if the folder's configuration is that of a causal language model; else raises TrainingError."""
    config = read_json(folder / "config.json")
    names = config.get("architectures") or []
    if config.get("is_encoder_decoder") or (names and not any(str(name).endswith(_CAUSAL) for name in names)):
        what = ", ".join(map(str, names)) or str(config.get("model_type"))
        raise TrainingError(f"{folder}: {what} is no causal language model; fine-tuning needs one that generates text")


def open_base(source: Source, name: str | None = None) -> BaseModel:
    """The base with its tokenizer; its weights are loaded later. Fetches or makes what is not on this machine yet."""
    # Here, not above: the tokenizer brings transformers.
    import transformers  # noqa: PLC0415

    folder = source.path
    if folder is None:
        folder = demo.materialise() if source.kind == "demo" else hub.download(source.spec)
        check_causal(folder)
    try:
        tokenizer_class: Any = transformers.AutoTokenizer
        with quiet():
            tokenizer = tokenizer_class.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{source.spec}: its tokenizer cannot be loaded ({_line(error)})") from error
    return BaseModel(folder=folder, name=name or source.spec, tokenizer=tokenizer)


def _load_network(folder: Path, dtype: "torch.dtype") -> Any:
    import transformers  # noqa: PLC0415

    model_class: Any = transformers.AutoModelForCausalLM
    try:
        with quiet():
            network, loaded = model_class.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"{folder}: cannot be loaded as a causal language model ({_line(error)})") from error
    if missing := sorted(map(str, loaded["missing_keys"])):
        raise TrainingError(f"{folder}: its weights lack {len(missing)} tensors ({missing[0]}); save the model again")
    return network


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
