import pytest

from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.models.replay import ReplayModel
from tests.plugin.conftest import RIGHT, Bench, usage_error

MIXING = """
from pytest_mcpbench.models.replay import ReplayModel

real = ReplayModel.generate_batch

def mixed(self, requests, settings):
    answers = real(self, requests, settings)
    return answers if len(requests) == 1 else [*answers[:-1], answers[0]]

ReplayModel.generate_batch = mixed
"""


@pytest.fixture
def mixing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose last row of a batch takes the first row's answer."""
    real = ReplayModel.generate_batch

    def mixed(self: ReplayModel, requests: list, settings: object) -> list[Generation]:  # type: ignore[type-arg]
        answers = real(self, requests, settings)  # type: ignore[arg-type]
        return answers if len(requests) == 1 else [*answers[:-1], answers[0]]

    monkeypatch.setattr(ReplayModel, "generate_batch", mixed)


def test_without_the_option_nothing_is_answered_twice(bench: Bench) -> None:
    result = bench.run("--mcp-json=run.json", model="candidate")
    result.stdout.no_fnmatch_line("*batching*")
    assert not [gate for gate in bench.result()["gates"] if gate["name"] == "batching"]


def test_answers_that_agree_pass_and_are_a_gate_of_the_result(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    result = bench.run("--mcp-verify-batching=4", "--mcp-json=run.json", "-m", "level1", model="candidate")
    assert result.ret == 0
    (gate,) = [gate for gate in bench.result()["gates"] if gate["name"] == "batching"]
    assert (gate["verdict"], gate["n"], gate["rate"]) == ("PASS", 4, 1.0)
    assert "not computed" in gate["reason"]
    result.stdout.fnmatch_lines(["  batching: 4 cases answered alike alone and together (*not computed)"])


@pytest.mark.usefixtures("mixing")
def test_a_disagreement_fails_the_run_and_names_the_case_even_of_a_model_that_is_only_measured(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    result = bench.run("--mcp-verify-batching=3", "--mcp-json=run.json", "-v")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["FAIL batching base: 1 of 3 cases answered differently alone and together*: none-1; none-1 alone: A function*"]
    )
    assert [gate["name"] for gate in bench.result()["gates"]] == ["batching"]


@pytest.mark.usefixtures("mixing")
def test_a_disagreement_fails_the_run_even_where_gates_are_off(bench: Bench) -> None:
    assert bench.run("--mcp-verify-batching=8", "--mcp-gate=off", "-k", "batching", model="candidate").ret == 1


def test_a_model_only_measured_that_agrees_is_still_only_measured(bench: Bench) -> None:
    result = bench.run("--mcp-verify-batching=4", "--mcp-markdown=run.md")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["base: measured, not gated"])
    assert "may ship" not in (bench.path / "run.md").read_text(encoding="utf-8")


def test_two_processes_verify_once(bench: Bench) -> None:
    bench.write_answers(RIGHT)
    (bench.path / "conftest.py").write_text(MIXING)
    result = bench.run("--mcp-verify-batching=3", "--mcp-json=run.json", "-n2", subprocess=True)
    assert result.ret == 1
    (gate,) = bench.result()["gates"]
    assert (gate["name"], gate["correct"], gate["n"]) == ("batching", 2, 3)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_number_of_cases_that_is_none_is_refused(value: str, bench: Bench) -> None:
    assert "--mcp-verify-batching" in usage_error(bench.run(f"--mcp-verify-batching={value}"))
