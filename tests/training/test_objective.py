from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pytest_mcpbench.training import lora, objective
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.encode import EncodedRow
from pytest_mcpbench.training.lora import adapter_tensors, add_lora, merged, remove_lora, set_adapter
from pytest_mcpbench.training.objective import CompletionHead, collate, loss_sum, row_results

ROWS = [
    EncodedRow(case_id="a", prompt=tuple(range(5, 35)), completion=(40, 41, 42, 1)),
    EncodedRow(case_id="b", prompt=(9, 8, 7), completion=(50, 1)),
    EncodedRow(case_id="c", prompt=tuple(range(60, 80)), completion=(1,)),
]
CPU = torch.device("cpu")


def network_of(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()


def reference_losses(network: Any) -> list[float]:
    """Each row alone, without padding, through the library's own loss over labels."""
    losses = []
    for row in ROWS:
        ids = torch.tensor([[*row.prompt, *row.completion]])
        labels = torch.tensor([[-100] * len(row.prompt) + list(row.completion)])
        losses.append(network(input_ids=ids, labels=labels).loss.item() * len(row.completion))
    return losses


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_loss_of_a_padded_batch_is_that_of_the_rows_alone(make_model: Callable[..., Path], family: str) -> None:
    network = network_of(make_model(family, hidden=32))
    head, batch = CompletionHead(network), collate(ROWS, CPU)
    with torch.no_grad():
        logits = head.logits(network, batch)
        losses, _ = row_results(logits, batch)
        assert logits.shape == (7, network.config.vocab_size)
        assert losses.tolist() == pytest.approx(reference_losses(network), rel=1e-4)
        assert loss_sum(logits, batch).item() == pytest.approx(sum(reference_losses(network)), rel=1e-4)


def test_losses_worked_out_in_parts_are_those_of_all_at_once(
    make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(make_model(hidden=32))
    batch = collate(ROWS, CPU)
    with torch.no_grad():
        logits = CompletionHead(network).logits(network, batch)
    whole = row_results(logits, batch)
    monkeypatch.setattr(objective, "_AT_ONCE", 3)
    for found, want in zip(row_results(logits, batch), whole, strict=True):
        assert found.tolist() == want.tolist()


def test_a_removed_head_leaves_all_logits_to_the_model(make_model: Callable[..., Path]) -> None:
    network = network_of(make_model(hidden=32))
    head = CompletionHead(network)
    ids = torch.tensor([[5, 6, 7]])
    assert network(input_ids=ids).logits.shape[1] == 3
    head.remove()
    assert network(input_ids=ids).logits.shape[1] == 3


def test_missed_tokens_are_those_that_greedy_decoding_would_not_write(make_model: Callable[..., Path]) -> None:
    network = network_of(make_model(hidden=32))
    head = CompletionHead(network)
    prompt = torch.tensor([[5, 6, 7, 8]])
    written = network.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=5)
    right = tuple(written[0, 4:].tolist())
    wrong = (*right[:2], (right[2] + 1) % 400, *right[3:])
    rows = [EncodedRow(case_id="x", prompt=(5, 6, 7, 8), completion=made) for made in (right, wrong)]
    batch = collate(rows, CPU)
    with torch.no_grad():
        _, missed = row_results(head.logits(network, batch), batch)
    assert missed[0] == 0
    assert missed[1] >= 1


def adapted(folder: Path, config: MCPFineTuningConfig) -> Any:
    model = add_lora(network_of(folder), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model.eval()


@pytest.mark.parametrize("free", [None, 0], ids=["beside them", "in main memory"])
def test_merging_for_a_while_computes_the_same_and_leaves_every_bit_as_it_was(
    make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, free: int | None
) -> None:
    monkeypatch.setattr(lora, "available_bytes", lambda device: free)
    model = adapted(make_model(hidden=32), MCPFineTuningConfig(lora_r=4))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        apart = model(input_ids=ids).logits
        with merged(model):
            together = model(input_ids=ids).logits
        with model.disable_adapter():
            without = model(input_ids=ids).logits
    assert torch.allclose(apart, together, atol=1e-4)
    assert not torch.allclose(without, together, atol=1e-2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    # Recorded passes know the weights by their addresses.
    assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == places


def test_lora_sits_on_every_linear_layer_but_the_output(make_model: Callable[..., Path]) -> None:
    config = MCPFineTuningConfig(lora_r=4)
    network = network_of(make_model(hidden=32))
    names = set(network.state_dict())
    model = add_lora(network, config)
    layers = {name.split(".lora_A")[0].rpartition(".")[2] for name, _ in model.named_parameters() if "lora_A" in name}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert set(remove_lora(model, config).state_dict()) == names


def test_an_adapter_s_tensors_can_be_taken_out_and_put_back(make_model: Callable[..., Path]) -> None:
    config = MCPFineTuningConfig(lora_r=4)
    model = adapted(make_model(hidden=32), config)
    kept = adapter_tensors(model)
    other = add_lora(network_of(make_model(hidden=32)), config)
    set_adapter(other, kept)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in adapter_tensors(other).items())
