"""The lines of the terminal, read back against the result file."""

import json
import re

import pytest

from pytest_mcpbench.core.report import result_lines
from pytest_mcpbench.core.result import to_json
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import rate_of, show_percent
from pytest_mcpbench.core.target import Targets

LEVELS = ("level3", "level4", "level1", "level2")


@pytest.fixture(scope="module")
def lines(run: RunResult) -> list[str]:
    return [line.text for line in result_lines(run, Targets(), whole=True, verbose=False)]


def blocks(lines: list[str], labels: list[str]) -> dict[str, list[str]]:
    """The lines of each model, from the line with its label to the next model's."""
    starts = {label: next(i for i, line in enumerate(lines) if line.startswith(f"{label}: replay")) for label in labels}
    ends = [*sorted(starts.values())[1:], lines.index("comparison")]
    return {label: lines[start:end] for (label, start), end in zip(starts.items(), ends, strict=True)}


def test_every_rate_is_the_result_files(lines: list[str], run: RunResult) -> None:
    models = json.loads(to_json(run))["models"]
    for label, block in blocks(lines, list(models)).items():
        text, entry = "\n".join(block), models[label]
        for level, rate in entry["levels"].items():
            assert re.search(rf"^  {level} \w+ +{rate['correct']}/{rate['n']} right", text, re.MULTILINE), level
        for tool, rates in entry["tools"].items():
            shown = "no tool" if tool == "none" else tool
            counts = "; parameters ".join(
                f"{rate['correct']}/{rate['n']} ({show_percent(rate_of(rate['correct'], rate['n']).exact)} %)"
                for rate in (rates[level] for level in ("level3", "level4") if level in rates)
            )
            assert re.search(rf"^    {shown} +{re.escape(counts)}", text, re.MULTILINE), tool
        wrong = re.search(r"^  wrong: (.*)$", text, re.MULTILINE)
        kinds = {kind.replace("_", " "): n for kind, n in entry["errors"].items()}
        assert {part.split(" ", 1)[1]: int(part.split()[0]) for part in wrong[1].split(", ")} == kinds


def test_every_percentage_stands_behind_the_counts_that_it_is_of(lines: list[str]) -> None:
    found = re.findall(r"(\d+)/(\d+) (?:\w+ )?\(([\d.]+) %", "\n".join(lines))
    assert len(found) > 60
    for correct, n, percent in found:
        assert abs(float(percent) - 100 * int(correct) / int(n)) < 0.051


def test_the_comparison_is_the_result_files(lines: list[str], run: RunResult) -> None:
    document = json.loads(to_json(run))
    text = "\n".join(lines[lines.index("comparison") :])
    for label, entry in document["models"].items():
        row = re.search(rf"^  {label} (.*)$", text, re.MULTILINE)[1]
        shown = [float(percent) for percent in re.findall(r"([\d.]+) %", row)]
        assert shown == pytest.approx([100 * entry["levels"][level]["rate"] for level in LEVELS], abs=0.051)
    for pair in document["comparisons"]:
        part = text.split(f"  {pair['before']} -> {pair['after']}\n")[1].split(" -> finetuned\n")[0]
        for level, name in (("level3", "tool"), ("level4", "parameters")):
            entry = pair["levels"][level]
            found = re.search(rf"^    {name} .* (\S+) points .*, (\d+) gained, (\d+) lost", part, re.MULTILINE)
            assert float(found[1]) == pytest.approx(100 * entry["change"], abs=0.051)
            assert (int(found[2]), int(found[3])) == (len(entry["gained"]), len(entry["lost"]))
        for tool, entry in pair["tools"].items():
            found = re.search(rf"^      {tool} .* (\S+) points$", part, re.MULTILINE)
            assert float(found[1]) == pytest.approx(100 * entry["change"], abs=0.051)


def test_every_gate_is_counted(lines: list[str], run: RunResult) -> None:
    shown = re.findall(r"^  gates: (\d+) of (\d+) passed", "\n".join(lines), re.MULTILINE)
    gated = [label for label in run.models if any(verdict.model == label for verdict in run.gates)]
    counted = [[verdict.passed for verdict in run.gates if verdict.model == label] for label in gated]
    assert [(int(passed), int(n)) for passed, n in shown] == [(sum(gates), len(gates)) for gates in counted]
