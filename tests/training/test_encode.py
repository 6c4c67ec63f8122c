from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.core.plan import GenerationSettings, plan
from pytest_mcpbench.errors import CaseError, TrainingError
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.hf import HFModel
from pytest_mcpbench.models.prompt import build_prompt, completion_text
from pytest_mcpbench.training.base import look_at, open_base
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.rows import kind_of_row, read_data, rows_for, shuffled, split_rows

CONFIG = MCPFineTuningConfig()


def case(case_id: str, tool: str | None = "read") -> Case:
    calls = (ExpectedCall(name=tool),) if tool else ()
    return Case(id=case_id, messages=(Message(role="user", content=case_id),), tools=(), alternatives=(calls,))


class Spy:
    """Stands in for a network and keeps what it was fed."""

    def __init__(self, eos: int) -> None:
        self.config = self
        self.generation_config = self
        self.eos_token_id = eos
        self.device = torch.device("cpu")
        self.fed: list[list[int]] = []

    def get_text_config(self) -> "Spy":
        return self

    def generate(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> None:
        self.fed += [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask, strict=True)]
        raise FedError


class FedError(Exception):
    """Ends a generation when what it was fed is known."""


@pytest.mark.parametrize("template", [False, True])
def test_training_reads_the_very_prompt_that_evaluation_feeds(
    make_model: Callable[..., Path], rows_file: Path, template: bool
) -> None:
    base = open_base(look_at(str(make_model(template=template))))
    cases = list(read_data([rows_file], [rows_file]).train)
    rows = base.encode(cases, CONFIG)
    spy, style = Spy(base.tokenizer.eos_token_id), base.style(CONFIG)
    model = HFModel(spy, base.tokenizer, style, ModelInfo(spec="", kind="checkpoint", fingerprint="", device="cpu"))
    requests = plan(cases)
    with pytest.raises(FedError):
        model.generate_batch([requests[item.id] for item in cases], GenerationSettings())
    assert spy.fed == [list(row.prompt) for row in rows]
    for item, row in zip(cases, rows, strict=True):
        fed = base.tokenizer.decode(row.prompt).removeprefix(base.tokenizer.bos_token)
        assert fed.encode() == build_prompt(requests[item.id], style).text.encode()
        assert base.tokenizer.decode(row.completion[:-1]).encode() == completion_text(item, style).encode()


@pytest.mark.parametrize(("template", "end"), [(False, "</s>"), (True, "<|im_end|>")])
def test_a_completion_ends_as_the_model_ends_its_turn(
    make_model: Callable[..., Path], rows_file: Path, template: bool, end: str
) -> None:
    base = open_base(look_at(str(make_model(template=template))))
    rows = base.encode(list(read_data([rows_file], [rows_file]).train), CONFIG)
    assert {base.tokenizer.convert_ids_to_tokens(row.completion[-1]) for row in rows} == {end}


def test_a_tokenizer_that_padded_before_pads_no_row(make_model: Callable[..., Path], rows_file: Path) -> None:
    base, cases = open_base(look_at(str(make_model()))), list(read_data([rows_file], [rows_file]).train)
    fresh = base.encode(cases, CONFIG)
    again = open_base(look_at(str(make_model())))
    again.tokenizer(["a", "b " * 500], padding=True, truncation=True, max_length=800)
    assert again.encode(cases, CONFIG) == fresh


def test_rows_that_are_too_long_are_refused_with_their_number(make_model: Callable[..., Path], rows_file: Path) -> None:
    base, cases = open_base(look_at(str(make_model()))), list(read_data([rows_file], [rows_file]).train)
    longest = max(len(row) for row in base.encode(cases, CONFIG))
    with pytest.raises(TrainingError, match=r"^\d+ of 29 rows are longer than max_seq_length .* tokens \(the longest"):
        base.encode(cases, MCPFineTuningConfig(max_seq_length=longest - 1))


def test_rows_of_one_id_in_two_files_are_not_taken_for_each_other(make_model: Callable[..., Path]) -> None:
    base = open_base(look_at(str(make_model())))
    first, second = case("same", None), case("same", "read")
    assert base.encode([first], CONFIG)[0].completion != base.encode([second], CONFIG)[0].completion


@given(st.lists(st.sampled_from(["read", "bash", None]), min_size=2, max_size=80), st.integers(0, 9))
def test_a_split_holds_out_each_kind_and_loses_no_row(kinds: list[str | None], seed: int) -> None:
    cases = [case(f"row-{at}", kind) for at, kind in enumerate(kinds)]
    train, held = split_rows(cases, 0.2, seed)
    assert sorted(item.id for item in (*train, *held)) == sorted(item.id for item in cases)
    assert train
    assert held
    for kind in {kind_of_row(item) for item in cases}:
        share = sum(kind_of_row(item) == kind for item in cases) * len(held) / len(cases)
        assert abs(sum(kind_of_row(item) == kind for item in held) - share) < 2


@given(st.integers(1, 60), st.integers(0, 9))
def test_a_smaller_sample_is_part_of_a_larger_one(size: int, seed: int) -> None:
    cases = [case(f"row-{at}", "read" if at % 3 else None) for at in range(60)]
    order = shuffled(cases, seed)
    assert order[:size] == shuffled(list(reversed(cases)), seed)[:size]


def test_a_quarter_of_the_data_is_part_of_half_of_it(rows_file: Path) -> None:
    data = read_data([rows_file], [rows_file])
    ids = {
        share: {item.id for item in rows_for(data, MCPFineTuningConfig(data_fraction=share))[0]}
        for share in (0.25, 0.5, 1.0)
    }
    assert [len(found) for found in ids.values()] == [7, 14, 29]
    assert ids[0.25] < ids[0.5] < ids[1.0]


def test_a_folder_s_validation_file_is_never_trained_on(rows_file: Path, tmp_path: Path) -> None:
    lines = rows_file.read_text().splitlines(keepends=True)
    (tmp_path / "train.jsonl").write_text("".join(lines[:20]))
    (tmp_path / "validation.jsonl").write_text("".join(lines[20:]))
    data = read_data([tmp_path])
    assert (len(data.train), len(data.validation)) == (20, 9)
    assert [(file.name, file.rows) for file in data.files] == [("train.jsonl", 20), ("validation.jsonl", 9)]
    given = read_data([tmp_path], [rows_file])
    assert (len(given.train), len(given.validation)) == (20, 29)


def test_data_that_is_not_there_or_empty_or_broken_is_one_line(tmp_path: Path, rows_file: Path) -> None:
    empty, broken = tmp_path / "empty.jsonl", tmp_path / "broken.jsonl"
    empty.write_text("\n")
    broken.write_text('{"id": "a", "prompt": "x", "tools": "coding"}\n')
    for path, words in ((tmp_path / "none.jsonl", "no such file"), (empty, "no cases in it"), (broken, "'expected'")):
        with pytest.raises(CaseError, match=words) as caught:
            read_data([path])
        assert "\n" not in str(caught.value)
    only = tmp_path / "only"
    only.mkdir()
    (only / "validation.jsonl").write_text(rows_file.read_text())
    with pytest.raises(TrainingError, match="no training rows"):
        read_data([only])
