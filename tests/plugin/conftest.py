"""A small benchmark in a folder of its own: eight cases, and a recorded model that gets four of them wrong."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import scipy.special  # noqa: F401 (a run inside a test forgets what it imported, and numpy cannot be imported twice)

from pytest_mcpbench.core.case import ToolCall
from pytest_mcpbench.core.formats import render

collect_ignore = ["stranger"]  # the documented example, which test_fixtures.py runs

Row = dict[str, Any]

CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "read-1": [("read", {"file_path": "package.json"})],
    "read-2": [("read", {"file_path": "setup.cfg"})],
    "grep-1": [("grep", {"pattern": "TODO", "path": "src"})],
    "grep-2": [("grep", {"pattern": "FIXME"})],
    "bash-1": [("bash", {"command": "git status"})],
    "none-1": [],
    "none-2": [],
    "two-1": [("read", {"file_path": "a.py"}), ("read", {"file_path": "b.py"})],
}
PROMPTS = {
    "read-1": "Read package.json",
    "read-2": "show me setup.cfg",
    "grep-1": "search for TODO in src",
    "grep-2": "find FIXME",
    "bash-1": "run git status",
    "none-1": "what is a closure?",
    "none-2": "thanks!",
    "two-1": "read a.py and b.py",
}
SMOKE = ("read-1", "grep-1", "bash-1", "none-1", "none-2")
MISSED = {"read-2", "grep-2", "bash-1", "none-2"}
"""What `ANSWERS` gets wrong: an unclosed call, a wrong tool, a wrong value, a call where none is due."""


def case(case_id: str) -> Row:
    expected = [{"name": name, "arguments": arguments} for name, arguments in CALLS[case_id]]
    tags = ["smoke"] if case_id in SMOKE else []
    return {"id": case_id, "prompt": PROMPTS[case_id], "tools": "coding", "expected": expected, "tags": tags}


CASES = [case(case_id) for case_id in CALLS]
RIGHT = {
    case_id: render([ToolCall(name=name, arguments=arguments) for name, arguments in calls], "native")
    for case_id, calls in CALLS.items()
    if calls
} | {"none-1": "A function with its surroundings.", "none-2": "You are welcome."}
ANSWERS = RIGHT | {
    "read-2": "<tool_use>read(file_path='setup.cfg'",
    "grep-2": "<tool_use>glob(pattern='FIXME')</tool_use>",
    "bash-1": "<tool_use>bash(command='git stat')</tool_use>",
    "none-2": "<tool_use>read(file_path='thanks')</tool_use>",
}
LEAN = [f"-pno:{name}" for name in ("randomly", "hypothesispytest", "benchmark", "anyio")]
"""Plugins of other projects that would cost each run a second, and one that shuffles."""


class Bench:
    """pytest runs in an empty folder, over the case file and the recorded models that a test writes there."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.write_cases(CASES)
        self.write_answers(ANSWERS)

    def write_cases(self, rows: Iterable[Row], name: str = "cases.jsonl") -> Path:
        path = self.path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def write_answers(self, answers: Mapping[str, str], name: str = "answers.jsonl") -> Path:
        rows = ({"case": case_id, "text": text} for case_id, text in answers.items())
        return self.write_cases(rows, name)

    def run(self, *args: str, model: str = "base", subprocess: bool = False) -> pytest.RunResult:
        """A run of the recorded model under that label; the suites are found as in any folder without tests."""
        models = [f"--mcp-model={model}=replay:answers.jsonl"] if model else []
        return self.plain(*models, "--mcp-cases=cases.jsonl", *args, subprocess=subprocess)

    def plain(self, *args: str, subprocess: bool = False) -> pytest.RunResult:
        if subprocess:
            return self.pytester.runpytest_subprocess(*LEAN, *args)
        return self.pytester.runpytest_inprocess(*LEAN, *args, no_reraise_ctrlc=True)

    def result(self, name: str = "run.json") -> Row:
        document: Row = json.loads((self.path / name).read_text(encoding="utf-8"))
        return document

    def kept(self) -> list[Path]:
        return sorted((self.path / ".mcpbench" / "runs").glob("*"))


@pytest.fixture
def bench(pytester: pytest.Pytester) -> Bench:
    return Bench(pytester)


def totals(run: Row) -> Row:
    """What two runs over the same cases must agree in: everything but the time and the batch size."""
    return {
        **run,
        "created": None,
        "settings": {**run["settings"], "batch_size": None},
        "records": sorted(run["records"], key=lambda record: (record["model"], record["case"])),
    }


def missed(run: Row) -> set[str]:
    return {record["case"] for record in run["records"] if False in record["levels"].values()}


def usage_error(result: pytest.RunResult) -> str:
    """The one line that a user's mistake gets."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.outlines
    lines = [line for line in [*result.errlines, *result.outlines] if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    assert len(errors) == 1, lines
    assert "Traceback" not in "\n".join(lines)
    return errors[0]
