"""The generator: what its rows hold to, whatever the seed."""

import re
from collections import Counter
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.core.formats import parse, render
from pytest_mcpbench.core.overlap import CaseIndex, normalized
from pytest_mcpbench.core.schema import ArgumentChecker
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.data import build_rows
from pytest_mcpbench.training.generate import blocks, pools
from pytest_mcpbench.training.generate.assembling import regex
from pytest_mcpbench.training.generate.blocks import Effort
from pytest_mcpbench.training.generate.build import BUILDERS, SHARES, coding_tools, faults
from pytest_mcpbench.training.generate.coining import Coin
from pytest_mcpbench.training.generate.compose import EmptyPoolError, Maker, finished
from pytest_mcpbench.training.generate.grounding import invented
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.quoting import clear_without_quotes, quoted
from pytest_mcpbench.training.generate.snippets import FILES
from pytest_mcpbench.training.generate.values import Values

PHRASE_POOLS = (
    "read", "write", "edit", "bash", "grep", "glob", "places", "pairs", "none", "frames", "kinds",
    "edit_told", "grep_told", "write_told", "pairs_told", "pairs_lines", "read_more", "glob_more",
)  # fmt: skip
CLOSED_VOCABULARIES = {"packages", "extensions", "languages"}


@cache
def rows() -> tuple[list[Case], list[Case]]:
    return build_rows(7, 700, 140)


def a_row(prompt: str, call: ExpectedCall) -> Case:
    return Case(id="r", messages=(Message(role="user", content=prompt),), tools=coding_tools(), alternatives=((call,),))


def calls_of(case: Case) -> list[str]:
    return [call.name for call in case.expected]


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    again = build_rows(7, 700, 140)
    assert [(c.id, c.prompt, c.alternatives) for c in again[0]] == [(c.id, c.prompt, c.alternatives) for c in rows()[0]]
    assert {c.prompt for c in build_rows(8, 80, 20)[0]} & {c.prompt for c in build_rows(9, 80, 20)[0]} == set()


def test_as_many_rows_come_as_were_asked_for_with_ids_and_prompts_of_their_own() -> None:
    train, validation = rows()
    assert (len(train), len(validation)) == (700, 140)
    assert len({case.id for case in (*train, *validation)}) == 840
    assert len({normalized(case.prompt) for case in (*train, *validation)}) == 840


def test_each_tool_has_its_share_and_some_rows_call_none_or_two() -> None:
    train, _ = rows()
    kinds = Counter("two" if len(c.expected) == 2 else (calls_of(c) or ["none"])[0] for c in train)
    assert set(kinds) == {"read", "write", "edit", "bash", "grep", "glob", "two", "none"}
    assert 0.12 <= kinds["none"] / 700 <= 0.15
    assert all(0.07 <= count / 700 <= 0.17 for count in kinds.values())


def test_every_row_is_read_back_fits_the_schemas_and_follows_from_its_prompt() -> None:
    checker = ArgumentChecker()
    for case in (*rows()[0], *rows()[1]):
        calls = [call.call for call in case.expected]
        assert not calls or list(parse(render(calls, "native"), "native").calls) == calls
        assert faults(case, checker) is None


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_what_the_builders_make_hardly_ever_has_to_be_drawn_again(kind: str) -> None:
    make, checker, drawn, bad = Maker(Random(f"faults {kind}"), "train"), ArgumentChecker(), 0, []
    while drawn < 150:
        try:
            clause = BUILDERS[kind](make)
        except EmptyPoolError:
            continue
        drawn += 1
        prompt = finished(clause, make, clause.alternatives[0][0].name if clause.alternatives[0] else "none")
        message = Message(role="user", content=prompt)
        case = Case(id="r", messages=(message,), tools=coding_tools(), alternatives=clause.alternatives)
        bad += [fault] if (fault := faults(case, checker)) else []
    assert len(bad) <= 1, bad


def test_the_two_sides_share_no_entry_of_any_pool() -> None:
    for name in PHRASE_POOLS:
        for section, entries in pools.sections(name).items():
            train, validation = set(pools.side(entries, "train")), set(pools.side(entries, "validation"))
            assert not train & validation, f"{name}.{section}"
            assert train | validation == set(entries)
            assert train, f"{name}.{section} has nothing to train on"


