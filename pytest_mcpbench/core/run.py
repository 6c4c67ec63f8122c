"""What one run found: its models, verdicts and every single answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_mcpbench.core.case import Json, ToolCall
from pytest_mcpbench.core.compare import Comparison
from pytest_mcpbench.core.floors import Floor
from pytest_mcpbench.core.formats import ParseResult
from pytest_mcpbench.core.formats.base import Status
from pytest_mcpbench.core.gate import TierResult, Verdict
from pytest_mcpbench.core.kept import CaseSet
from pytest_mcpbench.core.level import LEVEL_NAMES, answer
from pytest_mcpbench.core.match import Mismatch
from pytest_mcpbench.core.plan import FinishReason, Generation, GenerationSettings
from pytest_mcpbench.core.score import ErrorKind, Score
from pytest_mcpbench.core.summary import Summary
from pytest_mcpbench.core.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a run took place. `machine` is a hash of processor, cores and memory, equal on equal machines.

    `packages` maps the installed packages that matter to their versions; `plugin` is this package's. `accelerator`
    names the GPUs, `threads` is the number of processors that the process may use, None in files that do not say.
    """

    python: str
    platform: str
    cpu: str
    cpu_count: int
    machine: str
    plugin: str
    packages: Mapping[str, str]
    accelerator: str = ""
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """What was found about one model. `latency` and `throughput` are None where they were not measured.

    `format` is the wire format its answers were read in; `trained_cases` are the ids of those cases that the model
    was trained on; `weights` are those that it ran with, None for a model that has none. `prompt` is a hash of how it
    was asked (template, format, tool texts), "" where that is not known.
    """

    JSON_INLINE: ClassVar[frozenset[str]] = frozenset({"summary"})
    """Whose keys stand among the model's own in the result file."""

    spec: str
    fingerprint: str
    size_bytes: int | None
    format: str = "native"
    tier: TierResult
    certified_tier: TierResult
    summary: Summary
    latency: Mapping[str, Json] | None = None
    throughput: Mapping[str, Json] | None = None
    trained_cases: tuple[str, ...] = ()
    weights: Weights | None = None
    prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseNote:
    """How an answer parsed: the status, and the reason's code if it could not be read."""

    status: Status
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One model's answer to one case.

    `calls` are those it wrote, `levels` the four answers (None where a level does not ask), `error` the line of
    a generation that failed.
    """

    model: str
    case: str
    text: str
    parse: ParseNote
    calls: tuple[ToolCall, ...]
    levels: Mapping[str, bool | None]
    mismatches: tuple[Mismatch, ...]
    error_kind: ErrorKind | None
    prompt_tokens: int
    output_tokens: int
    finish_reason: FinishReason
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run. `created` is its time in ISO 8601 with its zone; `models` are by label; `floors` the null models'.

    `settings` are those of generation, None in files that do not say.
    """

    created: str
    environment: Environment
    cases: CaseSet
    models: Mapping[str, ModelResult]
    floors: tuple[Floor, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    gates: tuple[Verdict, ...] = ()
    records: tuple[Record, ...] = ()
    settings: GenerationSettings | None = None


def record_of(model: str, generation: Generation, parsed: ParseResult, score: Score) -> Record:
    """The record of one answer of the model with this label."""
    return Record(
        model=model,
        case=score.case_id,
        text=generation.text,
        parse=ParseNote(status=parsed.status, reason=parsed.reason),
        calls=parsed.calls,
        levels={name: answer(score, name) for name in LEVEL_NAMES},
        mismatches=score.mismatches,
        error_kind=score.error_kind,
        prompt_tokens=generation.prompt_tokens,
        output_tokens=generation.output_tokens,
        finish_reason=generation.finish_reason,
        error=generation.error,
    )


def missed_cases(result: RunResult) -> set[tuple[str, str]]:
    """The label and case id of every answer that some level calls wrong."""
    return {(record.model, record.case) for record in result.records if False in record.levels.values()}
