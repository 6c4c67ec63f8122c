"""What a user's mistake gets: exit code 4 and one line that names place, rule, value and next step."""

import json
from typing import Any

import pytest

from tests.plugin.conftest import CASES, Bench, Row, usage_error


def assert_nothing_written(bench: Bench) -> None:
    assert not (bench.path / ".mcpbench").exists()
    assert not list(bench.path.glob("*.part"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--mcp-model=no/such/folder"], ["no/such/folder", "no such folder", "null:silent"]),
        (["--mcp-model=replay:nothing.jsonl"], ["replay:nothing.jsonl", "does not exist"]),
        (["--mcp-model=null:nothing"], ["null:nothing", "silent, first-tool, echo"]),
        (["--mcp-model=cases.jsonl"], ["cases.jsonl", "is a file", "replay:cases.jsonl"]),
        (["--mcp-model="], ["--mcp-model", "empty"]),
        (["--mcp-model=1x=null:echo"], ["--mcp-model", "'1x' is no label"]),
        (["--mcp-model=a b=null:echo"], ["--mcp-model", "'a b' is no label"]),
        (["--mcp-model=null:echo", "--mcp-model=null:echo"], ["'null-echo'", "--mcp-model=LABEL=null:echo"]),
        (["--mcp-model=x=null:echo", "--mcp-model=x=null:silent"], ["'x'", "null:echo", "null:silent"]),
        (["--mcp-target=level3=1.5"], ["--mcp-target", "level3=1.5", "from 0 to 1", "0.015"]),
        (["--mcp-target=level3=-0.1"], ["--mcp-target", "-0.1", "from 0 to 1"]),
        (["--mcp-target=level3=nan"], ["--mcp-target", "nan", "from 0 to 1"]),
        (["--mcp-target=level3=high"], ["--mcp-target", "'high'", "from 0 to 1"]),
        (["--mcp-target=level5=0.9"], ["--mcp-target", "level5", "level1, level2, level3, level4"]),
        (["--mcp-target=0.9"], ["--mcp-target", "'0.9'", "level3=0.97"]),
        (["--mcp-cases=nowhere.jsonl"], ["--mcp-cases", "'nowhere.jsonl'", "does not exist"]),
        (["--mcp-tools=nowhere.json"], ["--mcp-tools", "'nowhere.json'", "does not exist"]),
        (["--mcp-format=yaml"], ["--mcp-format", "'yaml'", "native"]),
        (["--mcp-tool-detail=all"], ["--mcp-tool-detail", "'all'", "line, schema"]),
        (["--mcp-gate=strict"], ["--mcp-gate", "'strict'", "point, certified, off"]),
        (["--mcp-device=tpu"], ["--mcp-device", "'tpu'", "cpu, cuda"]),
        (["--mcp-dtype=int3"], ["--mcp-dtype", "'int3'", "float32"]),
        (["--mcp-batch-size=0"], ["--mcp-batch-size", "'0'", "at least 1"]),
        (["--mcp-batch-size=many"], ["--mcp-batch-size", "'many'", "'auto'"]),
        (["--mcp-max-new-tokens=-1"], ["--mcp-max-new-tokens", "'-1'", "at least 1"]),
        (["--mcp-threads=0"], ["--mcp-threads", "'0'", "at least 1"]),
        (["--mcp-seed=1.5"], ["--mcp-seed", "'1.5'", "whole number"]),
        (["--mcp-json=."], ["--mcp-json", "'.' is a folder"]),
        (["-m", "level5"], ["-m", "'level5'", "level1, level2, level3, level4"]),
        (["-m", "smoke and not level12"], ["-m", "'level12'"]),
        (["--mcp-missed"], ["--mcp-missed", "run once without it first"]),
    ],
    ids=lambda value: value[-1] if isinstance(value[-1], str) and value[-1].startswith("-") else None,
)
def test_a_bad_option_gets_one_line(bench: Bench, args: list[str], words: list[str]) -> None:
    error = usage_error(bench.run(*args))
    assert [word for word in words if word not in error] == [], error
    assert_nothing_written(bench)


GOOD = CASES[0]
CALL = {"name": "read", "arguments": {"file_path": "a"}}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"id": "a",', ["no JSON value on this line", "one line of JSON"]),
        ('{"id": "a", "id": "b"}', ["key 'id' twice"]),
        ('{"id": NaN}', ["NaN is no JSON number"]),
        ("[" * 100_000, ["no JSON value on this line"]),
        ({**GOOD, "promt": "x"}, ["no key 'promt'", "'prompt'"]),
        ({**GOOD, "id": "a b"}, ["'a b'", "letters, digits"]),
        ({**GOOD, "id": "\x1b[31m"}, [r"\x1b[31m", "letters, digits"]),
        ({**GOOD, "id": CASES[1]["id"]}, ["'read-2'", "is taken by", "cases.jsonl:1"]),
        ({**GOOD, "expected": [{"name": "rm", "arguments": {}}]}, ["'rm'", "does not offer", "read, write"]),
        ({**GOOD, "expected": [{"name": "read", "arguments": {"file_path": 3}}]}, ["breaks the tool's schema", "3"]),
        ({**GOOD, "expected": [{"name": "read", "arguments": {}}]}, ["breaks the tool's schema", "file_path"]),
        ({**GOOD, "expected": [{"name": "read", "arguments": {"file_path": "a", "x": 1}}]}, ["'x'"]),
        ({**GOOD, "expected": [{**CALL, "accept": {"offset": [1]}}]}, ["'accept' names 'offset'", "'optional'"]),
        ({**GOOD, "expected": [{**CALL, "optional": {"file_path": ["b"]}}]}, ["'optional' names", "'accept'"]),
        ({**GOOD, "tools": "no-such-set"}, ["no tools named 'no-such-set'", "coding"]),
        ({**GOOD, "prompt": "  "}, ["'prompt'", "not blank"]),
        ({key: value for key, value in GOOD.items() if key != "expected"}, ["'expected'", "'expected_any'"]),
        ({**GOOD, "messages": []}, ["either 'prompt' or 'messages'"]),
    ],
    ids=str,
)
def test_a_broken_case_gets_one_line_with_file_and_line(bench: Bench, row: Any, words: list[str]) -> None:
    line = row if isinstance(row, str) else json.dumps(row)
    rest = [json.dumps(other) for other in CASES[1:3]]
    (bench.path / "cases.jsonl").write_text("\n".join([*rest[:1], rest[1], line]) + "\n")
    error = usage_error(bench.run())
    expected = [":3: ", *words]
    assert [word for word in expected if word not in error] == [], error
    assert_nothing_written(bench)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", ["no cases in it"]), ("\n\n", ["no cases in it"]), ("\udcff", ["cannot be read"])],
    ids=["empty", "blank", "not-utf8"],
)
def test_a_case_file_without_cases_is_named(bench: Bench, text: str, words: list[str]) -> None:
    (bench.path / "cases.jsonl").write_text(text, errors="surrogateescape")
    error = usage_error(bench.run())
    assert [word for word in ["cases.jsonl", *words] if word not in error] == []


