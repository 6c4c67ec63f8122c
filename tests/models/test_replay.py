import hashlib
import json
from pathlib import Path

import pytest

from pytest_mcpbench.core.case import Message
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, request_of
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models.base import LoadOptions, Model
from pytest_mcpbench.models.load import load_model, resolve


def ask(case_id: str, text: str = "hi") -> Request:
    asked = request_of([Message(role="user", content=text)], [])
    return Request(key=asked.key, messages=asked.messages, tools=(), case_id=case_id)


def replay(spec: str) -> Model:
    return load_model(resolve(spec), LoadOptions())


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


RUN = {
    "schema": "mcpbench.run/1",
    "records": [
        {
            "model": "base",
            "case": "a",
            "text": "one",
            "prompt_tokens": 5,
            "output_tokens": 2,
            "finish_reason": "length",
            "parse": {},
        },
        {"model": "tuned", "case": "a", "text": "two", "prompt_tokens": 6, "output_tokens": 3, "finish_reason": "stop"},
    ],
}


def test_lines_answer_by_case_and_by_prompt(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "x.jsonl",
        {"case": "a", "text": "by case"},
        {"prompt": "what?", "text": "by prompt", "finish_reason": "length"},
    )
    model = replay(f"replay:{path}")
    answers = model.generate_batch([ask("a"), ask("b", "what?"), ask("c", "else")], GenerationSettings())
    assert answers[:2] == [Generation(text="by case"), Generation(text="by prompt", finish_reason="length")]
    assert answers[2] == Generation(text="", finish_reason="error", error="no recorded answer for case c")
    assert model.info.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not model.cacheable


def test_a_runs_records_answer_for_the_named_model(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(RUN, indent=1))
    answer = replay(f"replay:{path}#base").generate_batch([ask("a")], GenerationSettings())[0]
    assert answer == Generation(text="one", prompt_tokens=5, output_tokens=2, finish_reason="length")
    assert resolve(f"replay:{path}#tuned").default_label == "tuned"


def test_a_run_of_one_model_needs_no_label(tmp_path: Path) -> None:
    path = tmp_path / "with#mark.json"
    path.write_text(json.dumps({**RUN, "records": RUN["records"][:1]}))
    assert replay(f"replay:{path}").generate_batch([ask("a")], GenerationSettings())[0].text == "one"
    assert resolve(f"replay:{path}").default_label == "replay"


def test_a_recorded_error_stays_an_error(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", {"case": "a", "text": "", "finish_reason": "error"})
    answer = replay(f"replay:{path}").generate_batch([ask("a")], GenerationSettings())[0]
    assert (answer.finish_reason, answer.error) == ("error", "recorded as an error")


def test_cases_with_equal_requests_may_have_different_answers(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", {"case": "a", "text": "A"}, {"case": "b", "text": "B"})
    model, settings = replay(f"replay:{path}"), GenerationSettings()
    assert model.cache_key(ask("a"), settings) != model.cache_key(ask("b"), settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"case": "a", "text": "x"}\n{"case": ',
            "replay:{path}:2: is no JSON (Expecting value: line 1 column 10 (char 9)); ",
        ),
        (
            '{"case": "a", "text": "x"}\n[1]',
            "replay:{path}:2: is a JSON list; a line is one object with 'case' and 'text'",
        ),
        ('{"case": "a", "txt": "x"}', "replay:{path}:1: unknown key 'txt' (known: case, prompt, text, "),
        ('{"case": "a"}', "replay:{path}:1: 'text' is None where a text is needed"),
        ('{"text": "a"}', "replay:{path}:1: 'prompt' is None where a text is needed"),
        ('{"case": 7, "text": "a"}', "replay:{path}:1: 'case' is 7 where a text is needed"),
        (
            '{"case": "a", "text": "x", "finish_reason": "eos"}',
            "replay:{path}:1: 'finish_reason' is 'eos'; it is one of stop, ",
        ),
        (
            '{"case": "a", "text": "x", "output_tokens": -1}',
            "replay:{path}:1: 'prompt_tokens' and 'output_tokens' are counts",
        ),
        (
            '{"case": "a", "text": "x"}\n\n{"case": "a", "text": "y"}',
            "replay:{path}:3: a second answer for case 'a'; keep one",
        ),
        ("", "replay:{path}: holds no answers; "),
        ('{"records": {}}', "replay:{path}: its 'records' are no list of objects; "),
        (json.dumps(RUN), "replay:{path}: holds the models base, tuned; name one: replay:{path}#base"),
        ("[" * 5000, "replay:{path}:1: is no JSON ("),
    ],
)
def test_a_broken_file_is_named_with_its_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(ModelError) as caught:
        resolve(f"replay:{path}")
    assert str(caught.value).startswith(message.format(path=path))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist; give the JSON of a run or a JSONL of answers"):
        resolve(f"replay:{tmp_path}/none.json")
    with pytest.raises(ModelError, match="cannot be read"):
        resolve(f"replay:{tmp_path}")
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"is no UTF-8 text \(byte 0\)"):
        resolve(f"replay:{tmp_path}/x")
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    with pytest.raises(ModelError, match=r"has no model 'int8' \(it has: base, tuned\)"):
        resolve(f"replay:{tmp_path}/run.json#int8")
