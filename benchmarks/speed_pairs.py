"""Do paired timings tell a slower model from a busy machine? A model against itself, and against itself slowed down.

    python benchmarks/speed_pairs.py MODEL --runs 20 --slowdown 0.15

MODEL is whatever --mcp-model takes. Prints how many of the runs come out as PASS, FAIL and UNDECIDED, for both.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_mcpbench import speed
from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.errors import McpBenchError
from pytest_mcpbench.models.base import LoadOptions, Model, Source
from pytest_mcpbench.models.load import load_model, resolve
from pytest_mcpbench.session import CODING_CASES, FIXTURES
from pytest_mcpbench.speed import SpeedBench, SpeedLimits

PAIR = Pair(before="itself", after="slowed", relation="beside")


def positive(text: str) -> int:
    """A count of at least 1."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def slowed(source: Source, options: LoadOptions, share: float) -> Model:
    """The model, which takes so much longer for every call, busy all the while."""
    model: Any = load_model(source, options)
    generate = model.generate_batch

    def generate_slowly(requests: Sequence[Request], settings: GenerationSettings) -> list[Generation]:
        started_s = time.perf_counter()
        answers: list[Generation] = generate(requests, settings)
        ends_s = time.perf_counter() + share * (time.perf_counter() - started_s)
        while time.perf_counter() < ends_s:
            pass
        return answers

    model.generate_batch = generate_slowly
    return model


def compared(spec: str, cases: Sequence[Case], args: argparse.Namespace, seed: int) -> speed.SpeedComparison:
    """One comparison, as `-m latency` makes it."""
    return SpeedBench(
        sources={PAIR.before: resolve(spec), PAIR.after: resolve(spec)},
        cases=cases,
        load=LoadOptions(device=args.device),
        settings=GenerationSettings(max_new_tokens=args.max_new_tokens, seed=seed),
        limits=SpeedLimits(iterations=args.iterations, duration_s=1, tolerance=args.tolerance),
    ).compare(PAIR)


def main() -> None:
    """Compare, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--runs", type=positive, default=20)
    parser.add_argument("--slowdown", type=float, default=0.15, help="the share of its time that a call takes longer")
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--iterations", type=positive, default=30)
    parser.add_argument("--max-new-tokens", type=positive, default=20)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read([CODING_CASES])
    for share in (0.0, args.slowdown):
        loads = iter(range(2 * args.runs))
        speed.load_model = lambda source, options, loads=loads, share=share: slowed(
            source, options, share if next(loads) % 2 else 0.0
        )
        try:
            found = [compared(args.model, cases, args, seed) for seed in range(args.runs)]
        except McpBenchError as error:
            parser.error(str(error))
        counts = Counter(comparison.status for comparison in found)
        pairs = sorted(comparison.pairs for comparison in found)
        print(f"slowed by {100 * share:g} %: {dict(counts)}; pairs {pairs[0]} to {pairs[-1]}; last: {found[-1].reason}")


if __name__ == "__main__":
    main()
