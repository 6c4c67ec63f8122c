"""What to change, ranked by how much of what went wrong speaks for it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.curves import Checkpoint, Curves
from pytest_mcpbench.core.diagnose import Diagnosis, Miss
from pytest_mcpbench.core.run import ModelResult
from pytest_mcpbench.core.summary import NO_TOOL, show_percent
from pytest_mcpbench.core.text import printable

ENOUGH = 0.10
"""The share of misses from which a kind of error is worth a remedy of its own."""

TRAIN_GAP = 0.10
"""The guide's sign of overfitting: training accuracy this far above validation accuracy."""

STILL_RISING = 0.005
LOW_ACCURACY = 0.85

_COPIED = ("quoting", "white_space", "letter_case", "punctuation", "truncated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One thing to do, what speaks for it, and its weight in [0, 1]: the share of misses it is about."""

    action: str
    evidence: str
    weight: float

    def line(self) -> str:
        """The remedy and its evidence in one line."""
        return f"{self.action} ({self.evidence})"


def remedies(diagnosis: Diagnosis, model: ModelResult, curves: Curves | None = None) -> tuple[Remedy, ...]:
    """What to do about a model's misses, the best supported first; empty if nothing was missed."""
    if not diagnosis.misses:
        return ()
    found = [*_by_kind(diagnosis), *_weak_tools(diagnosis, model), *_training(curves)]
    if not found or (curves is None and _accuracy(model) < LOW_ACCURACY):
        found.append(_guide(curves))
    return tuple(sorted(found, key=lambda remedy: -remedy.weight))


def _by_kind(diagnosis: Diagnosis) -> Iterator[Remedy]:
    rules: tuple[tuple[Callable[[Miss], bool], str, str], ...] = (
        (lambda m: m.kind == "harness_error", "failed generations", "mend the harness first: these say nothing of it"),
        (
            lambda m: m.kind == "cut",
            "answers cut at the token limit",
            "raise --mcp-max-new-tokens, or teach the model to stop: an end-of-text token behind every answer",
        ),
        (
            lambda m: m.kind == "unparsed",
            "calls that cannot be read",
            "check --mcp-format against the model's own format, then train on calls rendered in it",
        ),
        (
            lambda m: m.kind == "no_attempt",
            "requests without a call",
            "add rows that call a tool in these words; check that the prompt offers the tools as in training",
        ),
        (
            lambda m: m.kind == "false_call",
            "calls where no tool applies",
            "add rows where no tool applies, close to those that do",
        ),
        (
            lambda m: m.kind in ("wrong_tool", "unknown_tool"),
            "wrong tools",
            "add pairs of rows that differ only in which tool is right; sharpen the tools' descriptions",
        ),
        (
            lambda m: m.kind in ("missing_call", "extra_call"),
            "wrong numbers of calls",
            "add rows with two calls, and rows that look like two and need one",
        ),
        (
            lambda m: m.kind in ("missing_argument", "extra_argument"),
            "arguments left out or made up",
            "add rows that give each optional argument, and rows that do not",
        ),
        (
            lambda m: m.kind == "wrong_value" and m.detail in _COPIED,
            "values not copied as typed",
            "add rows whose values have quotes, spaces and punctuation; values are copied, not improved",
        ),
        (
            lambda m: m.kind == "wrong_value" and m.detail == "path",
            "paths changed on the way",
            "add rows with deep, relative and dotted paths; where a variant is right, let the case accept it",
        ),
        (
            lambda m: m.kind == "wrong_value" and m.detail == "number_type",
            "numbers of the wrong type",
            "render numbers without quotes in training; show the schemas with --mcp-tool-detail=schema",
        ),
        (
            lambda m: m.kind == "wrong_value" and m.detail in ("hallucinated", "misread"),
            "values that were not asked for",
            "add rows with several candidates for a value; lower lora_dropout or the learning rate",
        ),
    )
    for applies, what, action in rules:
        hits = sum(map(applies, diagnosis.misses))
        share = hits / len(diagnosis.misses)
        if share >= ENOUGH:
            yield Remedy(action=action, evidence=f"{what}: {hits} of {len(diagnosis.misses)} misses", weight=share)


def _weak_tools(diagnosis: Diagnosis, model: ModelResult) -> Iterator[Remedy]:
    """More data for a tool that is clearly worse than all cases are: its interval ends below the overall rate."""
    for tool, rates in model.summary.tools.items():
        hits = sum(tool in miss.tools for miss in diagnosis.misses)
        for level, word in (("level3", "right tool"), ("level4", "right parameters")):
            rate, overall = rates.get(level), model.summary.levels[level]
            if tool != NO_TOOL and rate and rate.interval and rate.interval[1] < (overall.rate or 0.0):
                yield Remedy(
                    action=f"add rows for {printable(tool, 40)}",
                    evidence=f"{word} {rate.describe(word='cases')}, overall {show_percent(overall.exact)} %; "
                    f"{hits} of {len(diagnosis.misses)} misses",
                    weight=hits / len(diagnosis.misses),
                )
                break


def _training(curves: Curves | None) -> Iterator[Remedy]:
    if curves is None or not curves.evaluations:
        return
    best = next((point for point in curves.evaluations if point.step == curves.best_step), curves.evaluations[-1])
    gap = _gap(best)
    if gap > TRAIN_GAP:
        yield Remedy(
            action="regularise: weight_decay 0.01 -> 0.05, validation_split 0.2 -> 0.3, or lora_r 32 -> 16",
            evidence=f"training accuracy is {100 * gap:.0f} points above validation accuracy at step {best.step}",
            weight=min(1.0, 0.5 + gap),
        )
    yield from _slope(curves.evaluations, curves.ended, gap)


def _slope(points: Sequence[Checkpoint], ended: str, gap: float) -> Iterator[Remedy]:
    losses = [point.eval_loss for point in points[-3:] if point.eval_loss is not None]
    if len(losses) == 3 and losses[0] < losses[1] < losses[2]:
        yield Remedy(
            action="stop earlier, or lower learning_rate (5e-5 -> 2e-5)",
            evidence=f"the validation loss rose twice at the end: {losses[0]:.3f}, {losses[1]:.3f}, {losses[2]:.3f}",
            weight=0.6,
        )
        return
    rates = [point.quality for point in points[-2:] if point.quality is not None]
    if len(rates) == 2 and rates[1] - rates[0] >= STILL_RISING and ended != "early stop" and gap <= TRAIN_GAP:
        yield Remedy(
            action="train longer (num_train_epochs 5 -> 10) or add rows",
            evidence=f"validation accuracy was still rising when training ended: {100 * rates[0]:.1f} to "
            f"{100 * rates[1]:.1f} % in the last evaluation",
            weight=0.7,
        )
    last = points[-1].train_tool.rate
    if last is not None and last < LOW_ACCURACY:
        yield Remedy(
            action="the model does not fit its own training rows: raise lora_r (32 -> 64) or the learning rate",
            evidence=f"training tool accuracy {100 * last:.1f} % at the end",
            weight=0.65,
        )


def _gap(point: Checkpoint) -> float:
    pairs = ((point.train_tool.rate, point.tool.rate), (point.train_parameters.rate, point.parameters.rate))
    return max((train - held for train, held in pairs if train is not None and held is not None), default=0.0)


def _guide(curves: Curves | None) -> Remedy:
    why = "" if curves else "; give --training FOLDER for evidence from the training curves"
    return Remedy(
        action="in the guide's order: epochs 5 -> 10, more examples, lora_r 32 -> 64, learning_rate 5e-5 -> 2e-5",
        evidence=f"nothing in the misses points to one cause{why}",
        weight=0.0,
    )


def _accuracy(model: ModelResult) -> float:
    return model.summary.levels["level3"].rate or 0.0
