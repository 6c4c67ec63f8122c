from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool
from pytest_mcpbench.core.floors import floor_report
from pytest_mcpbench.core.formats import parse
from pytest_mcpbench.core.gate import TierResult, certified_tier, check_gates, targets_of, tier_of
from pytest_mcpbench.core.kept import keep
from pytest_mcpbench.core.plan import FinishReason, Generation
from pytest_mcpbench.core.report import MISSES_SHOWN, Line, explain_miss, explain_record, printable, result_lines
from pytest_mcpbench.core.result import ModelResult, RunResult, environment, record_of
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.core.text import visible

TARGETS = targets_of(())
TOOLS = (
    Tool(name="read", input_schema={"properties": {"path": {}, "limit": {}}, "required": ["path"]}),
    Tool(name="grep", input_schema={"properties": {"pattern": {}}}),
)
RIGHT = "<tool_use>read(path='a')</tool_use>"


def case_of(case_id: str, *calls: ExpectedCall) -> Case:
    return Case(id=case_id, messages=(Message(role="user", content="?"),), tools=TOOLS, alternatives=(calls,))


READ = case_of("read-1", ExpectedCall(name="read", arguments={"path": "a"}))
NONE = case_of("none-1")


def why(case: Case, text: str, finish: FinishReason = "stop", error: str | None = None) -> str:
    generation = Generation(text=text, finish_reason=finish, error=error)
    found = parse(text, "native", case.tools)
    result = score(case, found, finish)
    record = record_of("m", generation, found, result)
    assert explain_record(record) == explain_miss(result, generation)
    return explain_miss(result, generation)


def run_of(cases: list[Case], texts: list[str], label: str = "m", finish: FinishReason = "stop") -> RunResult:
    records, scores = [], []
    for case, text in zip(cases, texts, strict=True):
        found = parse(text, "native", case.tools)
        scores.append(score(case, found, finish))
        error = "CUDA\nout of memory" if finish == "error" else None
        records.append(record_of(label, Generation(text=text, finish_reason=finish, error=error), found, scores[-1]))
    summary = summarize(scores)
    model = ModelResult(
        spec="some/\x1bfolder",
        fingerprint="f",
        size_bytes=1_234_567_890,
        tier=tier_of(summary),
        certified_tier=certified_tier(summary),
        summary=summary,
    )
    return RunResult(
        created="now",
        environment=environment(),
        cases=keep(cases, "0" * 64),
        models={label: model},
        floors=floor_report(cases).floors,
        gates=check_gates(summary, label, TARGETS),
        records=tuple(records),
    )


def lines_of(run: RunResult, *, whole: bool = True, verbose: bool = False) -> list[Line]:
    return list(result_lines(run, TARGETS, whole=whole, verbose=verbose))


@given(st.text(), st.none() | st.integers(2, 30))
def test_printable_text_is_one_line_that_every_terminal_and_encoding_takes(text: str, width: int | None) -> None:
    shown = printable(text, width)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode("utf-8") == shown
    if width is not None and text.isprintable():
        assert len(shown) <= width


@given(st.text(st.sampled_from("ab \n\t\x1b\ud800\u202e\u00e9")), st.none() | st.integers(0, 30))
def test_visible_text_keeps_lines_and_tabs_and_escapes_the_rest(text: str, limit: int | None) -> None:
    cut = text if limit is None else text[:limit]
    whole = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in cut)
    shown = visible(text, limit)
    assert shown.startswith(whole)
    assert (shown == whole) == (len(cut) == len(text))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text(min_size=1))
def test_only_printable_text_is_shown_unchanged(text: str) -> None:
    escaped = printable(text)
    assert (escaped == text) == text.isprintable()


def test_escapes_newlines_and_surrogates_are_shown_and_not_sent() -> None:
    assert printable("a\x1b[2J\n\ud800\u202e") == r"a\x1b[2J\n\ud800\u202e"
    assert printable("a" * 10, 5) == "aaaa…"


@pytest.mark.parametrize(
    ("case", "text", "expected"),
    [
        (READ, "", "no attempt; wrote nothing"),
        (READ, "I will read it", "no attempt; wrote I will read it"),
        (READ, "<tool_use>read(path='a'", "unparsed, unclosed; wrote <tool_use>read(path='a'"),
        (READ, "<tool_use>grep(pattern='a')</tool_use>", "wanted 'read', called 'grep'"),
        (READ, "<tool_use>read(path='b')</tool_use>", "path: wanted 'a', got 'b'"),
        (READ, "<tool_use>read(path='\\x1b')</tool_use>", r"path: wanted 'a', got '\x1b'"),
        (READ, "<tool_use>read()</tool_use>", "path is missing, wanted 'a'"),
        (READ, "<tool_use>read(path='a', limit=3)</tool_use>", "limit is extra, got 3"),
        (READ, RIGHT + "<tool_use>grep(pattern='b')</tool_use>", "an extra call of 'grep'"),
        (NONE, RIGHT, f"false call; wrote {RIGHT}"),
    ],
)
def test_each_way_to_be_wrong_is_said_in_one_line(case: Case, text: str, expected: str) -> None:
    assert why(case, text) == expected


