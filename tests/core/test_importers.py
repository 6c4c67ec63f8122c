"""Foreign case sets: what becomes a case, and what is skipped and why."""

import json
import zipfile

import pytest

from pytest_mcpbench.core.case import ExpectedCall
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.formats import parse, render
from pytest_mcpbench.core.importers import case_row, import_cases
from pytest_mcpbench.core.score import score
from pytest_mcpbench.errors import OptionError

AREA = {
    "name": "geometry.area",
    "description": "The area of a shape.",
    "parameters": {
        "type": "dict",
        "properties": {
            "base": {"type": "float"},
            "unit": {"type": "string"},
            "shape": {"type": "dict", "properties": {"kind": {"type": "string"}, "round": {"type": "boolean"}}},
            "points": {"type": "array", "items": {"type": "dict", "properties": {"x": {"type": "integer"}}}},
            "pair": {"type": "tuple", "items": {"type": "integer"}},
            "extra": {"type": "any"},
        },
        "required": ["base"],
    },
}


def _question(row_id, words="How big is it?", function=AREA):
    return {"id": row_id, "question": [[{"role": "user", "content": words}]], "function": [function]}


def _answer(row_id, **accepted):
    return {"id": row_id, "ground_truth": [{"geometry.area": accepted}]}


def _bfcl(folder, category, questions, answers):
    (folder / "possible_answer").mkdir(exist_ok=True)
    (folder / f"BFCL_v4_{category}.json").write_text("\n".join(map(json.dumps, questions)))
    if answers is not None:
        (folder / "possible_answer" / f"BFCL_v4_{category}.json").write_text("\n".join(map(json.dumps, answers)))


def test_bfcls_accepted_answers_become_arguments_and_their_room(tmp_path):
    answer = _answer(
        "simple_python_0",
        base=[3, 3.5],
        unit=["", "cm", "centimetres"],
        shape=[{"kind": ["disc", "circle"], "round": ["", True]}],
        points=[[{"x": [1, 2]}]],
        pair=[[1, 2]],
        extra=["any", 4],
    )
    _bfcl(tmp_path, "simple_python", [_question("simple_python_0")], [answer])
    result = import_cases("bfcl", tmp_path)
    (case,) = result.cases
    assert not result.skipped
    assert case.expected[0] == ExpectedCall(
        name="geometry.area",
        arguments={
            "base": 3,
            "shape": {"kind": "disc"},
            "points": [{"x": 1}],
            "pair": [1, 2],
            "extra": "any",
        },
        accept={
            "base": (3.5,),
            "shape": ({"kind": "disc", "round": True}, {"kind": "circle"}, {"kind": "circle", "round": True}),
            "points": ([{"x": 2}],),
            "extra": (4,),
        },
        optional={"unit": ("cm", "centimetres")},
    )
    assert case.tags == {"bfcl", "simple", "simple_python"}
    assert case.tools[0].parameters["base"]["type"] == "number"
    assert "type" not in case.tools[0].parameters["extra"]


def test_a_canonical_answer_of_bfcl_is_right_in_a_wire_format(tmp_path):
    _bfcl(tmp_path, "simple_python", [_question("s_0")], [_answer("s_0", base=[3.5], unit=["cm"])])
    (case,) = import_cases("bfcl", tmp_path).cases
    for fmt in ("native", "hermes", "qwen3_coder", "glm45", "functiongemma"):
        text = render([call.call for call in case.expected], fmt)
        assert score(case, parse(text, fmt, case.tools)).parameters


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer("s_0", base=["three"]), "no accepted value of 'base' fits its schema"),
        (_answer("s_0", base=[3], colour=["red"]), "has no parameter 'colour'"),
        (_answer("s_0", unit=["cm"]), "'base' is a required property"),
        ({"id": "s_0", "ground_truth": [{"volume": {"base": [3]}}]}, "which is not offered"),
        (_answer("s_0", base=[3], points=[[{"x": list(range(30))}, {"x": list(range(30))}]]), "more than 512"),
        (_answer("other", base=[3]), "no accepted answers"),
    ],
)
def test_a_broken_answer_of_bfcl_is_skipped_with_its_reason(tmp_path, answer, reason):
    _bfcl(tmp_path, "simple_python", [_question("s_0")], [answer])
    result = import_cases("bfcl", tmp_path)
    assert not result.cases
    assert [skip.id for skip in result.skipped] == ["s_0"]
    assert reason in result.skipped[0].reason


