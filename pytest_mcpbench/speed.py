"""What a run measures of its models' speed. No answer comes from a cache, and none is kept for the levels."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_mcpbench.core.batching import spread
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.dataset import cases_hash
from pytest_mcpbench.core.environment import environment, machine_fingerprint
from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.latency import Latency
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.speed import (
    LEAST_PAIRS,
    Side,
    SpeedComparison,
    abba_order,
    check_speedup,
    compare_speed,
    further_pairs,
)
from pytest_mcpbench.core.speed_limit import LATENCY, latency_verdict, no_reference, pair_to
from pytest_mcpbench.core.target import Targets
from pytest_mcpbench.core.throughput import Throughput
from pytest_mcpbench.core.weights import speed_bound
from pytest_mcpbench.models.base import LoadOptions, Model, ModelInfo, Source
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.models.load import load_model
from pytest_mcpbench.models.timing import (
    Clock,
    LatencyMeter,
    check_timeable,
    cold_call,
    timing_threads,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLimits:
    """How much is measured: single requests, seconds of batches; and how much slower, as a share, is no slower."""

    iterations: int
    duration_s: float
    tolerance: float


@dataclass
class SpeedBench:
    """The speed of the models of one run, each measured when it is first asked for.

    Requests are those of cases that expect a call, where there are any.
    """

    sources: Mapping[str, Source]
    cases: Sequence[Case]
    load: LoadOptions
    settings: GenerationSettings
    limits: SpeedLimits
    on_batch: Callable[[str, BatchReport], None] | None = None
    clock: Clock = time.perf_counter
    infos: dict[str, ModelInfo] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)
    throughputs: dict[str, Throughput] = field(default_factory=dict)
    comparisons: dict[tuple[str, str], SpeedComparison] = field(default_factory=dict)

    @cached_property
    def threads(self) -> int:
        """The CPU threads that every model is timed with."""
        return timing_threads(self.load.threads)

    @cached_property
    def machine(self) -> str:
        """The fingerprint of this machine, as models are timed on it."""
        return machine_fingerprint(environment(), self.threads)

    @cached_property
    def timed_cases(self) -> dict[str, Case]:
        """The cases whose requests are timed, by id: at most one an iteration, at even distances."""
        calls = [case for case in self.cases if case.expects_call] or list(self.cases)
        return {case.id: case for case in spread(calls, max(self.limits.iterations, LEAST_PAIRS))}

    @cached_property
    def requests(self) -> tuple[Request, ...]:
        """What is asked, again and again."""
        return tuple(plan(self.timed_cases.values()).values())

    @cached_property
    def hash(self) -> str:
        """A hash of the timed cases and of how they are asked: times of other ones are not alike."""
        asked = (
            f"{cases_hash(list(self.timed_cases.values()))} {self.settings.max_new_tokens} {self.settings.tool_detail}"
        )
        return hashlib.sha256(asked.encode()).hexdigest()

    @contextmanager
    def loaded(self, label: str) -> Iterator[Model]:
        """The model, with a fixed number of threads. Raises ModelError for one that cannot be loaded or timed."""
        model = load_model(self.sources[label], replace(self.load, threads=self.threads))
        try:
            self.infos[label] = check_timeable(model)
            yield model
        finally:
            model.close()

    def compare(self, pair: Pair) -> SpeedComparison:
        """How much faster the later model is, in pairs of cold calls of one request right behind each other.

        Both models are in memory. Pairs are added, up to a limit, where they may decide whether it is slower.
        """
        key = (pair.before, pair.after)
        if key not in self.comparisons:
            with self.loaded(pair.before) as reference, self.loaded(pair.after) as candidate:
                self.comparisons[key] = self._compared(key, {"reference": reference, "candidate": candidate})
        return self.comparisons[key]

    def _compared(self, labels: tuple[str, str], models: Mapping[Side, Model]) -> SpeedComparison:
        times_s: dict[Side, list[float]] = {"reference": [], "candidate": []}
        for model in models.values():
            LatencyMeter(model, self.requests, self.settings, self.clock).warm_up()
        started_s, more = self.clock(), LEAST_PAIRS
        while True:
            done = len(times_s["reference"])
            for number, order in enumerate(abba_order(done + more, self.settings.seed)[done:], done):
                request = self.requests[number % len(self.requests)]
                for side in order:
                    answer = cold_call(models[side], request, self.settings, self.clock)
                    times_s[side].append(answer.e2e_s or 0.0)
                self.report(labels[1], number + 1, done + more, started_s)
            found = compare_speed(
                times_s["reference"],
                times_s["candidate"],
                labels=labels,
                tolerance=self.limits.tolerance,
                seed=self.settings.seed,
            )
            more = further_pairs(found)
            if not more:
                return found

    def verdict_of(self, label: str, gate: str, pairs: Sequence[Pair], targets: Targets) -> Verdict:
        """The verdict of one of `SPEED_GATES`; pairs are measured if they were not yet."""
        if gate == LATENCY:
            limit = targets.latency_for(label)
            assert limit is not None, "without a limit there is no gate"
            return latency_verdict(label, limit, self.latencies.get(label))
        pair, target = pair_to(label, pairs), targets.speedup_for(label) or 1.0
        if pair is None:
            return no_reference(label, target)
        found = self.compare(pair)
        bound = speed_bound(*(self.infos[side].weights for side in (pair.before, pair.after)))
        return check_speedup(found, target, bound.factor if bound is not None and bound.binds else None)

    def is_right(self, model: Model, request: Request, answer: Generation) -> bool:
        """Whether the answer calls what its case expects, every argument right."""
        case = self.timed_cases[request.case_id]
        found = score(case, model.style.fmt.parse(answer.text, case.tools), answer.finish_reason)
        return bool(found.parameters if case.expects_call else found.correct)

    def report(self, label: str, done: int, total: int, started_s: float) -> None:
        """Show how far a measurement is."""
        if self.on_batch is not None:
            seconds = self.clock() - started_s
            batch = BatchReport(done=done, total=total, cached=0, failed=0, output_tokens=0, elapsed_s=seconds)
            self.on_batch(label, batch)
