"""Training data: rows generated from pools of phrasings and values, written in the form of case files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.core.overlap import row_hash
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.generate.blocks import Effort, build
from pytest_mcpbench.training.report import write_text

__all__ = ["TRAIN_FILE", "VALIDATION_FILE", "WrittenData", "build_rows", "row_hash", "row_object", "write_data"]

TRAIN_FILE = "train.jsonl"
VALIDATION_FILE = "validation.jsonl"
TRAIN_ROWS = 12_000
VALIDATION_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenData:
    """The files that a generator's run left, and how many rows each holds."""

    train: Path
    validation: Path
    train_rows: int
    validation_rows: int


def build_rows(
    seed: int,
    train_rows: int = TRAIN_ROWS,
    validation_rows: int = VALIDATION_ROWS,
    exclude: Iterable[Case] = (),
    effort: Effort | None = None,
) -> tuple[list[Case], list[Case]]:
    """Rows to train on and rows to validate with, the same ones for the same seed and counts.

    Phrasings, stems, identifiers, commands and contents come from pools that the two do not share; languages, file
    extensions, package names and the well-known commands behind a description are common to both. No row is a
    near-duplicate of a case in `exclude` (a benchmark's), as it stands or with other values in its wording. Each row
    is checked: its answer survives rendering and parsing, its calls fit the tools' schemas, its arguments follow from
    its prompt.
    Raises TrainingError for a negative count, and where the pools cannot give so many different rows.
    """
    if train_rows < 0 or validation_rows < 0:
        raise TrainingError(f"{min(train_rows, validation_rows)} rows cannot be built; give a number from 0 on")
    foreign = tuple(exclude)
    train = build("train", train_rows, seed, foreign, effort=effort)
    prompts = [case.prompt for case in train]
    return train, build("validation", validation_rows, seed, foreign, prompts, effort)


def write_data(
    folder: Path,
    seed: int = 0,
    train_rows: int = TRAIN_ROWS,
    validation_rows: int = VALIDATION_ROWS,
    exclude: Iterable[Case] = (),
    effort: Effort | None = None,
) -> WrittenData:
    """The files `train.jsonl` and `validation.jsonl`, newly written into the folder, which is made if need be.

    Raises TrainingError where the folder already holds one of them, cannot be written, or as `build_rows` does.
    """
    files = (folder / TRAIN_FILE, folder / VALIDATION_FILE)
    if taken := next((file for file in files if file.exists()), None):
        raise TrainingError(f"{taken}: exists already; choose another folder or remove the file")
    rows = build_rows(seed, train_rows, validation_rows, exclude, effort)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, cases in zip(files, rows, strict=True):
            write_text(file, "".join(json.dumps(row_object(case), ensure_ascii=False) + "\n" for case in cases))
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written: {error.strerror or error}; choose another folder") from error
    return WrittenData(
        train=files[0], validation=files[1], train_rows=len(rows[0]), validation_rows=len(rows[1])
    )  # fmt: skip


def row_object(case: Case, tools: str = "coding") -> dict[str, Any]:
    """The case as the JSON object of a case file's line; `tools` names its tool set."""
    row: dict[str, Any] = {"id": case.id}
    if len(case.messages) == 1 and case.messages[0].role == "user":
        row["prompt"] = case.prompt
    else:
        row["messages"] = [_message_object(message) for message in case.messages]
    row["tools"] = tools
    if len(case.alternatives) == 1:
        row["expected"] = [_call_object(call) for call in case.expected]
    else:
        row["expected_any"] = [[_call_object(call) for call in calls] for calls in case.alternatives]
    row["tags"] = sorted(case.tags)
    row |= {key: value for key, value in (("source", case.source), ("answer", case.answer)) if value is not None}
    return row


def _message_object(message: Message) -> dict[str, Any]:
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.calls]
    named = {"name": message.name} if message.name is not None else {}
    return {"role": message.role, "content": message.content, **({"calls": calls} if calls else {}), **named}


def _call_object(call: ExpectedCall) -> dict[str, Any]:
    room: dict[str, Mapping[str, Any]] = {"accept": call.accept, "optional": call.optional}
    lists = {name: {key: list(values) for key, values in items.items()} for name, items in room.items() if items}
    return {"name": call.name, "arguments": dict(call.arguments), **lists}