def test_a_folder_without_case_files_is_named(bench: Bench) -> None:
    (bench.path / "empty").mkdir()
    error = usage_error(bench.plain("--mcp-model=null:echo", "--mcp-cases=empty"))
    assert "empty: no case file in it" in error
    assert ".jsonl" in error


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ("{", ["no tool file"]),
        ("[]", ["non-empty list"]),
        ('[{"name": "a"}]', ["'a'", "inputSchema"]),
        ('[{"name": "a", "inputSchema": {}}, {"name": "a", "inputSchema": {}}]', ["two tools", "'a'"]),
        ('[{"name": "a", "inputSchema": {"type": "nonsense"}}]', ["'a'", "nonsense"]),
    ],
)
def test_a_broken_tool_file_is_named(bench: Bench, tools: str, words: list[str]) -> None:
    (bench.path / "tools.json").write_text(tools)
    error = usage_error(bench.run("--mcp-tools=tools.json"))
    assert [word for word in ["tools.json", *words] if word not in error] == [], error


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"case": "read-1"}], ["answers.jsonl:1", "'text'"]),
        ([{"case": "read-1", "text": "a"}, {"case": "read-1", "text": "b"}], ["answers.jsonl:2", "a second answer"]),
        ([{"case": "read-1", "text": "a", "txt": 1}], ["answers.jsonl:1", "unknown key 'txt'"]),
    ],
)
def test_a_broken_recording_is_named(bench: Bench, rows: list[Row], words: list[str]) -> None:
    bench.write_cases(rows, "answers.jsonl")
    error = usage_error(bench.run())
    assert [word for word in words if word not in error] == [], error
    assert_nothing_written(bench)


def test_a_folder_that_is_no_model_and_a_pickle_are_refused(bench: Bench) -> None:
    (bench.path / "folder").mkdir()
    assert "folder" in usage_error(bench.plain("--mcp-model=folder"))
    (bench.path / "folder" / "config.json").write_text('{"model_type": "llama"}')
    (bench.path / "folder" / "pytorch_model.bin").write_bytes(b"pickle")
    assert "safetensors only" in usage_error(bench.plain("--mcp-model=folder"))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[tool.mcpbench.targets]\nlevel3 = 2", ["[tool.mcpbench.targets]", "level3=2", "from 0 to 1"]),
        ("[tool.mcpbench.targets]\nlevel9 = 0.5", ["[tool.mcpbench.targets]", "level9"]),
        ("[tool.mcpbench]\ntargets = 3", ["[tool.mcpbench]"]),
        ("[tool]\nmcpbench = 3", ["[tool.mcpbench]"]),
    ],
)
def test_a_bad_table_of_targets_is_named(bench: Bench, table: str, words: list[str]) -> None:
    (bench.path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{table}\n")
    error = usage_error(bench.run())
    assert [word for word in ["pyproject.toml", *words] if word not in error] == [], error


def test_a_bad_ini_value_names_the_option(bench: Bench) -> None:
    (bench.path / "pytest.ini").write_text("[pytest]\nmcp_gate = maybe\n")
    assert "'maybe' is not one of point, certified, off" in usage_error(bench.run())


def test_a_result_file_that_cannot_be_written_costs_nothing_but_the_exit_code(bench: Bench) -> None:
    result = bench.run("--mcp-json=cases.jsonl/run.json")
    error = usage_error(result)
    assert "cases.jsonl/run.json: " in error
    assert "cannot be written: " in error
    assert "name another file" in error
    (kept,) = bench.kept()
    assert json.loads(kept.read_text())["models"]["base"]["levels"]["level3"]["correct"] == 5
    result.stdout.fnmatch_lines(["*level3 correctness  5/8*"])


def test_a_state_folder_that_cannot_be_written_is_told_and_costs_nothing(bench: Bench) -> None:
    (bench.path / ".mcpbench").write_text("a file")
    result = bench.run("--mcp-json=run.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*level3 correctness  5/8*", "ERROR: *.mcpbench*cannot be written*"])
    assert len(bench.result()["records"]) == 8


def test_a_marker_of_the_projects_own_may_begin_with_level(bench: Bench) -> None:
    (bench.path / "pytest.ini").write_text("[pytest]\nmarkers = level_up: mine\n")
    assert bench.run("-m", "level_up").ret == pytest.ExitCode.NO_TESTS_COLLECTED
