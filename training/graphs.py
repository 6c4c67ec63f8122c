"""Steps recorded once as a CUDA graph and replayed: a small model spends its time on launching kernels.

Source: torch.cuda.CUDAGraph, https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

from pytest_mcpbench.training.objective import Batch

Compute: TypeAlias = Callable[[Batch, torch.Tensor], torch.Tensor]
"""A forward and backward pass: adds the gradient of the loss times a scale, and gives the summed loss."""

_Key: TypeAlias = tuple[torch.Size, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """A pass whose kernels read from `batch` and `scale` and write to `loss`, all of which stay where they are."""

    graph: Any
    batch: Batch
    scale: torch.Tensor
    loss: torch.Tensor


@dataclass(slots=True, kw_only=True)
class RecordedPasses:
    """Runs passes, each shape the usual way first, recorded when it comes again, and replayed from then on.

    Gradients must exist before the second pass and stay where they are: zero them in place. Memory for the passes is
    one pool, since they run one after the other. A pass that cannot be recorded is run the usual way, and so are all
    others from then on.
    """

    compute: Compute
    _recorded: dict[_Key, _Recorded | None] = field(default_factory=dict)
    _pool: Any = None
    _pool_bytes: int = 0
    _given_up: bool = False

    def make_room(self, largest: Batch, scale: torch.Tensor) -> None:
        """Run the largest pass once, to learn how much memory the pool must have from the start.

        A pool that grew pass by pass would hold every size that it once had.
        """
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        self.compute(largest, scale)
        self._pool_bytes = torch.cuda.max_memory_allocated() - before
        torch.cuda.empty_cache()

    def __call__(self, batch: Batch, scale: torch.Tensor) -> torch.Tensor:
        """The summed loss of the batch, a scalar; its gradient, times `scale`, is added to what is there."""
        key = tuple(tensor.shape for tensor in batch.tensors)
        if self._given_up or key not in self._recorded:
            self._recorded.setdefault(key, None)
            return self.compute(batch, scale)
        found = self._recorded[key]
        if found is None:
            try:
                found = self._recorded[key] = self._record(batch, scale)
            except RuntimeError as error:
                self._give_up(str(error).splitlines()[0])
                return self.compute(batch, scale)
        for kept, new in zip((*found.batch.tensors, found.scale), (*batch.tensors, scale), strict=True):
            kept.copy_(new, non_blocking=True)
        found.graph.replay()
        return found.loss.clone()

    def _record(self, batch: Batch, scale: torch.Tensor) -> _Recorded:
        kept, kept_scale = copy.deepcopy(batch), scale.clone()
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=self._pool):
            if self._pool is None:
                # Given back at once: the pool cuts what follows out of it.
                torch.empty(self._pool_bytes, dtype=torch.uint8, device=batch.input_ids.device)
            loss = self.compute(kept, kept_scale)
        self._pool = self._pool or graph.pool()
        return _Recorded(graph=graph, batch=kept, scale=kept_scale, loss=loss)

    def _give_up(self, reason: str) -> None:
        print(f"steps are not recorded: {reason}", file=sys.stderr)
        self._given_up = True
        self._recorded.clear()
        torch.cuda.empty_cache()
