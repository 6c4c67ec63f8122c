import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool, ToolCall
from pytest_mcpbench.core.dataset import CaseReader, case_files, read_tools
from pytest_mcpbench.core.rows import Place, json_lines
from pytest_mcpbench.errors import CaseError

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "fixtures" / "tools"
Row = dict[str, Any]
TOOL: Row = {
    "name": "read",
    "description": "Reads.",
    "inputSchema": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["path"],
        "additionalProperties": False,
    },
    "aliases": ["Read"],
}
CALL: Row = {"name": "read", "arguments": {"path": "a"}}
ROW: Row = {"id": "a-1", "prompt": "read a", "tools": [TOOL], "expected": [CALL], "tags": ["x"], "source": "here"}
PLACE = Place(path="cases.jsonl", line=7)


def reader() -> CaseReader:
    return CaseReader(shipped_tools=SHIPPED)


def case_of(row: Any) -> Case:
    return reader().case_of(row, PLACE)


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def problem(make: Callable[[], object]) -> str:
    """What a CaseError says, which is always one line."""
    with pytest.raises(CaseError) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_row_becomes_a_case() -> None:
    tool = Tool(name="read", description="Reads.", input_schema=TOOL["inputSchema"], aliases=("Read",))
    assert case_of(ROW) == Case(
        id="a-1",
        messages=(Message(role="user", content="read a"),),
        tools=(tool,),
        alternatives=((ExpectedCall(name="read", arguments={"path": "a"}),),),
        tags=frozenset({"x"}),
        source="here",
    )


def test_accept_and_optional_leave_room() -> None:
    row = {**ROW, "expected": [{**CALL, "accept": {"path": ["./a"]}, "optional": {"limit": [1, 2]}}]}
    (call,) = case_of(row).expected
    assert (call.accept, call.optional) == ({"path": ("./a",)}, {"limit": (1, 2)})


def test_whole_call_lists_may_differ_and_the_first_is_canonical() -> None:
    row = {key: value for key, value in ROW.items() if key != "expected"}
    two = {**row, "expected_any": [[CALL], [CALL, CALL]]}
    assert [len(calls) for calls in case_of(two).alternatives] == [1, 2]
    assert len(case_of(two).expected) == 1
    assert not case_of({**row, "expected_any": [[]]}).expects_call


def test_a_conversation_is_read_with_its_calls_and_results() -> None:
    row = {key: value for key, value in ROW.items() if key != "prompt"}
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "read a"},
        {"role": "assistant", "calls": [CALL]},
        {"role": "tool", "name": "read", "content": "text"},
    ]
    messages = case_of({**row, "messages": turns}).messages
    assert messages[2] == Message(role="assistant", calls=(ToolCall(name="read", arguments={"path": "a"}),))
    assert messages[3] == Message(role="tool", name="read", content="text")
    assert case_of({**row, "messages": turns}).prompt == "read a"


def without(key: str) -> Row:
    return {name: value for name, value in ROW.items() if name != key}


def calling(**changes: Any) -> Row:
    return {**ROW, "expected": [{**CALL, **changes}]}


