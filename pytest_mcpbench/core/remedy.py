"""What to change, ranked by how much of what went wrong speaks for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.curves import Checkpoint, Curves
from pytest_mcpbench.core.diagnose import Diagnosis, Miss
from pytest_mcpbench.core.run import ModelResult
from pytest_mcpbench.core.score import ErrorKind
from pytest_mcpbench.core.summary import NO_TOOL, show_percent
from pytest_mcpbench.core.text import printable

ENOUGH = 0.10
"""The share of misses from which a kind of error is worth a remedy of its own."""

TRAIN_GAP = 0.10
"""The guide's sign of overfitting: training accuracy this far above validation accuracy."""

STILL_RISING = 0.005
LOW_ACCURACY = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One thing to do, what speaks for it, and its weight in [0, 1]: the share of misses it is about."""

    action: str
    evidence: str
    weight: float

    def line(self) -> str:
        """The remedy and its evidence in one line."""
        return f"{self.action} ({self.evidence})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What helps against the misses of some kinds, or of one kind with some details."""

    kinds: tuple[ErrorKind, ...]
    what: str
    action: str
    details: tuple[str, ...] | None = None

    def covers(self, miss: Miss) -> bool:
        return miss.kind in self.kinds and (self.details is None or miss.detail in self.details)


_RULES = (
    _Rule(
        kinds=("harness_error",),
        what="failed generations",
        action="mend the harness first: these answers say nothing of the model",
    ),
    _Rule(
        kinds=("cut",),
        what="answers cut at the token limit",
        action="raise --mcp-max-new-tokens, or teach the model to stop: an end-of-text token behind every answer",
    ),
    _Rule(
        kinds=("unparsed",),
        what="calls that cannot be read",
        action="check --mcp-format against the model's own format, then train on calls rendered in it",
    ),
    _Rule(
        kinds=("no_attempt",),
        what="requests without a call",
        action="add rows that call a tool in these words; check that the prompt offers the tools as in training",
    ),
    _Rule(
        kinds=("false_call",),
        what="calls where no tool applies",
        action="add rows where no tool applies, close to those where one does",
    ),
    _Rule(
        kinds=("wrong_tool", "unknown_tool"),
        what="wrong tools",
        action="add pairs of rows that differ only in which tool is right; sharpen the tools' descriptions",
    ),
    _Rule(
        kinds=("missing_call", "extra_call"),
        what="wrong numbers of calls",
        action="add rows with two calls, and rows that look like two and need one",
    ),
    _Rule(
        kinds=("missing_argument", "extra_argument"),
        what="arguments left out or made up",
        action="add rows that give each optional argument, and rows that do not",
    ),
    _Rule(
        kinds=("wrong_value",),
        details=("quoting", "white_space", "letter_case", "punctuation", "truncated"),
        what="values not copied as typed",
        action="add rows whose values have quotes, spaces and punctuation; values are copied, not improved",
    ),
    _Rule(
        kinds=("wrong_value",),
        details=("path",),
        what="paths changed on the way",
        action="add rows with deep, relative and dotted paths; where a variant is right, let the case accept it",
    ),
    _Rule(
        kinds=("wrong_value",),
        details=("number_type",),
        what="numbers of the wrong type",
        action="render numbers without quotes in training; show the schemas with --mcp-tool-detail=schema",
    ),
    _Rule(
        kinds=("wrong_value",),
        details=("hallucinated", "misread"),
        what="values that were not asked for",
        action="add rows with several candidates for a value; lower lora_dropout or the learning rate",
    ),
)


def remedies(diagnosis: Diagnosis, model: ModelResult, curves: Curves | None = None) -> tuple[Remedy, ...]:
    """What to do about a model's misses, the best supported first; empty if nothing was missed."""
    if not diagnosis.misses:
        return ()
    found = [*_by_kind(diagnosis), *_weak_tools(diagnosis, model), *_training(curves)]
    if not found or (curves is None and _accuracy(model) < LOW_ACCURACY):
        found.append(_guide(curves))
    return tuple(sorted(found, key=lambda remedy: -remedy.weight))


def _by_kind(diagnosis: Diagnosis) -> Iterator[Remedy]:
    n = len(diagnosis.misses)
    for rule in _RULES:
        hits = sum(map(rule.covers, diagnosis.misses))
        if hits / n >= ENOUGH:
            yield Remedy(action=rule.action, evidence=f"{rule.what}: {hits} of {n} misses", weight=hits / n)


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
