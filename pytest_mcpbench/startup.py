"""From pytest's configuration to a run: where the state of a run is kept, and what it is made of."""

import contextlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pytest_mcpbench.core.formats import get_format, register
from pytest_mcpbench.core.report import printable
from pytest_mcpbench.core.result import missed_cases, read_result
from pytest_mcpbench.errors import FormatError, McpBenchError, OptionError
from pytest_mcpbench.models.load import LoadOptions
from pytest_mcpbench.options import BenchOptions
from pytest_mcpbench.publish import need_report
from pytest_mcpbench.run_setup import Setup
from pytest_mcpbench.session import BenchSession

STATE_FOLDER = ".mcpbench"
"""Where a project keeps its runs and cached answers, below pytest's root folder."""

SESSION = pytest.StashKey[BenchSession]()
OPTIONS = pytest.StashKey[BenchOptions]()


def session_of(config: pytest.Config) -> BenchSession | None:
    """The run of this pytest process; None where no `--mcp-*` option was given."""
    return config.stash.get(SESSION, None)


def options_of(config: pytest.Config) -> BenchOptions:
    """The options of a run that was started. Raises KeyError where there is none."""
    return config.stash[OPTIONS]


def start(config: pytest.Config, options: BenchOptions) -> BenchSession:
    """The run, put into the configuration's stash. Raises pytest.UsageError, in one line, for what cannot be run."""
    try:
        for formats in config.hook.pytest_mcpbench_formats():
            for fmt in formats:
                register(fmt)
        _check_format(options.format)
        if options.report is not None:
            need_report()
        config.stash[OPTIONS] = options
        if options.missed:
            last_missed(config)
        bench = config.stash[SESSION] = BenchSession.start(_setup(config, options))
        _find_earlier(bench)
    except McpBenchError as error:
        raise pytest.UsageError(printable(str(error))) from error
    return bench


def _find_earlier(bench: BenchSession) -> None:
    """Look for the run that this one is held against while there is nothing to lose yet."""
    try:
        _ = bench.since
    except McpBenchError as error:
        raise OptionError(f"--mcp-compare: {error}") from None


def _check_format(name: str) -> None:
    try:
        if name != "auto":
            get_format(name)
    except FormatError as error:
        raise OptionError(f"--mcp-format: {error}") from None


def add_suites(config: pytest.Config) -> None:
    """Run the shipped suites too where a model was given, but neither files nor a project's `testpaths`."""
    bench = session_of(config)
    if bench is not None and bench.labels and config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        suites = str(files("pytest_mcpbench.suites"))
        if not Path(suites).is_relative_to(config.invocation_params.dir):
            config.args.append(suites)


def hide_state(config: pytest.Config) -> None:
    """Make the folder for runs and cached answers, with a file in it that hides it from git."""
    ignore = config.rootpath / STATE_FOLDER / ".gitignore"
    with contextlib.suppress(OSError):  # where nothing can be written, saving the run says so
        ignore.parent.mkdir(exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")


def runs_folder(config: pytest.Config) -> Path:
    """Where every run's result is kept."""
    return config.rootpath / STATE_FOLDER / "runs"


def last_missed(config: pytest.Config) -> set[tuple[str, str]]:
    """The (label, case id) pairs that the last run missed. Raises OptionError if no run is kept."""
    runs = sorted(runs_folder(config).glob("*.json"))
    if not runs:
        raise OptionError(f"--mcp-missed: no run is kept in {runs_folder(config)}; run once without it first")
    return missed_cases(read_result(runs[-1]))


def _setup(config: pytest.Config, options: BenchOptions) -> Setup:
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    shared = worker.get("mcpbench_shared")
    return Setup(
        models=tuple((model.label, model.spec) for model in options.model),
        base=options.base,
        cases=options.cases,
        tools=options.tools,
        load=LoadOptions(
            base=options.base,
            fmt=options.format,
            tool_detail=options.tool_detail,
            device=options.device,
            dtype=options.dtype,
            threads=options.threads or None,
            seed=options.seed,
        ),
        settings=options.settings,
        targets=options.targets,
        gate=options.gate,
        iterations=options.iterations,
        duration_s=options.duration,
        speed_tolerance=options.speed_tolerance,
        only_missed=options.missed,
        verify_batching=options.verify_batching or 0,
        compare=options.compare,
        runs=runs_folder(config),
        cache=None if options.no_cache else config.rootpath / STATE_FOLDER / "cache",
        shared=Path(shared) if shared else None,
    )
