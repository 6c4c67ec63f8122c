"""Signs of a run that goes well or badly, each with what the guide says to do about it. Pure functions."""

import math
import statistics
from collections.abc import Callable, Sequence

from pytest_mcpbench.core.curves import Count
from pytest_mcpbench.training.report import Evaluation, Indicator, StepPoint

PERPLEXITY_UNDERFIT = 3.0
PERPLEXITY_GOOD = 2.0
PERPLEXITY_EXCELLENT = 1.5
LOSS_GAP = 0.2
ACCURACY_GAP = 0.10
"""Training accuracy this far above validation accuracy means memorised rows."""
TRAIN_LOSS_ZERO = 0.01
FLAT_SHARE = 0.01
"""An evaluation loss that falls by less than this share of itself is flat."""
SPIKE = 5.0
"""A gradient norm so many times the median of those before it is a spike."""
SPIKE_HISTORY = 20
SPIKE_MINIMUM = 5

_UNDERFIT = "train longer (num_train_epochs 5 -> 10), add examples, or raise lora_r (32 -> 64)"
_OVERFIT = "raise weight_decay (0.01 -> 0.05), hold out more (validation_split 0.2 -> 0.3), or lower lora_r (32 -> 16)"
_STOP = "stop here and keep the best checkpoint; a lower learning_rate (5e-5 -> 2e-5) rises later"
_MEMORISED = "more epochs cannot help: add examples, or lower num_train_epochs"
_SPIKES = "lower learning_rate, raise warmup_ratio, or lower max_grad_norm"


def indicators(points: Sequence[StepPoint], evaluations: Sequence[Evaluation]) -> tuple[Indicator, ...]:
    """Every sign of a run, in the order of the steps at which it held."""
    found = [sign for count in range(1, len(evaluations) + 1) for sign in signs_after(evaluations[:count])]
    found += gradient_spikes(points)
    return tuple(sorted(found, key=lambda sign: sign.step))


def newly_fired(fired: Sequence[Indicator], evaluations: Sequence[Evaluation]) -> list[Indicator]:
    """Those of the latest evaluation's signs that the evaluation before did not show, for printing."""
    if not evaluations:
        return []
    latest = evaluations[-1].step
    before = evaluations[-2].step if len(evaluations) > 1 else 0
    known = {sign.name for sign in fired if sign.step == before}
    return [sign for sign in fired if before < sign.step <= latest and sign.name not in known]


def signs_after(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    """The signs that the latest of these evaluations shows, given those before it."""
    return [sign for check in _CHECKS for sign in check(evaluations)]


def gradient_spikes(points: Sequence[StepPoint]) -> list[Indicator]:
    """A sign for each logged gradient norm that is far above those before it."""
    spikes = []
    for index, point in enumerate(points):
        past = [p.grad_norm for p in points[max(0, index - SPIKE_HISTORY) : index] if math.isfinite(p.grad_norm)]
        if len(past) < SPIKE_MINIMUM:
            continue
        usual = statistics.median(past)
        if not point.grad_norm <= SPIKE * usual:
            message = f"gradient norm {point.grad_norm:.3g} where {usual:.3g} was usual"
            spikes.append(_sign("gradient_spike", point.step, (point.grad_norm, SPIKE * usual), message, _SPIKES))
    return spikes


def _perplexity(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    latest = evaluations[-1]
    value = latest.eval_perplexity
    if value < PERPLEXITY_EXCELLENT:
        return [_good("perplexity_excellent", latest, (value, PERPLEXITY_EXCELLENT), f"perplexity {value:.2f}")]
    if value < PERPLEXITY_GOOD:
        return [_good("perplexity_good", latest, (value, PERPLEXITY_GOOD), f"perplexity {value:.2f}")]
    if value > PERPLEXITY_UNDERFIT:
        message = f"perplexity {value:.2f} is above {PERPLEXITY_UNDERFIT}: underfitting"
        return [_sign("underfitting", latest.step, (value, PERPLEXITY_UNDERFIT), message, _UNDERFIT)]
    return []


def _loss_gap(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    latest = evaluations[-1]
    gap = latest.eval_loss - latest.train_loss
    if gap <= LOSS_GAP:
        return []
    message = f"eval loss {latest.eval_loss:.3f} is {gap:.3f} above train loss {latest.train_loss:.3f}: overfitting"
    return [_sign("loss_gap", latest.step, (gap, LOSS_GAP), message, _OVERFIT)]


def _accuracy_gap(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    latest = evaluations[-1]
    pairs = (("tool", latest.train_tool, latest.tool), ("parameter", latest.train_parameters, latest.parameters))
    worst = max(pairs, key=lambda pair: _gap(pair[1], pair[2]))
    gap = _gap(worst[1], worst[2])
    if gap <= ACCURACY_GAP:
        return []
    message = (
        f"{worst[0]} accuracy {worst[1].percent} in training, {worst[2].percent} in validation: "
        f"{100 * gap:.0f} points apart, overfitting"
    )
    return [_sign("accuracy_gap", latest.step, (gap, ACCURACY_GAP), message, _OVERFIT)]


def _gap(train: Count, validation: Count) -> float:
    return 0.0 if train.rate is None or validation.rate is None else train.rate - validation.rate


def _rising(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    if len(evaluations) < 3:
        return []
    first, middle, last = (evaluation.eval_loss for evaluation in evaluations[-3:])
    if not first < middle < last:
        return []
    message = f"eval loss rose twice: {first:.3f}, {middle:.3f}, {last:.3f}"
    return [_sign("eval_loss_rising", evaluations[-1].step, (last, first), message, _STOP)]


def _memorised(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    if len(evaluations) < 2:
        return []
    before, latest = evaluations[-2:]
    flat = before.eval_loss - latest.eval_loss < FLAT_SHARE * before.eval_loss
    if latest.train_loss >= TRAIN_LOSS_ZERO or not flat:
        return []
    message = f"train loss {latest.train_loss:.4f} is near zero, eval loss {latest.eval_loss:.3f} does not fall"
    return [_sign("memorised", latest.step, (latest.train_loss, TRAIN_LOSS_ZERO), message, _MEMORISED)]


def _improving(evaluations: Sequence[Evaluation]) -> list[Indicator]:
    if len(evaluations) < 2 or evaluations[-1].quality <= evaluations[-2].quality:
        return []
    before, latest = evaluations[-2:]
    message = (
        f"tool accuracy {before.tool.percent} -> {latest.tool.percent}, "
        f"parameter accuracy {before.parameters.percent} -> {latest.parameters.percent}"
    )
    return [_good("accuracy_improving", latest, (latest.quality, before.quality), message)]


_CHECKS: tuple[Callable[[Sequence[Evaluation]], list[Indicator]], ...] = (
    _perplexity,
    _loss_gap,
    _accuracy_gap,
    _rising,
    _memorised,
    _improving,
)


def _sign(name: str, step: int, numbers: tuple[float, float], message: str, remedy: str) -> Indicator:
    value, threshold = numbers
    return Indicator(name=name, good=False, step=step, value=value, threshold=threshold, message=message, remedy=remedy)


def _good(name: str, evaluation: Evaluation, numbers: tuple[float, float], message: str) -> Indicator:
    value, threshold = numbers
    return Indicator(name=name, good=True, step=evaluation.step, value=value, threshold=threshold, message=message)
