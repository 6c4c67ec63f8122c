"""A run under way held against an earlier one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_mcpbench.core.alike import Circumstances, circumstances, circumstances_of, forbids, remarks
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.earlier import Earlier, Found
from pytest_mcpbench.core.environment import environment
from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.regression import (
    ANSWER_GATES,
    PREFIX,
    SPEED_GATE,
    Timed,
    accuracy_verdict,
    compare_times,
    speed_verdict,
)
from pytest_mcpbench.core.run import Environment
from pytest_mcpbench.core.speed import SpeedComparison
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.speed import SpeedBench


@dataclass
class Since:
    """The comparison of one run's models with those of an earlier run that have the same labels.

    `answers_at` gives a model's answers at a level by case, `info_of` what the model is.
    """

    found: Found
    cases: Sequence[Case]
    settings: GenerationSettings
    speed: SpeedBench
    answers_at: Callable[[str, str], Mapping[str, bool | None]]
    info_of: Callable[[str], ModelInfo | None]
    _speeds: dict[str, SpeedComparison] = field(default_factory=dict)

    @cached_property
    def environment(self) -> Environment:
        """Where this run takes place."""
        return environment()

    def gates(self, label: str) -> tuple[str, ...]:
        """The gates of a model: of what the earlier run has of it."""
        answered, timed = self.found.answered, self.found.timed
        of_answers = ANSWER_GATES if answered is not None and label in answered.answered else ()
        return (*of_answers, SPEED_GATE) if timed is not None and label in timed.timed else of_answers

    def header(self) -> list[str]:
        """What is compared with what, and what differs."""
        here = circumstances_of(self.environment, prompt="", settings=self.settings)
        lines = []
        for run in self.found.runs:
            then = circumstances(run.result, next(iter(run.result.models)))
            shared = f"{len(run.shared_cases(self.cases))} of {len(self.cases)} cases are in both"
            notes = [note for note in (forbids(then, here), *remarks(then, here)) if note]
            what = "" if len(self.found.runs) == 1 else "answers " if run is self.found.answered else "times "
            lines.append(f"{what}compared with {run.name} of {run.result.created}: {'; '.join([shared, *notes])}")
        return lines

    def why_not(self, label: str, gate: str) -> str | None:
        """Why a model's speed is not held against the earlier run's; None if it is, and for every other gate."""
        timed = self.found.timed
        if gate != SPEED_GATE or timed is None:
            return None
        found = self._speed_since(label, timed)
        return f"{label} is not compared with {timed.name} in speed: {found}" if isinstance(found, str) else None

    def verdict(self, label: str, gate: str) -> Verdict:
        """The verdict of one of the `gates`; the speed's only where `why_not` finds nothing against it."""
        if gate == SPEED_GATE:
            assert self.found.timed is not None, "without times there is no such gate"
            found = self._speed_since(label, self.found.timed)
            assert isinstance(found, SpeedComparison), "what was not timed has no verdict"
            return speed_verdict(self.found.timed, found, self._now(label))
        assert self.found.answered is not None, "without answers there is no such gate"
        answers = self.answers_at(label, gate.removeprefix(PREFIX))
        alike = (self._now(label), self._shared_cases)
        return accuracy_verdict(self.found.answered, label, gate, answers, alike)

    @cached_property
    def _shared_cases(self) -> frozenset[str]:
        return self.found.answered.shared_cases(self.cases) if self.found.answered else frozenset()

    def _now(self, label: str) -> Circumstances:
        info = self.info_of(label)
        return circumstances_of(self.environment, prompt=info.prompt if info else "", settings=self.settings)

    def _speed_since(self, label: str, earlier: Earlier) -> SpeedComparison | str:
        if label in self._speeds:
            return self._speeds[label]
        beside = {
            self.speed.infos[before].fingerprint: found
            for (before, after), found in self.speed.comparisons.items()
            if after == label
        }
        now = Timed(latency=self.speed.latencies.get(label), beside=beside)
        found = compare_times(earlier, label, now, self._now(label), self.speed.limits.tolerance)
        if isinstance(found, SpeedComparison):
            self._speeds[label] = found
        return found
