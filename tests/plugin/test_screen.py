"""Whole screens, kept as files. A change that is meant: pytest tests/plugin/test_screen.py --update-golden."""

import re
from pathlib import Path

import pytest

from tests.plugin.conftest import Bench

GOLDEN = Path(__file__).parent / "golden"


def screen_of(result: pytest.RunResult) -> str:
    """The screen from the header's own line on, without what depends on the machine."""
    lines = result.stdout.lines
    kept = [lines[next(i for i, line in enumerate(lines) if line.startswith("mcpbench: "))]]
    kept += lines[next(i for i, line in enumerate(lines) if line.startswith("collected ")) :]
    shown = "\n".join(line.rstrip() for line in kept)
    shown = re.sub(r"(result: .mcpbench/runs/)\S+\.json", r"\1TIME.json", shown)
    shown = re.sub(r"(FAILED \S+) - .*", r"\1", shown)  # how much of the reason stands there is pytest's choice
    return re.sub(r"=+ (.* in) \d+\.\d+s =+", r"= \1 TIME =", shown) + "\n"


@pytest.mark.parametrize(
    ("name", "model", "args"),
    [
        ("base", "base", ()),
        ("candidate", "candidate", ("--tb=no",)),
        ("candidate_certified_level3", "candidate", ("--mcp-gate=certified", "-m", "level3")),
    ],
)
def test_a_run_shows_this_screen(
    bench: Bench, name: str, model: str, args: tuple[str, ...], pytestconfig: pytest.Config
) -> None:
    shown = screen_of(bench.run(*args, model=model))
    path = GOLDEN / f"{name}.txt"
    if pytestconfig.getoption("--update-golden"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
