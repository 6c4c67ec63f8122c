"""Timing through pytest: what runs when, what is shown and kept, what pytest-benchmark is told, which gates fail."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from pytest_mcpbench.core.environment import environment, machine_fingerprint
from tests.plugin.clocked import Clocked, use_clocked
from tests.plugin.conftest import LEAN, Bench, usage_error

TIMED = [argument for argument in LEAN if argument != "-pno:benchmark"]
MODELS = ("--mcp-model=finetuned=null:echo", "--mcp-model=int8=null:first-tool")


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    use_clocked(monkeypatch)


def run(bench: Bench, *args: str, marks: str = "latency") -> pytest.RunResult:
    cases = ("--mcp-cases=cases.jsonl", "--mcp-json=run.json")
    return bench.pytester.runpytest_inprocess(*TIMED, "-m", marks, *cases, *args, no_reraise_ctrlc=True)


@pytest.mark.usefixtures("clocked")
def test_times_stand_beside_their_tokens_on_screen_and_in_the_file(bench: Bench) -> None:
    result = run(bench, "--mcp-model=finetuned=null:echo", "--mcp-threads=3")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1
    result.stdout.fnmatch_lines(
        [
            "finetuned: null:echo, native format",
            "  latency    mean 1,400 ms, p50 1,400 ms, p90 1,400 ms (95 % sure: at most 1,400 ms), p99 takes 299 "
            "calls; 100 calls one at a time, * of them right",
            "    first token cold mean 1,000 ms, *; 100 prompt tokens",
            "    first token warm mean 100 ms, *; 90 of them held",
            "    a further token  mean 100 ms, *; 5.0 output tokens",
            "    cpu, 3 threads; warm-up 10 calls; peak memory * MB of the process",
        ]
    )
    assert "level1" not in result.stdout.str()
    document = bench.result()
    latency = document["models"]["finetuned"]["latency"]
    assert (latency["n"], latency["warmup"], latency["batch_size"], latency["threads"]) == (100, 10, 1, 3)
    assert latency["e2e_s"]["samples_s"] == pytest.approx([1.4] * 100)
    assert (latency["e2e_s"]["p99"], latency["e2e_s"]["mean"]) == (None, pytest.approx(1.4))
    assert (latency["prompt_tokens"], latency["cached_prompt_tokens"], latency["output_tokens"]) == (100, 90, 5)
    assert document["records"] == []
    assert document["models"]["finetuned"]["tier_reason"] == "only its speed was measured"
    assert Clocked.loaded == [("null:echo", 3)]


@pytest.mark.usefixtures("clocked")
def test_so_many_iterations_are_timed_and_too_few_say_so(bench: Bench) -> None:
    result = run(bench, "--mcp-model=finetuned=null:echo", "--mcp-iterations=7")
    result.stdout.fnmatch_lines(
        ["  latency    mean 1,400 ms, p50 1,400 ms, p90 takes 29 calls; 7 calls one at a time*"]
    )
    assert bench.result()["models"]["finetuned"]["latency"]["e2e_s"]["p90"] is None


@pytest.mark.usefixtures("clocked")
def test_pytest_benchmark_keeps_the_figures_and_its_own_command_reads_them(bench: Bench) -> None:
    run(bench, *MODELS, "--mcp-iterations=30", "--benchmark-json=benchmark.json")
    kept = json.loads((bench.path / "benchmark.json").read_text())["benchmarks"]
    figures = {entry["name"]: (entry["stats"]["rounds"], entry["extra_info"]) for entry in kept}
    rounds, extra = figures["test_latency[int8]"]
    assert rounds == 30
    assert extra["e2e_s_p90"] == pytest.approx(0.7)
    assert (extra["ttft_warm_s_mean"], extra["output_tokens"]) == (pytest.approx(0.05), 5)
    assert not [name for name, value in extra.items() if isinstance(value, dict | list)]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "benchmark.json"]
    done = subprocess.run(command, cwd=bench.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "test_latency[int8]" in done.stdout


@pytest.mark.usefixtures("clocked")
def test_a_benchmark_plugin_that_is_switched_off_costs_no_sample(bench: Bench) -> None:
    run(bench, "--mcp-model=finetuned=null:echo", "--mcp-iterations=30", "--benchmark-disable")
    assert bench.result()["models"]["finetuned"]["latency"]["n"] == 30


@pytest.mark.usefixtures("clocked")
def test_two_models_are_timed_in_turn_and_the_pairs_kept(bench: Bench) -> None:
    result = run(bench, *MODELS, "--mcp-iterations=5")
    assert result.parseoutcomes()["passed"] == 3
    (comparison,) = bench.result()["comparisons"]
    speed = comparison["speed"]
    assert (speed["reference"], speed["candidate"], speed["pairs"], speed["status"]) == (
        "finetuned",
        "int8",
        20,
        "PASS",
    )
    assert speed["speedup"] == pytest.approx(2.0)
    assert (speed["reference_s"], speed["candidate_s"]) == (pytest.approx([1.4] * 20), pytest.approx([0.7] * 20))
    result.stdout.fnmatch_lines(
        ["  finetuned -> int8", "    speed      2.00x as fast (95 % interval 2.00 to 2.00, 20 pairs)*"]
    )


@pytest.mark.usefixtures("clocked")
def test_junit_has_the_speedup(bench: Bench) -> None:
    run(bench, *MODELS, "--mcp-iterations=5", "--junit-xml=junit.xml", "-Werror")
    tests = {test.get("name"): test for test in ET.parse(bench.path / "junit.xml").getroot().iter("testcase")}
    found = {one.get("name"): one.get("value") for one in tests["test_speed[int8-finetuned]"].iter("property")}
    assert float(found["mcp_speedup"] or 0) == pytest.approx(2.0)
    assert str(found["mcp_line"]).startswith("2.00x as fast")


@pytest.mark.usefixtures("clocked")
@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("speedup:int8=1.9", 0, "PASS speedup int8: over finetuned: 2.00x as fast*>= target 1.9x"),
        ("speedup:int8=2.67", 1, "FAIL speedup int8: over finetuned: 2.00x as fast*< target 2.67x*"),
        ("speedup=2.67", 1, "FAIL speedup int8: over finetuned: 2.00x as fast*< target 2.67x*"),
    ],
)
def test_a_speedup_that_is_asked_for_is_a_gate(bench: Bench, target: str, code: int, words: str) -> None:
    result = run(bench, *MODELS, "--mcp-iterations=5", f"--mcp-target={target}", "-rA")
    assert result.ret == code
    (gate,) = bench.result()["gates"]
    assert (gate["name"], gate["model"], gate["verdict"]) == ("speedup", "int8", words.partition(" ")[0])
    result.stdout.fnmatch_lines([f"*{words}*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.usefixtures("clocked")
def test_a_speedup_over_nothing_fails(bench: Bench) -> None:
    result = run(bench, MODELS[1], "--mcp-iterations=5", "--mcp-target=speedup:int8=2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*there is no model to be faster than (target 2x); give the reference too*"])


@pytest.mark.usefixtures("clocked")
@pytest.mark.parametrize(
    ("limit", "verdicts", "words"),
    [
        ("750@{}", ["PASS"], "PASS latency_p90_ms int8: 90 % of 30 requests within 700.0 ms"),
        ("650@{}", ["FAIL"], "FAIL latency_p90_ms int8: 90 % of 30 requests within 700.0 ms"),
        ("650@0123456789ab", [], "int8: its limit of 650 ms was set for machine 0123456789ab and decides nothing"),
        ("650", [], "int8: its limit of 650 ms names no machine and decides nothing"),
    ],
)
def test_a_limit_gates_the_machine_that_it_was_set_for(
    bench: Bench, limit: str, verdicts: list[str], words: str
) -> None:
    machine = machine_fingerprint(environment(), 2)
    target = f"--mcp-target=latency_p90_ms:int8={limit.format(machine)}"
    result = run(bench, MODELS[1], "--mcp-iterations=30", "--mcp-threads=2", target)
    assert result.ret == (verdicts == ["FAIL"])
    assert [gate["verdict"] for gate in bench.result()["gates"]] == verdicts
    assert words in result.stdout.str()


@pytest.mark.usefixtures("clocked")
def test_speed_is_judged_behind_its_measurement_in_whatever_order(bench: Bench) -> None:
    (bench.path / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n", encoding="utf-8"
    )
    machine = machine_fingerprint(environment(), 2)
    targets = (f"--mcp-target=latency_p90_ms=2000@{machine}", "--mcp-target=speedup=1.5")
    result = run(bench, *MODELS, "--mcp-iterations=30", "--mcp-threads=2", *targets, "-v")
    assert result.ret == 0
    names = re.findall(r"::(test_\w+)\[", result.stdout.str())
    assert names == ["test_speed", "test_latency", "test_latency", *["test_speed_target"] * 3]


@pytest.mark.usefixtures("clocked")
def test_levels_and_times_go_into_one_result(bench: Bench) -> None:
    result = run(bench, "--mcp-model=base=replay:answers.jsonl", "--mcp-model=x=null:echo", marks="level3 or latency")
    document = bench.result()
    assert document["models"]["x"]["latency"]["n"] == 100
    assert document["models"]["x"]["levels"]["level3"]["n"] == 8
    assert document["models"]["base"]["latency"] is None
    assert len(document["records"]) == 16
    result.stdout.fnmatch_lines(["*1 *skipped*"])


@pytest.mark.parametrize(
    ("args", "files"),
    [
        ((), set()),
        (("-m", "level1"), set()),
        (("-m", "not slow"), set()),
        (("-m", "not latency"), set()),
        (("-m", "not (latency or throughput)"), set()),
        (("-m", "smoke and tool(name='grep')"), set()),
        (("-m", "latency"), {"latency"}),
        (("-m", "level3 or throughput"), {"throughput"}),
        (("-m", "(latency or throughput) and not slow"), {"latency", "throughput"}),
        (("-k", "latency"), {"latency"}),
        (("--pyargs", "pytest_mcpbench.suites.test_latency"), {"latency"}),
    ],
)
def test_timing_runs_only_where_it_is_asked_for(bench: Bench, args: tuple[str, ...], files: set[str]) -> None:
    result = bench.plain("--mcp-model=null:echo", "--mcp-cases=cases.jsonl", "--co", "-q", *args)
    assert {name for name in ("latency", "throughput") if f"::test_{name}[" in result.stdout.str()} == files


def test_a_run_of_several_processes_refuses_to_time(bench: Bench) -> None:
    result = bench.plain("--mcp-model=null:echo", "--mcp-cases=cases.jsonl", "-n2", "-m", "latency", subprocess=True)
    assert "several processes would slow each other down; run -m latency without -n" in usage_error(result)
    named = bench.plain("--mcp-model=null:echo", "-n2", "--pyargs", "pytest_mcpbench.suites.test_throughput")
    assert "run -m throughput without -n" in usage_error(named)


def test_without_a_model_timing_is_skipped_with_one_line(bench: Bench) -> None:
    result = bench.pytester.runpytest_inprocess(*TIMED, "--pyargs", "pytest_mcpbench.suites.test_latency")
    assert result.ret == 0
    lines = [line for line in result.outlines if "no model to measure: pass --mcp-model=PATH" in line]
    assert len(lines) == 1


def test_a_recording_is_not_timed(bench: Bench) -> None:
    result = run(bench, "--mcp-model=finetuned=replay:answers.jsonl", "-rs")
    assert result.ret == 0
    assert result.parseoutcomes()["skipped"] == 1
    result.stdout.fnmatch_lines(["*finetuned: recorded answers are not computed here, so there is nothing to time"])


def test_a_null_model_is_timed_for_what_the_benchmark_itself_costs(bench: Bench) -> None:
    result = run(bench, "--mcp-model=null:echo", "--mcp-iterations=30")
    assert result.ret == 0
    latency = bench.result()["models"]["null-echo"]["latency"]
    assert 0 < latency["e2e_s"]["p50"] < 0.01
    assert not (bench.path / ".mcpbench" / "cache").exists()


@pytest.mark.parametrize(
    ("arg", "words"),
    [
        ("--mcp-iterations=0", ["--mcp-iterations", "'0'", "at least 1"]),
        ("--mcp-iterations=ten", ["--mcp-iterations", "'ten'", "whole number"]),
        ("--mcp-duration=0", ["--mcp-duration", "'0'", "seconds from 0.1"]),
        ("--mcp-duration=1m", ["--mcp-duration", "'1m'", "seconds"]),
        ("--mcp-speed-tolerance=10", ["--mcp-speed-tolerance", "'10'", "from 0.001 to 1"]),
        ("--mcp-speed-tolerance=nan", ["--mcp-speed-tolerance", "'nan'"]),
    ],
)
def test_a_wrong_option_gets_one_line(bench: Bench, arg: str, words: list[str]) -> None:
    error = usage_error(run(bench, "--mcp-model=null:echo", arg))
    assert [word for word in words if word not in error] == []


def test_a_target_of_speed_that_was_not_looked_at_is_told(bench: Bench) -> None:
    result = bench.run("--mcp-target=speedup:finetuned=2", "-m", "level3", model="finetuned")
    result.stdout.fnmatch_lines(["finetuned: nothing was timed for its target of speedup: add -m latency"])
    assert "nothing was timed" not in bench.run("-m", "level3", model="finetuned").stdout.str()
