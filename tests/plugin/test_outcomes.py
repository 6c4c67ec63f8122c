import pytest

from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models import answers
from pytest_mcpbench.models.replay import ReplayModel
from tests.plugin.conftest import MISSED, RIGHT, Bench, missed, usage_error


def test_a_base_is_measured_and_not_gated(bench: Bench) -> None:
    result = bench.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["base: measured, not gated", "*31 passed, 10 missed*"])
    result.stdout.no_fnmatch_line("*gates:*")


def test_the_same_model_under_another_label_fails_and_the_gates_are_named(bench: Bench) -> None:
    result = bench.run(model="candidate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "FAIL level3 candidate: 5/8 right (62.5 %, 95 % interval *) < target 95 %; *",
            "*gates: 1 of 7 passed: level1 FAIL, level2 FAIL, level3 FAIL, level4 FAIL, tool:grep FAIL, tool:read FAIL",
            "*6 failed, 25 passed, 10 missed*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_right_model_passes_every_gate(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    result = bench.run(model="candidate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*gates: 7 of 7 passed", "*41 passed*"])
    result.stdout.no_fnmatch_line("*missed*")


def test_gates_can_be_switched_off(bench: Bench) -> None:
    result = bench.run("--mcp-gate=off", model="candidate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["candidate: measured, not gated", "*31 passed, 10 missed*"])


def test_strict_lets_each_miss_fail_with_its_reason(bench: Bench) -> None:
    result = bench.run("--mcp-strict")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["base bash-1: command: wanted 'git status', got 'git stat'", "*10 failed, 31 passed*"])
    result.stdout.no_fnmatch_line("*missed in*")


def test_a_miss_has_a_letter_and_a_word_of_its_own(bench: Bench) -> None:
    letters = bench.run("-k", "test_correctness").stdout.lines
    assert any(line.partition("test_correctness.py ")[2].startswith(".m.m..m..") for line in letters)
    verbose = bench.run("-v", "-k", "test_correctness")
    verbose.stdout.fnmatch_lines(["*test_correctness[[]base-grep-2[]] MISSED*"])
    assert sum("MISSED" in line for line in verbose.stdout.lines) == 3


def test_verbose_lists_every_miss_once(bench: Bench) -> None:
    lines = bench.run("-v").stdout.lines
    begin = next(i for i, line in enumerate(lines) if line.startswith("base: 4 of 8 cases missed"))
    assert {line.split()[0] for line in lines[begin + 1 : begin + 5]} == MISSED


def test_certified_gates_say_at_once_that_the_cases_are_too_few_and_then_how_many_more(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    result = bench.run("--mcp-gate=certified", model="candidate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "mcpbench: 8 cases can show at most > 68.? %; * without a miss are needed *",
            "UNDECIDED level3 candidate: 8/8 right *; * more cases at this rate would pass it*",
            "*level3 UNDECIDED*",
        ]
    )


def test_a_certified_gate_fails_what_is_certainly_too_low(bench: Bench) -> None:
    bench.write_answers(dict.fromkeys(RIGHT, ""))
    result = bench.run("--mcp-gate=certified", model="candidate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL level3 candidate: 2/8 right *"])


@pytest.mark.parametrize("quiet", ["-q", "-qq", "--tb=no", "--color=yes"])
def test_quieter_screens_keep_the_verdict(bench: Bench, quiet: str) -> None:
    result = bench.run(quiet, model="candidate")
    assert result.ret == 1
    assert "level3 FAIL" in result.stdout.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("stop", ["-x", "--maxfail=2"])
def test_a_run_that_stops_early_keeps_a_whole_result_or_none(bench: Bench, stop: str) -> None:
    result = bench.run(stop, "--mcp-json=run.json", model="candidate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*level3 correctness  5/8*", "*stopping after ? failures*"])
    assert missed(bench.result()) == MISSED


def test_collecting_alone_generates_and_writes_nothing(bench: Bench) -> None:
    result = bench.run("--co", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_correctness[[]base-read-1[]]", "41 tests collected*"])
    assert not (bench.path / ".mcpbench").exists()


def test_an_interrupted_run_leaves_no_result_and_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ReplayModel.generate_batch
    batches = []

    def interrupted(self: ReplayModel, requests: list, settings: object) -> list[Generation]:  # type: ignore[type-arg]
        batches.append(len(requests))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return real(self, requests, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(ReplayModel, "generate_batch", interrupted)
    result = bench.run("--mcp-batch-size=2", "--mcp-json=run.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["base: stopped before every answer was there, so there is no result"])
    assert batches == [2, 2, 2]
    assert bench.kept() == []
    assert not (bench.path / "run.json").exists()


def test_a_model_that_cannot_be_loaded_after_all_ends_the_run_in_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []

    def broken(source: object, options: object) -> None:
        loads.append(source)
        raise ModelError("weights.safetensors: is cut off\nat byte 12; copy it again")

    monkeypatch.setattr(answers, "load_model", broken)
    error = usage_error(bench.run(model="candidate"))
    assert error == r"ERROR: --mcp-model: weights.safetensors: is cut off\nat byte 12; copy it again"
    assert len(loads) == 1
    assert bench.kept() == []


def test_what_another_model_answered_survives_a_model_that_cannot_be_loaded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = answers.load_model

    def half(source: answers.Source, options: answers.LoadOptions) -> answers.Model:
        if source.kind == "null":
            raise ModelError("null:echo: is broken; take another")
        return real(source, options)

    monkeypatch.setattr(answers, "load_model", half)
    result = bench.run("--mcp-model=null:echo", "--mcp-json=run.json")
    assert "null:echo: is broken" in usage_error(result)
    assert list(bench.result()["models"]) == ["base"]
    result.stdout.fnmatch_lines(["*level3 correctness  5/8*"])


def test_a_case_on_which_the_model_breaks_is_an_error_that_counts_as_wrong(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ReplayModel.generate_batch

    def fragile(self: ReplayModel, requests: list, settings: object) -> list[Generation]:  # type: ignore[type-arg]
        if any(request.case_id == "read-1" for request in requests):
            raise RuntimeError("CUDA out of memory\x1b[31m")
        return real(self, requests, settings)  # type: ignore[arg-type]

    bench.write_answers(RIGHT)
    monkeypatch.setattr(ReplayModel, "generate_batch", fragile)
    result = bench.run("--mcp-json=run.json", model="candidate")
    assert result.ret == 1
    assert missed(bench.result()) == {"read-1"}
    assert bench.result()["models"]["candidate"]["errors"] == {"harness_error": 1}
    result.stdout.fnmatch_lines(
        ["  errors: 1 answer could not be generated and counts as wrong; first read-1: Runtime*"]
    )
    assert "\x1b[31m" not in result.stdout.str()
