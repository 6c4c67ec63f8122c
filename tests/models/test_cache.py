import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.models.cache import FILE, GenerationCache

ANSWER = Generation(text="<tool_use>read(path='a')</tool_use>", prompt_tokens=9, output_tokens=12)
WRITER = """
import sys
from pathlib import Path
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.models.cache import GenerationCache
cache = GenerationCache(Path(sys.argv[1]))
for batch in range(int(sys.argv[3])):
    cache.put_many((f"{sys.argv[2]}-{batch}-{n}", Generation(text=f"{batch} {n}")) for n in range(8))
    print(batch, flush=True)
"""


def writer(folder: Path, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> GenerationCache:
    return GenerationCache(tmp_path_factory.mktemp("cache"))


@given(text=st.text(), error=st.none() | st.text(), tokens=st.integers(0, 1000))
def test_what_was_put_is_what_is_got(shared: GenerationCache, text: str, error: str | None, tokens: int) -> None:
    answer = Generation(text=text, error=error, output_tokens=tokens, finish_reason="length", e2e_s=0.1)
    shared.put_many([("k", answer)])
    assert shared.get("k") == answer


def test_half_a_character_is_kept_as_it_is(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    cache.put_many([("k", Generation(text="\ud800"))])
    assert cache.get("k") == Generation(text="\ud800")


def test_an_unknown_key_is_a_miss_and_a_second_answer_replaces_the_first(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path / "deep" / "er")
    assert cache.get("k") is None
    cache.put_many([("k", Generation(text="old"))])
    cache.put_many([("k", ANSWER)])
    assert cache.get("k") == ANSWER
    assert cache.info().entries == 1
    assert cache.problems == []


def test_a_killed_writer_leaves_whole_batches_behind(tmp_path: Path) -> None:
    process = writer(tmp_path, "w", 100_000)
    assert process.stdout is not None
    while process.stdout.readline() != "20\n":
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    cache = GenerationCache(tmp_path)
    kept = cache.info().entries
    assert kept >= 21 * 8
    assert kept % 8 == 0
    assert cache.get("w-20-7") == Generation(text="20 7")
    assert cache.problems == []


def test_two_processes_lose_nothing_of_one_another(tmp_path: Path) -> None:
    writers = [writer(tmp_path, name, 25) for name in "ab"]
    assert [process.communicate() and process.returncode for process in writers] == [0, 0]
    cache = GenerationCache(tmp_path)
    assert cache.info().entries == 2 * 25 * 8
    assert cache.get("b-24-7") == Generation(text="24 7")


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look at" * 50, b"SQLite format 3\x00" + b"\xff" * 4000]
)
def test_a_file_that_is_no_cache_is_set_aside_and_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    cache = GenerationCache(tmp_path)
    assert cache.get("k") is None
    cache.put_many([("k", ANSWER)])
    assert cache.get("k") == ANSWER
    assert (tmp_path / f"{FILE}.broken-1").read_bytes() == content
    assert len(cache.problems) == 1
    assert cache.problems[0].startswith(f"{tmp_path / FILE}: is no cache of this version (")
    assert cache.problems[0].endswith(f"; it is now {FILE}.broken-1, a new one is begun")


def test_a_database_of_another_program_is_set_aside_unharmed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("CREATE TABLE answers (mine TEXT)")
        other.execute("INSERT INTO answers VALUES ('precious')")
    other.close()
    cache = GenerationCache(tmp_path)
    cache.put_many([("k", ANSWER)])
    assert cache.get("k") == ANSWER
    with sqlite3.connect(tmp_path / f"{FILE}.broken-1") as other:
        assert other.execute("SELECT mine FROM answers").fetchone() == ("precious",)
    other.close()


def test_damage_in_the_middle_never_gives_a_wrong_answer(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    answers = {f"key-{n}": Generation(text=f"text {n} " * 40) for n in range(300)}
    cache.put_many(answers.items())
    cache.close()
    whole = (tmp_path / FILE).read_bytes()
    for at in range(0, len(whole), len(whole) // 12):
        (tmp_path / FILE).write_bytes(whole[:at] + b"\x5a" * 700 + whole[at + 700 :])
        damaged = GenerationCache(tmp_path)
        found = {key: damaged.get(key) for key in answers}
        assert all(answer in (None, answers[key]) for key, answer in found.items())
        damaged.put_many([("new", ANSWER)])
        assert damaged.get("new") == ANSWER
        damaged.close()


def test_a_file_cut_short_is_no_end_of_the_run(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    cache.put_many((f"key-{n}", ANSWER) for n in range(300))
    cache.close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    cut = GenerationCache(tmp_path)
    assert cut.get("key-7") in (None, ANSWER)
    cut.put_many([("new", ANSWER)])
    assert cut.get("new") == ANSWER


def test_an_answer_whose_checksum_is_wrong_is_a_miss(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path)
    cache.put_many([("k", ANSWER)])
    cache.close()
    with sqlite3.connect(tmp_path / FILE) as raw:
        raw.execute("UPDATE answers SET answer = replace(answer, 'read', 'bash')")
    raw.close()
    assert cache.get("k") is None


def test_a_folder_that_cannot_be_used_is_told_once_and_missed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = GenerationCache(tmp_path / "file")
    cache.put_many([("k", ANSWER)])
    assert cache.get("k") is None
    assert cache.info().entries == 0
    assert len(cache.problems) == 1
    assert "the cache cannot be used (" in cache.problems[0]


def test_pruning_removes_the_old_and_then_the_most_and_says_how_many(tmp_path: Path) -> None:
    now_s = 0.0
    cache = GenerationCache(tmp_path, clock=lambda: now_s)
    for now_s in (10.0, 20.0, 30.0, 40.0):
        cache.put_many([(f"at {now_s}", ANSWER)])
    now_s = 41.0
    assert cache.prune(max_age_s=25) == 1
    assert cache.prune(max_entries=2) == 1
    assert [cache.get(f"at {t}") is not None for t in (10.0, 20.0, 30.0, 40.0)] == [False, False, True, True]
    assert cache.prune(max_entries=0) == 2
    assert cache.prune(max_entries=0) == 0
