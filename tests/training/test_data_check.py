"""The check of training data, on rows good and bad."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.errors import CaseError, TrainingError
from pytest_mcpbench.training.data import build_rows, row_object, write_data
from pytest_mcpbench.training.data_check import check_data, require_fit
from pytest_mcpbench.training.generate.build import coding_tools


@pytest.fixture(scope="module")
def good() -> list[Case]:
    return build_rows(1, 120, 0)[0]


def case(prompt: str, *, path: str = "a.py", case_id: str = "bench-1") -> Case:
    call = ExpectedCall(name="read", arguments={"file_path": path})
    message = Message(role="user", content=prompt)
    return Case(id=case_id, messages=(message,), tools=coding_tools(), alternatives=((call,),))


def write_lines(path: Path, objects: list[Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in objects))
    return path


class Words:
    """A tokenizer for which a word is a token."""

    chat_template = None
    eos_token = "<end>"
    eos_token_id = 0
    bos_token_id = None
    all_special_ids = (0,)

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[1] * len(text.split()) for text in texts]}


def test_generated_rows_are_fit_to_train_on(good: list[Case]) -> None:
    report = check_data(good)
    assert report.ok, report.errors
    assert report.rows == 120
    assert dict(report.per_tool).keys() == {"read", "write", "edit", "bash", "grep", "glob"}
    assert report.lines()[-1] == "fit to train on"
    require_fit(report)


def test_written_rows_are_read_back_as_the_same_cases(tmp_path: Path, good: list[Case]) -> None:
    written = write_data(tmp_path / "new" / "data", seed=1, train_rows=120, validation_rows=10)
    assert (written.train_rows, written.validation_rows) == (120, 10)
    report = check_data([written.train, written.validation])
    assert report.ok
    assert report.rows == 130
    assert [json.loads(line)["prompt"] for line in written.train.read_text().splitlines()] == [c.prompt for c in good]


def test_an_object_of_a_row_keeps_what_is_right(good: list[Case]) -> None:
    several = next(each for each in good if len(each.alternatives) > 1)
    row = row_object(several)
    assert "expected" not in row
    assert len(row["expected_any"]) == len(several.alternatives)
    roomy = next(each for each in good if each.expected and each.expected[0].accept)
    source = row_object(roomy).get("expected") or row_object(roomy)["expected_any"][0]
    assert source[0]["accept"] == {key: list(values) for key, values in roomy.expected[0].accept.items()}


def test_files_that_exist_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("mine")
    with pytest.raises(TrainingError, match=r"train\.jsonl: exists already"):
        write_data(tmp_path, train_rows=3, validation_rows=3)
    assert (tmp_path / "train.jsonl").read_text() == "mine"


def test_fewer_than_29_rows_are_too_few(good: list[Case]) -> None:
    assert check_data(good[:29]).ok
    report = check_data(good[:28])
    assert report.errors == ("28 rows; at least 29 are needed to train on: add rows",)
    with pytest.raises(TrainingError, match="28 rows"):
        require_fit(report)


def test_every_broken_row_is_named_with_file_and_line(tmp_path: Path, good: list[Case]) -> None:
    objects = [row_object(each) for each in good[:40]]
    objects[2] = {**objects[2], "prmpt": "x"}
    objects[6] = {"id": "no-completion", "prompt": "hi", "tools": "coding"}
    file = write_lines(tmp_path / "mine.jsonl", objects)
    report = check_data([file])
    assert len(report.errors) == 2
    assert f"{file}:3:" in report.errors[0]
    assert "prmpt" in report.errors[0]
    assert f"{file}:7:" in report.errors[1]
    assert report.rows == 38


def test_a_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"nowhere\.jsonl"):
        check_data([tmp_path / "nowhere.jsonl"])


def test_doubled_ids_and_doubled_or_contradicting_requests_are_named(good: list[Case]) -> None:
    same_id = replace(case("a request of its own"), id=good[0].id)
    same_request = replace(good[1], id="again")
    other_calls = replace(
        good[2], id="otherwise", alternatives=((ExpectedCall(name="bash", arguments={"command": "x"}),),)
    )
    report = check_data([*good, same_id, same_request, other_calls])
    assert report.duplicates == len(report.errors) == 3
    assert f"the id {good[0].id!r} is taken" in report.errors[0]
    assert f"'again' doubles the row {good[1].id!r}" in report.errors[1]
    assert "expects other calls" in report.errors[2]


def test_rows_that_are_too_long_are_counted_and_kept(good: list[Case]) -> None:
    long = [replace(case("read a.py " + "very " * n), id=f"long-{n}") for n in (2000, 3000)]
    report = check_data([*good, *long], tokenizer=Words(), max_seq_length=1024)
    assert report.too_long == 2
    assert report.rows == 122
    assert report.longest > 3000
    assert "2 of 122 rows are longer than max_seq_length 1024 tokens (the longest is 'long-3000'" in report.errors[0]
    assert check_data(good, tokenizer=Words(), max_seq_length=1024).ok


@pytest.mark.parametrize(
    ("trained", "how"),
    [
        ("show me the first 20 lines of src/app.py", "is the benchmark's"),
        ("  Show me the FIRST 20 lines of `src/app.py`!", "but for case"),
        ("show me the first 20 lines of src/apps.py", "nearly is"),
    ],
)
def test_rows_that_are_cases_of_the_benchmark_are_a_hard_error(good: list[Case], trained: str, how: str) -> None:
    benchmark = [case("show me the first 20 lines of src/app.py"), case("find all python files", case_id="bench-2")]
    report = check_data([*good, case(trained, case_id="leak")], benchmark)
    assert report.leaks == 1
    assert how in report.errors[0]
    assert "'leak'" in report.errors[0]
    assert "'bench-1'" in report.errors[0]


def test_uneven_rows_and_missing_refusals_are_pointed_out(good: list[Case]) -> None:
    reads = [each for each in good if {call.name for call in each.expected} == {"read"}]
    more = [case(f"read number {number}", case_id=f"m-{number}", path=f"{number}") for number in range(40)]
    report = check_data([*reads, *more])
    assert report.ok
    assert any(warning.startswith("bash: 0 rows") for warning in report.warnings)
    assert any("call no tool" in warning for warning in report.warnings)


def test_a_long_list_of_errors_is_shown_in_part(good: list[Case]) -> None:
    doubles = [replace(each, id=f"again-{each.id}") for each in good]
    lines = check_data([*good, *doubles]).lines(most=5)
    assert sum(line.startswith("error:") for line in lines) == 6
    assert "and 115 more" in lines[-2]
    assert lines[-1] == "not fit to train on: 120 errors"


def test_thousands_of_rows_are_compared_with_hundreds_of_cases_in_seconds(good: list[Case]) -> None:
    rows = [case(f"{each.prompt} {number}", case_id=f"r-{number}") for number in range(25) for each in good]
    rows = [replace(each, id=f"r-{number}") for number, each in enumerate(rows)]
    benchmark = [replace(each, id=f"b-{number}") for number, each in enumerate(build_rows(2, 400, 0)[0])]
    before = time.perf_counter()
    check_data(rows, benchmark)
    assert time.perf_counter() - before < 20
