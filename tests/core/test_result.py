import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_mcpbench.core import result as result_module
from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool, ToolCall
from pytest_mcpbench.core.compare import Comparison, paired
from pytest_mcpbench.core.floors import floor_report
from pytest_mcpbench.core.formats import ParseResult, parse, parsed
from pytest_mcpbench.core.gate import certified_tier, check_gates, targets_of, tier_of
from pytest_mcpbench.core.kept import keep
from pytest_mcpbench.core.latency import to_mapping as latency_mapping
from pytest_mcpbench.core.plan import FinishReason, Generation
from pytest_mcpbench.core.result import (
    Environment,
    ModelResult,
    Record,
    RunResult,
    environment,
    missed_cases,
    read_result,
    record_of,
    to_json,
    write_result,
)
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.speed import compare_speed
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.core.throughput import Throughput
from pytest_mcpbench.core.throughput import to_mapping as throughput_mapping
from pytest_mcpbench.errors import ResultError
from tests.core.planted import latency_of
from tests.core.test_throughput import rate

SCHEMA = json.loads(Path(result_module.__file__).with_name("run.schema.json").read_text(encoding="utf-8"))

TOOLS = (Tool(name="read", input_schema={"properties": {"path": {}}}), Tool(name="grep"))


def case_of(case_id: str, *calls: ExpectedCall) -> Case:
    return Case(id=case_id, messages=(Message(role="user", content="?"),), tools=TOOLS, alternatives=(calls,))


READ = ExpectedCall(name="read", arguments={"path": "a"})
CASES = [case_of("right", READ), case_of("wrong", READ), case_of("none"), case_of("two", READ, READ)]
TEXTS = ["<tool_use>read(path='a')</tool_use>", "<tool_use>read(path=['é', None, 1.5])</tool_use>", "no", "<tool_use>"]

COMPARISON = Comparison(
    before="base",
    after="next",
    relation="beside",
    margin=None,
    levels={"level3": paired({"right": True, "two": False}, {"right": True, "two": True}), "level4": paired({}, {})},
    tools={"read": paired({"right": True}, {"right": False})},
    speed=compare_speed([1.0] * 20, [0.5, 0.6] * 10, labels=("base", "next")),
)


def run_of(texts: list[str], finish: FinishReason = "stop") -> RunResult:
    """A real result: these answers to the cases, through parser, score, summary and gates."""
    records, scores = [], []
    for case, text in zip(CASES, texts, strict=True):
        found = parse(text)
        scores.append(score(case, found, finish))
        generation = Generation(text=text, finish_reason=finish, prompt_tokens=7, output_tokens=3)
        records.append(record_of("base", generation, found, scores[-1]))
    summary = summarize(scores)
    model = ModelResult(
        spec="demo:base",
        fingerprint="f" * 64,
        size_bytes=None,
        tier=tier_of(summary),
        certified_tier=certified_tier(summary),
        summary=summary,
        latency=latency_mapping(latency_of([0.5] * 30)),
        throughput=throughput_mapping(
            Throughput(batch_size=4, threads=2, device="cpu", batches=(rate(1, 10), rate(4, 20)), knee=4)
        ),
    )
    return RunResult(
        created="2025-01-31T12:00:00+00:00",
        environment=environment(),
        cases=keep(CASES, "0" * 64),
        models={"base": model},
        floors=floor_report(CASES).floors,
        comparisons=(COMPARISON,),
        gates=check_gates(summary, "base", targets_of(["tool:glob=0.5"]), "certified"),
        records=tuple(records),
    )


RUN = run_of(TEXTS)


def read_back(text: str, folder: Path) -> RunResult:
    path = folder / "run.json"
    path.write_text(text, encoding="utf-8")
    return read_result(path)


def changed(change: Any) -> str:
    """The result's JSON after a change to the document."""
    document = json.loads(to_json(RUN))
    change(document)
    return json.dumps(document)


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "run.json"
    write_result(RUN, path)
    assert read_result(path) == RUN
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("finish", ["stop", "length", "error"])
def test_a_real_result_keeps_to_the_json_schema(finish: FinishReason) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(json.loads(to_json(RUN)))] == []
    other = json.loads(to_json(run_of(["", "\ud800", "<tool_use>x()</tool_use>", "y"], finish)))
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(other)] == []


def test_every_key_that_is_written_is_required_and_described_by_the_schema() -> None:
    unknown: list[str] = []

    def compare(value: Any, schema: dict[str, Any], place: str) -> None:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if isinstance(value, dict):
            for key, inner in value.items():
                described = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
                if described is not None:
                    compare(inner, described, f"{place}.{key}")
                elif "properties" in schema:
                    unknown.append(f"{place}.{key}")
        elif isinstance(value, list) and value and "items" in schema:
            compare(value[0], schema["items"], f"{place}[]")

    compare(json.loads(to_json(RUN)), SCHEMA, "")
    assert unknown == []
    assert set(SCHEMA["required"]) == set(json.loads(to_json(RUN)))


def test_the_keys_are_those_that_the_design_names() -> None:
    document = json.loads(to_json(RUN))
    assert document["schema"] == "mcpbench.run/1"
    model = document["models"]["base"]
    assert (model["tier"], model["certified_tier"]) == ("POOR", "POOR")
    assert model["levels"]["level3"]["correct"] == 3
    assert model["tools"]["read"]["level4"]["n"] == 3
    assert model["errors"] == {"unparsed": 1, "wrong_value": 1}
    gate = document["gates"][0]
    assert {"name", "model", "verdict", "rate", "target", "reason"} <= gate.keys()
    assert (gate["name"], gate["model"], gate["verdict"]) == ("level1", "base", "UNDECIDED")
    record = document["records"][1]
    assert record["parse"] == {"status": "parsed", "reason": None}
    assert record["calls"] == [{"name": "read", "arguments": {"path": ["é", None, 1.5]}}]
    assert record["levels"] == {"level1": True, "level2": True, "level3": True, "level4": False}
    assert record["mismatches"] == [
        {"call": 0, "path": "path", "want": "a", "got": ["é", None, 1.5], "why": "wrong_type"}
    ]
    assert document["records"][3]["parse"] == {"status": "unparsed", "reason": "unclosed"}


