"""What was timed of a model, in lines of text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_mcpbench.core.latency import Latency, Times, read_latency, samples_needed
from pytest_mcpbench.core.run import ModelResult
from pytest_mcpbench.core.throughput import Throughput, read_throughput


def speed_lines(model: ModelResult) -> Iterator[str]:
    """Latency and throughput, indented as the lines of a model are; none where they were not measured."""
    latency, throughput = read_latency(model.latency), read_throughput(model.throughput)
    if latency is not None:
        yield from _latency_lines(latency)
    if throughput is not None:
        yield from _throughput_lines(throughput)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedTable:
    """Figures for a page: each row has a model's label and a cell for every column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


_LATENCY_COLUMNS = (
    *("mean", "p50", "p90", "p99", "first token cold, p50", "first token warm, p50", "a further token, mean"),
    *("prompt tokens", "of them held", "output tokens", "right", "threads", "memory"),
)
_BATCH_COLUMNS = ("batch size", "requests/s", "tokens/s", "right calls/s", "threads")


def speed_tables(models: Mapping[str, ModelResult]) -> list[SpeedTable]:
    """A table of latency and one of throughput, each where some model was timed."""
    latencies = {label: read_latency(model.latency) for label, model in models.items()}
    throughputs = {label: read_throughput(model.throughput) for label, model in models.items()}
    rows = tuple((label, _latency_cells(found)) for label, found in latencies.items() if found)
    batches = tuple((label, cells) for label, found in throughputs.items() if found for cells in _batch_cells(found))
    tables = (
        SpeedTable(title="Latency", columns=_LATENCY_COLUMNS, rows=rows),
        SpeedTable(title="Throughput", columns=_BATCH_COLUMNS, rows=batches),
    )
    return [table for table in tables if table.rows]


def _latency_cells(found: Latency) -> tuple[str, ...]:
    e2e, cold, warm, further = found.e2e_s, found.ttft_cold_s, found.ttft_warm_s, found.tpot_s
    timed = (e2e.mean, e2e.p50, e2e.p90, e2e.p99, cold.p50, warm.p50, further.mean if further else None)
    memory = f"{found.peak_memory_bytes / 1e6:,.0f} MB" if found.peak_memory_bytes is not None else "-"
    tokens = (f"{found.prompt_tokens:,.0f}", f"{found.cached_prompt_tokens:,.0f}", f"{found.output_tokens:,.1f}")
    shown = tuple(_ms(value) if value is not None else "-" for value in timed)
    return (*shown, *tokens, f"{found.correct} of {found.n}", str(found.threads), memory)


def _batch_cells(found: Throughput) -> Iterator[tuple[str, ...]]:
    for batch in found.batches:
        size = f"{batch.batch_size} (knee)" if batch.batch_size == found.knee else str(batch.batch_size)
        rates = (f"{batch.requests_per_s:,.2f}", f"{batch.tokens_per_s:,.1f}", f"{batch.correct_per_s:,.2f}")
        yield (size, *rates, str(found.threads))


def _latency_lines(found: Latency) -> Iterator[str]:
    right = f"{found.n} calls one at a time, {found.correct} of them right"
    yield f"  latency    {_shown(found.e2e_s)}{_too_few(found.e2e_s)}; {right}"
    yield f"    first token cold {_shown(found.ttft_cold_s)}; {found.prompt_tokens:,.0f} prompt tokens"
    held = f"{found.cached_prompt_tokens:,.0f} of them held" if found.cached_prompt_tokens else "nothing can be held"
    yield f"    first token warm {_shown(found.ttft_warm_s)}; {held}"
    further = _shown(found.tpot_s) if found.tpot_s is not None else "none was written"
    yield f"    a further token  {further}; {found.output_tokens:,.1f} output tokens"
    settled = "" if found.warmup_settled else ", which did not settle"
    memory = f"; peak memory {found.peak_memory_bytes / 1e6:,.0f} MB" if found.peak_memory_bytes is not None else ""
    owner = " of the GPU" if found.memory_of == "cuda" else " of the process"
    yield (
        f"    {found.device}, {found.threads} thread{'' if found.threads == 1 else 's'}; "
        f"warm-up {found.warmup} calls{settled}{memory}{owner if memory else ''}"
    )


def _shown(times: Times) -> str:
    """The mean, and the percentiles that there are, the tails with their bounds."""
    known = [("p50", times.p50, None), ("p90", times.p90, times.p90_at_most), ("p99", times.p99, times.p99_at_most)]
    parts = [f"mean {_ms(times.mean)}"]
    for name, value, at_most in known:
        if value is not None:
            bound = f" (95 % sure: at most {_ms(at_most)})" if at_most is not None else ""
            parts.append(f"{name} {_ms(value)}{bound}")
    return ", ".join(parts)


def _too_few(times: Times) -> str:
    """How many calls the first percentile takes that is missing."""
    known = [("p50", 0.50, times.p50), ("p90", 0.90, times.p90), ("p99", 0.99, times.p99)]
    missing = next(((name, samples_needed(share)) for name, share, value in known if value is None), None)
    return f", {missing[0]} takes {missing[1]} calls" if missing else ""


def _ms(seconds: float) -> str:
    """Milliseconds with three digits that count, as far as there are any behind the point."""
    ms = 1000 * seconds
    places = next((places for places, least in ((0, 100), (1, 10), (2, 1)) if float(f"{ms:.3g}") >= least), 3)
    return f"{ms:,.{places}f} ms"


def _throughput_lines(found: Throughput) -> Iterator[str]:
    asked = found.asked
    if asked is not None:
        yield (
            f"  throughput {asked.requests_per_s:,.2f} requests/s, {asked.tokens_per_s:,.1f} tokens/s, "
            f"{asked.correct_per_s:,.2f} right calls/s at batch size {asked.batch_size} "
            f"({asked.n} requests in {asked.seconds:,.1f} s behind the ramp)"
        )
    if len(found.batches) > 1 or asked is None:
        yield f"    {'batch':>5}  {'requests/s':>10}  {'tokens/s':>10}  {'right/s':>10}"
        for batch in found.batches:
            knee = "  <- knee: 90 % of the best rate" if batch.batch_size == found.knee else ""
            yield (
                f"    {batch.batch_size:>5}  {batch.requests_per_s:>10,.2f}  {batch.tokens_per_s:>10,.1f}  "
                f"{batch.correct_per_s:>10,.2f}{knee}"
            )
    yield f"    {found.device}, {found.threads} thread{'' if found.threads == 1 else 's'}"