def test_stems_identifiers_and_words_of_validation_never_stand_in_training() -> None:
    train, validation = Values(Random(1), "train"), Values(Random(1), "validation")
    for field in ("stems", "verbs", "common", "names", "places", "specials", "folders", "phrases"):
        assert not set(getattr(train, field)) & set(getattr(validation, field)), field
        assert getattr(validation, field), field
    unseen = {stem for stem in validation.stems if len(stem) > 6} - set(train.common) - set(train.folders)
    prompts = "\n".join(re.sub(r"[^a-z]+", " ", case.prompt.lower()) for case in rows()[0])
    in_text = {stem for stem in unseen if f" {stem.lower()} " in prompts}
    assert len(in_text) <= 0.1 * len(unseen), f"stems of validation in training: {sorted(in_text)}"


def test_no_row_is_near_a_prompt_that_was_to_be_kept_out() -> None:
    wanted = build_rows(3, 60, 0)[0]
    kept_out = wanted[:20]
    again = build_rows(3, 60, 0, exclude=kept_out)[0]
    index = CaseIndex(kept_out)
    assert not any(index.has_like(case) for case in again)
    assert {case.prompt for case in again} != {case.prompt for case in wanted}


def test_an_impossible_number_of_rows_is_refused_in_one_line() -> None:
    with pytest.raises(TrainingError, match="-1 rows cannot be built"):
        build_rows(0, -1, 0)


def test_rows_of_validation_come_in_every_kind() -> None:
    assert {name for case in rows()[1] for name in calls_of(case)} == {"read", "write", "edit", "bash", "grep", "glob"}
    assert any(not case.expects_call for case in rows()[1])


def strings_of(case: Case) -> list[str]:
    return [value for call in case.expected for value in call.arguments.values() if isinstance(value, str)]


def test_texts_are_copied_byte_for_byte_and_paths_named_apart_are_joined() -> None:
    joined = 0
    for case in rows()[0]:
        for call in case.expected:
            path = call.arguments.get("file_path", "")
            if path not in case.prompt:
                joined += 1
                folder, _, name = path.rpartition("/")
                assert folder in case.prompt, (case.prompt, path)
                assert name in case.prompt, (case.prompt, path)
            old = call.arguments.get("old_string", "")
            assert old in case.prompt, (case.prompt, old)
    assert 0 < joined < 0.05 * len(rows()[0])


def test_many_contents_have_several_lines_and_many_values_quotes_that_need_care() -> None:
    train = rows()[0]
    contents = [call.arguments["content"] for case in train for call in case.expected if call.name == "write"]
    assert sum("\n" in content for content in contents) >= 0.3 * len(contents)
    quoting = [case for case in train if any("'" in text or "\\" in text for text in strings_of(case))]
    both = [case for case in train if any("'" in text and '"' in text for text in strings_of(case))]
    foreign = [case for case in train if any(not text.isascii() for text in strings_of(case))]
    assert len(quoting) >= 0.1 * len(train)
    assert len(both) >= 0.02 * len(train)
    assert len(foreign) >= 0.02 * len(train)


def test_contents_and_commands_are_hardly_ever_the_same_twice() -> None:
    texts = [text for case in rows()[0] for text in strings_of(case) if len(text) > 25]
    assert len(set(texts)) >= 0.95 * len(texts)


@given(st.integers())
@settings(max_examples=60)
def test_a_coined_word_belongs_to_one_side_only(seed: int) -> None:
    words = {split: {Coin(Random(seed), split).invented() for _ in range(20)} for split in ("train", "validation")}
    assert not words["train"] & words["validation"]
    assert all(pools.split_of(word) == "validation" for word in words["validation"])


@given(st.integers())
@settings(max_examples=100)
def test_assembled_patterns_compile_and_changed_texts_differ_or_stay_unused(seed: int) -> None:
    values = Values(Random(seed), "train")
    assert re.compile(regex(values.coin))
    kind, block = values.snippets.block(6)
    assert block.strip()
    assert kind in FILES
    assert values.snippets.mutated(block)