@settings(max_examples=60)
@given(st.text(st.characters(categories=["L", "Cc", "Cs", "So", "Zl", "Zp"]), max_size=20))
def test_whatever_a_model_wrote_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    record = replace(RUN.records[0], text=joined, calls=(ToolCall(name=joined, arguments={joined: [joined]}),))
    written = to_json(replace(RUN, records=(record,)))
    assert written.isascii()
    assert read_back(written, tmp_path_factory.mktemp("run")).records == (record,)


def test_numbers_that_json_does_not_have_are_written_as_texts(tmp_path: Path) -> None:
    odd = parsed([ToolCall(name="read", arguments={"path": [float("nan"), float("inf"), {"x": -float("inf")}]})])
    record = record_of("base", Generation(text="?"), odd, score(CASES[0], odd))
    back = read_back(to_json(replace(RUN, records=(record,))), tmp_path)
    assert back.records[0].calls[0].arguments == {"path": ["NaN", "Infinity", {"x": "-Infinity"}]}
    assert back.models == RUN.models


def test_the_missed_cases_are_those_that_some_level_calls_wrong() -> None:
    assert missed_cases(RUN) == {("base", "wrong"), ("base", "two")}
    assert missed_cases(replace(RUN, records=())) == set()


def test_a_failed_generation_is_recorded_with_its_error() -> None:
    failed = Generation(text="", finish_reason="error", error="out of memory")
    nothing = ParseResult(status="no_attempt")
    record = record_of("m", failed, nothing, score(CASES[2], nothing, "error"))
    assert (record.error, record.error_kind, record.levels["level1"]) == ("out of memory", "harness_error", False)


def test_keys_of_a_later_writer_are_passed_over(tmp_path: Path) -> None:
    text = changed(lambda document: (document.update(later=1), document["records"][0].update(later=[])))
    assert read_back(text, tmp_path) == RUN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (to_json(RUN)[:-40], "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "it has no 'schema'; this version reads 'mcpbench.run/1'"),
        ("{}", "it has no 'schema'"),
        ('{"schema": "mcpbench.run/2"}', "its schema is 'mcpbench.run/2'; this version reads 'mcpbench.run/1'"),
        ('{"schema": 1}', "its schema is 1"),
        ('{"schema": "mcpbench.run/1"}', "'created' is missing"),
        (changed(lambda d: d.pop("models")), "models: None is not an object"),
        (changed(lambda d: d.update(records={})), "records: {} is not a list"),
        (changed(lambda d: d["models"].update(base=3)), "models.base: 3 is not an object"),
        (changed(lambda d: d["cases"].update(n="4")), "cases.n: '4' is not an integer"),
        (changed(lambda d: d["cases"].update(n=True)), "cases.n: True is not an integer"),
        (changed(lambda d: d["models"]["base"].update(tier="FINE")), "'FINE' is none of EXCELLENT, GOOD"),
        (changed(lambda d: d["models"]["base"].pop("errors")), "models.base: 'errors' is missing"),
        (
            changed(lambda d: d["models"]["base"]["levels"]["level1"].update(interval=[0.1])),
            "models.base.levels.level1.interval: 1 values in place of 2",
        ),
        (changed(lambda d: d["records"][1].pop("text")), "records.1: 'text' is missing"),
        (
            changed(lambda d: d["records"][0]["levels"].update(level1=1)),
            "records.0.levels.level1: 1 is not true or false",
        ),
        (changed(lambda d: d["records"][0].update(finish_reason="eos")), "'eos' is none of stop, length, error"),
        (changed(lambda d: d["gates"][0].update(verdict="MAYBE")), "gates.0.verdict: 'MAYBE' is none of PASS"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_with_file_and_place(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ResultError) as caught:
        read_back(text, tmp_path)
    message = str(caught.value)
    assert problem in message
    assert message.startswith(f"{tmp_path / 'run.json'}: ")
    assert "\n" not in message
    assert len(message) < len(str(tmp_path)) * 2 + 250


@pytest.mark.parametrize("content", [None, b"\xff\xfe{}"])
def test_a_file_that_is_not_there_or_no_text_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultError, match=r"run\.json: (cannot be read: No such file|not JSON: )"):
        read_result(path)


def test_a_file_that_cannot_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "run.json", tmp_path / "folder"):
        with pytest.raises(ResultError, match=r": cannot be written: .*; name another file"):
            write_result(RUN, path)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_result_that_cannot_be_put_into_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(TypeError, match="a set has no form in a result file"):
        write_result(replace(RUN, comparisons=({1},)), path)
    assert path.read_text() == "old"


def test_the_types_of_a_result_can_be_imported_from_here() -> None:
    assert {Environment, Record} <= {getattr(result_module, name) for name in result_module.__all__ if name != "SCHEMA"}


def test_a_write_that_fails_at_the_last_step_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", _no_space)
    with pytest.raises(ResultError, match="cannot be written: No space left on device"):
        write_result(RUN, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("run.json", "old")]


def _no_space(_path: Path, _target: Path) -> Path:
    raise OSError(errno.ENOSPC, "No space left on device")