def test_a_missing_second_call_is_said() -> None:
    two = case_of("two", *READ.expected, ExpectedCall(name="grep", arguments={"pattern": "x"}))
    assert why(two, RIGHT) == "no call of 'grep'"


def test_a_generation_that_failed_or_was_cut_says_so() -> None:
    assert why(READ, "", "error", "CUDA\nout of memory") == r"error: CUDA\nout of memory"
    assert why(READ, RIGHT, "length") == f"cut; wrote {RIGHT}"


@settings(max_examples=50)
@given(st.text(max_size=400))
def test_whatever_was_written_the_explanation_is_one_short_line(text: str) -> None:
    for case in (READ, NONE):
        for written in (text, f"<tool_use>{text}</tool_use>", f"<tool_use>read({text}=1)</tool_use>"):
            shown = why(case, written)
            assert shown.isprintable()
            assert len(shown) < 3000


def test_every_rate_stands_with_its_n_interval_and_target() -> None:
    texts = [line.text for line in lines_of(run_of([READ, NONE], [RIGHT, "no"]))]
    assert texts[0] == r"m: some/\x1bfolder, 1,235 MB, native format"
    assert "  level1 detection    2/2 right (100.0 %, 95 % interval 34.2 to 100.0), target 97 %  PASS" in texts
    assert "  level4 parameters   1/1 right (100.0 %, 95 % interval 20.7 to 100.0), target 90 %  PASS" in texts
    assert "    read     1/1 (100.0 %); parameters 1/1 (100.0 %)  PASS" in texts
    assert "    no tool  1/1 (100.0 %)" in texts
    assert "  gates: 5 of 5 passed" in texts


def test_a_gate_that_stops_the_model_is_named_and_bad() -> None:
    lines = lines_of(run_of([READ, NONE], ["no", "no"]))
    (gates,) = [line for line in lines if line.text.startswith("  gates:")]
    assert gates.text == "  gates: 0 of 5 passed: level1 FAIL, level2 FAIL, level3 FAIL, level4 FAIL, tool:read FAIL"
    assert gates.mood == "bad"
    assert next(line for line in lines if "level3 correctness" in line.text).mood == "bad"


def test_without_the_cases_for_no_tool_the_levels_that_need_them_are_left_out() -> None:
    texts = "\n".join(line.text for line in lines_of(run_of([READ], [RIGHT]), whole=False))
    assert "level2 parsing" in texts
    assert "level4 parameters" in texts
    assert "level1 detection" not in texts
    assert "level3 correctness" not in texts
    assert "skill" not in texts


def test_answers_that_could_not_be_generated_are_told_apart_from_wrong_ones() -> None:
    texts = [line.text for line in lines_of(run_of([READ, NONE], ["", ""], finish="error"))]
    wanted = r"  errors: 2 answers could not be generated and count as wrong; first read-1: CUDA\nout of memory"
    assert wanted in texts


def test_a_run_without_gates_shows_no_verdict() -> None:
    run = replace(run_of([READ, NONE], ["no", "no"]), gates=())
    assert not [line for line in lines_of(run) if "FAIL" in line.text or "gates" in line.text]


def test_a_tier_that_was_withheld_says_why() -> None:
    run = run_of([READ, NONE], [RIGHT, "no"])
    none = TierResult(tier=None, set_by=None, reason="because")
    model = replace(run.models["m"], tier=none, certified_tier=none)
    assert "  no tier: because" in [line.text for line in lines_of(replace(run, models={"m": model}))]


@settings(max_examples=25)
@given(st.integers(0, 60), st.booleans())
def test_misses_are_listed_all_or_spread_over_all(n: int, verbose: bool) -> None:
    cases = [replace(READ, id=f"case-{i:02}") for i in range(n)] + [NONE]
    lines = [line.text for line in lines_of(run_of(cases, ["no"] * (n + 1)), verbose=verbose)]
    listed = [line.split()[0] for line in lines if line.startswith("  case-")]
    assert listed == sorted(set(listed))
    assert len(listed) == n if verbose else min(n, MISSES_SHOWN // 2) <= len(listed) <= MISSES_SHOWN
    assert any(line.startswith(f"m: {n} of {n + 1} cases missed") for line in lines) == (n > 0)
    if n:
        assert listed[0] == "case-00"
