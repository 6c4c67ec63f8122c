"""How good the model is in the middle of training: loss, and the levels on what it would write."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.formats import Format
from pytest_mcpbench.core.plan import FinishReason, GenerationSettings, request_of
from pytest_mcpbench.core.score import Score, score
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.engine import generate
from pytest_mcpbench.models.hf import HFModel
from pytest_mcpbench.models.prompt import PLAIN_STOPS, PromptStyle, completion_text
from pytest_mcpbench.training.batches import batches_by_length
from pytest_mcpbench.training.encode import EncodedRow
from pytest_mcpbench.training.lora import merged
from pytest_mcpbench.training.objective import CompletionHead, arithmetic, row_results

_MANY = 1 << 20
"""Rows beyond any batch."""

_COLUMNS = ("loss", "generated", "attempted", "detected", "parsed", "correct", "parameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What an evaluation found on its rows, in their order: scores, and the summed loss of each completion."""

    scores: tuple[Score, ...]
    losses: tuple[float, ...]
    generated: int


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """Scores rows with the model as it is now.

    Greedy decoding writes the canonical answer exactly if every token of it is the model's first choice behind
    those before it. That shows in the same forward pass that gives the loss, so only the other rows are written
    out token by token, and scored for what they hold. With `accelerator`, each process takes its part of the rows.
    """

    model: Any
    head: CompletionHead
    tokenizer: Any
    style: PromptStyle
    settings: GenerationSettings
    accelerator: Any
    dtype: torch.dtype
    sharded: bool = False

    def judge(self, cases: Sequence[Case], rows: Sequence[EncodedRow]) -> Judged:
        """Scores and losses of the rows. All processes must call it, and all get the same answer."""
        processes = 1 if self.sharded else self.accelerator.num_processes
        mine = range(0 if self.sharded else self.accelerator.process_index, len(cases), processes)
        table = torch.zeros(len(cases), len(_COLUMNS), dtype=torch.float64)
        self.model.eval()
        with self._weights(), torch.inference_mode():
            missed = self._read(mine, rows, table)
            missed |= {at for at in mine if self._would_be_cut(cases[at], rows[at])}
            self._score_exact([at for at in mine if at not in missed], cases, table)
            self._write_out(sorted(missed), cases, table)
        self.model.train()
        if processes > 1:
            # As a sum over processes of rows that all others left at zero; in float32, which any device can add.
            table = self.accelerator.reduce(table.float().to(self.accelerator.device), reduction="sum").cpu().double()
        return Judged(
            scores=tuple(_score_of(case, row) for case, row in zip(cases, table.tolist(), strict=True)),
            losses=tuple(table[:, 0].tolist()),
            generated=int(table[:, 1].sum()),
        )

    def _weights(self) -> AbstractContextManager[None]:
        """The adapter merged in; where processes share the weights, as in training and in step with each other."""
        if not self.sharded:
            return merged(self.model)
        return _in_step(self.model.get_output_embeddings())

    def _read(self, mine: Sequence[int], rows: Sequence[EncodedRow], table: torch.Tensor) -> set[int]:
        """The rows that greedy decoding would answer in other words; fills in every row's loss."""
        missed: set[int] = set()
        # Unmerged, the adapter works as in training; merged, the weights compute as they will when deployed.
        context = arithmetic(self.accelerator.device, self.dtype) if self.sharded else nullcontext()
        with context:
            for batch in batches_by_length([len(rows[at]) for at in mine], self.settings.batch_size):
                indices = [mine[at] for at in batch]
                encoded = self.head.collate([rows[at] for at in indices], self.accelerator.device)
                losses, wrong = row_results(self.head.logits(self.model, encoded), encoded)
                for at, loss, count in zip(indices, losses.tolist(), wrong.tolist(), strict=True):
                    table[at, 0] = loss if math.isfinite(loss) else math.inf
                    if count:
                        missed.add(at)
        return missed

    def _would_be_cut(self, case: Case, row: EncodedRow) -> bool:
        """Whether even the canonical answer would not come through whole: too long, or a stop string in it."""
        text = completion_text(case, self.style)
        return len(row.completion) > self.settings.max_new_tokens or any(stop in text for stop in PLAIN_STOPS)

    def _score_exact(self, indices: Sequence[int], cases: Sequence[Case], table: torch.Tensor) -> None:
        for at in indices:
            table[at, 2:] = self._answers(cases[at], completion_text(cases[at], self.style), "stop")

    def _write_out(self, indices: Sequence[int], cases: Sequence[Case], table: torch.Tensor) -> None:
        if not indices:
            return
        network = self.model.get_base_model()
        chosen = [cases[at] for at in indices]
        requests = [request_of(case.messages, case.tools) for case in chosen]
        info = ModelInfo(spec="training", kind="adapter", fingerprint="", device=str(self.accelerator.device))
        context = arithmetic(self.accelerator.device, self.dtype) if self.sharded else nullcontext()
        with _own_generation_config(network), context:
            kind = _InStepWriter if self.sharded else HFModel
            writer = kind(network, self.tokenizer, self.style, info)
            stream = generate(writer, requests, self.settings, cache=None, on_batch=None)
            texts = {request.key: answer for request, answer in stream}
        for at, case, request in zip(indices, chosen, requests, strict=True):
            answer = texts[request.key]
            table[at, 1] = 1
            table[at, 2:] = self._answers(case, answer.text, answer.finish_reason)

    def _answers(self, case: Case, text: str, reason: FinishReason) -> torch.Tensor:
        fmt: Format = self.style.fmt
        result = score(case, fmt.parse(text, case.tools), reason)
        flags = (result.attempted, result.detected, result.parsed, result.correct, result.parameters)
        return torch.tensor([float(bool(flag)) for flag in flags], dtype=torch.float64)


class _InStepWriter(HFModel):
    """Writes with a network whose weights processes share: all of them gather the weights in each pass."""

    def rows_that_fit(self, longest: int, shared: int) -> int:
        """How many rows fit on each process, so that all make the same passes."""
        fits = torch.tensor(min(super().rows_that_fit(longest, shared), _MANY), device=self.info.device)
        torch.distributed.all_reduce(fits, torch.distributed.ReduceOp.MIN)
        return int(fits)


@contextmanager
def _in_step(head: Any) -> Iterator[None]:
    """All processes go by the logits of the first: one that rounded another way would soon gather weights alone."""

    def shared(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.contiguous()
        torch.distributed.broadcast(logits, 0)
        return logits

    handle = head.register_forward_hook(shared)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _own_generation_config(network: Any) -> Iterator[None]:
    """Give the network its generation settings back: the writer replaces them."""
    before = network.generation_config
    try:
        yield
    finally:
        network.generation_config = before


def _score_of(case: Case, row: Sequence[float]) -> Score:
    """The score that a row of the table stands for: the levels' answers, without the details of a mistake."""
    attempted, detected, parsed, correct, parameters = (bool(value) for value in row[2:])
    call = case.expects_call
    return Score(
        case_id=case.id,
        expects_call=call,
        tools=tuple(sorted(case.expected_tools)),
        attempted=attempted,
        detected=detected,
        parsed=parsed if call else None,
        correct=correct,
        parameters=parameters if call else None,
        parameters_strict=parameters if call else None,
    )
