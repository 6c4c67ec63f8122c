"""The progress line, driven with a clock and a screen of the test's own."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter  # pytest 8 does not export it

from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.terminal import Progress, progress_text
from tests.plugin.conftest import LEAN, Bench


def batch(done: int, total: int = 100, *, cached: int = 0, failed: int = 0, elapsed_s: float = 10.0) -> BatchReport:
    return BatchReport(
        done=done, total=total, cached=cached, failed=failed, output_tokens=done * 10, elapsed_s=elapsed_s
    )


class Screen:
    """As much of a terminal as pytest's line and the progress line use."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\s\S]", text):
            self._take(part)

    def _take(self, part: str) -> None:
        if part == "\n":
            self.row, self.column = self.row + 1, 0
            self.rows += [""] * (self.row + 1 - len(self.rows))
        elif part == "\r":
            self.column = 0
        elif part.endswith("K") and part[0] == "\x1b":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif part.endswith("A") and part[0] == "\x1b":
            self.row -= 1
        elif part.endswith("C") and part[0] == "\x1b":
            self.column += int(part[2:-1])
        else:
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + part + line[self.column + 1 :]
            self.column += 1


@pytest.fixture
def reporter(pytester: pytest.Pytester) -> Iterator[TerminalReporter]:
    config = pytester.parseconfig()
    found = TerminalReporter(config, io.StringIO())
    found._tw.fullwidth = 60
    found.currentfspath = None
    yield found
    config._ensure_unconfigure()


def shown(reporter: TerminalReporter) -> str:
    file = reporter._tw._file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def as_terminal(reporter: TerminalReporter) -> None:
    reporter.isatty = reporter.hasmarkup = True


def test_the_line_says_model_cases_speed_and_time_left() -> None:
    assert progress_text("int8", batch(20)) == "int8: 20 of 100 answers, 20 tokens/s, 40 s left"
    assert progress_text("int8", batch(10, elapsed_s=100)).endswith("15 min 00 s left")
    assert progress_text("int8", batch(20, failed=2)).endswith("40 s left, 2 failed")


def test_what_the_cache_had_says_nothing_about_the_time_left() -> None:
    assert (
        progress_text("a", batch(60, cached=50, elapsed_s=20)) == "a: 60 of 100 answers, 30 tokens/s, 1 min 20 s left"
    )
    assert progress_text("a", batch(50, cached=50, elapsed_s=0.0)) == "a: 50 of 100 answers"


def test_without_a_terminal_there_is_one_line_a_minute(reporter: TerminalReporter) -> None:
    now = [0.0]
    progress = Progress(reporter, clock=lambda: now[0])
    for second in range(0, 185, 5):
        now[0] = float(second)
        progress("a", batch(second))
    lines = shown(reporter).split("\n")
    assert [line.split(",")[0] for line in lines if line] == [
        "a: 60 of 100 answers",
        "a: 120 of 100 answers",
        "a: 180 of 100 answers",
    ]
    assert "\x1b" not in shown(reporter)


def test_without_a_terminal_the_line_does_not_stand_behind_the_dots(reporter: TerminalReporter) -> None:
    now = [0.0]
    progress = Progress(reporter, clock=lambda: now[0])
    reporter.write_fspath_result("test_a.py::test_b", "..")
    now[0] = 61.0
    progress("a", batch(10))
    assert shown(reporter).split("\n")[1:3] == ["test_a.py ..", "a: 10 of 100 answers, 10 tokens/s, 1 min 30 s left"]


def test_on_a_terminal_the_line_stands_below_the_dots_and_leaves_no_trace(reporter: TerminalReporter) -> None:
    as_terminal(reporter)
    progress = Progress(reporter)
    reporter.write("test_a.py m.")
    width = reporter._tw.width_of_current_line
    progress("a", batch(10))
    progress("a", batch(20))
    screen = Screen()
    screen.feed(shown(reporter))
    assert screen.rows == ["test_a.py m.", "a: 20 of 100 answers, 20 tokens/s, 40 s left"]
    progress.pytest_runtest_logreport()
    reporter.write("m")
    assert reporter._tw.width_of_current_line == width + 1
    screen = Screen()
    screen.feed(shown(reporter))
    assert screen.rows == ["test_a.py m.m", ""]


def test_on_a_terminal_the_line_is_cut_to_its_width(reporter: TerminalReporter) -> None:
    as_terminal(reporter)
    Progress(reporter)("a" * 80, batch(10))
    screen = Screen()
    screen.feed(shown(reporter))
    assert screen.rows[1] == "a" * 59


def test_a_terminal_without_escapes_is_treated_as_none(reporter: TerminalReporter) -> None:
    reporter.isatty = reporter.hasmarkup = True
    reporter.hasmarkup = False
    Progress(reporter, clock=lambda: 0.0)("a", batch(10))
    assert shown(reporter) == ""


@pytest.mark.parametrize("tty", [True, False])
def test_quiet_is_quiet(reporter: TerminalReporter, monkeypatch: pytest.MonkeyPatch, tty: bool) -> None:
    if tty:
        as_terminal(reporter)
    now = [0.0]
    monkeypatch.setitem(vars(reporter.config.option), "verbose", -1)
    progress = Progress(reporter, clock=lambda: now[0])
    now[0] = 1000.0
    progress("a", batch(10))
    progress.clear()
    assert shown(reporter) == ""


def rows_of(text: str) -> list[str]:
    """What a screen shows in the end, without colours, pads and times."""
    screen = Screen()
    screen.feed(re.sub(r"\x1b\[[\d;]*m", "", text))
    return [re.sub(r" in \d+\.\d+s", "", row).strip("= ") for row in screen.rows]


def below_header(rows: list[str]) -> list[str]:
    begin = next(i for i, row in enumerate(rows) if row.startswith("test_"))
    return [row for row in rows[begin:] if row and not row.startswith("result: ")]


def on_pty(command: list[str]) -> str:
    """What the command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "PY_COLORS": "1"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=env):
        os.close(theirs)
        parts = []
        # Linux says EIO, others nothing more, once the other side is closed.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                parts.append(part)
    os.close(ours)
    return b"".join(parts).decode()


def test_a_whole_run_on_a_terminal_leaves_the_screen_that_it_leaves_elsewhere(bench: Bench) -> None:
    arguments = ["--mcp-batch-size=1", "--mcp-cases=cases.jsonl", "--mcp-model=base=replay:answers.jsonl"]
    elsewhere = "\n".join(bench.plain(*arguments).stdout.lines)
    raw = on_pty([sys.executable, "-m", "pytest", *LEAN, *arguments])
    assert "base: 1 of 8 answers" in raw
    assert "\x1b[A" in raw
    rows = rows_of(raw)
    assert [row for row in rows if row.startswith("test_correctness.py")] == [
        "test_correctness.py .m.m..m..                                            [ 21%]"
    ]
    assert below_header(rows) == below_header(rows_of(elsewhere))
