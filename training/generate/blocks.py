"""Any number of rows: blocks of them drawn by several processes at once, and no prompt doubled between blocks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from random import Random

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.environment import usable_cpus
from pytest_mcpbench.core.overlap import CaseIndex, normalized
from pytest_mcpbench.training.generate.build import SHARES, draw
from pytest_mcpbench.training.generate.pools import Split

_BLOCK_ROWS = 2_000
"""What one process draws at a time. It decides which rows a seed gives, so it is no option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How rows are drawn, which does not decide what rows they are.

    `processes` None takes one a core. `on_rows` is told how many more rows there are, block by block.
    """

    processes: int | None = None
    on_rows: Callable[[int], None] = lambda rows: None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    split: Split
    seed: str
    counts: Counter[str] = field(default_factory=Counter)


def build(
    split: Split,
    rows: int,
    seed: int,
    exclude: Iterable[Case] = (),
    taken: Iterable[str] = (),
    effort: Effort | None = None,
) -> list[Case]:
    """That many rows of one side of the pools, in mixed order, the same ones for the same seed on any machine.

    No prompt is doubled, none is in `taken`, and none is a near-duplicate of one in `exclude`, with whatever
    values. Raises TrainingError where the pools give out.
    """
    chosen, foreign = effort or Effort(), tuple(exclude)
    seen = {normalized(prompt) for prompt in taken}
    cases: list[Case] = []
    doubled: Counter[str] = Counter()
    with _drawn(_blocks(split, rows, seed), foreign, chosen) as blocks:
        for case in chain.from_iterable(blocks):
            key = normalized(case.prompt)
            if key in seen:
                doubled[case.id] += 1
            else:
                seen.add(key)
                cases.append(case)
    cases += draw(split, sorted(doubled.items()), f"{seed} {split} again", CaseIndex(foreign), seen)
    chosen.on_rows(doubled.total())
    Random(f"{seed} {split} order").shuffle(cases)
    width = len(str(rows))
    return [
        Case(id=f"{split}-{number:0{width}}", messages=case.messages, tools=case.tools,
             alternatives=case.alternatives, tags=case.tags)
        for number, case in enumerate(cases, 1)
    ]  # fmt: skip


@contextmanager
def _drawn(blocks: Sequence[_Block], foreign: tuple[Case, ...], effort: Effort) -> Iterator[Iterator[list[Case]]]:
    """The blocks' rows, one block after the other."""
    processes = min(effort.processes or usable_cpus(), len(blocks))
    if processes <= 1:
        _keep(foreign)
        yield _told(map(_draw, blocks), effort)
        return
    # Spawned, not forked: a library that runs threads may be loaded here.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_keep, initargs=(foreign,))
    try:
        yield _told(pool.map(_draw, blocks), effort)
    finally:
        pool.shutdown(cancel_futures=True)


def _told(drawn: Iterator[list[Case]], effort: Effort) -> Iterator[list[Case]]:
    for cases in drawn:
        yield cases
        effort.on_rows(len(cases))


def _blocks(split: Split, rows: int, seed: int) -> list[_Block]:
    """The rows of each kind, dealt to as many blocks as it takes."""
    blocks = [_Block(split=split, seed=f"{seed} {split} {number}") for number in range(-(-rows // _BLOCK_ROWS))]
    kinds = (kind for kind, count in _counts(rows).items() for _ in range(count))
    for number, kind in enumerate(kinds):
        blocks[number % len(blocks)].counts[kind] += 1
    return blocks


def _counts(rows: int) -> dict[str, int]:
    counts = {kind: int(rows * share) for kind, share in SHARES.items()}
    order = sorted(SHARES, key=lambda kind: -(rows * SHARES[kind] - counts[kind]))
    for number in range(rows - sum(counts.values())):
        counts[order[number % len(order)]] += 1
    return counts


_foreign: list[CaseIndex] = []
"""What no row may be like; indexed once in each process."""


def _keep(foreign: tuple[Case, ...]) -> None:
    _foreign[:] = [CaseIndex(foreign)]


def _draw(block: _Block) -> list[Case]:
    return draw(block.split, sorted(block.counts.items()), block.seed, _foreign[0], set())
