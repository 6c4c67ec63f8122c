"""The part of the plugin that lives as long as one run: it watches reports, saves the result and shows it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_mcpbench import terminal
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.outcome import make_result
from pytest_mcpbench.session import BenchSession


class Recorder:
    """Notes which levels and gates were run, and turns the run into its result at the end.

    Under pytest-xdist it works in the controller alone, which sees the reports of every worker.
    """

    def __init__(self, bench: BenchSession, runs: Path, extra_file: Path | None) -> None:
        self._bench = bench
        self._targets = [runs / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}Z.json"]
        if extra_file is not None:
            self._targets.append(extra_file)
        self._result: RunResult | None = None
        self._problems: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the level or gate behind a test's report."""
        if report.when != "call":
            return
        noted = dict(report.user_properties)
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
            except McpBenchError as error:
                self._problems.append(str(error))
                if path != self._targets[0]:
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the result, and what could not be kept."""
        if self._result is not None:
            terminal.write_result_lines(terminalreporter, self._bench, self._result)
        for label in self._bench.unfinished():
            terminalreporter.write_line(
                f"{label}: stopped before every answer was there, so there is no result", yellow=True
            )
        for problem in self._problems:
            terminalreporter.write_line(f"mcpbench: {problem}", red=True)
