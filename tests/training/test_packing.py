"""Rows packed behind their common prompt give the losses and gradients of rows that stand alone."""

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pytest_mcpbench.training.encode import EncodedRow
from pytest_mcpbench.training.objective import CompletionHead, collate, loss_sum, row_results

SHAPE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {"head_dim": 8}),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig, {"head_dim": 8, "sliding_window": 64}),
    "phi3": (Phi3ForCausalLM, Phi3Config, {}),
}
CPU = torch.device("cpu")


def build(family: str, **more: int) -> torch.nn.Module:
    torch.manual_seed(1)
    network, config, own = FAMILIES[family]
    return network(config(**SHAPE, **own, **more)).eval()


def some_rows(shared: int = 30, count: int = 6) -> list[EncodedRow]:
    draw = torch.Generator().manual_seed(2)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 97, (n,), generator=draw).tolist())

    common = tokens(shared)
    return [
        EncodedRow(case_id=f"row-{at}", prompt=(*common, *tokens(2 + at)), completion=tokens(3 + at % 3))
        for at in range(count)
    ]


def losses_and_gradient(network: torch.nn.Module, rows: list[EncodedRow], longest: int) -> tuple[torch.Tensor, ...]:
    head = CompletionHead(network)
    batch = collate(rows, CPU, longest_packed=longest)
    logits = head.logits(network, batch)
    network.zero_grad()
    loss_sum(logits, batch).backward()
    gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    head.remove()
    return row_results(logits, batch)[0].detach(), gradient


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_have_the_losses_and_gradients_of_padded_ones(family: str) -> None:
    network, rows = build(family), some_rows()
    assert collate(rows, CPU, longest_packed=64).owners is not None
    padded = losses_and_gradient(network, rows, 0)
    packed = losses_and_gradient(network, rows, 64)
    for one, other in zip(padded, packed, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_rows_longer_than_the_sliding_window_are_not_packed() -> None:
    network = build(
        "gemma3",
    )
    head = CompletionHead(network)
    assert head.collate(some_rows(shared=30), CPU).owners is not None
    assert head.collate(some_rows(shared=60), CPU).owners is None


def test_rows_with_little_in_common_are_padded() -> None:
    assert collate(some_rows(shared=2), CPU, longest_packed=1000).owners is None


def test_a_model_whose_attention_takes_no_mask_of_ours_is_never_packed() -> None:
    network = build("llama")
    network.config._attn_implementation = "eager"
    assert CompletionHead(network).collate(some_rows(), CPU).owners is None
