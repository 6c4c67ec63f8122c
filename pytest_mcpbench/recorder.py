"""The part of the plugin that lives as long as one run: it watches reports, saves the result and shows it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_mcpbench import terminal
from pytest_mcpbench.core.report import printable
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.outcome import make_result
from pytest_mcpbench.publish import Outputs, publish
from pytest_mcpbench.session import BenchSession
from pytest_mcpbench.startup import hide_state

_END = "mcp_end"
"""The property of a report with which a run ends: its value says why."""


def mark_as_end(report: pytest.TestReport, error: BaseException) -> None:
    """Let the run end with this report: what one test could not do, no other could."""
    text = f"--mcp-model: {printable(str(error))}"
    report.longrepr = f"ERROR: {text}"
    report.user_properties.append((_END, text))


class Recorder:
    """Notes which levels and gates were run, and turns the run into its result at the end.

    Under pytest-xdist it works in the controller alone, which sees the reports of every worker.
    """

    def __init__(
        self, bench: BenchSession, runs: Path, extra_file: Path | None, outputs: Outputs | None = None
    ) -> None:
        self._bench = bench
        self._outputs = outputs or Outputs()
        self._targets = [runs / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}Z.json"]
        if extra_file is not None:
            self._targets.append(extra_file)
        self._result: RunResult | None = None
        self._saved: list[Path] = []
        self._problems: list[str] = []
        self._end: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Keep what is about to be written out of version control."""
        if not session.config.option.collectonly:
            hide_state(session.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the level or gate behind a test's report; end the run where a model turned out to be unusable."""
        noted = dict(report.user_properties)
        if _END in noted:
            self._end = str(noted[_END])
            pytest.exit("a model cannot be used", returncode=pytest.ExitCode.USAGE_ERROR)
        if report.when != "call":
            return
        if "mcp_level" in noted:
            self._bench.levels_run.add(str(noted["mcp_level"]))
        if "mcp_gate" in noted:
            self._bench.gates_run.append((str(noted["mcp_model"]), str(noted["mcp_gate"])))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make the result and save it; a file that cannot be written fails the run."""
        self._result = make_result(self._bench)
        for path in self._targets if self._result is not None else ():
            assert self._result is not None
            try:
                write_result(self._result, path)
                self._saved.append(path)
            except McpBenchError as error:
                self._problems.append(str(error))
                if path != self._targets[0]:
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

        if self._result is not None:
            self._publish(session, self._result)

    def _publish(self, session: pytest.Session, result: RunResult) -> None:
        try:
            self._saved += publish(result, self._outputs)
        except McpBenchError as error:
            self._problems.append(str(error))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Show the result, and what could not be kept."""
        if self._result is not None:
            terminal.write_result_lines(terminalreporter, self._bench, self._result)
            terminal.write_saved(terminalreporter, self._saved)
        for label in self._bench.unfinished():
            terminalreporter.write_line(
                f"{label}: stopped before every answer was there, so there is no result", yellow=True
            )
        for problem in self._bench.problems:
            terminalreporter.write_line(f"mcpbench: {printable(problem)}", yellow=True)
        for problem in self._problems:
            terminalreporter.write_line(f"ERROR: {printable(problem)}", red=True)
        if self._end is not None:
            terminalreporter.write_line(f"ERROR: {self._end}", red=True)
