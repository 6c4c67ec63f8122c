"""Speed held against earlier runs: by `--mcp-compare`, and by pytest-benchmark's own command on what it stored."""

import subprocess
import sys

import pytest

from tests.plugin.clocked import use_clocked
from tests.plugin.conftest import LEAN, Bench

TIMED = [argument for argument in LEAN if argument != "-pno:benchmark"]
FAST, SLOW = "--mcp-model=tuned=null:first-tool", "--mcp-model=tuned=null:echo"
BASE = "--mcp-model=base=null:silent"


@pytest.fixture(autouse=True)
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    use_clocked(monkeypatch)


def run(bench: Bench, *args: str, marks: str = "latency") -> pytest.RunResult:
    cases = ("--mcp-cases=cases.jsonl", "--mcp-json=run.json", "--mcp-iterations=30")
    return bench.pytester.runpytest_inprocess(*TIMED, "-m", marks, *cases, *args, no_reraise_ctrlc=True)


def verdicts(bench: Bench) -> dict[str, str]:
    return {gate["name"]: gate["verdict"] for gate in bench.result()["gates"]}


def test_a_model_that_takes_twice_as_long_as_in_the_last_run_fails(bench: Bench) -> None:
    assert run(bench, FAST).ret == 0
    result = run(bench, SLOW, "--mcp-compare=last")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(bench) == {"no-regression:speed": "FAIL"}
    line = next(line for line in result.outlines if line.startswith("FAIL no-regression:speed tuned"))
    assert "tuned: since 20" in line
    assert "0.50x as fast (95 % interval 0.50 to 0.50, 30 and 30 values) is more than 30 % slower" in line
    assert "Traceback" not in result.stdout.str()


def test_one_that_is_as_fast_or_faster_passes(bench: Bench) -> None:
    assert run(bench, SLOW).ret == 0
    assert run(bench, SLOW, "--mcp-compare=last").ret == 0
    assert run(bench, FAST, "--mcp-compare=last").ret == 0
    assert verdicts(bench) == {"no-regression:speed": "PASS"}


def test_other_requests_or_another_number_of_threads_are_not_compared(bench: Bench) -> None:
    assert run(bench, FAST, "--mcp-threads=2").ret == 0
    for args, why in [
        (("--mcp-threads=3",), "another device or number of threads"),
        (("--mcp-threads=2", "--mcp-max-new-tokens=7"), "the longest answer differs: 150 tokens then, 7 now"),
    ]:
        result = run(bench, SLOW, *args, "--mcp-compare=tuned", "-rs")
        assert result.ret == 0
        assert result.parseoutcomes()["skipped"] == 1
        assert why in result.stdout.str()


def test_timed_in_turn_with_the_same_base_a_tenth_is_enough(bench: Bench) -> None:
    assert run(bench, BASE, FAST).ret == 0
    result = run(bench, BASE, SLOW, "--mcp-compare=last")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = next(line for line in result.outlines if line.startswith("FAIL no-regression:speed tuned"))
    assert "is more than 10 % slower" in line


def test_pytest_benchmark_compares_what_it_stored_of_our_runs(bench: Bench) -> None:
    for name, model in (("before", FAST), ("after", SLOW)):
        assert run(bench, model, f"--benchmark-save={name}").ret == 0
    assert [path.name[:5] for path in sorted(bench.path.glob(".benchmarks/*/*.json"))] == ["0001_", "0002_"]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "0001", "0002", "--columns=mean,median,rounds"]
    done = subprocess.run(command, cwd=bench.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "test_latency[tuned] (0001_before)" in done.stdout
    assert "test_latency[tuned] (0002_after)" in done.stdout
