"""The folder of a sweep: which trials are done, and which one some process is at."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.report import write_text
from pytest_mcpbench.training.table import TrialResult, markdown_table, recommend, result_from, table_json, write_plot

_IDENTITY, _RESULTS, _TRIALS = "study.json", "trials.jsonl", "trials"
TABLE, TABLE_JSON, PLOT, FINAL = "table.md", "sweep.json", "accuracy.svg", "final.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A sweep's folder, shared by all processes that work on it. `identity` hashes data and common settings."""

    path: Path
    identity: str

    def open(self) -> None:
        """Make the folder, or find that it is this study's. Raises TrainingError if it is another's or full of else."""
        try:
            (self.path / _TRIALS).mkdir(parents=True, exist_ok=True)
            with self._lock():
                place = self.path / _IDENTITY
                if not place.is_file():
                    write_text(place, json.dumps({"identity": self.identity}) + "\n")
                found = json.loads(place.read_text(encoding="utf-8")).get("identity")
        except (OSError, ValueError, AttributeError) as error:
            raise TrainingError(f"{self.path}: cannot be used for a sweep ({error}); give another folder") from None
        if found != self.identity:
            raise TrainingError(f"{self.path}: holds a sweep with other data or settings; give another folder")

    def folder(self, key: str) -> Path:
        """Where the trial of that key is trained."""
        return self.path / _TRIALS / key

    def results(self) -> list[TrialResult]:
        """Every finished trial. A last line that a killed process left half is not one."""
        path = self.path / _RESULTS
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        return [result_from(data) for line in lines if (data := _whole(line)) is not None]

    def add(self, result: TrialResult) -> None:
        """Keep a finished trial, once."""
        with self._lock():
            if result.key in {known.key for known in self.results()}:
                return
            path = self.path / _RESULTS
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            broken = "" if not text or text.endswith("\n") else "\n"
            with path.open("a", encoding="utf-8") as file:
                file.write(broken + json.dumps(asdict(result)) + "\n")

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Whether the trial is this process's for as long as the context lasts. A killed process's claim is void."""
        lock = FileLock(self.path / _TRIALS / f"{key}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def write_tables(self) -> str:
        """The table of all finished trials as markdown, written beside its JSON and its picture."""
        with self._lock():
            results = self.results()
            chosen = recommend(results)
            table = markdown_table(results, chosen)
            write_text(self.path / TABLE, table)
            write_text(self.path / TABLE_JSON, table_json(results, chosen) + "\n")
            write_plot(results, self.path / PLOT)
        return table

    def _lock(self) -> FileLock:
        return FileLock(self.path / "study.lock")


def key_of(settings: Mapping[str, Json]) -> str:
    """A name for a trial that is also a folder's: its settings, in the order of their names."""
    words = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in settings.items()]
    return "".join(letter if letter.isalnum() or letter in "=.,_-+" else "_" for letter in ",".join(sorted(words)))


def _whole(line: str) -> Mapping[str, Json] | None:
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
