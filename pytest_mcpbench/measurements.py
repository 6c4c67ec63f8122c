"""The measurements that the timing suites take of one model: single requests, and batches."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from pytest_mcpbench.core.latency import Latency, times
from pytest_mcpbench.core.plan import Request
from pytest_mcpbench.core.throughput import (
    SWEEP,
    BatchRate,
    Done,
    Throughput,
    is_enough,
    is_over,
    knee_of,
    ramp_end,
    steady_rate,
)
from pytest_mcpbench.models.base import Model
from pytest_mcpbench.models.peak_memory import PeakMemory
from pytest_mcpbench.models.timing import LatencyMeter, answered_over_time, fits
from pytest_mcpbench.speed import SpeedBench

BATCH_SIZE = 4
"""What throughput is measured at unless a batch size is given."""


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
        if self._meter.done:
            self._bench.report(self._label, self._meter.done, self.iterations, self._started_s)
        return (self._meter.prepare(),), {}

    def call(self, request: Request) -> None:
        """Time one request."""
        self._meter.call(request)

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


class ThroughputTest:
    """The measurement of one model's batches."""

    def __init__(self, bench: SpeedBench, label: str, model: Model) -> None:
        self._bench = bench
        self._label = label
        self._model = model

    @property
    def batch_size(self) -> int:
        """The batch size that is asked for."""
        return self._bench.settings.batch_size or BATCH_SIZE

    def run(self) -> Throughput:
        """The rates at the batch size asked for, over the whole duration."""
        return self._keep([self._measure(self.batch_size, self._bench.limits.duration_s)])

    def sweep(self) -> Throughput:
        """The rates at growing batch sizes, as long as they gain and fit; all of them take about the duration again."""
        bench, known = self._bench, self._known()
        swept: list[BatchRate] = []
        for size in sorted({*SWEEP, *known}):
            if is_over(swept) or not fits(self._model, bench.requests, bench.settings, size):
                break
            swept.append(known.get(size) or self._measure(size, bench.limits.duration_s / len(SWEEP)))
        return self._keep(swept)

    def _measure(self, batch_size: int, duration_s: float) -> BatchRate:
        """The rates with so many requests on their way at once, over so many seconds behind the ramp.

        It takes longer where a batch does, and raises what the model raises.
        """
        bench = self._bench
        settings = replace(bench.settings, batch_size=batch_size)
        done: list[Done] = []
        right: dict[tuple[str, str], bool] = {}
        ends_s: float | None = None
        for at_s, answers in answered_over_time(self._model, bench.requests, settings, bench.clock):
            for request, answer in answers:
                if (request.key, answer.text) not in right:
                    right[request.key, answer.text] = bench.is_right(self._model, request, answer)
            done.append(
                Done(
                    at_s=at_s,
                    requests=len(answers),
                    tokens=sum(answer.output_tokens for _, answer in answers),
                    correct=sum(right[request.key, answer.text] for request, answer in answers),
                )
            )
            if ends_s is None and ramp_end(done, batch_size) is not None:
                ends_s = at_s + duration_s
            if ends_s is not None and at_s >= ends_s and is_enough(done, batch_size):
                break
        return steady_rate(done, batch_size)

    def _known(self) -> dict[int, BatchRate]:
        known = self._bench.throughputs.get(self._label)
        return {batch.batch_size: batch for batch in (known.batches if known else ())}

    def _keep(self, rates: Sequence[BatchRate]) -> Throughput:
        # Tests run in any order: what the other one measured stays.
        by_size = self._known() | {batch.batch_size: batch for batch in rates}
        batches = tuple(by_size[size] for size in sorted(by_size))
        found = self._bench.throughputs[self._label] = Throughput(
            batch_size=self.batch_size,
            threads=self._bench.threads,
            device=self._model.info.device or "cpu",
            batches=batches,
            knee=knee_of(batches) if len(batches) > 1 else None,
            cases=self._bench.hash,
        )
        return found
