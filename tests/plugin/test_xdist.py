"""Two processes and one alone say the same. One run of each kind is shared: a worker takes seconds to start."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ANSWERS, Bench, totals
from tests.plugin.hostile import HOSTILE

COUNTING = """
import os
from pytest_mcpbench.models import answers

real = answers.load_model

def note(text):
    with open("log.txt", "a") as log:
        log.write(text + "\\n")

def load(source, options):
    model = real(source, options)
    note(f"load {source.spec}")
    generate = model.generate_batch
    def batch(requests, settings):
        for request in requests:
            note(f"answer {source.spec} {request.case_id}")
        return generate(requests, settings)
    model.generate_batch = batch
    return model

answers.load_model = load
"""

BROKEN = """
from pytest_mcpbench.errors import ModelError
from pytest_mcpbench.models import answers

def load(source, options):
    with open("log.txt", "a") as log:
        log.write("load\\n")
    raise ModelError("model.safetensors: is cut off; copy it again")

answers.load_model = load
"""


def test_two_processes_say_what_one_says_and_generate_each_answer_once(bench: Bench) -> None:
    bench.write_answers(HOSTILE | {"read-2": ANSWERS["read-2"], "bash-1": ANSWERS["bash-1"] + "\ud800\x1b[31m"})
    bench.write_answers(ANSWERS, "other.jsonl")
    models = ["--mcp-model=candidate=replay:answers.jsonl", "--mcp-model=base=replay:other.jsonl"]
    alone = bench.plain(*models, "--mcp-cases=cases.jsonl", "--mcp-json=one.json")
    (bench.path / "conftest.py").write_text(COUNTING)
    result = bench.plain(
        *models, "--mcp-cases=cases.jsonl", "--mcp-json=two.json", "-n2", "--junit-xml=two.xml", subprocess=True
    )
    assert result.ret == alone.ret == 1
    assert result.parseoutcomes() == {**alone.parseoutcomes()}
    assert totals(bench.result("two.json")) == totals(bench.result("one.json"))
    assert below(result) == below(alone)
    log = (bench.path / "log.txt").read_text().split("\n")[:-1]
    assert sorted(line for line in log if line.startswith("load")) == [
        "load replay:answers.jsonl",
        "load replay:other.jsonl",
    ]
    assert len(log) == len(set(log)) == 2 + 2 * len(ANSWERS)
    (suite,) = ET.parse(bench.path / "two.xml").getroot()
    assert int(suite.get("tests", 0)) == sum(alone.parseoutcomes().values())
    assert len(bench.kept()) == 2


def below(result: pytest.RunResult) -> list[str]:
    """The benchmark's own part of the screen."""
    lines = result.stdout.lines
    begin = next(i for i, line in enumerate(lines) if "tool calling:" in line)
    end = next(i for i, line in enumerate(lines) if "short test summary" in line)
    return [re.sub(r"=+", "=", line) for line in lines[begin:end] if not line.startswith("result: ")]


def test_a_model_that_cannot_be_loaded_ends_a_run_of_two_processes_in_one_line(bench: Bench) -> None:
    (bench.path / "conftest.py").write_text(BROKEN)
    result = bench.run("-n2", subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    screen = result.stdout.str() + result.stderr.str()
    assert screen.count("is cut off") == 1
    assert "ERROR: --mcp-model: model.safetensors: is cut off; copy it again" in result.stdout.lines
    assert "Traceback" not in screen
    assert "INTERNALERROR" not in screen
    assert bench.kept() == []
