"""Runs that are killed go on where they were, and end as if nothing had happened."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra hf")

from pytest_mcpbench.models.cache import FILE  # behind the importorskip
from tests.models.tiny import save_tiny

CASES = 60
RUN = [
    *(sys.executable, "-m", "pytest", "--pyargs", "pytest_mcpbench.suites", "-q", "--tb=no", "-m", "level1"),
    *("--mcp-model=tiny=tiny", "--mcp-cases=cases.jsonl", "--mcp-json=out.json", "--mcp-device=cpu"),
    *("--mcp-threads=1", "--mcp-batch-size=4", "--mcp-max-new-tokens=60"),
]


class Project:
    """A folder in which the benchmark is run, with a model and cases in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        save_tiny(folder / "tiny")
        expected = [{"name": "read", "arguments": {"file_path": "a"}}]
        rows = [
            {"id": f"c{n}", "prompt": f"read {n} " + "x" * (n % 31), "tools": "coding", "expected": expected}
            for n in range(CASES)
        ]
        (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(RUN, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def finish(self) -> tuple[Any, float]:
        """The result of a run that nobody kills, without the time of day, and the seconds it took."""
        started_s = time.monotonic()
        self.start().wait()
        result = json.loads((self.folder / "out.json").read_text())
        (self.folder / "out.json").unlink()
        del result["created"]
        return result, time.monotonic() - started_s

    def kept(self) -> int:
        """How many answers are on disk by now."""
        file = self.folder / ".mcpbench" / "cache" / FILE
        if not file.exists():
            return 0
        with contextlib.closing(sqlite3.connect(file)) as cache, contextlib.suppress(sqlite3.OperationalError):
            return int(cache.execute("SELECT count(*) FROM answers").fetchone()[0])
        return 0

    def forget(self) -> None:
        for file in (self.folder / ".mcpbench" / "cache").glob("*"):
            file.unlink()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def undisturbed(project: Project) -> tuple[Any, float]:
    return project.finish()


def test_a_run_killed_between_its_answers_is_resumed_and_ends_the_same(
    project: Project, undisturbed: tuple[Any, float]
) -> None:
    assert len(undisturbed[0]["records"]) == CASES
    project.forget()
    running = project.start()
    while not project.kept():
        assert running.poll() is None, "the run was over before it kept anything"
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert 0 < project.kept() < CASES, "nothing was left to resume"
    assert project.finish()[0] == undisturbed[0]
    assert project.kept() == CASES


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_run_killed_at_any_moment_ends_the_same(seed: int, project: Project, undisturbed: tuple[Any, float]) -> None:
    project.forget()
    running = project.start()
    moment_s = random.Random(seed).uniform(0, undisturbed[1])
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(moment_s)
    running.kill()
    running.wait()
    (project.folder / "out.json").unlink(missing_ok=True)
    assert project.finish()[0] == undisturbed[0], f"killed after {moment_s:.2f} s"
