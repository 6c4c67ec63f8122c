"""A run under way held against an earlier one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_mcpbench.core.alike import Circumstances, circumstances, circumstances_of, forbids, remarks
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.environment import environment
from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.regression import (
    GATES,
    PREFIX,
    SPEED_GATE,
    Earlier,
    Timed,
    accuracy_verdict,
    compare_times,
    speed_verdict,
    timed_in,
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

    earlier: Earlier
    cases: Sequence[Case]
    settings: GenerationSettings
    speed: SpeedBench
    answers_at: Callable[[str, str], Mapping[str, bool | None]]
    info_of: Callable[[str], ModelInfo | None]
    _speeds: dict[str, SpeedComparison | str] = field(default_factory=dict)

    @cached_property
    def environment(self) -> Environment:
        """Where this run takes place."""
        return environment()

    @cached_property
    def shared_cases(self) -> frozenset[str]:
        """The cases that both runs have."""
        return self.earlier.shared_cases(self.cases)

    def gates(self, label: str) -> tuple[str, ...]:
        """The gates of a model: none where the earlier run does not have it, none of speed where it did not time it."""
        if label not in self.earlier.result.models:
            return ()
        then = timed_in(self.earlier.result, label)
        return tuple(gate for gate in GATES if gate != SPEED_GATE or then.latency or then.beside)

    def header(self) -> str:
        """What is compared with what, and what differs."""
        result = self.earlier.result
        here = circumstances_of(self.environment, prompt="", settings=self.settings)
        notes = [f"{len(self.shared_cases)} of {len(self.cases)} cases are in both"]
        for label in list(result.models)[:1]:
            then = circumstances(result, label)
            notes += [note for note in (forbids(then, here), *remarks(then, here)) if note]
        return f"compared with {self.earlier.name} of {result.created}: {'; '.join(notes)}"

    def why_not(self, label: str, gate: str) -> str | None:
        """Why a model's speed is not held against the earlier run's; None if it is, and for every other gate."""
        found = self._speed_since(label) if gate == SPEED_GATE else None
        return found if isinstance(found, str) else None

    def verdict(self, label: str, gate: str) -> Verdict:
        """The verdict of one of the `gates`; the speed's only where `why_not` finds nothing against it."""
        if gate == SPEED_GATE:
            found = self._speed_since(label)
            assert isinstance(found, SpeedComparison), "what was not timed has no verdict"
            return speed_verdict(self.earlier, found, self._now(label))
        answers = self.answers_at(label, gate.removeprefix(PREFIX))
        return accuracy_verdict(self.earlier, label, gate, answers, (self._now(label), self.shared_cases))

    def _now(self, label: str) -> Circumstances:
        info = self.info_of(label)
        return circumstances_of(self.environment, prompt=info.prompt if info else "", settings=self.settings)

    def _speed_since(self, label: str) -> SpeedComparison | str:
        if not isinstance(self._speeds.get(label), SpeedComparison):
            beside = {
                self.speed.infos[before].fingerprint: found
                for (before, after), found in self.speed.comparisons.items()
                if after == label
            }
            now = Timed(latency=self.speed.latencies.get(label), beside=beside)
            limits = self.speed.limits
            self._speeds[label] = compare_times(self.earlier, label, now, self._now(label).machine, limits.tolerance)
        return self._speeds[label]
