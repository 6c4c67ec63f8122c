"""What a run measures of its models' speed. No answer comes from a cache, and none is kept for the levels."""

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_mcpbench.core.batching import spread
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.dataset import cases_hash
from pytest_mcpbench.core.latency import Latency, times
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request, plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.speed import LEAST_PAIRS, Side, SpeedComparison, abba_order, compare_speed, further_pairs
from pytest_mcpbench.core.throughput import (
    SWEEP,
    BatchRate,
    Done,
    Throughput,
    is_enough,
    is_over,
    knee_of,
    steady_rate,
)
from pytest_mcpbench.models.base import LoadOptions, Model, ModelInfo, Source
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.models.load import load_model
from pytest_mcpbench.models.peak_memory import PeakMemory
from pytest_mcpbench.models.timing import (
    Clock,
    LatencyMeter,
    answered_over_time,
    check_timeable,
    cold_call,
    fits,
    timing_threads,
)

BATCH_SIZE = 4
"""What throughput is measured at unless a batch size is given."""


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

    @contextmanager
    def latency_test(self, label: str) -> Iterator["LatencyTest"]:
        """The measurement of single requests, with the model loaded and warmed up."""
        with self.loaded(label) as model:
            yield LatencyTest(self, label, model)

    def measure_throughput(self, label: str, model: Model, batch_size: int, duration_s: float) -> BatchRate:
        """The rates with so many requests on their way at once.

        It takes longer than `duration_s` where two batches do, and raises what the model raises.
        """
        done: list[Done] = []
        settings = replace(self.settings, batch_size=batch_size)
        ends_s = self.clock() + duration_s
        right: dict[tuple[str, str], bool] = {}
        for at_s, answers in answered_over_time(model, self.requests, settings, self.clock):
            for request, answer in answers:
                key = (request.key, answer.text)
                if key not in right:
                    right[key] = self.is_right(model, request, answer)
            done.append(
                Done(
                    at_s=at_s,
                    requests=len(answers),
                    tokens=sum(answer.output_tokens for _, answer in answers),
                    correct=sum(right[request.key, answer.text] for request, answer in answers),
                )
            )
            if at_s >= ends_s and is_enough(done, batch_size):
                break
        return steady_rate(done, batch_size)

    def asked_throughput(self, label: str) -> Throughput:
        """The rates at the batch size asked for, over the whole duration."""
        with self.loaded(label) as model:
            size = self.settings.batch_size or BATCH_SIZE
            return self._keep(label, [self.measure_throughput(label, model, size, self.limits.duration_s)])

    def sweep(self, label: str) -> Throughput:
        """The rates at growing batch sizes, as long as they gain and fit; all of them take about the duration again."""
        with self.loaded(label) as model:
            known = self.throughputs.get(label)
            rates = {batch.batch_size: batch for batch in (known.batches if known else ())}
            swept: list[BatchRate] = []
            for size in sorted({*SWEEP, *rates}):
                if is_over(swept) or not fits(model, self.requests, self.settings, size):
                    break
                share_s = self.limits.duration_s / len(SWEEP)
                swept.append(rates.get(size) or self.measure_throughput(label, model, size, share_s))
            return self._keep(label, [*rates.values(), *swept])

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

    def _keep(self, label: str, rates: Sequence[BatchRate]) -> Throughput:
        batches = tuple(
            {batch.batch_size: batch for batch in sorted(rates, key=lambda batch: batch.batch_size)}.values()
        )
        self.throughputs[label] = Throughput(
            batch_size=self.settings.batch_size or BATCH_SIZE,
            threads=self.threads,
            device=self.infos[label].device or "cpu",
            batches=batches,
            knee=knee_of(batches) if len(batches) > 1 else None,
            cases=self.hash,
        )
        return self.throughputs[label]


class LatencyTest:
    """The measurement of one model's single requests: `prepare` and `call` in turn, then `finish`."""

    def __init__(self, bench: SpeedBench, label: str, model: Model) -> None:
        self._bench = bench
        self._label = label
        self._model = model
        self._memory = PeakMemory(model.info.device, model.info.backend)
        self._meter = LatencyMeter(model, bench.requests, bench.settings, bench.clock)
        self._settled = self._meter.warm_up()
        self._started_s = bench.clock()

    @property
    def iterations(self) -> int:
        """How many requests to time."""
        return self._bench.limits.iterations

    def prepare(self) -> tuple[tuple[Request], dict[str, object]]:
        """The arguments of the next `call`."""
        return (self._meter.prepare(),), {}

    def call(self, request: Request) -> None:
        """Time one request."""
        self._meter.call(request)
        self._bench.report(self._label, self._meter.done, self.iterations, self._started_s)

    def finish(self) -> Latency:
        """What was measured; times what is left of the iterations, where nobody called often enough."""
        while self._meter.done < self.iterations:
            self._meter.call(self._meter.prepare())
        calls = self._meter.calls()
        answers = [call.generation for call in calls]
        warm = [call.warm for call in calls if call.warm is not None]
        further = [call.tpot_s for call in calls if call.tpot_s is not None]
        found = self._bench.latencies[self._label] = Latency(
            n=len(calls),
            warmup=len(self._meter.warm_up_s),
            warmup_settled=self._settled,
            threads=self._bench.threads,
            device=self._model.info.device or "cpu",
            batch_size=1,
            e2e_s=times([answer.e2e_s or 0.0 for answer in answers]),
            ttft_cold_s=times([answer.ttft_s or 0.0 for answer in answers]),
            ttft_warm_s=times([answer.ttft_s or 0.0 for answer in warm]),
            tpot_s=times(further) if further else None,
            prompt_tokens=statistics.fmean(answer.prompt_tokens for answer in answers),
            cached_prompt_tokens=statistics.fmean(answer.cached_prompt_tokens for answer in warm),
            output_tokens=statistics.fmean(answer.output_tokens for answer in answers),
            correct=sum(self._bench.is_right(self._model, call.request, call.generation) for call in calls),
            peak_memory_bytes=self._memory.peak_bytes(),
            memory_of=self._memory.of,
            cases=self._bench.hash,
        )
        return found
