"""The examples of the documentation, run or read as a user would."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pytest_mcpbench.cli import app
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.policy import POINTS, Limits, read_policy
from pytest_mcpbench.core.production import read_log
from pytest_mcpbench.options import OPTIONS

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "docs" / f"{name}.md" for name in ("ci", "report", "history", "speed")]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_policy_in_the_docs_is_a_policy_with_the_guides_limits(tmp_path: Path) -> None:
    (block,) = blocks(DOCS[0], "toml")
    (tmp_path / "policy.toml").write_text(block)
    policy = read_policy(tmp_path / "policy.toml")
    assert policy.limits == Limits()
    table = DOCS[0].read_text("utf-8").partition("| point |")[2]
    assert re.findall(r"`([a-z0-9]+)`", "".join(re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE))) == list(POINTS)


def test_the_log_in_the_docs_is_a_log(tmp_path: Path) -> None:
    (block,) = blocks(DOCS[1], "json")
    (tmp_path / "log.jsonl").write_text(block)
    log = read_log(tmp_path / "log.jsonl", CaseReader(shipped_tools=ROOT / "fixtures" / "tools"))
    assert not log.unreadable
    assert [entry.tool for entry in log.entries] == [None, True]
    assert log.entries[1].parameters is True


def test_the_pipelines_in_the_docs_are_yaml_and_fail_with_the_benchmark() -> None:
    yaml = pytest.importorskip("yaml")
    actions, gitlab = (yaml.safe_load(block) for block in blocks(DOCS[0], "yaml"))
    steps = actions["jobs"]["benchmark"]["steps"]
    (benchmark,) = [step for step in steps if step.get("name") == "Benchmark"]
    assert "continue-on-error" not in benchmark
    assert "|| true" not in benchmark["run"]
    assert any("GITHUB_STEP_SUMMARY" in step.get("run", "") and "always()" in step["if"] for step in steps)
    assert gitlab["tool-calling"]["artifacts"]["when"] == "always"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_option_in_the_docs_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    known = {option.flag for option in OPTIONS}
    assert set(re.findall(r"--mcp-[a-z-]+", text)) <= known
    for line in re.findall(r"^(?:- )?(mcpbench [a-z].*)$", "\n".join(blocks(path, "")), re.MULTILINE):
        words = shlex.split(line.split(" > ")[0].split(" || ")[0])
        shown = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, line
        for flag in [word.partition("=")[0] for word in words if word.startswith("--")]:
            assert flag in shown.output, line
