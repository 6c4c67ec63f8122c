"""The pytest hooks. Each is a few lines: what happens is in session, items, fixture and terminal."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench import hookspecs, terminal, timed
from pytest_mcpbench.errors import McpBenchError, ModelError
from pytest_mcpbench.fixture import (
    base_model,
    finetuned_model,
    int4_model,
    int8_model,
    mcp_model,
    mcp_model_labels,
)
from pytest_mcpbench.items import CaseItem, GateItem, MissedCaseError, keep_missed, make_items
from pytest_mcpbench.options import add_options, read_options
from pytest_mcpbench.publish import Outputs
from pytest_mcpbench.recorder import Recorder, mark_as_end
from pytest_mcpbench.startup import add_suites, options_of, runs_folder, session_of, start
from pytest_mcpbench.timed import mcp_latency, mcp_speed, mcp_throughput

__all__ = [
    "base_model",
    "finetuned_model",
    "int4_model",
    "int8_model",
    "mcp_latency",
    "mcp_model",
    "mcp_speed",
    "mcp_throughput",
]

MARKERS = (
    "level1: detection: is a call attempted exactly when one is expected?",
    "level2: parsing: does every attempted call parse?",
    "level3: correctness: the right tool, or rightly none",
    "level4: parameters: is every argument right?",
    "per_tool: tool accuracy, tool by tool",
    "comparison: is the model better than the base, or no worse than before it was quantized?",
    "regression: is the model worse or slower than in an earlier run? (--mcp-compare)",
    "latency: how long single requests take, and which model is faster; runs only where it is asked for",
    "throughput: how many requests a second get done, by batch size; runs only where it is asked for",
    "smoke: a balanced selection of cases, and the gates over it",
    "tool(name): the tool that a case expects; select with -m \"tool(name='grep')\"",
    "each_case(level, calls_only=False): run this function on the score of every case of every model",
    "each_gate(level, per_tool=False): run this function on the verdict of every model",
    "each_comparison(level): run this function on the verdict of every pair of models that has to be compared",
    "each_speed: run this function on the verdict of every target of speed",
    "each_quantized(kind): run this function on the verdict of size, speed or loss targets of every quantized model",
    "each_regression(gate): run this function on the verdict that compares a model with an earlier run",
    "each_batching: run this function on the verdict of --mcp-verify-batching on every model",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the `--mcp-*` options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the plugin's own hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, if any `--mcp-*` option was given, start a run."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    options = read_options(config)
    if options is None or config.option.help:
        return
    timed.refuse_parallel(config)
    bench = start(config, options)
    add_suites(config)
    if not hasattr(config, "workerinput"):
        outputs = Outputs(html=options.report, markdown=options.markdown, runs=runs_folder(config))
        config.pluginmanager.register(Recorder(bench, runs_folder(config), options.json, outputs), "mcpbench-recorder")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let models and temporary folders go."""
    if (bench := session_of(config)) is not None:
        bench.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker which folder the processes of this run share."""
    if (bench := session_of(node.config)) is not None:
        node.workerinput["mcpbench_shared"] = str(bench.share())


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is measured, on which cases."""
    bench = session_of(config)
    return [] if bench is None else terminal.header_lines(bench)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the timing suites out of a run that does not ask for them."""
    return timed.is_left_out(collection_path, config) or None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `mcp_model` on each model that was given, and timing tests on what they time."""
    timed.parametrize(metafunc)
    if "mcp_model" in metafunc.fixturenames:
        metafunc.parametrize("mcp_model", mcp_model_labels(metafunc.config), indirect=True, scope="session")


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> list[pytest.Item] | None:
    """Make one item for each model and case, or model and gate, of a suite's function."""
    if not isinstance(collector, pytest.Module) or not callable(obj):
        return None
    if timed.lacks_pair(collector.config, obj):
        return []
    return make_items(collector, name, obj)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Show progress, and the terms of a model used for the first time, where there is a terminal reporter."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (bench := session_of(session.config)) is not None and reporter is not None:
        bench.on_batch = terminal.Progress(reporter)
        session.config.pluginmanager.register(bench.on_batch, "mcpbench-progress")
        terminal.write_first_use(reporter, bench)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `--mcp-missed`, keep only the cases that the last run missed; judge speed behind its measurement."""
    if session_of(config) is not None:
        timed.measure_first(items)
        if options_of(config).missed:
            keep_missed(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Plan what has to be generated for the items that are left."""
    if (bench := session_of(session.config)) is not None and bench.labels:
        bench.select((item.label, item.case.id) for item in session.items if isinstance(item, CaseItem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Turn a miss from a failure into an outcome of its own, and mark a model that cannot be used as the run's end."""
    report = yield
    if call.excinfo is None or session_of(item.config) is None:
        return report
    if call.excinfo.errisinstance(MissedCaseError) and not options_of(item.config).strict:
        report.outcome, report.longrepr = "passed", None
    if call.excinfo.errisinstance(McpBenchError if isinstance(item, CaseItem | GateItem) else ModelError):
        mark_as_end(report, call.excinfo.value)
    return report


def pytest_report_teststatus(report: Any) -> Any:
    """Show a miss as `m`."""
    if report.when == "call" and report.passed and ("mcp_outcome", "missed") in report.user_properties:
        return "missed", "m", ("MISSED", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Say what to pass where the suites had no model."""
    terminal.write_no_model(terminalreporter)
