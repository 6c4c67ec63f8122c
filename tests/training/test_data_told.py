"""Requests to read and to find files, told as people tell them: what their numbers and patterns hold to."""

import re
from fnmatch import fnmatchcase
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.training.generate import exemplified, pools
from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker
from pytest_mcpbench.training.generate.finding_told import told_glob
from pytest_mcpbench.training.generate.globbing import directly, found, one_level_down, typed
from pytest_mcpbench.training.generate.line_numbers import lines_asked, ordinal, said
from pytest_mcpbench.training.generate.pairs import pair_clause
from pytest_mcpbench.training.generate.phrases import expand, slots_of
from pytest_mcpbench.training.generate.places import Place
from pytest_mcpbench.training.generate.reading import read_clause

SAID_OF_READ = {"file", "name", "dir", "a", "b", "ab", "lab", "n", "m", "mid", "before", "ord", "size"}
SAID_OF_GLOB = {"name", "dir", "where", "dotext", "dotext2", "noun", "lang", "lang2", "affix", "tail", "start", "end",
                "eg", "eg2", "deep"}  # fmt: skip
CONTEXT = {"who", "err", "day", "what", "issue", "num", "lang", "mention", "ran", "Name", "tool"}


def drawn(make: Maker, count: int) -> list[Clause]:
    clauses: list[Clause] = []
    while len(clauses) < count:
        try:
            clauses.append(told_glob(make))
        except EmptyPoolError:
            continue
    return clauses


@pytest.mark.parametrize(
    ("pool", "known"), [("read_more", SAID_OF_READ), ("glob_more", SAID_OF_GLOB | {"typed"})], ids=["read", "glob"]
)
def test_each_phrasing_expands_and_names_only_what_is_filled(pool: str, known: set[str]) -> None:
    phrasings = [line for entries in pools.sections(pool).values() for line in entries]
    assert len(phrasings) >= 450
    assert len(set(phrasings)) >= 0.99 * len(phrasings)
    for phrasing in phrasings:
        for seed in range(3):
            text = expand(phrasing, Random(seed))
            assert text
            assert set(slots_of(text)) <= known | CONTEXT, phrasing


@given(st.integers())
@settings(max_examples=60)
def test_a_range_has_as_many_lines_as_its_ends_say_however_they_are_written(seed: int) -> None:
    make = Maker(Random(seed), "train")
    numbers, shown = lines_asked(make, "range", "lines {a} to {b}")
    first, last = int(shown["a"].value), int(shown["b"].value)
    assert numbers == {"offset": first, "limit": last - first + 1}
    for slot in ("ab", "lab"):
        assert [int(each) for each in re.findall(r"\d+", str(shown[slot].shown))] == [first, last]
    assert str(shown["b"].shown or last).replace(",", "") == str(last)
    assert first <= int(shown["mid"].value) <= last


@given(st.integers())
@settings(max_examples=60)
def test_what_is_skipped_and_what_is_counted_off_gives_the_first_line_wanted(seed: int) -> None:
    make = Maker(Random(seed), "train")
    numbers, shown = lines_asked(make, "skip", "skip the first {n} lines")
    assert numbers == {"offset": int(shown["n"].value) + 1}
    numbers, shown = lines_asked(make, "offset", "I know {m} lines, go on at {n}")
    assert numbers == {"offset": int(shown["m"].value) + 1}
    numbers, shown = lines_asked(make, "block", "the {ord} {size} lines")
    assert numbers == {"offset": (int(shown["ord"].value) - 1) * int(shown["size"].value) + 1,
                       "limit": int(shown["size"].value)}  # fmt: skip


def test_a_dozen_has_its_article_only_where_nothing_stands_for_it() -> None:
    make = Maker(Random(0), "train")
    words = {str(said(make, 12, "read {n} lines").shown) for _ in range(60)}
    after_first = {str(said(make, 12, "the first {n} lines").shown) for _ in range(60)}
    assert words == {"None", "a dozen"}
    assert after_first == {"None", "dozen"}


def test_most_requests_to_read_ask_for_a_range_of_lines() -> None:
    make, ranges = Maker(Random(4), "train"), 0
    for _ in range(600):
        arguments = read_clause(make).alternatives[0][0].arguments
        ranges += "offset" in arguments and "limit" in arguments
    assert 0.6 <= ranges / 600 <= 0.8


def test_parts_of_names_and_signs_between_them_stand_in_patterns() -> None:
    patterns = [str(clause.alternatives[0][0].arguments["pattern"]) for clause in drawn(Maker(Random(2), "train"), 900)]
    for sign in (
        r"\[0-9\]\.",
        r"[^?]\?\.",
        r"^\*\*/[^*]+\*$",
        r"^\*\*/\*[^*]+\*$",
        r"^\*\*/\*\w+\.\w+$",
        r"/\*/[^*]+$",
    ):
        assert any(re.search(sign, pattern) for pattern in patterns), sign


@given(st.integers(), st.sampled_from(sorted(exemplified.KINDS)))
@settings(max_examples=200)
def test_each_example_of_a_name_matches_the_pattern_it_stands_for(seed: int, kind: str) -> None:
    place = Place(arguments={"path": "lib"}, kind="dir")
    try:
        slots, answers = exemplified.described(Maker(Random(seed), "train"), kind, "{dotext}", place)
    except EmptyPoolError:
        return
    pattern = str(answers[0][0].arguments["pattern"]).removeprefix("**/")
    for name in ("eg", "eg2"):
        assert name not in slots or fnmatchcase(slots[name].value, pattern), (slots, pattern)
    assert kind != "top" or "path" not in answers[0][0].arguments


def test_two_ranges_of_one_file_are_two_reads_of_it_and_lengths_follow_from_the_ends() -> None:
    make, ranges, same = Maker(Random(6), "train"), 0, 0
    clauses = 0
    while clauses < 300:
        try:
            calls = pair_clause(make).alternatives[0]
        except EmptyPoolError:
            continue
        clauses += 1
        reads = [call.arguments for call in calls if call.name == "read" and "limit" in call.arguments]
        ranges += any("offset" in read for read in reads)
        same += len(reads) == 2 and reads[0]["file_path"] == reads[1]["file_path"]
    assert ranges >= 0.2 * clauses
    assert same >= 1


def test_the_rank_of_a_line_is_spoken_or_has_its_ending() -> None:
    make = Maker(Random(1), "train")
    for rank, forms in ((12, {"twelfth", "12th"}), (21, {"twenty-first", "21st"}), (113, {"113th"}), (402, {"402nd"})):
        assert {ordinal(make, rank).shown for _ in range(60)} == forms


def test_answers_for_files_by_name_say_where_and_how_deep() -> None:
    place = Place(arguments={"path": "lib"}, kind="dir")
    beside, inside = found("**/LICENSE", place)
    assert (beside[0].arguments, beside[0].accept) == (
        {"pattern": "**/LICENSE", "path": "lib"},
        {"pattern": ("LICENSE",)},
    )
    assert inside[0].arguments == {"pattern": "lib/**/LICENSE"}
    assert typed("logs/*.log", Place())[0][0].accept == {}
    assert typed("*.log", Place())[0][0].accept == {"pattern": ("**/*.log",)}
    assert all("**" not in str(calls[0].arguments["pattern"]) for calls in directly("*.c", "src"))
    assert [calls[0].arguments for calls in one_level_down("go.mod", "pkg")] == [
        {"pattern": "pkg/*/go.mod"},
        {"pattern": "*/go.mod", "path": "pkg"},
    ]
