"""Values that are easily lost at their ends: commands, signs of a pattern, lines of a content, places of an edit."""

import re
from collections.abc import Callable
from random import Random

import pytest

from pytest_mcpbench.training.generate import pools
from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, finished
from pytest_mcpbench.training.generate.exact_commands import exact_command
from pytest_mcpbench.training.generate.exact_edits import exact_edit, exact_pair
from pytest_mcpbench.training.generate.exact_searches import exact_search
from pytest_mcpbench.training.generate.exact_writes import exact_write
from pytest_mcpbench.training.generate.phrases import expand

EVERY = re.compile(r"\b(all|every|everywhere|each|wherever)\b", re.IGNORECASE)


def drawn(build: Callable[[Maker], Clause], count: int = 250) -> list[tuple[str, Clause]]:
    make, found = Maker(Random(5), "train"), []
    while len(found) < count:
        try:
            clause = build(make)
        except EmptyPoolError:
            continue
        found.append((finished(clause, make, clause.alternatives[0][0].name), clause))
    return found


@pytest.mark.parametrize("pool", ["bash_exact", "grep_exact", "write_exact", "edit_exact"])
def test_each_phrasing_expands_and_belongs_to_one_side(pool: str) -> None:
    for section, phrasings in pools.sections(pool).items():
        train, validation = (set(pools.side(phrasings, split)) for split in ("train", "validation"))
        assert train, section
        assert not train & validation
        assert all(expand(phrasing, Random(seed)) for phrasing in phrasings for seed in range(3))


def test_a_command_stands_whole_in_its_request() -> None:
    make, seen = Maker(Random(6), "train"), 0
    while seen < 300:
        try:
            clause, command, timeout = exact_command(make)
        except EmptyPoolError:
            continue
        seen += 1
        assert command in clause.text
        assert timeout is None or timeout > 0


def test_the_signs_at_the_ends_of_a_search_stay_in_its_pattern() -> None:
    patterns = []
    for prompt, clause in drawn(exact_search, 400):
        arguments = clause.alternatives[0][0].arguments
        patterns.append(str(arguments["pattern"]))
        assert all(str(arguments.get(name, "")) in prompt for name in ("pattern", "path", "glob"))
    for sign in "!:(=":
        assert any(pattern.endswith(sign) for pattern in patterns), sign
    assert any(re.fullmatch(r"\W+", pattern) for pattern in patterns)
    assert any(re.fullmatch(r'".*"', pattern) for pattern in patterns)


def test_each_line_of_a_content_and_its_own_quotes_stand_in_the_request() -> None:
    contents = []
    for prompt, clause in drawn(exact_write):
        content = str(clause.alternatives[0][0].arguments["content"])
        contents.append(content)
        assert all(line in prompt for line in content.split("\n"))
    assert any(re.fullmatch(r'".+"', content) for content in contents)
    assert any("\\n" in content and "\n" not in content for content in contents)
    assert any(content.count("\n") > 8 for content in contents)


def test_every_place_is_changed_exactly_where_the_words_say_so() -> None:
    for prompt, clause in drawn(exact_edit):
        if clause.alternatives[0][0].arguments.get("replace_all"):
            assert EVERY.search(prompt), prompt


def test_two_edits_and_two_commands_keep_what_is_theirs() -> None:
    limited = 0
    for prompt, clause in drawn(exact_pair):
        one, two = (call.arguments for call in clause.alternatives[0])
        assert one != two
        assert "timeout" not in two
        limited += "timeout" in one
        assert all(str(two[name]) in prompt for name in two)
    assert 0 < limited < 60