def asking(*turns: Any) -> Row:
    return {**without("prompt"), "messages": list(turns)}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([], ["a case must be a JSON object, not a list"]),
        (3, ["not a number"]),
        (True, ["not a truth value"]),
        (None, ["not null"]),
        ({**ROW, "expcted": []}, ["no key 'expcted'", "nearest known key is 'expected'", "known: id, prompt"]),
        (without("id"), ["'id' is None"]),
        ({**ROW, "id": 3}, ["'id' is 3"]),
        ({**ROW, "id": ""}, ["'id' is ''"]),
        ({**ROW, "id": "é"}, ["'id' is 'é'"]),
        ({**ROW, "id": "a\nb"}, [r"'id' is 'a\nb'"]),
        (without("prompt"), ["case 'a-1'", "either 'prompt' or 'messages'"]),
        ({**ROW, "messages": [{"role": "user"}]}, ["either 'prompt' or 'messages'"]),
        ({**ROW, "prompt": ""}, ["'prompt' must be a text that is not blank"]),
        ({**ROW, "prompt": 3}, ["'prompt' must be a text"]),
        (asking(), ["'messages' must be a non-empty list"]),
        ({**without("prompt"), "messages": "hi"}, ["'messages' must be a non-empty list"]),
        (asking("hi"), ["a message must be a JSON object, not a text"]),
        (asking({"role": "user", "text": "hi"}), ["a message has no key 'text'"]),
        (asking({"role": "robot"}), ["'role' is 'robot'", "system, user, assistant, tool"]),
        (asking({"role": ["user"]}), ["'role' is ['user']"]),
        (asking({"role": "user", "content": 3}), ["'content' must be a text, not a number"]),
        (asking({"role": "user", "calls": {}}), ["'calls' must be a list"]),
        (asking({"role": "assistant", "calls": [{}]}), ["an earlier call's 'name' is None"]),
        (asking({"role": "assistant", "calls": [{"name": "x", "arguments": []}]}), ["'arguments' must be a JSON obj"]),
        (asking({"role": "assistant", "content": "hi"}), ["the last message is the assistant's"]),
        (without("tools"), ["'tools' must be a tool set's name"]),
        ({**ROW, "tools": 3}, ["'tools' must be a tool set's name"]),
        ({**ROW, "tools": "codng"}, ["no tools named 'codng'", "shipped set (coding"]),
        ({**ROW, "tools": []}, ["non-empty list"]),
        ({**ROW, "tools": ["read"]}, ["a tool must be a JSON object, not a text"]),
        ({**ROW, "tools": [TOOL, TOOL]}, ["two tools are called 'read'"]),
        ({**ROW, "tools": [TOOL, {**TOOL, "name": "Read", "aliases": []}]}, ["two tools are called 'Read'"]),
        ({**ROW, "tools": [{**TOOL, "name": ""}]}, ["'name' or alias is ''"]),
        ({**ROW, "tools": [{**TOOL, "aliases": ["\x1b"]}]}, [r"'name' or alias is '\x1b'"]),
        ({**ROW, "tools": [{**TOOL, "inputSchema": None}]}, ["tool 'read': 'inputSchema' must be"]),
        ({**ROW, "tools": [{**TOOL, "input_schema": {}}]}, ["a tool has no key 'input_schema'", "'inputSchema'"]),
        ({**ROW, "tools": [{**TOOL, "inputSchema": {"type": "text"}}]}, ["tool 'read'", "text"]),
        (without("expected"), ["either 'expected'", "'expected_any'"]),
        ({**ROW, "expected_any": [[CALL]]}, ["either 'expected'"]),
        ({**ROW, "expected": CALL}, ["'expected' must be a list of calls"]),
        ({**without("expected"), "expected_any": []}, ["'expected_any' a list of such lists"]),
        ({**without("expected"), "expected_any": [CALL]}, ["'expected_any' a list of such lists"]),
        ({**without("expected"), "expected_any": [[CALL], []]}, ["cannot hold an empty list"]),
        ({**ROW, "expected": ["read"]}, ["an expected call must be a JSON object"]),
        (calling(args={}), ["an expected call has no key 'args'", "'arguments'"]),
        (calling(name="rm"), ["tool 'rm'", "does not offer (offered: read)", "add it to 'tools'"]),
        (calling(name=["read"]), ["tool ['read']"]),
        (calling(name="Read"), ["tool 'Read'"]),
        (calling(arguments=[]), ["'arguments' must be a JSON object, not a list"]),
        (calling(arguments={"path": 3}), ["breaks the tool's schema", "path"]),
        (calling(arguments={}), ["breaks the tool's schema", "path"]),
        (calling(arguments={"path": "a", "new": 1}), ["breaks the tool's schema", "new"]),
        (calling(accept={"path": "b"}), ["'accept' of 'path' must be a non-empty list"]),
        (calling(accept={"path": []}), ["'accept' of 'path' must be a non-empty list"]),
        (calling(accept={"limit": [1]}), ["'accept' names 'limit'", "use 'optional'"]),
        (calling(accept={"path": ["b", 3]}), ["breaks the tool's schema"]),
        (calling(optional={"path": ["b"]}), ["'optional' names 'path'", "use 'accept'"]),
        (calling(optional={"limit": ["many"]}), ["breaks the tool's schema"]),
        ({**ROW, "tags": "smoke"}, ["'tags' must be a list of words"]),
        ({**ROW, "tags": [1]}, ["'tags' must be a list of words"]),
        ({**ROW, "source": 1}, ["'source' must be a text, not a number"]),
        ({**ROW, "answer": []}, ["'answer' must be a text, not a list"]),
    ],
    ids=lambda value: value[0][:60] if isinstance(value, list) and value and isinstance(value[0], str) else None,
)
def test_a_broken_row_is_refused_with_file_line_rule_and_value(row: Any, words: list[str]) -> None:
    text = problem(lambda: case_of(row))
    assert text.startswith("cases.jsonl:7: ")
    assert [word for word in words if word not in text] == [], text


