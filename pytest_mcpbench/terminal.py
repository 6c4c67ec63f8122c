"""What a person sees: header, progress, and the summary below pytest's own."""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_mcpbench.core.compare import margin_of
from pytest_mcpbench.core.gate import certifiable_notice
from pytest_mcpbench.core.notices import idle_notice, margin_notice
from pytest_mcpbench.core.report import Mood, printable, result_lines
from pytest_mcpbench.core.result import RunResult
from pytest_mcpbench.core.speed_limit import limit_elsewhere
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.models.load import first_use_notes
from pytest_mcpbench.session import WHOLE_LEVELS, BenchSession

_MARKUP: dict[Mood, dict[str, bool]] = {
    "plain": {},
    "good": {"green": True},
    "bad": {"red": True},
    "doubtful": {"yellow": True},
    "title": {"bold": True},
}
NO_MODEL = "no model to measure: pass --mcp-model=PATH (or try --mcp-model=null:echo, which needs no weights)"

_QUIET_SECONDS = 60.0
"""Between two progress lines where the output is no terminal."""

# Below, `pytest.TerminalReporter` stands in quotes: pytest 8 does not export it.


class Progress:
    """A line that says how far a model's generation is, written around pytest's own output.

    On a terminal it stands below pytest's line, is overwritten by the next one, and goes before pytest writes on.
    Elsewhere it is a line of its own, one a minute.
    """

    def __init__(self, reporter: "pytest.TerminalReporter", clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter = reporter
        self._clock = clock
        self._tty = reporter.isatty and reporter.hasmarkup
        self._last_s = clock()
        self._shown = False
        self._capture = reporter.config.pluginmanager.getplugin("capturemanager")

    def __call__(self, label: str, batch: BatchReport) -> None:
        """Show one batch."""
        if self._reporter.verbosity < 0:
            return
        # Answers are generated within a test, whose output pytest captures.
        with self._capture.global_and_fixture_disabled() if self._capture else contextlib.nullcontext():
            if self._tty:
                self._write_below(progress_text(label, batch))
            elif self._clock() - self._last_s >= _QUIET_SECONDS:
                self._last_s = self._clock()
                self._reporter.ensure_newline()
                self._reporter.write_line(progress_text(label, batch))
                self._reporter.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write_below("")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Make way for a test's letter."""
        self.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Make way for the summary, of an interrupted run too."""
        self.clear()

    def _write_below(self, text: str) -> None:
        # Past the writer, which counts the columns of pytest's own line: the cursor comes back to where it was.
        writer = self._reporter._tw
        column = writer.width_of_current_line % writer.fullwidth
        back = f"\x1b[A\r\x1b[{column}C" if column else "\x1b[A\r"
        writer._file.write(f"\n\r\x1b[K{text[: writer.fullwidth - 1]}{back}")
        writer.flush()
        self._shown = bool(text)


def progress_text(label: str, batch: BatchReport) -> str:
    """How far one model is: cases done, tokens a second, time left."""
    made = batch.done - batch.cached
    speed = (
        f", {batch.output_tokens / batch.elapsed_s:,.0f} tokens/s"
        if batch.elapsed_s > 0 and batch.output_tokens
        else ""
    )
    left = f", {_duration((batch.total - batch.done) * batch.elapsed_s / made)} left" if made else ""
    failed = f", {batch.failed} failed" if batch.failed else ""
    return f"{label}: {batch.done} of {batch.total} answers{speed}{left}{failed}"


def header_lines(bench: BenchSession) -> list[str]:
    """What is measured, and a warning if the cases are too few to certify what is asked of them."""
    if not bench.labels:
        return []
    models = ", ".join(f"{label} ({printable(bench.sources[label].spec)})" for label in bench.labels)
    lines = [f"mcpbench: {len(bench.cases)} case{'' if len(bench.cases) == 1 else 's'}; {models}"]
    notice = certifiable_notice(len(bench.cases), bench.setup.targets) if bench.setup.gate == "certified" else None
    idle = idle_notice(bench.setup.targets, bench.bits)
    small = [margin_notice(len(bench.cases), pair, margin_of(pair, bench.setup.targets)) for pair in bench.pairs]
    since = bench.since.header() if bench.since is not None else []
    return [*lines, *(f"mcpbench: {printable(text)}" for text in (*since, notice, idle, *small) if text)]


def write_first_use(reporter: "pytest.TerminalReporter", bench: BenchSession) -> None:
    """Write the terms of models that are used for the first time, and what making them takes; under -q as well."""
    notes = [note for label in bench.labels for note in first_use_notes(bench.sources[label])]
    for note in dict.fromkeys(notes):
        reporter.write_line(note)


def write_result_lines(reporter: "pytest.TerminalReporter", bench: BenchSession, result: RunResult) -> None:
    """Write levels, tiers, gates and misses below pytest's own output."""
    cases = f"{result.cases.n} case{'' if result.cases.n == 1 else 's'}"
    reporter.write_sep(
        "=", f"tool calling: {cases}, {len(result.models)} model{'' if len(result.models) == 1 else 's'}"
    )
    whole, targets = not bench.levels_run or bool(bench.levels_run & WHOLE_LEVELS), bench.setup.targets
    for line in result_lines(result, targets, whole=whole, verbose=reporter.verbosity > 0):
        reporter.write_line(line.text, **_MARKUP[line.mood])
    for label in bench.labels:
        if label in result.models and not bench.is_gated(label):
            reporter.write_line(f"{label}: measured, not gated")
        elif (gates := bench.speed_gates(label)) and label not in bench.speed.infos:
            reporter.write_line(f"{label}: nothing was timed for its target of {', '.join(gates)}: add -m latency")
        if targets.latencies and (elsewhere := limit_elsewhere(label, targets, bench.speed.machine)):
            reporter.write_line(printable(elsewhere), yellow=True)


def write_saved(reporter: "pytest.TerminalReporter", paths: Sequence[Path]) -> None:
    """Write where the result is, for the commands that take a run."""
    if paths and reporter.verbosity >= 0:
        here = Path.cwd()
        shown = (str(path.relative_to(here) if path.is_relative_to(here) else path) for path in paths)
        reporter.write_line(f"result: {', '.join(shown)}")


def write_no_model(reporter: "pytest.TerminalReporter") -> None:
    """Write one line if the suites were skipped because there was no model."""
    if any(NO_MODEL in str(report.longrepr) for report in reporter.stats.get("skipped", [])):
        reporter.write_line(NO_MODEL, yellow=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
