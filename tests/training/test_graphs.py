"""Recorded passes give what passes run the usual way give."""

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pytest_mcpbench.training.encode import EncodedRow
from pytest_mcpbench.training.graphs import RecordedPasses
from pytest_mcpbench.training.objective import Batch, CompletionHead, collate, loss_sum

CPU = torch.device("cpu")


def rows_of(seed: int) -> list[EncodedRow]:
    draw = torch.Generator().manual_seed(seed)
    common = tuple(range(3, 40))
    return [
        EncodedRow(
            case_id=f"row-{at}",
            prompt=(*common, *torch.randint(3, 97, (4,), generator=draw).tolist()),
            completion=tuple(torch.randint(3, 97, (5,), generator=draw).tolist()),
        )
        for at in range(6)
    ]


def tiny(device: torch.device) -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0
    )
    return LlamaForCausalLM(config).to(device).eval()


class Passes:
    """A network's passes, and the gradient that they left."""

    def __init__(self, device: torch.device) -> None:
        self.network = tiny(device)
        self.head = CompletionHead(self.network)
        self.device = device
        self.runs = 0

    def __call__(self, batch: Batch, scale: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        loss = loss_sum(self.head.logits(self.network, batch), batch)
        (loss * scale).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def batch(self, seed: int) -> Batch:
        return self.head.collate(rows_of(seed), self.device)

    def gradient(self) -> torch.Tensor:
        return torch.cat([p.grad.flatten() for p in self.network.parameters() if p.grad is not None])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records CUDA kernels")
def test_replayed_passes_have_the_losses_and_gradients_of_unrecorded_ones() -> None:
    device = torch.device("cuda")
    plain, compute = Passes(device), Passes(device)
    recorded = RecordedPasses(compute=compute)
    recorded.make_room(compute.batch(0), torch.zeros((), device=device))
    for seed in range(5):
        scale = torch.tensor(1 / (1 + seed), device=device)
        want, found = plain(plain.batch(seed), scale), recorded(compute.batch(seed), scale)
        assert found.item() == pytest.approx(want.item(), rel=1e-4)
        torch.testing.assert_close(compute.gradient(), plain.gradient(), rtol=1e-3, atol=1e-4)
    assert compute.runs == 3  # to make room, the first time, and for the recording


def test_what_cannot_be_recorded_is_run_the_usual_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(RecordedPasses, "_record", fail)
    plain, compute = Passes(CPU), Passes(CPU)
    recorded = RecordedPasses(compute=compute)
    for seed in range(4):
        want, found = plain(plain.batch(seed), torch.tensor(0.5)), recorded(compute.batch(seed), torch.tensor(0.5))
        assert found.item() == want.item()
    torch.testing.assert_close(compute.gradient(), plain.gradient())
    assert compute.runs == 4
    assert capsys.readouterr().err == "steps are not recorded: operation not permitted when stream is capturing\n"


def test_padding_targets_count_for_nothing() -> None:
    passes = Passes(CPU)
    batch = collate(rows_of(0), CPU, longest_packed=64)
    filled = Batch(
        input_ids=batch.input_ids,
        positions=torch.cat([batch.positions, torch.zeros(7, dtype=torch.long)]),
        targets=torch.cat([batch.targets, torch.full((7,), -100)]),
        row_of=torch.cat([batch.row_of, torch.zeros(7, dtype=torch.long)]),
        rows=batch.rows,
        position_ids=batch.position_ids,
        owners=batch.owners,
    )
    assert passes(filled, torch.tensor(1.0)).item() == pytest.approx(passes(batch, torch.tensor(1.0)).item())
