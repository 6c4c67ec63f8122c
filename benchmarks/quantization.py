"""What quantizing costs and gains: size, first token, further tokens and whole calls, all models in turn.

    python benchmarks/quantization.py --model finetuned=demo:finetuned --model int8=demo:int8 --model int4=demo:int4

The first model is the reference. Each round gives every model the same request, so that whatever else the machine
does meets all alike; medians and the least are shown, and ratios of both. `floor` is the time that reading the
weights once takes at the bandwidth that this run measures: no token can be faster.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.plan import GenerationSettings, Request, plan
from pytest_mcpbench.models.base import LoadOptions, Model
from pytest_mcpbench.models.load import load_model, resolve

FIXTURES = Path(__file__).parent.parent / "fixtures"
BUFFER_VALUES = 64_000_000
SHORT, LONG = 2, 18


@dataclass(slots=True, kw_only=True)
class Times:
    """Seconds, one entry a request: cold prompt to first token, per further token, whole call with a warm prefix."""

    first: list[float] = field(default_factory=list)
    token: list[float] = field(default_factory=list)
    call: list[float] = field(default_factory=list)


def bandwidth(threads: int) -> float:
    """Bytes a second that the cores read from memory together, the best of five."""
    parts = np.array_split(np.ones(BUFFER_VALUES, np.float32), threads)
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            began = time.perf_counter()
            list(pool.map(np.max, parts))
            best = max(best, BUFFER_VALUES * 4 / (time.perf_counter() - began))
    return best


def timed(model: Model, request: Request, max_new_tokens: int) -> tuple[float, int]:
    """Seconds and output tokens of one request, alone."""
    began = time.perf_counter()
    answer = model.generate_batch([request], GenerationSettings(max_new_tokens=max_new_tokens))[0]
    return time.perf_counter() - began, answer.output_tokens


def measure(models: dict[str, Model], requests: Sequence[Request], tokens: int) -> dict[str, Times]:
    """The times of every model; requests in turn, and models in turn within each."""
    times = {label: Times() for label in models}
    for request in requests:
        for label, model in models.items():
            model.forget_prefix()  # type: ignore[attr-defined]  # of the backends that compute anything
            times[label].first.append(timed(model, request, 1)[0])
        for label, model in models.items():
            timed(model, requests[0], 1)
            times[label].call.append(timed(model, request, tokens)[0])
        for label, model in models.items():
            short, few = timed(model, request, SHORT)
            long, many = timed(model, request, LONG)
            if many > few:
                times[label].token.append((long - short) / (many - few))
    return times


def report(models: dict[str, Model], times: dict[str, Times], bytes_per_s: float) -> None:
    """Print one line a model."""
    reference = next(iter(models))
    print(f"memory is read at {bytes_per_s / 1e9:.1f} GB/s")
    for label, model in models.items():
        size = model.info.size_bytes
        # A checkpoint is kept in fewer bits than it is run in, and of an embedding of its own a row is read.
        weights = model.info.weights
        read = (weights.read_bytes if weights else None) or size
        line = [f"{label:10} {size / 1e6:7.0f} MB"]
        for name in ("first", "token", "call"):
            ours, theirs = getattr(times[label], name), getattr(times[reference], name)
            median, least = statistics.median(ours), min(ours)
            ratios = f"{statistics.median(theirs) / median:.2f}x, least {min(theirs) / least:.2f}x"
            line.append(f"{name} {median * 1e3:6.1f} ms, least {least * 1e3:6.1f} ({ratios})")
        floor = read / bytes_per_s
        line.append(f"floor {floor * 1e3:.1f} ms: {statistics.median(times[label].token) / floor:.2f}x")
        print("; ".join(line))


def main() -> None:
    """Load every model and measure them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", required=True, metavar="LABEL=SPEC")
    parser.add_argument("--cases", type=int, default=20, metavar="N", help="requests (default 20)")
    parser.add_argument("--tokens", type=int, default=24, metavar="N", help="tokens of a call at most (default 24)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="cores (default 2)")
    given = parser.parse_args()
    options = LoadOptions(device="cpu", threads=given.threads)
    specs = dict(text.split("=", 1) for text in given.model)
    models = {label: load_model(resolve(spec), options) for label, spec in specs.items()}
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read([FIXTURES / "cases" / "coding"])
    requests = list(plan(cases).values())[:: max(1, len(cases) // given.cases)][: given.cases]
    for model in models.values():
        timed(model, requests[0], SHORT)
    report(models, measure(models, requests, given.tokens), bandwidth(given.threads))


if __name__ == "__main__":
    main()
