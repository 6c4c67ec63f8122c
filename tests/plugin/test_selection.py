import time
from typing import Any

import pytest

from tests.plugin.conftest import CASES, LEAN, MISSED, RIGHT, Bench, Row, missed, totals, usage_error


@pytest.mark.parametrize(
    "how",
    [
        ("-p", "no:cacheprovider"),
        ("--mcp-batch-size=1",),
        ("--mcp-no-cache",),
        ("--junit-xml=out.xml", "-v"),
        ("--mcp-gate=off",),
    ],
)
def test_the_totals_do_not_depend_on_how_pytest_runs(bench: Bench, how: tuple[str, ...]) -> None:
    bench.run("--mcp-json=plain.json")
    bench.run("--mcp-json=other.json", *how)
    assert totals(bench.result("other.json")) == totals(bench.result("plain.json"))


def test_random_order_reaches_the_same_verdicts(bench: Bench) -> None:
    plain = bench.run("--mcp-json=plain.json", model="candidate")
    mixed = bench.pytester.runpytest_inprocess(
        *(option for option in LEAN if "randomly" not in option),
        "--randomly-seed=3",
        "--mcp-model=candidate=replay:answers.jsonl",
        "--mcp-cases=cases.jsonl",
        "--mcp-json=mixed.json",
    )
    assert mixed.ret == plain.ret == 1
    assert mixed.parseoutcomes() == plain.parseoutcomes()
    assert totals(bench.result("mixed.json")) == totals(bench.result("plain.json"))


def test_last_failed_runs_the_failed_gates_over_all_cases(bench: Bench) -> None:
    bench.run("--mcp-json=plain.json", model="candidate")
    again = bench.run("--lf", "--mcp-json=again.json", model="candidate")
    assert again.ret == 1
    again.stdout.fnmatch_lines(["*6 failed*deselected*"])
    plain, last = totals(bench.result("plain.json")), totals(bench.result("again.json"))
    assert [verdict for verdict in plain["gates"] if verdict["verdict"] == "FAIL"] == last["gates"]
    assert {**plain, "gates": None} == {**last, "gates": None}


def levels_of(run: Row) -> dict[str, tuple[int, int]]:
    (model,) = run["models"].values()
    return {name: (rate["correct"], rate["n"]) for name, rate in model["levels"].items()}


def test_a_name_selects_its_cases_and_only_they_count(bench: Bench) -> None:
    result = bench.run("-k", "grep", "--mcp-json=run.json", model="candidate")
    run = bench.result()
    assert {record["case"] for record in run["records"]} == {"grep-1", "grep-2"}
    assert levels_of(run) == {"level1": (2, 2), "level2": (2, 2), "level3": (1, 2), "level4": (1, 2)}
    assert [verdict["name"] for verdict in run["gates"]] == ["tool:grep"]
    assert run["models"]["candidate"]["tier"] is None
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*level3 correctness  1/2*", "*no tier: the cases where no tool applies were left out*"]
    )


def test_a_marker_expression_selects_levels_and_tags(bench: Bench) -> None:
    result = bench.run("-m", "level3 and smoke", "--mcp-json=run.json")
    assert result.ret == 0
    run = bench.result()
    assert {record["case"] for record in run["records"]} == {"read-1", "grep-1", "bash-1", "none-1", "none-2"}
    assert levels_of(run)["level3"] == (4, 5)
    assert result.parseoutcomes() == {"passed": 5, "missed": 1, "deselected": 35}
    result.stdout.fnmatch_lines(["*level3 correctness  4/5*", "*tier *"])


def test_the_tool_marker_selects_by_the_tool_that_a_case_expects(bench: Bench) -> None:
    result = bench.run("-m", "tool(name='grep')", "--mcp-json=run.json", model="candidate")
    assert result.ret == 1
    run = bench.result()
    assert {record["case"] for record in run["records"]} == {"grep-1", "grep-2"}
    assert levels_of(run) == {"level1": (2, 2), "level2": (2, 2), "level3": (1, 2), "level4": (1, 2)}


@pytest.mark.parametrize("marker", ["level2", "level4", "per_tool"])
def test_a_selection_without_the_cases_for_no_tool_gets_no_tier_and_no_line_that_needs_them(
    bench: Bench, marker: str
) -> None:
    result = bench.run("-m", marker, "--mcp-json=run.json")
    assert bench.result()["models"]["base"]["tier"] is None
    assert len(bench.result()["records"]) == 6
    result.stdout.no_fnmatch_line("*level3 correctness*")
    result.stdout.fnmatch_lines(["*level4 parameters   3/6*", "*no tier: *"])


def test_missed_runs_the_missed_cases_of_the_last_run_alone(bench: Bench) -> None:
    assert bench.run("-p", "no:cacheprovider", model="candidate").ret == 1
    result = bench.run("--mcp-missed", "-p", "no:cacheprovider", "--mcp-json=run.json", model="candidate")
    assert result.ret == 0
    assert {record["case"] for record in bench.result()["records"]} == missed(bench.result()) == MISSED
    assert bench.result()["gates"] == []
    assert bench.result()["models"]["candidate"]["tier"] is None
    assert result.parseoutcomes()["missed"] == 10
    result.stdout.fnmatch_lines(["*no tier: only cases that the last run missed*", "candidate: measured, not gated"])


def test_missed_looks_at_what_the_last_run_missed_even_if_it_looked_at_less(bench: Bench) -> None:
    bench.run()
    bench.write_answers(RIGHT | {"read-2": "no"})
    bench.run("--mcp-missed")
    bench.run("--mcp-missed", "--mcp-json=run.json")
    assert {record["case"] for record in bench.result()["records"]} == {"read-2"}


def test_missed_with_nothing_missed_runs_nothing(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    bench.run()
    assert bench.run("--mcp-missed").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_missed_needs_a_run_before_it(bench: Bench) -> None:
    assert "run once without it first" in usage_error(bench.run("--mcp-missed"))


def test_two_models_are_told_apart(bench: Bench) -> None:
    bench.write_answers(RIGHT, "right.jsonl")
    result = bench.run("--mcp-model=better=replay:right.jsonl", "--mcp-json=run.json")
    assert result.parseoutcomes()["missed"] == 10
    records = bench.result()["records"]
    assert {record["model"] for record in records if False in record["levels"].values()} == {"base"}
    assert [record["case"] for record in records if record["model"] == "better"] == [case["id"] for case in CASES]


def test_cases_that_ask_the_same_keep_their_own_answers(bench: Bench) -> None:
    twins: list[dict[str, Any]] = [{**CASES[0], "id": f"twin-{n}"} for n in range(3)]
    bench.write_cases(twins)
    bench.write_answers({"twin-0": RIGHT["read-1"], "twin-1": "no", "twin-2": RIGHT["read-1"]})
    bench.run("--mcp-json=run.json")
    assert missed(bench.result()) == {"twin-1"}


def test_the_state_folder_hides_itself_from_git(bench: Bench) -> None:
    bench.run()
    assert (bench.path / ".mcpbench" / ".gitignore").read_text() == "*\n"


def test_each_run_is_kept_beside_the_others(bench: Bench) -> None:
    bench.run()
    time.sleep(0.002)
    bench.run()
    assert len(bench.kept()) == 2
    assert all(path.suffix == ".json" and path.stat().st_size for path in bench.kept())
