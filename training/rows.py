"""Which rows a run trains on and which it is measured on: read from case files, split, sampled, always by a seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.dataset import CaseReader, case_files
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.config import MCPFineTuningConfig

VALIDATION_FILE = "validation.jsonl"
"""The name that keeps a file of a data folder out of training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file that rows came from: its name, a sha256 in hex over its bytes, and how many rows it holds."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The rows of a run, as they lie in the files, before a configuration's `max_rows` and `data_fraction`."""

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    files: tuple[DataFile, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A hash over the files' contents, or over ids and prompts where the rows came from no file."""
        parts = [file.sha256 for file in self.files] or [f"{c.id} {c.prompt}" for c in (*self.train, *self.validation)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_data(
    paths: Sequence[Path], validation: Sequence[Path] = (), *, split: float = 0.2, seed: int = 0
) -> TrainingData:
    """The rows of the files and folders. A folder's `validation.jsonl` is for validation, never for training.

    Where there is no validation file, the share `split` of the rows is held out, evenly over the tools.
    Raises CaseError for a broken row, TrainingError where training or validation would have none.
    """
    train_files: list[Path] = []
    held_out = [file for path in validation for file in case_files(path)]
    for file in [file for path in paths for file in case_files(path)]:
        (held_out if file.name == VALIDATION_FILE and not validation else train_files).append(file)
    if validation:
        train_files = [file for file in train_files if file.name != VALIDATION_FILE or file in paths]
    if not train_files:
        raise TrainingError(
            f"{', '.join(map(str, paths))}: no training rows; give a .jsonl file beside {VALIDATION_FILE}"
        )
    reader = CaseReader(shipped_tools=shipped_tools())
    train, validated = reader.read(train_files), reader.read(held_out) if held_out else []
    if not held_out:
        train, validated = split_rows(train, split, seed)
    if not train or not validated:
        raise TrainingError(
            f"{', '.join(map(str, paths))}: {len(train)} rows to train on and {len(validated)} to validate with; "
            "each needs one at least: add rows"
        )
    return TrainingData(
        train=tuple(train), validation=tuple(validated), files=tuple(_data_file(f) for f in (*train_files, *held_out))
    )


def shipped_tools() -> Path:
    """The folder of the tool sets that come with the package."""
    return Path(str(files("pytest_mcpbench.fixtures"))) / "tools"


def kind_of_row(case: Case) -> str:
    """What a row asks for, in a word: its tools, joined, or `none`."""
    return "+".join(sorted(call.name for call in case.expected)) or "none"


def shuffled(cases: Sequence[Case], seed: int) -> list[Case]:
    """The rows in an order that depends on the seed and their ids alone, kinds spread evenly.

    Any beginning of the list holds each kind in nearly its share of the whole, and a shorter beginning is part
    of a longer one: so samples and learning curves are nested.
    """
    by_kind: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: _draw(seed, case.id)):
        by_kind.setdefault(kind_of_row(case), []).append(case)
    placed = [
        ((position + 0.5) / len(members), _draw(seed, kind), case)
        for kind, members in by_kind.items()
        for position, case in enumerate(members)
    ]
    return [case for _, _, case in sorted(placed, key=lambda entry: entry[:2])]


def split_rows(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """The rows to train on, in their order, and those held out: at least one of each where there are two rows."""
    held = min(max(1, round(share * len(cases))), len(cases) - 1)
    out = {case.id for case in shuffled(cases, seed)[: max(held, 0)]}
    return [case for case in cases if case.id not in out], [case for case in cases if case.id in out]


def rows_for(data: TrainingData, config: MCPFineTuningConfig) -> tuple[list[Case], list[Case], list[Case]]:
    """The rows that a configuration trains on, those it validates with, and those of training it scores beside them."""
    order = shuffled(data.train, config.seed)
    count = round(config.data_fraction * len(order))
    train = order[: max(1, min(count, config.max_rows or count))]
    validation = shuffled(data.validation, config.seed)
    return train, validation[: config.eval_rows or None], train[: config.train_eval_rows]


def _data_file(path: Path) -> DataFile:
    content = path.read_bytes()
    rows = sum(1 for line in content.split(b"\n") if line.strip())
    return DataFile(name=path.name, sha256=hashlib.sha256(content).hexdigest(), rows=rows)


def _draw(seed: int, word: str) -> bytes:
    return hashlib.sha256(f"{seed} {word}".encode()).digest()
