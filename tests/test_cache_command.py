from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pytest_mcpbench.cli import app
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.models.cache import FILE, GenerationCache

DAY_S = 86_400


def mcpbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["cache", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose cache holds answers of the first five days of 1970, and one of today."""
    monkeypatch.chdir(tmp_path)
    path = Path(".mcpbench/cache")
    for day in range(5):
        old = GenerationCache(path, clock=lambda day=day: float(day * DAY_S))
        old.put_many([(f"key {day}", Generation(text="x"))])
        old.close()
    new = GenerationCache(path)
    new.put_many([("today", Generation(text="x"))])
    new.close()
    return path


def test_info_says_how_many_answers_there_are_and_how_large_they_are(folder: Path) -> None:
    done = mcpbench("info")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{folder}: 6 answers, 0.0 MB")


def test_prune_removes_what_is_old_and_then_what_is_too_much(folder: Path) -> None:
    assert "removed 5 of 6 answers" in mcpbench("prune", "--older-than", "30").output
    assert "removed 0 of 1 answers" in mcpbench("prune", "--older-than", "30", "--keep", "1").output
    assert "removed 0 of 1 answers" in mcpbench("prune", "--keep", str(10**30)).output
    assert "removed 1 of 1 answers" in mcpbench("prune", "--keep", "0", "--path", folder.resolve()).output


def test_prune_without_a_limit_removes_nothing_and_says_which_there_are(folder: Path) -> None:
    done = mcpbench("prune")
    assert isinstance(done.exception, OptionError)
    assert "--older-than DAYS, --keep N" in str(done.exception)
    assert "6 answers" in mcpbench("info").output


@pytest.mark.parametrize("command", [["info"], ["prune", "--keep", "0"]])
def test_a_folder_without_a_cache_is_named_and_none_is_made(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = mcpbench(*command)
    assert isinstance(done.exception, OptionError)
    assert str(done.exception) == f".mcpbench/cache: holds no kept answers ({FILE}); name the folder with --path"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_cache_is_told_and_set_aside(folder: Path) -> None:
    (folder / FILE).write_bytes(b"not a database, but long enough to look at" * 50)
    done = mcpbench("info")
    assert done.exit_code == 0
    assert "0 answers" in done.output
    assert "is no cache of this version" in done.output
