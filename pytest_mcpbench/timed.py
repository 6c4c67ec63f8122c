"""Timing under pytest: which suites run when, on which models, and the fixtures through which they measure."""

import ast
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.speed import SpeedComparison
from pytest_mcpbench.core.speed_limit import SPEED_GATES
from pytest_mcpbench.items import GateItem
from pytest_mcpbench.measurements import LatencyTest, ThroughputTest
from pytest_mcpbench.session import BenchSession
from pytest_mcpbench.startup import session_of
from pytest_mcpbench.terminal import NO_MODEL

TIMING = ("latency", "throughput")
"""The markers of the timing suites; each suite's file is named after its marker."""

_JUDGED = (*SPEED_GATES, "-speed", ":speed")
"""How the gates end that judge what was timed: targets of speed, the guide's claims, regressions."""

_NOT_COMPUTED = "recorded answers are not computed here, so there is nothing to time"


def is_left_out(path: Path, config: pytest.Config) -> bool:
    """Whether the file is a shipped timing suite that nobody asked for: it takes minutes, so a plain run has none.

    pytest asks this of files that it comes across, not of one that is named on the command line.
    """
    marker = path.stem.removeprefix("test_")
    if marker not in TIMING or path.suffix != ".py" or path.parent != Path(str(files("pytest_mcpbench.suites"))):
        return False
    return not _selected(config, marker)


def refuse_parallel(config: pytest.Config) -> None:
    """Raise pytest.UsageError where timing is asked for in several processes, which would time each other."""
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        return
    asked = [
        marker
        for marker in TIMING
        if _selected(config, marker) or any(f"test_{marker}" in str(arg) for arg in config.args)
    ]
    if asked:
        raise pytest.UsageError(f"-n: several processes would slow each other down; run -m {asked[0]} without -n")


def measure_first(items: list[pytest.Item]) -> None:
    """Put the gates on speed last, in whatever order the tests are: they judge what other tests measure."""
    items.sort(key=lambda item: isinstance(item, GateItem) and item.gate.endswith(_JUDGED))


def lacks_pair(config: pytest.Config, function: object) -> bool:
    """Whether the test asks for a pair of models where there is none, and so is no test of this run."""
    bench = session_of(config)
    code = getattr(function, "__code__", None)
    return (
        bench is not None and bool(bench.labels) and not bench.pairs and "mcp_speed" in getattr(code, "co_varnames", ())
    )


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a timing test on each model that was given, or on each pair that is compared."""
    bench = session_of(metafunc.config)
    for name in {"mcp_latency", "mcp_throughput"} & set(metafunc.fixturenames):
        metafunc.parametrize(name, _models(bench), indirect=True)
    if "mcp_speed" in metafunc.fixturenames:
        metafunc.parametrize("mcp_speed", _pairs(bench), indirect=True)


@pytest.fixture
def mcp_latency(request: pytest.FixtureRequest) -> Iterator[LatencyTest]:
    """Single requests to one model, which is loaded and warmed up."""
    speed = _bench(request).speed
    with speed.loaded(request.param) as model:
        yield LatencyTest(speed, request.param, model)


@pytest.fixture
def mcp_throughput(request: pytest.FixtureRequest) -> Iterator[ThroughputTest]:
    """Batches for one model, which is loaded."""
    speed = _bench(request).speed
    with speed.loaded(request.param) as model:
        yield ThroughputTest(speed, request.param, model)


@pytest.fixture
def mcp_speed(request: pytest.FixtureRequest) -> SpeedComparison:
    """Two models on the same prompts, measured in turn."""
    pair: Pair = request.param
    found = _bench(request).speed.compare(pair)
    request.node.user_properties += [("mcp_speedup", found.speedup), ("mcp_line", found.reason)]
    return found


def _selected(config: pytest.Config, marker: str) -> bool:
    """Whether `-m` takes what has this marker because of it, or `-k` names it."""
    marks, words = config.option.markexpr or "", config.option.keyword or ""
    return (marker in marks and _holds(marks, marker)) or (marker in words and _holds(words, marker))


def _holds(expression: str, word: str) -> bool:
    """Whether the expression holds for a test with this marker alone; pytest refuses one that cannot be read."""
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body, word)
    except SyntaxError:
        return True


def _value(node: ast.expr, word: str) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, word) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, word) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, word)
        case ast.Name(id=name):
            return word in name
    return False


def _models(bench: BenchSession | None) -> list[object]:
    if bench is None or not bench.labels:
        return [pytest.param("", marks=pytest.mark.skip(reason=NO_MODEL))]
    return [pytest.param(label, id=label, marks=_skip(bench, label)) for label in bench.labels]


def _pairs(bench: BenchSession | None) -> list[object]:
    if bench is None or not bench.labels:
        return [pytest.param("", marks=pytest.mark.skip(reason=NO_MODEL))]
    return [
        pytest.param(
            pair, id=f"{pair.after}-{pair.before}", marks=_skip(bench, pair.before) or _skip(bench, pair.after)
        )
        for pair in bench.pairs
    ]


def _skip(bench: BenchSession, label: str) -> tuple[pytest.MarkDecorator, ...]:
    if bench.sources[label].kind != "replay":
        return ()
    return (pytest.mark.skip(reason=f"{label}: {_NOT_COMPUTED}"),)


def _bench(request: pytest.FixtureRequest) -> BenchSession:
    bench = session_of(request.config)
    assert bench is not None, "without a model the test is skipped"
    return bench
