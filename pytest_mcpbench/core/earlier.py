"""Which earlier run is meant: a file, or one of those that are kept."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_mcpbench.core.case import ExpectedCall, Message
from pytest_mcpbench.core.history import LATEST
from pytest_mcpbench.core.result import read_result
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.errors import OptionError, ResultError

LAST = "last"

_TIMED = ('"latency": {', '"speed": {')
"""What the file of a run that timed a model has in it; to look for it is quicker than to read the file."""


class Asked(Protocol):
    """What two runs' cases have in common: an id, what is asked and what answers it."""

    @property
    def id(self) -> str:
        """The case's id."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""
        ...

    @property
    def alternatives(self) -> tuple[tuple[ExpectedCall, ...], ...]:
        """The right answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier run: the name it goes by, and its file."""

    name: str
    path: Path
    result: RunResult

    @property
    def answered(self) -> frozenset[str]:
        """The labels of the models that answered cases."""
        return frozenset(record.model for record in self.result.records)

    @property
    def timed(self) -> frozenset[str]:
        """The labels of the models that were timed, alone or beside another."""
        alone = {label for label, model in self.result.models.items() if model.latency is not None}
        return frozenset(alone | {found.after for found in self.result.comparisons if found.speed is not None})

    def shared_cases(self, cases: Iterable[Asked]) -> frozenset[str]:
        """The ids of those cases that it ran too, with equal words and equal answers."""
        known = {case.id: (case.messages, case.alternatives) for case in self.result.cases.items}
        return frozenset(case.id for case in cases if known.get(case.id) == (case.messages, case.alternatives))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The earlier run whose answers are compared and the one whose times are, which may be one and the same.

    None where no run has answers, or times, of a model of this run.
    """

    answered: Earlier | None
    timed: Earlier | None

    @property
    def runs(self) -> tuple[Earlier, ...]:
        """Both, or one of them if it is the same or the other is None."""
        both = {run.path: run for run in (self.answered, self.timed) if run is not None}
        return tuple(both.values())


def find_earlier(text: str, folder: Path, cases: Sequence[Asked], labels: Sequence[str]) -> Found:
    """What a text names: a result file, `last`, a kept run's name or its beginning, or a model's label.

    `last` is the kept run that has the most of these cases answered, and the latest that timed a model; a label means
    the latest of the runs with a model so named. All of them share a label and a case with this run.
    Raises OptionError if there is none, or if the run has none of the labels; ResultError for a file that is broken.
    """
    kept = sorted(folder.glob("*.json"), reverse=True) if folder.is_dir() else []
    path = _named(text, folder, kept)
    if path is not None:
        return _in_file(path, text if path == Path(text) else path.stem, labels)
    found = _among(kept[:LATEST], text, cases, labels)
    if not found.runs:
        which = "" if text == LAST else f" with a model {text!r} or a name that begins so"
        lacking = "a folder and no result file" if Path(text).is_dir() else "no such file"
        raise OptionError(
            f"{text!r}: {lacking}, and no run in {folder}{which} has a model ({', '.join(labels)}) and a case in "
            "common with this one; run once without --mcp-compare, or name a result file"
        )
    return found


def _named(text: str, folder: Path, kept: Sequence[Path]) -> Path | None:
    """The file that a text names by itself; None if it can only be a label, or `last`."""
    if Path(text).is_file():
        return Path(text)
    if text == LAST:
        return None
    named = [path for path in kept if path.stem == text] or [path for path in kept if path.stem.startswith(text)]
    if len(named) > 1:
        raise OptionError(f"{text!r} begins the names of {len(named)} runs in {folder}; write more of one's name")
    return named[0] if named else None


def _in_file(path: Path, name: str, labels: Sequence[str]) -> Found:
    run = Earlier(name=name, path=path, result=read_result(path))
    has = tuple(run.result.models)
    if not set(labels) & set(has):
        raise OptionError(
            f"{name} has none of the models {', '.join(labels)} (it has: {', '.join(has) or 'none'}); "
            "give a model the label it had: --mcp-model=LABEL=SPEC"
        )
    known = set(labels)
    found = Found(answered=run if known & run.answered else None, timed=run if known & run.timed else None)
    if not found.runs:
        raise OptionError(f"{name} holds neither answers nor times of {', '.join(labels)}; name another run")
    return found


def _among(kept: Sequence[Path], text: str, cases: Sequence[Asked], labels: Sequence[str]) -> Found:
    """The runs that `last` or a label means; `kept` is the latest first."""
    known = set(labels)
    answered: Earlier | None = None
    most = 0
    for run in _read(kept, text, known):
        count = len(run.shared_cases(cases)) if known & run.answered else 0
        if count > most:
            answered, most = run, count
        if most == len(cases) or (most and text != LAST):
            break
    times = (run for run in _read((path for path in kept if _has_times(path)), text, known) if known & run.timed)
    return Found(answered=answered, timed=next((run for run in times if run.shared_cases(cases)), None))


def _read(kept: Iterable[Path], text: str, labels: set[str]) -> Iterator[Earlier]:
    """The runs that a text may mean, with one of the labels. Files that are broken are passed over."""
    for path in kept:
        with contextlib.suppress(ResultError):
            run = Earlier(name=path.stem, path=path, result=read_result(path))
            if labels & set(run.result.models) and text in (LAST, *run.result.models):
                yield run


def _has_times(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(mark in text for mark in _TIMED)
