"""Answers kept between runs, keyed by everything that decides them.

SQLite in WAL mode rather than a log of our own: a commit is all or nothing when the process is killed, several
processes may read and write at once, and opening it does not read what an earlier run left. Where the file
system cannot share memory (some network mounts), SQLite keeps its rollback journal, which is as safe and slower.
Each row carries a checksum, so that a damaged page is a missing answer and never a wrong one.
"""

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from pytest_mcpbench.core.plan import Generation

FILE = "generations.sqlite3"
_VERSION = 1
_APPLICATION = 0x6D637062
"""SQLite's `application_id` of the file ("mcpb"), by which it is told from other programs' databases."""

_MOST = 2**63 - 1
"""The largest number that SQLite takes."""

_BUSY_TIMEOUT_S = 30.0
_LOCK_TIMEOUT_S = 60.0
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, answer TEXT NOT NULL, checksum TEXT NOT NULL, made_s REAL NOT NULL
) WITHOUT ROWID
"""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """What is in a cache. The size is that of its files on disk."""

    path: Path
    entries: int
    size_bytes: int


class GenerationCache:
    """A store of generations in a folder. Nothing about it is fatal: what fails is told in `problems` and missed.

    `clock` says the time of day in seconds, for `prune`.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.problems: list[str] = []
        self._clock = clock
        self._file = path / FILE
        self._lock = path / f"{FILE}.lock"
        self._connection: sqlite3.Connection | None = None
        self._off = False

    def get(self, key: str) -> Generation | None:
        """The answer kept under the key; None if there is none, or none that is whole."""
        row = self._attempt(
            lambda connection: connection.execute(
                "SELECT answer, checksum FROM answers WHERE key = ?", (key,)
            ).fetchone(),
            None,
        )
        if row is None or row[1] != _checksum(key, row[0]):
            return None
        try:
            return Generation(**json.loads(row[0]))
        except (TypeError, ValueError):
            return None

    def put_many(self, items: Iterable[tuple[str, Generation]]) -> None:
        """Keep the answers, all of them or none; they are on disk when this returns."""
        now_s = self._clock()
        rows = []
        for key, generation in items:
            answer = json.dumps(asdict(generation))
            rows.append((key, answer, _checksum(key, answer), now_s))
        if rows:
            self._attempt(lambda connection: _insert(connection, rows), None)

    def info(self) -> CacheInfo:
        """How many answers there are, and how much room they take."""
        entries = self._attempt(lambda connection: connection.execute("SELECT count(*) FROM answers").fetchone()[0], 0)
        size_bytes = sum(file.stat().st_size for file in self.path.glob(f"{FILE}*") if file.is_file())
        return CacheInfo(path=self.path, entries=entries, size_bytes=size_bytes)

    def prune(self, *, max_age_s: float | None = None, max_entries: int | None = None) -> int:
        """How many answers were removed: those older than the age, then the oldest beyond the number."""
        removed = 0
        if max_age_s is not None:
            oldest_s = self._clock() - max_age_s
            removed += self._delete("made_s < ?", oldest_s)
        if max_entries is not None:
            ranked = "key IN (SELECT key FROM answers ORDER BY made_s DESC, key LIMIT -1 OFFSET ?)"
            removed += self._delete(ranked, min(max_entries, _MOST))
        if removed:
            self._attempt(lambda connection: connection.execute("VACUUM"), None)
        return removed

    def close(self) -> None:
        """Let go of the file; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _delete(self, condition: str, value: float) -> int:
        # The condition is one of two constants above, never a user's text.
        statement = f"DELETE FROM answers WHERE {condition}"
        return self._attempt(lambda connection: connection.execute(statement, (value,)).rowcount, 0)

    def _attempt(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What the action says; `otherwise` if the store cannot be used. A damaged file is set aside first."""
        if self._off:
            return otherwise
        try:
            try:
                return action(self._open())
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._set_aside(error)
                return action(self._open())
        except (sqlite3.Error, OSError) as error:
            self._off = True
            self.close()
            self._tell(f"{self._file}: the cache cannot be used ({error}); answers are generated without it")
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock, timeout=_LOCK_TIMEOUT_S):
                self._connection = _connect(self._file)
        return self._connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Rename the damaged or foreign file, unless another process did so in the meantime."""
        self.close()
        with FileLock(self._lock, timeout=_LOCK_TIMEOUT_S):
            if _is_whole(self._file):
                return
            aside = next(name for n in count(1) if not (name := self.path / f"{FILE}.broken-{n}").exists())
            self._file.rename(aside)
            for tail in ("-wal", "-shm"):
                (self.path / f"{FILE}{tail}").unlink(missing_ok=True)
        self._tell(f"{self._file}: is no cache of this version ({error}); it is now {aside.name}, a new one is begun")

    def _tell(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _connect(file: Path) -> sqlite3.Connection:
    """An open store with its table. Raises sqlite3.DatabaseError for a file that is something else."""
    connection = sqlite3.connect(file, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if tables and (mark, version) != (_APPLICATION, _VERSION):
            raise sqlite3.DatabaseError("another program or version wrote it")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if not tables:
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_TABLE)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return True
    try:
        with contextlib.closing(_connect(file)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _insert(connection: sqlite3.Connection, rows: list[tuple[str, str, str, float]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _checksum(key: str, answer: str) -> str:
    return hashlib.sha256(f"{key}\n{answer}".encode()).hexdigest()[:16]
