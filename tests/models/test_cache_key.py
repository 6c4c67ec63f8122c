"""What a kept answer belongs to: one byte or one token of it changed, and the answer is generated again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.core.plan import GenerationSettings, Request  # behind the importorskip
from pytest_mcpbench.models import base, hf
from pytest_mcpbench.models.answers import Answers
from pytest_mcpbench.models.base import LoadOptions
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.models.load import resolve
from tests.models.tiny import ask, save_adapter, save_tiny

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, `base`, and an adapter to it, `adapter`."""
    folder = tmp_path_factory.mktemp("saved")
    save_tiny(folder / "base", template=TEMPLATE)
    save_adapter(folder / "adapter", str(folder / "base"))
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """The same two in a folder of its own."""
    shutil.copytree(saved, tmp_path / "models")
    config = tmp_path / "models" / "adapter" / "adapter_config.json"
    config.write_text(config.read_text().replace(str(saved), str(tmp_path / "models")))
    return tmp_path / "models"


def found_in_cache(
    folder: Path, request: Request, settings: GenerationSettings | None = None, options: LoadOptions | None = None
) -> bool:
    """Whether the answer of the adapter's model was there already; it is afterwards."""
    reports: list[BatchReport] = []
    answers = Answers(
        label="tuned",
        source=resolve(str(folder / "adapter")),
        load=options or LoadOptions(device="cpu", threads=1),
        settings=settings or GenerationSettings(max_new_tokens=2),
        cache_path=folder.parent / "cache",
        on_batch=lambda _, report: reports.append(report),
    )
    answers.get(request)
    answers.close()
    assert not answers.problems
    return reports[-1].cached == reports[-1].total == 1


def change_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def change_tokenizer(path: Path) -> None:
    content = json.loads(path.read_text())
    content["model"]["vocab"]["zz"] = len(content["model"]["vocab"])
    path.write_text(json.dumps(content))


def change_template(path: Path) -> None:
    path.write_text(path.read_text() + " ")


CHANGES: dict[str, Callable[[Path], None]] = {
    "base/model.safetensors": change_last_byte,
    "adapter/adapter_model.safetensors": change_last_byte,
    "base/tokenizer.json": change_tokenizer,
    "base/chat_template.jinja": change_template,
}


@pytest.mark.parametrize("file", CHANGES)
def test_one_byte_of_the_model_changed_is_another_answer(file: str, folder: Path) -> None:
    assert not found_in_cache(folder, ask("read a"))
    assert found_in_cache(folder, ask("read a"))
    CHANGES[file](folder / file)
    assert not found_in_cache(folder, ask("read a"))
    assert found_in_cache(folder, ask("read a"))


def test_one_token_of_the_prompt_changed_is_another_answer(folder: Path) -> None:
    assert not found_in_cache(folder, ask("read a"))
    assert not found_in_cache(folder, ask("read b"))
    assert found_in_cache(folder, ask("read a"))


def test_other_settings_are_another_answer_and_other_batches_and_seeds_are_not(folder: Path) -> None:
    assert not found_in_cache(folder, ask("read a"))
    assert found_in_cache(folder, ask("read a"), GenerationSettings(max_new_tokens=2, batch_size=7, seed=3))
    assert not found_in_cache(folder, ask("read a"), GenerationSettings(max_new_tokens=3))
    assert not found_in_cache(folder, ask("read a"), options=LoadOptions(device="cpu", dtype="bfloat16"))


@pytest.mark.parametrize("package", ["pytest-mcpbench", "tokenizers", "torch"])
def test_another_version_of_what_answers_is_another_answer(
    package: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not found_in_cache(folder, ask("read a"))
    base._versions.cache_clear()
    version: Any = base.version
    monkeypatch.setattr(base, "version", lambda name: "99" if name == package else version(name))
    if package == "torch":
        monkeypatch.setattr(hf, "_backend", lambda source: "torch 99")
    assert not found_in_cache(folder, ask("read a"))
    base._versions.cache_clear()
