"""The JUnit file."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_mcpbench.core.junit import junit_of, junit_problem
from pytest_mcpbench.core.result import to_json
from pytest_mcpbench.core.run import RunResult


def properties(element: ElementTree.Element) -> dict[str, str]:
    return {entry.get("name", ""): entry.get("value", "") for entry in element.findall("properties/property")}


def test_its_numbers_are_the_result_files(run: RunResult) -> None:
    document, root = json.loads(to_json(run)), ElementTree.fromstring(junit_of(run))
    suites = {suite.get("name"): suite for suite in root.findall("testsuite")}
    assert set(suites) == set(document["models"])
    for label, entry in document["models"].items():
        found = properties(suites[label])
        assert found["tier"] == entry["tier"]
        for level, rate in entry["levels"].items():
            assert found[level] == f"{rate['correct']}/{rate['n']}"
        for tool, rates in entry["tools"].items():
            for level, rate in rates.items():
                assert found[f"tool:{tool}:{level}"] == f"{rate['correct']}/{rate['n']}"


def test_a_gate_that_did_not_pass_is_a_failure_and_a_miss_is_not(run: RunResult) -> None:
    root = ElementTree.fromstring(junit_of(run))
    failed = {
        (case.get("classname"), case.get("name")) for case in root.iter("testcase") if case.find("failure") is not None
    }
    assert failed == {(f"mcpbench.{v.model}.gates", v.gate) for v in run.gates if not v.passed}
    assert sum(int(suite.get("failures", "")) for suite in root) == len(failed)
    missed = [case for case in root.iter("testcase") if properties(case).get("mcp_outcome") == "missed"]
    assert len(missed) == sum(record.error_kind is not None for record in run.records)
    assert all(properties(case)["mcp_why"] for case in missed)


def test_every_test_is_counted(run: RunResult) -> None:
    for suite in ElementTree.fromstring(junit_of(run)):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))


def test_hostile_texts_stay_text(hostile: RunResult) -> None:
    text = junit_of(hostile)
    root = ElementTree.fromstring(text)
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
    }
    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        ('<testsuite><testcase name="a"/></testsuite>', None),
        ("<s><testcase><failure/></testcase><testcase><error/></testcase><testcase/></s>", "2 of 3 tests failed"),
        ("<testsuite/>", "no test is in it"),
        ("not xml", "no JUnit XML: syntax error: line 1, column 0"),
    ],
)
def test_what_speaks_against_a_junit_file_is_said(tmp_path: Path, xml: str, problem: str | None) -> None:
    (tmp_path / "out.xml").write_text(xml)
    assert junit_problem(tmp_path / "out.xml") == problem


def test_a_written_file_with_a_failed_gate_is_no_evidence(tmp_path: Path, run: RunResult) -> None:
    (tmp_path / "out.xml").write_text(junit_of(run))
    failed = sum(not verdict.passed for verdict in run.gates)
    assert junit_problem(tmp_path / "out.xml") == f"{failed} of {len(run.records) + len(run.gates)} tests failed"
