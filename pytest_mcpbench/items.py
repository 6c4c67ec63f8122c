"""The suites' tests as pytest items: one for each model and case, and one for each model and gate.

They are plain items without fixtures or parameter sets, so that tens of thousands collect in seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from pytest_mcpbench.core.batching import BATCHING
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.report import explain_miss, printable
from pytest_mcpbench.session import BenchSession
from pytest_mcpbench.startup import last_missed, session_of
from pytest_mcpbench.terminal import NO_MODEL

WIDEST_MISS = 1000
"""The most characters that a test's report says about one miss; the result file has all of them."""


class MissedCaseError(Exception):
    """A wrong answer: an outcome of its own, and a failure only under `--mcp-strict`."""


class GateFailedError(Exception):
    """A gate that did not pass; the text is its verdict's line."""


class CaseItem(pytest.Item):
    """One question put to one model's answer to one case.

    `level` is the level's name, with `_calls` behind it where only the cases that expect a call are asked.
    """

    def __init__(self, *, check: Callable[..., bool], label: str, case: Case, level: str, **kwargs: Any) -> None:
        super().__init__(**kwargs, nodeid=_nodeid(**kwargs))
        self.check, self.label, self.case, self.level = check, label, case, level
        for tool in sorted(case.expected_tools):
            self.own_markers.append(_tool_mark(tool))
        if "smoke" in case.tags:
            self.add_marker("smoke")

    @property
    def bench(self) -> BenchSession:
        """The run that this item belongs to."""
        return _bench(self.config)

    def runtest(self) -> None:
        """Ask the level's question of the answer's score; the answer is generated if it is not there yet."""
        score = self.bench.score_of(self.label, self.case)
        self.user_properties += [("mcp_model", self.label), ("mcp_case", self.case.id), ("mcp_level", self.level)]
        if self.check(score):
            self.user_properties.append(("mcp_outcome", "right"))
            return
        text = printable(explain_miss(score, self.bench.answer_of(self.label, self.case)), WIDEST_MISS)
        self.user_properties += [("mcp_outcome", "missed"), ("mcp_why", text)]
        raise MissedCaseError(f"{self.label} {self.case.id}: {text}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The miss in one line; anything else as pytest shows it."""
        if isinstance(excinfo.value, MissedCaseError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where the suite's function stands."""
        return self.path, self.check.__code__.co_firstlineno - 1, self.name


class GateItem(pytest.Item):
    """One gate on one model: its verdict over all cases that were selected."""

    def __init__(self, *, check: Callable[..., bool], label: str, gate: str, **kwargs: Any) -> None:
        super().__init__(**kwargs, nodeid=_nodeid(**kwargs))
        self.check, self.label, self.gate = check, label, gate
        if gate.startswith("tool:"):
            tool = gate.removeprefix("tool:")
            self.own_markers.append(_tool_mark(tool))
        compared = {*self.bench.comparison_gates(label), *self.bench.quantized_gates(label)}
        if gate not in compared:  # 60 cases are too few to compare on
            self.add_marker("smoke")

    @property
    def bench(self) -> BenchSession:
        """The run that this item belongs to."""
        return _bench(self.config)

    def runtest(self) -> None:
        """Fail with the verdict's line unless it passes; a model that is only measured always does."""
        bench = self.bench
        verdict = bench.verdict_of(self.label, self.gate)
        self.user_properties += [
            ("mcp_model", self.label),
            ("mcp_gate", self.gate),
            ("mcp_correct", verdict.correct),
            ("mcp_n", verdict.n),
            ("mcp_target", verdict.target),
            ("mcp_line", printable(verdict.line())),
        ]
        if not bench.is_gated(self.label, self.gate):
            return
        self.user_properties.append(("mcp_verdict", verdict.status))
        if not self.check(verdict):
            raise GateFailedError(printable(verdict.line()))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The verdict's line; anything else as pytest shows it."""
        if isinstance(excinfo.value, GateFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where the suite's function stands."""
        return self.path, self.check.__code__.co_firstlineno - 1, self.name


class RegressionItem(GateItem):
    """One gate that holds a model against an earlier run; its function's other markers select it too."""

    def __init__(self, *, check: Callable[..., bool], **kwargs: Any) -> None:
        super().__init__(check=check, **kwargs)
        marks: list[pytest.Mark] = getattr(check, "pytestmark", [])
        self.own_markers += [mark for mark in marks if mark.name not in _MAKERS]

    def runtest(self) -> None:
        """Skip, and say why, where the two runs' times do not compare; else as any gate."""
        since = self.bench.since
        if since is not None and (reason := since.why_not(self.label, self.gate)):
            pytest.skip(printable(reason))
        super().runtest()


class NoModelItem(pytest.Item):
    """What a suite's test becomes where no model was given."""

    def runtest(self) -> None:
        """Skip, and say what to pass."""
        pytest.skip(NO_MODEL)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """The suite's file."""
        return self.path, None, self.name


def keep_missed(config: pytest.Config, collected: list[pytest.Item]) -> None:
    """Leave only the cases that the last run missed; gates over so biased a selection say nothing."""
    missed = last_missed(config)
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in collected:
        wanted = isinstance(item, CaseItem) and (item.label, item.case.id) in missed
        (kept if wanted else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    collected[:] = kept


def make_items(collector: pytest.Module, name: str, obj: Callable[..., bool]) -> list[pytest.Item] | None:
    """The items that a suite's function stands for; None if it is an ordinary test."""
    marks: dict[str, pytest.Mark] = {mark.name: mark for mark in getattr(obj, "pytestmark", ())}
    mark = next((marks[word] for word in _MAKERS if word in marks), None)
    if mark is None:
        return None
    bench = session_of(collector.config)
    if bench is None or not bench.labels:
        return [NoModelItem.from_parent(collector, name=name)]
    items = list(_MAKERS[mark.name](collector, name, obj, bench, **mark.kwargs))
    others = [other for other in marks.values() if other.name not in _MAKERS]
    for item in items:
        item.own_markers += others
    return items


def _case_items(
    collector: pytest.Module,
    name: str,
    check: Callable[..., bool],
    bench: BenchSession,
    level: str,
    calls_only: bool = False,
) -> Iterator[pytest.Item]:
    over_calls = level in ("level2", "level4")
    noted = f"{level}_calls" if calls_only and not over_calls else level
    for label in bench.labels:
        for case in bench.cases.values():
            if case.expects_call or not (calls_only or over_calls):
                yield CaseItem.from_parent(
                    collector, name=f"{name}[{label}-{case.id}]", check=check, label=label, case=case, level=noted
                )


def _gate_items(
    collector: pytest.Module,
    name: str,
    check: Callable[..., bool],
    bench: BenchSession,
    level: str,
    per_tool: bool = False,
) -> Iterator[pytest.Item]:
    for label in bench.labels:
        for gate in [f"tool:{tool}" for tool in bench.tool_names] if per_tool else [level]:
            word = gate.removeprefix("tool:")
            item_name = f"{name}[{label}-{word}]" if per_tool else f"{name}[{label}]"
            yield GateItem.from_parent(collector, name=item_name, check=check, label=label, gate=gate)


def _comparison_items(
    collector: pytest.Module, name: str, check: Callable[..., bool], bench: BenchSession, level: str
) -> Iterator[pytest.Item]:
    for label in bench.labels:
        for gate, (pair, at) in bench.comparison_gates(label).items():
            if at == level:
                item_name = f"{name}[{label}-{pair.relation}-{pair.before}]"
                yield GateItem.from_parent(collector, name=item_name, check=check, label=label, gate=gate)


def _regression_items(
    collector: pytest.Module, name: str, check: Callable[..., bool], bench: BenchSession, gate: str
) -> Iterator[pytest.Item]:
    for label in bench.labels if bench.since is not None else ():
        assert bench.since is not None
        if gate in bench.since.gates(label):
            yield RegressionItem.from_parent(collector, name=f"{name}[{label}]", check=check, label=label, gate=gate)


def _batching_items(
    collector: pytest.Module, name: str, check: Callable[..., bool], bench: BenchSession
) -> Iterator[pytest.Item]:
    for label in bench.labels if bench.setup.verify_batching else ():
        yield GateItem.from_parent(collector, name=f"{name}[{label}]", check=check, label=label, gate=BATCHING)


def _quantized_items(
    collector: pytest.Module, name: str, check: Callable[..., bool], bench: BenchSession, kind: str
) -> Iterator[pytest.Item]:
    for label in bench.labels:
        for gate in bench.quantized_gates(label):
            if gate.endswith(kind):
                yield GateItem.from_parent(
                    collector, name=f"{name}[{label}-{gate}]", check=check, label=label, gate=gate
                )


def _speed_items(
    collector: pytest.Module, name: str, check: Callable[..., bool], bench: BenchSession
) -> Iterator[pytest.Item]:
    for label in bench.labels:
        for gate in bench.speed_gates(label):
            yield GateItem.from_parent(collector, name=f"{name}[{label}-{gate}]", check=check, label=label, gate=gate)


_MAKERS: Mapping[str, Callable[..., Iterator[pytest.Item]]] = {
    "each_case": _case_items,
    "each_gate": _gate_items,
    "each_comparison": _comparison_items,
    "each_batching": _batching_items,
    "each_speed": _speed_items,
    "each_regression": _regression_items,
    "each_quantized": _quantized_items,
}
"""What makes the items of a suite's function, by the function's marker."""


@cache
def _tool_mark(tool: str) -> pytest.Mark:
    # Made once for all cases of a tool: pytest takes longer over a mark than over the item that bears it.
    return pytest.mark.tool(tool, name=tool).mark


def _nodeid(*, parent: pytest.Module, name: str, **_kwargs: Any) -> str:
    """The item's id as text: pytest's own memory (`--lf`) reads it back from text, where brackets hold parameters."""
    return f"{parent.nodeid}::{name}"


def _bench(config: pytest.Config) -> BenchSession:
    bench = session_of(config)
    assert bench is not None, "items exist only where a model was given"
    return bench
