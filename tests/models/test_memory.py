from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.models import memory  # noqa: E402  # behind the importorskip
from pytest_mcpbench.models.base import LoadOptions  # noqa: E402
from pytest_mcpbench.models.hf import HFModel  # noqa: E402
from pytest_mcpbench.models.load import load_model, resolve  # noqa: E402
from tests.models.tiny import save_tiny, tiny_model  # noqa: E402


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_row_takes_at_least_what_its_keys_and_values_do(family: str) -> None:
    model = tiny_model(family).eval()
    with torch.inference_mode():
        cache = model(torch.randint(3, 259, (1, 12))).past_key_values
    real = sum(part.numel() * part.element_size() for layer in cache.layers for part in (layer.keys, layer.values))
    assert 2 * real <= memory.row_bytes(model.config, 12, 4) <= 2 * real + 8 * 259


def test_fewer_rows_fit_where_memory_is_short_and_prompts_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(resolve(str(save_tiny(tmp_path))), LoadOptions(device="cpu"))
    assert isinstance(model, HFModel)
    assert model.rows_that_fit(300, 200) > 100
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:       1000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    fitting = model.rows_that_fit(300, 200)
    assert 1 < model.rows_that_fit(600, 200) < fitting < 100
    assert model.rows_that_fit(300, 0) < fitting, "without a shared prefix rows are longer"
    assert model.rows_that_fit(100_000, 0) == 1
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert model.rows_that_fit(300, 200) > 10**6, "unknown memory is no limit"
