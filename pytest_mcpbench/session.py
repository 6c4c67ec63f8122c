"""One benchmark run: its models, cases, answers, scores and verdicts."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from pytest_mcpbench.core.batching import BATCHING, batching_verdict, spread
from pytest_mcpbench.core.case import Case, Tool
from pytest_mcpbench.core.compare import (
    COMPARED_LEVELS,
    Pair,
    compare_verdict,
    margin_of,
    paired,
    pairs_of,
    quantized_bits,
)
from pytest_mcpbench.core.dataset import CaseReader, read_tools
from pytest_mcpbench.core.earlier import find_earlier
from pytest_mcpbench.core.formats import ParseResult
from pytest_mcpbench.core.gate import GateMode, Verdict, check_gate
from pytest_mcpbench.core.level import answer
from pytest_mcpbench.core.plan import Generation, Request, plan
from pytest_mcpbench.core.quantized import MISSING_REFERENCE, Subject, quantized_gates, quantized_verdict, subject_of
from pytest_mcpbench.core.score import Score, score
from pytest_mcpbench.core.speed_limit import SPEED_GATES, speed_gates
from pytest_mcpbench.core.summary import Summary, rate_of, summarize
from pytest_mcpbench.models.answers import Answers
from pytest_mcpbench.models.base import ModelInfo
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.models.load import Source, resolve
from pytest_mcpbench.run_setup import Setup, labelled
from pytest_mcpbench.since import Since
from pytest_mcpbench.speed import SpeedBench, SpeedLimits

MEASURED_ONLY = "base"
"""The label whose model is measured and not gated."""

WHOLE_LEVELS = frozenset({"level1", "level3"})
"""The levels that run over every case; without one of them the cases where no tool applies are missing."""

FIXTURES = Path(str(files("pytest_mcpbench.fixtures")))
CODING_TOOLS = FIXTURES / "tools" / "coding.json"
CODING_CASES = FIXTURES / "cases" / "coding"


@dataclass(kw_only=True)
class BenchSession:
    """The state of one run. Answers are generated when they are first asked for, each of them once."""

    setup: Setup
    sources: Mapping[str, Source]
    cases: Mapping[str, Case]
    offered_tools: tuple[Tool, ...]
    on_batch: Callable[[str, BatchReport], None] | None = None
    selected: dict[str, list[str]] = field(default_factory=dict)
    levels_run: set[str] = field(default_factory=set)
    gates_run: list[tuple[str, str]] = field(default_factory=list)
    _scores: dict[tuple[str, str], Score] = field(default_factory=dict)
    _parsed: dict[tuple[str, str], ParseResult] = field(default_factory=dict)
    _summaries: dict[str, Summary] = field(default_factory=dict)
    _temporary: "tempfile.TemporaryDirectory[str] | None" = None

    @classmethod
    def start(cls, setup: Setup) -> "BenchSession":
        """A run whose models were found and whose cases were read, with no model loaded yet.

        Raises McpBenchError for the first thing that is wrong.
        """
        tools = read_tools(setup.tools) if setup.tools else None
        reader = CaseReader(shipped_tools=FIXTURES / "tools", tools=tools)
        sources = labelled([(label, resolve(spec, setup.base)) for label, spec in setup.models])
        cases = reader.read(setup.cases or [CODING_CASES]) if setup.models else []
        return cls(
            setup=setup,
            sources=sources,
            cases={case.id: case for case in cases},
            offered_tools=tools or read_tools(CODING_TOOLS),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The models' labels, in the order of the command line."""
        return tuple(self.sources)

    @cached_property
    def bits(self) -> dict[str, int | None]:
        """The bits of each quantized model by its label, None for the others: by what it is, else by its label."""
        return {
            label: (quantized_bits(source.default_label) if source.kind in ("onnx", "demo") else None)
            or quantized_bits(label)
            for label, source in self.sources.items()
        }

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Which models are compared, and what for."""
        return pairs_of(self.labels, self.bits)

    @cached_property
    def speed(self) -> SpeedBench:
        """What is measured of the models' speed, when it is asked for."""
        setup = self.setup
        limits = SpeedLimits(iterations=setup.iterations, duration_s=setup.duration_s, tolerance=setup.speed_tolerance)
        cases = list(self.cases.values())
        return SpeedBench(self.sources, cases, setup.load, setup.settings, limits, self.on_batch)

    @cached_property
    def since(self) -> Since | None:
        """This run beside the earlier one it is held against; None if none was named. Raises as `find_earlier`."""
        if self.setup.compare is None or not self.labels:
            return None
        cases = list(self.cases.values())
        earlier = find_earlier(self.setup.compare, self.setup.runs, cases, self.labels)
        return Since(earlier, cases, self.setup.settings, self.speed, self._answers_at, self.info_of)

    @cached_property
    def tool_names(self) -> list[str]:
        """The tools that some case expects, sorted."""
        return sorted({tool for case in self.cases.values() for tool in case.expected_tools})

    @cached_property
    def requests(self) -> dict[str, Request]:
        """The request of every case by the case's id."""
        return plan(self.cases.values())

    @cached_property
    def answers(self) -> dict[str, Answers]:
        """The answers of each model, by its label."""
        return {label: self.new_answers(label, shared=self.setup.shared) for label in self.labels}

    def new_answers(self, label: str, *, shared: Path | None = None, keep_model: bool = False) -> Answers:
        """Answers of one model that are planned apart from the run's."""
        return Answers(
            label=label,
            source=self.sources[label],
            load=self.setup.load,
            settings=self.setup.settings,
            cache_path=self.setup.cache,
            shared=shared,
            on_batch=self.on_batch,
            keep_model=keep_model,
        )

    def share(self) -> Path:
        """The folder through which the processes of this run share answers; made on first call, gone at `close`."""
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="mcpbench-")
            for answers in self.answers.values():
                answers.shared = Path(self._temporary.name)
        return Path(self._temporary.name)

    def select(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Plan the answers to these (label, case id) pairs; a label with none is planned for all cases."""
        chosen: dict[str, set[str]] = {label: set() for label in self.labels}
        for label, case_id in pairs:
            chosen[label].add(case_id)
        for label, case_ids in chosen.items():
            self.selected[label] = [case_id for case_id in self.cases if not case_ids or case_id in case_ids]
            self.answers[label].plan(self.requests[case_id] for case_id in self.selected[label])

    def answer_of(self, label: str, case: Case) -> Generation:
        """What the model answered."""
        return self.answers[label].get(self.requests[case.id])

    def parsed_of(self, label: str, case: Case) -> ParseResult:
        """What the model's answer holds."""
        found = self._parsed.get((label, case.id))
        if found is None:
            generation = self.answer_of(label, case)
            found = self._parsed[label, case.id] = self.answers[label].parse(generation.text, case.tools)
        return found

    def score_of(self, label: str, case: Case) -> Score:
        """How the model did on the case."""
        found = self._scores.get((label, case.id))
        if found is None:
            reason = self.answer_of(label, case).finish_reason
            found = self._scores[label, case.id] = score(case, self.parsed_of(label, case), reason)
        return found

    def run_cases(self, label: str) -> list[Case]:
        """The cases that this run put to the model: the selected ones, or what other processes of it generated."""
        if label in self.selected:
            return [self.cases[case_id] for case_id in self.selected[label]]
        made = self.answers[label].made(self.requests.values())
        return [self.cases[case_id] for case_id, there in zip(self.requests, made, strict=True) if there]

    def summary_of(self, label: str) -> Summary:
        """What the run's scores of the model add up to."""
        if label not in self._summaries:
            self._summaries[label] = summarize([self.score_of(label, case) for case in self.run_cases(label)])
        return self._summaries[label]

    def verdict_of(self, label: str, gate: str) -> Verdict:
        """The verdict of one gate: a level's name, `tool:NAME`, `batching`, or a comparison's (`comparison_gates`)."""
        if gate == BATCHING:
            cases = spread(self.run_cases(label), self.setup.verify_batching)
            return batching_verdict(
                self.answers[label].check_batching([self.requests[case.id] for case in cases]), label
            )
        if gate in (asked := self.quantized_gates(label)):
            return quantized_verdict(gate, self._subject(asked[gate], gate), self.setup.targets)
        if self.since is not None and gate in self.since.gates(label):
            return self.since.verdict(label, gate)
        if gate in SPEED_GATES:
            return self.speed.verdict_of(label, gate, self.pairs, self.setup.targets)
        if gate in (compared := self.comparison_gates(label)):
            pair, level = compared[gate]
            was, now = (self._answers_at(side, level) for side in (pair.before, pair.after))
            return compare_verdict(pair, level, paired(was, now), margin_of(pair, self.setup.targets))
        summary, targets = self.summary_of(label), self.setup.targets.for_bits(self.bits[label])
        mode: GateMode = "certified" if self.setup.gate == "certified" else "point"
        rate, target = summary.levels.get(gate), targets.levels.get(gate)
        if rate is None or target is None:
            tool = gate.removeprefix("tool:")
            rate, target = summary.tools.get(tool, {}).get("level3", rate_of(0, 0)), targets.for_tool(tool)
        return check_gate(gate, label, rate, target, mode)

    def speed_gates(self, label: str) -> tuple[str, ...]:
        """The gates that a user asked for on the model's speed."""
        targets = self.setup.targets
        return speed_gates(label, self.pairs, targets, self.speed.machine if targets.latencies else "")

    def comparison_gates(self, label: str) -> dict[str, tuple[Pair, str]]:
        """The gates that compare this model with an earlier one: name to pair and level."""
        pairs = [pair for pair in self.pairs if pair.after == label and pair.relation != "beside"]
        return {pair.gate(level): (pair, level) for pair in pairs for level in COMPARED_LEVELS}

    def quantized_gates(self, label: str) -> dict[str, Pair]:
        """The gates that a user asked for on what this model's quantization saved, gained and cost."""
        found = next((pair for pair in self.pairs if pair.after == label and pair.relation == "no-worse-than"), None)
        alone = Pair(before=MISSING_REFERENCE, after=label, relation="no-worse-than", bits=self.bits[label])
        return dict.fromkeys(quantized_gates(found or alone, self.setup.targets), found or alone)

    def _subject(self, pair: Pair, gate: str) -> Subject:
        # A speed is known of models that were loaded to be timed; any other's are loaded now if need be.
        whole, own = (
            (self.info_of(side) or self.answers[side].known()) if side in self.sources else None
            for side in (pair.before, pair.after)
        )
        sides = (pair.before, pair.after) if gate.endswith("-loss") and pair.before in self.sources else ()
        answers = [self._answers_at(side, "level3") for side in sides]
        speed = self.speed.comparisons.get((pair.before, pair.after))
        return subject_of(pair, whole, own, paired(*answers) if answers else None, speed)

    def _answers_at(self, label: str, level: str) -> dict[str, bool | None]:
        return {case.id: answer(self.score_of(label, case), level) for case in self.run_cases(label)}

    def is_gated(self, label: str, gate: str = "") -> bool:
        """Whether a verdict on this model can fail the run; one on how it was measured always can."""
        measured_only = self.setup.gate == "off" or self.setup.only_missed or label == MEASURED_ONLY
        return gate == BATCHING or not measured_only

    def info_of(self, label: str) -> ModelInfo | None:
        """What the model is; None if nothing was asked of it."""
        return self.answers[label].info or self.speed.infos.get(label)

    def complete(self, label: str) -> bool:
        """Whether every planned answer of the model is there; nothing is generated to find out."""
        made = self._made(label)
        return bool(made) and all(made)

    def unfinished(self) -> list[str]:
        """The models that were asked, but not to the end."""
        return [label for label in self.labels if any(made := self._made(label)) and not all(made)]

    def _made(self, label: str) -> list[bool]:
        return self.answers[label].made(self.requests[case.id] for case in self.run_cases(label))

    @property
    def problems(self) -> list[str]:
        """What went wrong without harm to any answer, such as a cache that could not be used."""
        return [problem for answers in self.answers.values() for problem in answers.problems]

    def close(self) -> None:
        """Let models and temporary folders go."""
        for answers in self.__dict__.get("answers", {}).values():
            answers.close()
        if self._temporary is not None:
            self._temporary.cleanup()
