"""What went wrong, answer by answer."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.core.diagnose import KINDS, SAYS, diagnose, diagnose_record, diagnosis_lines, is_miss
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.kept import keep
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.run import record_of
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.valuefault import ValueFault, value_fault
from tests.core.planted import TOOLS, case_of, planted_cases, planted_run, right_answer, run_of, said

VALUES = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text(), max_size=2))


def test_planted_faults_of_every_kind_are_named() -> None:
    run, planted = planted_run(20)
    found = {miss.case: (miss.kind, miss.detail) for miss in diagnose(run, "finetuned").misses}
    wrong = {case: (found.get(case), what) for case, what in planted.items() if found.get(case) != what}
    assert not wrong
    assert {kind for kind, _ in planted.values()} == set(KINDS)
    assert {detail for kind, detail in planted.values() if kind == "wrong_value"} == set(get_args(ValueFault))


def test_a_run_without_a_miss_has_nothing_to_name() -> None:
    cases = [case for _, _, case, _ in planted_cases(2)]
    run = run_of(cases, {"finetuned": {case.id: right_answer(case) for case in cases}})
    assert diagnose(run, "finetuned").misses == ()


@given(st.text(max_size=80), st.sampled_from(["stop", "length", "error"]), st.booleans())
def test_every_miss_has_exactly_one_kind_and_nothing_right_has_one(text: str, reason: str, calls: bool) -> None:
    case = case_of("c", "read a.py", *([("read", {"file_path": "a.py"})] if calls else []))
    parsed = parse(text, "native", TOOLS)
    record = record_of("m", Generation(text=text, finish_reason=reason), parsed, score(case, parsed, reason))
    if is_miss(record):
        assert diagnose_record(record, keep([case], "x").items[0]).kind in SAYS
    else:
        with pytest.raises(ValueError, match="rightly"):
            diagnose_record(record)


@given(VALUES, VALUES, st.sampled_from(["file_path", "content", ""]), st.text(max_size=30))
def test_any_two_values_have_one_fault(want: object, got: object, parameter: str, request_text: str) -> None:
    assert value_fault(want, got, parameter, request_text) in get_args(ValueFault)


@pytest.mark.parametrize(
    ("want", "got", "fault"),
    [
        (True, "true", "number_type"),
        (3, 3.0, "number_type"),
        (30, "30", "number_type"),
        ("src/a.py", "./src/a.py", "path"),
        ("src/a.py", "a.py", "path"),
        ("**/*.py", "*.py", "path"),
        ("~/notes.md", "/notes.md", "path"),
        ("My Notes/ideas.md", "lib/ideas.md", "path"),
        ("src/a.py", "src/b.py", "hallucinated"),
        ("say 'hi'", 'say "hi"', "quoting"),
        ("say 'hi'", "say \\'hi\\'", "quoting"),
        ("a  b", "a b", "white_space"),
        ("a\nb", "a\\nb", "white_space"),
        ("TODO", "todo", "letter_case"),
        ("Done.", "Done", "punctuation"),
        ("src/a.py", "src/a", "truncated"),
        ("x", "", "truncated"),
        ("TODO", "find TODO", "misread"),
        (5, 6, "hallucinated"),
        (5, 7, "misread"),
    ],
)
def test_values_are_wrong_in_the_way_a_person_would_say(want: object, got: object, fault: str) -> None:
    parameter = "file_path" if "/" in str(want) else "content"
    assert value_fault(want, got, parameter, "find TODO in 7 files") == fault


def test_a_wrong_value_is_held_to_the_accepted_value_it_comes_closest_to() -> None:
    call = ExpectedCall(name="glob", arguments={"pattern": "**/*.py"}, accept={"pattern": ("lib/Main.py",)})
    case = Case(
        id="c",
        messages=(Message(role="user", content="find the main file"),),
        tools=TOOLS,
        alternatives=((call,),),
    )
    run = run_of([case], {"m": {"c": said(("glob", {"pattern": "lib/main.py"}))}})
    assert diagnose(run, "m").misses[0].detail == "letter_case"


def test_groups_add_up_to_all_misses_and_lines_show_counts_shares_and_examples() -> None:
    run, planted = planted_run(3)
    diagnosis = diagnose(run, "finetuned")
    assert sum(group.n for group in diagnosis.groups) == len(planted)
    assert sum(group.share for group in diagnosis.groups) == pytest.approx(1)
    assert sum(diagnosis.counts().values()) == len(planted)
    lines = list(diagnosis_lines(diagnosis))
    assert lines[0] == f"finetuned: {len(planted)} of {len(planted)} cases missed"
    assert any("wrong tool (glob for read)" in line and "    3 " in line for line in lines)


def test_names_of_arguments_stand_as_they_are_and_codes_as_words() -> None:
    cases = [case_of(name, f"read {name}", ("read", {"file_path": name})) for name in ("a.py", "b.py")]
    answers = {"a.py": said(("read", {})), "b.py": Generation(text="<tool_use>read(file_path=b)</tool_use>")}
    titles = [group.title for group in diagnose(run_of(cases, {"m": answers}), "m").groups]
    assert titles == ["unparsable call (not a literal)", "missing argument (file_path)"]
