from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.core.dataset import CaseReader  # noqa: E402  # behind the importorskip
from pytest_mcpbench.core.overlap import row_hash  # noqa: E402
from pytest_mcpbench.errors import CaseError, ModelError  # noqa: E402
from pytest_mcpbench.models.onnx_calibration import input_moments, read_rows  # noqa: E402
from pytest_mcpbench.models.onnx_recipe import make_recipe, usual_calibration  # noqa: E402
from tests.models.tiny_onnx import CONFIGS, tiny_exportable  # noqa: E402

FIXTURES = Path(__file__).parents[2] / "fixtures"
IDS = [[5, 6, 7, 8, *tail] for tail in ([9, 10], [11, 12, 13, 14, 15, 16, 17, 18], [9, 20, 21])]


def everything(name: str) -> bool:
    return True


def one_by_one(network: Any) -> dict[str, Any]:
    """The inputs of every linear layer, each row read whole, what they begin with counted in the first row alone."""
    seen: dict[str, list[Any]] = {}

    def look(name: str) -> Any:
        def hook(module: Any, inputs: tuple[Any, ...]) -> None:
            parts = seen.setdefault(name, [])
            parts.append(inputs[0][0][4 if parts else 0 :])

        return hook

    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(look(name))
    with torch.inference_mode():
        for ids in IDS:
            network(torch.tensor([ids]), use_cache=False)
    return {name: torch.cat(parts) for name, parts in seen.items()}


@pytest.mark.parametrize("family", list(CONFIGS))
def test_the_moments_are_those_of_the_rows_read_one_by_one(family: str) -> None:
    moments, tokens = input_moments(tiny_exportable(family), IDS, everything)
    assert tokens == 4 + 2 + 8 + 3
    inputs = one_by_one(tiny_exportable(family))
    names = {"qkv_proj": "q_proj", "gate_up_proj": "gate_proj"}
    assert len(moments) == 4 * 3
    for written, found in moments.items():
        place, _, kind = written.rpartition(".")
        x = inputs[written] if written in inputs else inputs[f"{place}.{names[kind]}"]
        np.testing.assert_allclose(found, (x.T @ x).numpy(), rtol=1e-3, atol=1e-3)


def test_only_wanted_matrices_are_looked_at_and_nothing_is_left_on_the_network() -> None:
    recipe, network = make_recipe("int4", keep=("layers.0.",)), tiny_exportable("gemma3")
    moments, _ = input_moments(network, IDS, lambda name: recipe.bits_of(name) == 4)
    assert {name.partition("layers.")[2] for name in moments} == {
        f"{layer}.{name}" for layer in (1, 2) for name in ("self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")
    }
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_the_shipped_rows_are_none_of_the_benchmarks_cases() -> None:
    rows = usual_calibration("int4")
    assert rows is not None
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read([FIXTURES / "cases"])
    found = read_rows(rows)
    assert len(found) == 128
    assert not {row_hash(row) for row in found} & {row_hash(case) for case in cases}
    assert not {row.prompt.casefold() for row in found} & {case.prompt.casefold() for case in cases}
    assert {call.name for row in found for call in row.expected} == {"read", "write", "edit", "bash", "grep", "glob"}
    assert any(not row.expected for row in found)


def test_other_quantizations_are_not_calibrated() -> None:
    assert [usual_calibration(name) for name in ("none", "int8", "int8-dynamic")] == [None] * 3


def test_of_many_rows_some_at_even_distances_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    line = '{{"id": "r{0}", "prompt": "what is {0}?", "tools": "coding", "expected": []}}\n'
    file.write_text("".join(line.format(number) for number in range(512)))
    assert [row.id for row in read_rows(file)] == [f"r{number}" for number in range(0, 512, 4)]


def test_rows_that_are_not_there_empty_or_wrong_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.jsonl: calibration rows cannot be read .* give a case file"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises((ModelError, CaseError), match=r"empty\.jsonl"):
        read_rows(tmp_path / "empty.jsonl")
    (tmp_path / "wrong.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(CaseError, match=r"wrong\.jsonl:1"):
        read_rows(tmp_path / "wrong.jsonl")