def test_irrelevance_expects_no_call_and_unknown_categories_are_left_out(tmp_path):
    _bfcl(tmp_path, "irrelevance", [_question("irrelevance_0")], None)
    _bfcl(tmp_path, "simple_java", [_question("simple_java_0")], [_answer("simple_java_0", base=[3])])
    (case,) = import_cases("bfcl", tmp_path).cases
    assert (case.id, case.expected) == ("irrelevance_0", ())


def test_the_wheel_is_read_like_its_folder(tmp_path):
    _bfcl(tmp_path, "multiple", [_question("multiple_0")], [_answer("multiple_0", base=[3])])
    wheel = tmp_path / "bfcl_eval-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in tmp_path.rglob("BFCL_v4_*.json"):
            archive.write(path, f"bfcl_eval/data/{path.relative_to(tmp_path)}")
        archive.writestr("bfcl_eval/data/unused_datasets/BFCL_v4_simple.json", "{")
    assert import_cases("bfcl", wheel) == import_cases("bfcl", tmp_path)


def test_openai_rows_become_conversations_with_their_right_answer(tmp_path):
    tool = {
        "type": "function",
        "function": {"name": "read", "parameters": {"properties": {"path": {"type": "string"}}}},
    }
    call = {"id": "c", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}
    rows = [
        {
            "messages": [{"role": "user", "content": "Read a."}, {"role": "assistant", "tool_calls": [call]}],
            "tools": [tool],
        },
        {
            "id": "second turn",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Read a."}]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "name": "read", "content": "1"},
                {"role": "assistant", "content": "It says 1."},
            ],
            "tools": [tool],
        },
        {"messages": [{"role": "user", "content": "Read a."}], "tools": [tool]},
        {"messages": [], "tools": [tool]},
        "no row",
    ]
    source = tmp_path / "chat.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    result = import_cases("openai", source)
    first, second = result.cases
    assert first.expected[0].call.arguments == {"path": "a"}
    assert (second.id, second.expected, second.answer) == ("second-turn", (), "It says 1.")
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "tool"]
    assert second.messages[2].calls[0].name == "read"
    assert [skip.id for skip in result.skipped] == ["chat-00003", "chat-00004", "chat-00005"]


def test_xlam_rows_become_cases_with_their_types_mapped(tmp_path):
    parameters = {
        "path": {"type": "str", "description": "Where"},
        "limit": {"type": "int, optional", "default": 5},
        "tags": {"type": "List[str]", "default": "[]"},
        "odd": {"type": "Callable[[int], int], optional"},
    }
    row = {
        "id": 7,
        "query": "Read a.",
        "tools": json.dumps([{"name": "read", "description": "Reads.", "parameters": parameters}]),
        "answers": json.dumps([{"name": "read", "arguments": {"path": "a", "tags": ["x"]}}]),
    }
    source = tmp_path / "xlam.json"
    source.write_text(json.dumps([row, {"query": "x"}]))
    result = import_cases("xlam", source)
    (case,) = result.cases
    assert case.id == "7"
    assert case.tools[0].required == ("path",)
    assert [schema.get("type") for schema in case.tools[0].parameters.values()] == ["string", "integer", "array", None]
    assert "KeyError" in result.skipped[0].reason


def test_an_imported_case_survives_being_written_and_read_again(tmp_path):
    _bfcl(tmp_path, "parallel", [_question("p_0")], [_answer("p_0", base=[3, 4], unit=["", "cm"])])
    cases = import_cases("bfcl", tmp_path).cases
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(json.dumps(case_row(case)) for case in cases))
    assert CaseReader(shipped_tools=tmp_path).read([path]) == list(cases)


def test_an_unknown_kind_or_an_unreadable_source_is_one_line_that_says_what_to_give(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    for kind, source in (("bfc", tmp_path), ("openai", tmp_path / "none"), ("openai", tmp_path / "bad.json")):
        with pytest.raises(OptionError, match=r"\A[^\n]+(take|give)[^\n]+\Z"):
            import_cases(kind, source)
    for kind, source in (("bfcl", tmp_path / "bad.json"), ("bfcl", tmp_path)):
        with pytest.raises(OptionError, match="give the"):
            import_cases(kind, source)
