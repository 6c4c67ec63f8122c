import time
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import CALLS, RIGHT, Bench, missed
from tests.plugin.hostile import HOSTILE


def assert_inert(text: str) -> None:
    bad = {char for char in text if not (char.isprintable() or char == "\n")}
    assert not bad, bad


@pytest.mark.parametrize("how", ["-v", "--mcp-strict"])
def test_hostile_answers_end_in_seconds_with_the_right_counts_and_an_inert_screen(bench: Bench, how: str) -> None:
    bench.write_answers(HOSTILE)
    begin = time.monotonic()
    result = bench.run(how, "--mcp-json=run.json", "--junit-xml=out.xml", model="candidate")
    assert time.monotonic() - begin < 20
    assert result.ret == 1
    assert missed(bench.result()) == set(CALLS)
    assert_inert(result.stdout.str())
    assert max(map(len, result.stdout.lines)) < 2500
    assert not (bench.path / "hacked").exists()
    counts = {name: rate["correct"] for name, rate in bench.result()["models"]["candidate"]["levels"].items()}
    assert counts == {"level1": 6, "level2": 2, "level3": 2, "level4": 0}
    texts = {record["case"]: record["text"] for record in bench.result()["records"]}
    assert texts == HOSTILE


def test_junit_carries_misses_and_numbers_as_properties_of_valid_xml(bench: Bench) -> None:
    bench.write_answers(HOSTILE)
    bench.run("--junit-xml=out.xml", model="candidate")
    root = ET.parse(bench.path / "out.xml").getroot()
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("41", "6", "0")
    found = {
        test.get("name"): {item.get("name"): item.get("value") for item in test.iter("property")}
        for test in suite.iter("testcase")
    }
    assert found["test_parameters[candidate-bash-1]"]["mcp_outcome"] == "missed"
    assert found["test_detection[candidate-bash-1]"]["mcp_outcome"] == "right"
    assert found["test_detection[candidate-bash-1]"]["mcp_case"] == "bash-1"
    assert "git status" in (found["test_parameters[candidate-bash-1]"]["mcp_why"] or "")
    gate = found["test_correctness_target[candidate]"]
    assert gate["mcp_verdict"] == "FAIL"
    assert (gate["mcp_correct"], gate["mcp_n"], gate["mcp_target"]) == ("2", "8", "0.95")
    assert (gate["mcp_line"] or "").startswith("FAIL level3 candidate: 2/8 right (25.0 %")
    for test in suite.iter("testcase"):
        for text in [*(item.get("value") or "" for item in test.iter("property")), *test.itertext()]:
            assert_inert(text)


@pytest.mark.parametrize("case_id", ["read-1", "bash-1"])
def test_one_hostile_answer_changes_no_other_case(bench: Bench, case_id: str) -> None:
    bench.write_answers(RIGHT | {case_id: HOSTILE[case_id]})
    bench.run("--mcp-json=run.json")
    assert missed(bench.result()) == {case_id}


def test_a_tool_whose_name_could_write_to_the_terminal_is_refused(bench: Bench) -> None:
    tool = {"name": "x\x1b[31m", "inputSchema": {"type": "object"}}
    bench.write_cases([{"id": "a", "prompt": "go", "tools": [tool], "expected": []}])
    result = bench.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert_inert(result.stderr.str())