def test_every_occurrence_is_replaced_exactly_where_the_words_say_so() -> None:
    said = re.compile(r"\b(all|every|everywhere|each|global|globally|throughout|wherever)\b|/g\b", re.IGNORECASE)
    edits = [c for c in rows()[0] if calls_of(c) == ["edit"]]
    with_flag = [c for c in edits if c.expected[0].arguments.get("replace_all")]
    assert with_flag
    assert len(with_flag) < len(edits) / 2
    assert all(said.search(c.prompt) for c in with_flag)


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("read a.py", ExpectedCall(name="read", arguments={"file_path": "b.py"})),
        ("read a.py, lines 10 to 20", ExpectedCall(name="read", arguments={"file_path": "a.py", "limit": 13})),
        ("empty a.py", ExpectedCall(name="write", arguments={"file_path": "a.py", "content": "x"})),
        ("fill a.py with x", ExpectedCall(name="write", arguments={"file_path": "a.py", "content": ""})),
        (
            "change x to y in a.py",
            ExpectedCall(
                name="edit",
                arguments={"file_path": "a.py", "old_string": "x", "new_string": "y", "replace_all": True},
            ),
        ),
        ("run ls", ExpectedCall(name="bash", arguments={"command": "ls -la"})),
        ("run ls for 2 minutes", ExpectedCall(name="bash", arguments={"command": "ls", "timeout": 2000})),
        ("find x", ExpectedCall(name="grep", arguments={"pattern": "x", "output_mode": "count"})),
        ("find x in rust files", ExpectedCall(name="grep", arguments={"pattern": "x", "type": "py"})),
        ("find python files", ExpectedCall(name="glob", arguments={"pattern": "**/*.rs"})),
        ("find python files", ExpectedCall(name="glob", arguments={"pattern": "**/*.py", "path": "src"})),
    ],
)
def test_an_argument_that_does_not_follow_from_the_prompt_is_found(prompt: str, call: ExpectedCall) -> None:
    assert invented(a_row(prompt, call)) is not None


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        (
            "lines 10 to 20 of a.py",
            ExpectedCall(name="read", arguments={"file_path": "a.py", "offset": 10, "limit": 11}),
        ),
        ("skip the first ten lines of a", ExpectedCall(name="read", arguments={"file_path": "a", "offset": 11})),
        ("run ls, two minutes at most", ExpectedCall(name="bash", arguments={"command": "ls", "timeout": 120_000})),
        ("install numpy with pip", ExpectedCall(name="bash", arguments={"command": "pip install numpy"})),
        ("find shell scripts", ExpectedCall(name="glob", arguments={"pattern": "**/*.sh"})),
        ("how many TODOs in C++ code?", ExpectedCall(name="grep", arguments={"pattern": "TODO", "type": "cpp"})),
    ],
)
def test_an_argument_that_follows_by_a_rule_is_borne_out(prompt: str, call: ExpectedCall) -> None:
    assert invented(a_row(prompt, call)) is None


@given(st.text(alphabet="abc ()[]|", max_size=20), st.integers())
def test_a_phrasing_either_expands_or_is_refused(template: str, seed: int) -> None:
    try:
        text = expand(template, Random(seed))
    except ValueError:
        return
    assert not set(text) & set("([")


@given(st.text(min_size=1, max_size=30), st.sampled_from("'\"`“"))
@settings(max_examples=200)
def test_a_quoted_value_can_be_read_back(value: str, mark: str) -> None:
    shown = quoted(value, mark)
    assert value in shown
    if not shown.startswith("``"):
        assert shown[0] not in value
        assert shown[-1] not in value


@given(st.text(max_size=20))
def test_a_value_that_ends_like_a_sentence_is_never_left_bare(value: str) -> None:
    for mark in ".!?,":
        assert not clear_without_quotes(value + mark, "path")
        assert not clear_without_quotes(value + mark, "command")


def test_no_pool_names_a_kind_that_nobody_fills() -> None:
    values = Values(Random(0), "train")
    for name in ("commands", "phrases", "code", "edits", "things", "contents", "code_blocks", "globs"):
        for line in pools.lines(name):
            for kind in re.findall(r"<([a-z]+)\d?>", line):
                html = {"b", "strong", "div", "section", "html", "body", "ul", "li", "title", "button", "br", "p"}
                assert values.knows(kind) or kind in html | {"iostream"}, f"{name}: {line}"


def test_many_rows_are_the_same_ones_however_many_processes_draw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", 40)
    told: list[int] = []
    alone = build_rows(5, 130, 30, effort=Effort(processes=1, on_rows=told.append))
    together = build_rows(5, 130, 30, effort=Effort(processes=2))
    assert together == alone
    assert sum(told) == 160
    assert len({normalized(row.prompt) for rows in alone for row in rows}) == 160


def test_a_prompt_that_two_blocks_draw_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = blocks.draw
    monkeypatch.setattr(blocks, "_BLOCK_ROWS", 20)
    # Every block draws what the first one does, so that all others are doubles.
    monkeypatch.setattr(
        blocks, "draw", lambda split, counts, seed, *rest: drawn(split, counts, seed.rsplit(" ", 1)[0], *rest)
    )
    rows, _ = build_rows(5, 60, 0, effort=Effort(processes=1))
    assert len({normalized(row.prompt) for row in rows}) == 60
    kinds = Counter(
        "two" if len(row.expected) > 1 else row.expected[0].call.name if row.expected else "none" for row in rows
    )
    assert kinds["read"] == round(60 * SHARES["read"])
