"""Answers generated twice, alone and together, to see whether a model's answers depend on their batch."""

from collections.abc import Sequence

from pytest_mcpbench.core.batching import BatchingCheck, compare_answers
from pytest_mcpbench.core.plan import Generation, GenerationSettings, Request
from pytest_mcpbench.models.base import Model
from pytest_mcpbench.models.engine import generate


def verify_batching(model: Model, requests: Sequence[Request], settings: GenerationSettings) -> BatchingCheck:
    """What differs between each request answered alone, from its start, and all of them as a run answers them.

    Nothing is read from a cache or kept in one. An answer that fails on one side only is a difference.
    """
    alone: dict[str, Generation] = {}
    for request in requests:
        _forget(model)
        alone |= _answers(model, [request], settings)
    _forget(model)
    return compare_answers(alone, _answers(model, requests, settings), _why_alike(model, settings))


def _answers(model: Model, requests: Sequence[Request], settings: GenerationSettings) -> dict[str, Generation]:
    found = generate(model, requests, settings, cache=None, on_batch=None)
    return {request.case_id or request.key: answer for request, answer in found}


def _forget(model: Model) -> None:
    """Let no prompt be answered from what the one before left."""
    forget = getattr(model, "forget_prefix", None)
    if forget is not None:
        forget()


def _why_alike(model: Model, settings: GenerationSettings) -> str:
    if not model.info.device:
        return "its answers are not computed"
    alone = next((note for note in model.info.notes if "batch-invariant" in note), "")
    return alone or ("batches of 1" if settings.batch_size == 1 else "")
