"""What the inputs of a model's linear layers look like on rows of its task, for weights rounded to fit them."""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.plan import plan
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import LoadOptions, Source
from pytest_mcpbench.models.prefix import common_prefix
from pytest_mcpbench.models.prompt import PromptStyle, build_prompt, completion_text, encode_prompts

_MOST_ROWS = 128
"""Of a longer file, rows at even distances are taken."""

_WRITTEN_AS = {
    "q_proj": "qkv_proj",
    "qkv_proj": "qkv_proj",
    "o_proj": "o_proj",
    "gate_proj": "gate_up_proj",
    "gate_up_proj": "gate_up_proj",
    "down_proj": "down_proj",
}
"""The layer whose input is looked at, and the exported matrix that reads it. Those left out read the same input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The second moments (K, K) of each exported matrix's inputs, by the matrix's name, and what they come from.

    `rows_sha256` is of the whole file, `rows` and `tokens` count what was read of it.
    """

    moments: Mapping[str, NDArray[np.float32]]
    rows: int
    tokens: int
    rows_sha256: str


def rows_sha256(rows: Path) -> str:
    """The hash of the file in hex. Raises ModelError if it cannot be read."""
    try:
        return hashlib.sha256(rows.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{rows}: calibration rows cannot be read ({error.strerror}); give a case file") from error


def read_rows(rows: Path) -> list[Case]:
    """The rows to calibrate with.

    Raises ModelError for a file that cannot be read or has none, CaseError for a row that is wrong.
    """
    rows_sha256(rows)
    shipped_tools = Path(str(files("pytest_mcpbench.fixtures"))) / "tools"
    cases = CaseReader(shipped_tools=shipped_tools).read([rows])
    if not cases:
        raise ModelError(f"{rows}: has no calibration rows; give a case file with some, such as your training rows")
    count = min(_MOST_ROWS, len(cases))
    return [cases[at * len(cases) // count] for at in range(count)]


def calibrate(source: Source, rows: Path, wanted: Callable[[str], bool]) -> Calibration:
    """What the inputs are where the unquantized model reads the rows with their right answers.

    Only matrices whose exported name is `wanted` are looked at. The whole model is in memory for that long. Raises
    ModelError for a model whose layers compute no numbers.
    """
    # Here, not above: it brings torch and transformers.
    from pytest_mcpbench.models import hf  # noqa: PLC0415

    model = hf.load(source, LoadOptions())
    ids = _token_ids(read_rows(rows), model.style)
    moments, tokens = input_moments(model.network, ids, wanted)
    model.close()
    if broken := [name for name, values in moments.items() if not np.isfinite(values).all()]:
        raise ModelError(
            f"{source.spec}: the inputs of {len(broken)} of its layers are no numbers on the calibration rows (first "
            f"{broken[0]}); look at the unquantized model's answers"
        )
    return Calibration(moments=moments, rows=len(ids), tokens=tokens, rows_sha256=rows_sha256(rows))


def input_moments(
    network: Any, ids: Sequence[list[int]], wanted: Callable[[str], bool]
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """X^T X of each wanted matrix's inputs over all tokens, and the number of those.

    What all rows begin with is read, and counts, once. Rows are read alone, so there is no padding to leave out.
    """
    import torch  # noqa: PLC0415

    moments: dict[str, Any] = {}
    tokens = 0
    # Short of the last token of the shortest row, so that each row has one of its own.
    shared = min(common_prefix(ids), min(map(len, ids)) - 1)

    def watch(name: str) -> Callable[[Any, tuple[Any, ...]], None]:
        def look(module: Any, inputs: tuple[Any, ...]) -> None:
            x = inputs[0].flatten(0, -2).float()  # (T, K)
            product = x.T @ x
            moments[name] = moments[name] + product if name in moments else product

        return look

    with ExitStack() as stack, torch.inference_mode():
        for name, module in network.named_modules():
            place, _, kind = name.rpartition(".")
            written = f"{place}.{_WRITTEN_AS[kind]}" if kind in _WRITTEN_AS else ""
            if written and wanted(written):
                stack.callback(module.register_forward_pre_hook(watch(written)).remove)
        past = None
        for row in [ids[0][:shared], *(row[shared:] for row in ids)]:
            if not row:
                continue
            chunk = torch.tensor([list(row)], device=network.device)
            found = network.base_model(input_ids=chunk, past_key_values=copy.deepcopy(past), use_cache=True)
            past = found.past_key_values if tokens == 0 and shared else past
            tokens += len(row)
    return {name: value.cpu().numpy() for name, value in moments.items()}, tokens


def _token_ids(cases: Sequence[Case], style: PromptStyle) -> list[list[int]]:
    requests = plan(cases)
    prompts = [build_prompt(requests[case.id], style) for case in cases]
    whole = [
        replace(prompt, text=prompt.text + completion_text(case, style))
        for prompt, case in zip(prompts, cases, strict=True)
    ]
    return encode_prompts(style.tokenizer, whole)