def test_an_id_is_taken_once_in_a_whole_set(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.jsonl", "", ROW), write(tmp_path / "b.jsonl", {**ROW, "id": "b-1"}, ROW)
    text = problem(lambda: reader().read([first, second]))
    assert text == f"{second}:2: the id 'a-1' is taken by {first}:2; ids are unique in a whole set"


def test_a_folder_is_read_with_all_below_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "b.jsonl", {**ROW, "id": "b"})
    write(tmp_path / "deep" / "c.jsonl", {**ROW, "id": "c"})
    write(tmp_path / "a.jsonl", {**ROW, "id": "a"})
    write(tmp_path / "notes.txt", "no case")
    assert [case.id for case in reader().read([tmp_path])] == ["a", "b", "c"]


def test_a_byte_order_mark_carriage_returns_and_blank_lines_are_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n  \n" + json.dumps({**ROW, "id": "b"}).encode()
    )
    assert [case.id for case in reader().read([path])] == ["a-1", "b"]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**ROW, "prompt": "a\u2028b\x85c"}, ensure_ascii=False), encoding="utf-8")
    (case,) = reader().read([path])
    assert case.prompt == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "no JSON value on this line"),
        ("// a comment", "no JSON value on this line"),
        ('{"id": 1, "id": 2}', "key 'id' twice in one object"),
        ('{"id": [{"a": 1, "b": 1, "b": 2}]}', "key 'b' twice"),
        ("[NaN]", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ("[" * 100_000, "no JSON value on this line"),
    ],
    ids=["cut", "comment", "double", "inner double", "nan", "infinity", "deep"],
)
def test_a_line_that_is_no_json_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = write(tmp_path / "a.jsonl", ROW, line)
    text = problem(lambda: list(json_lines(path)))
    assert text.startswith(f"{path}:2: ")
    assert words in text
    assert "one line of JSON" in text
    assert len(text) < 1000


def test_files_without_cases_are_named(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl")
    assert problem(lambda: reader().read([empty])) == f"{empty}: no cases in it; write one case a line"
    assert "no such file or folder" in problem(lambda: case_files(tmp_path / "nowhere"))
    (tmp_path / "bare").mkdir()
    assert "no case file in it" in problem(lambda: case_files(tmp_path / "bare"))
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    assert "latin.jsonl: cannot be read" in problem(lambda: reader().read([tmp_path / "latin.jsonl"]))


def test_tools_are_found_beside_the_case_file_before_the_shipped_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {**ROW, "tools": "coding"})
    (tmp_path / "coding.json").write_text(json.dumps({"tools": [TOOL]}))
    (case,) = reader().read([path])
    assert [tool.name for tool in case.tools] == ["read"]
    (tmp_path / "coding.json").unlink()
    (tmp_path / "own.json").write_text(json.dumps([TOOL]))
    (case,) = reader().read([write(path, {**ROW, "tools": "own.json"})])
    assert [tool.name for tool in case.tools] == ["read"]


def test_tools_that_are_given_replace_those_of_every_case() -> None:
    given_tools = (Tool(name="read", input_schema=TOOL["inputSchema"]),)
    found = CaseReader(shipped_tools=SHIPPED, tools=given_tools).case_of(without("tools"), PLACE)
    assert found.tools is given_tools


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no tool file"), ("{}", "non-empty list"), ("3", "non-empty list"), ("[" * 100_000, "no tool file")],
)
def test_a_broken_tool_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    found = problem(lambda: read_tools(path))
    assert found.startswith(f"{path}: ")
    assert words in found


def test_cases_of_one_tool_file_share_their_tools() -> None:
    one = reader()
    first, second = (one.case_of({**ROW, "id": case_id, "tools": "coding", "expected": []}, PLACE) for case_id in "ab")
    assert first.tools is second.tools


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.sampled_from(sorted(ROW)), json_values)
def test_any_value_under_any_key_is_a_case_or_a_one_line_error(key: str, value: Any) -> None:
    try:
        found = case_of({**ROW, key: value})
    except CaseError as error:
        assert str(error).startswith("cases.jsonl:7: ")  # noqa: PT017 (either outcome is right, and each has its check)
    else:
        assert isinstance(found, Case)


@settings(max_examples=100)
@given(json_values)
def test_any_json_value_is_a_case_or_an_error_at_its_place(value: Any) -> None:
    assert problem(lambda: case_of(value)).startswith("cases.jsonl:7: ")
