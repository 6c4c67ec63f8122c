"""A run whose every fault is known: cases of four tools, answered rightly or with one planted fault each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, ToolCall
from pytest_mcpbench.core.dataset import cases_hash, read_tools
from pytest_mcpbench.core.environment import environment
from pytest_mcpbench.core.floors import floor_report
from pytest_mcpbench.core.formats import parse, render
from pytest_mcpbench.core.gate import certified_tier, check_gates, tier_of
from pytest_mcpbench.core.kept import keep
from pytest_mcpbench.core.latency import Latency, times
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.run import ModelResult, Record, RunResult, record_of
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.core.target import Targets

TOOLS = read_tools(Path(__file__).parents[2] / "fixtures" / "tools" / "coding.json")

Answer = Callable[[int], Generation]


def said(*calls: tuple[str, dict[str, Any]]) -> Generation:
    return Generation(text=render([ToolCall(name=name, arguments=arguments) for name, arguments in calls], "native"))


def case_of(name: str, prompt: str, *calls: tuple[str, dict[str, Any]]) -> Case:
    expected = tuple(ExpectedCall(name=tool, arguments=arguments) for tool, arguments in calls)
    return Case(
        id=name,
        messages=(Message(role="user", content=prompt),),
        tools=TOOLS,
        alternatives=(expected,),
        tags=frozenset(),
    )


def path(i: int) -> str:
    return f"src/parts{i}/Module_{i}.py"


def read_case(name: str, i: int) -> Case:
    return case_of(
        name, f"read the first {40 + i} lines of {path(i)}", ("read", {"file_path": path(i), "limit": 40 + i})
    )


def read_said(i: int, **changed: Any) -> Generation:
    return said(("read", {"file_path": path(i), "limit": 40 + i, **changed}))


def write_case(name: str, i: int) -> Case:
    return case_of(
        name, f"write {content(i)!r} to out{i}.txt", ("write", {"file_path": f"out{i}.txt", "content": content(i)})
    )


def content(i: int) -> str:
    return f'Say "yes, {i}" and go on; Number {i} follows.'


def write_said(i: int, text: str) -> Generation:
    return said(("write", {"file_path": f"out{i}.txt", "content": text}))


def two_case(name: str, i: int) -> Case:
    return case_of(
        name,
        f"read a{i}.py and run `make t{i}`",
        ("read", {"file_path": f"a{i}.py"}),
        ("bash", {"command": f"make t{i}"}),
    )


PLANTED: dict[tuple[str, str], tuple[Callable[[str, int], Case], Answer]] = {
    ("harness_error", "out of memory"): (
        read_case,
        lambda i: Generation(text="", finish_reason="error", error=f"out of memory: batch {i}"),
    ),
    ("cut", ""): (read_case, lambda i: Generation(text="<tool_use>read(file_path='src/", finish_reason="length")),
    ("unparsed", "unclosed"): (read_case, lambda i: Generation(text=f"<tool_use>read(file_path='{path(i)}'")),
    ("no_attempt", ""): (read_case, lambda i: Generation(text=f"That file is number {i}.")),
    ("false_call", "grep"): (
        lambda name, i: case_of(name, f"what is closure {i}?"),
        lambda i: said(("grep", {"pattern": f"closure {i}"})),
    ),
    ("unknown_tool", "open_file for read"): (read_case, lambda i: said(("open_file", {"file_path": path(i)}))),
    ("wrong_tool", "glob for read"): (read_case, lambda i: said(("glob", {"pattern": path(i)}))),
    ("missing_call", ""): (two_case, lambda i: said(("read", {"file_path": f"a{i}.py"}))),
    ("extra_call", ""): (
        two_case,
        lambda i: said(
            ("read", {"file_path": f"a{i}.py"}), ("bash", {"command": f"make t{i}"}), ("bash", {"command": "ls"})
        ),
    ),
    ("missing_argument", "limit"): (read_case, lambda i: said(("read", {"file_path": path(i)}))),
    ("extra_argument", "offset"): (read_case, lambda i: read_said(i, offset=7)),
    ("wrong_value", "number_type"): (read_case, lambda i: read_said(i, limit=str(40 + i))),
    ("wrong_value", "path"): (read_case, lambda i: read_said(i, file_path=f"/app/{path(i)}")),
    ("wrong_value", "letter_case"): (read_case, lambda i: read_said(i, file_path=path(i).lower())),
    ("wrong_value", "quoting"): (write_case, lambda i: write_said(i, content(i).replace('"', "'"))),
    ("wrong_value", "white_space"): (write_case, lambda i: write_said(i, content(i) + "\n")),
    ("wrong_value", "punctuation"): (write_case, lambda i: write_said(i, content(i)[:-1])),
    ("wrong_value", "truncated"): (write_case, lambda i: write_said(i, content(i)[:12])),
    ("wrong_value", "misread"): (read_case, lambda i: read_said(i, file_path=f"{40 + i} lines")),
    ("wrong_value", "hallucinated"): (write_case, lambda i: write_said(i, f"Lorem ipsum dolor {i}")),
}
"""Each kind and detail with a case, and an answer to it that has just this fault."""


def planted_cases(each: int) -> list[tuple[str, str, Case, Generation]]:
    """Kind, detail, case and wrong answer, `each` of every planted fault."""
    return [
        (kind, detail, make(f"{kind}-{detail.replace(' ', '_') or 'x'}-{i}", i), answer(i))
        for (kind, detail), (make, answer) in PLANTED.items()
        for i in range(each)
    ]


def right_answer(case: Case) -> Generation:
    return Generation(text=render([call.call for call in case.expected], "native") if case.expected else "A word.")


def run_of(cases: list[Case], answers: dict[str, dict[str, Generation]], **models: Any) -> RunResult:
    """The result of a run in which these models, by label, gave these answers by case."""
    results, records = {}, []
    for label, by_case in answers.items():
        scores = []
        for case in cases:
            parsed = parse(by_case[case.id].text, "native", case.tools)
            scores.append(score(case, parsed, by_case[case.id].finish_reason))
            records.append(record_of(label, by_case[case.id], parsed, scores[-1]))
        summary = summarize(scores)
        results[label] = ModelResult(
            spec=f"replay:{label}",
            fingerprint=label,
            size_bytes=1000,
            tier=tier_of(summary),
            certified_tier=certified_tier(summary),
            summary=summary,
            **models,
        )
    return RunResult(
        created="2026-01-02T03:04:05+00:00",
        environment=environment(),
        cases=keep(cases, cases_hash(cases)),
        models=results,
        floors=floor_report(cases).floors,
        gates=tuple(
            verdict
            for label, model in results.items()
            if label != "base"
            for verdict in check_gates(model.summary, label, Targets())
        ),
        records=tuple(records),
    )


def planted_run(each: int = 20) -> tuple[RunResult, dict[str, tuple[str, str]]]:
    """A run with every fault, and the kind and detail planted in each case."""
    planted = planted_cases(each)
    run = run_of([case for _, _, case, _ in planted], {"finetuned": {case.id: text for _, _, case, text in planted}})
    return run, {case.id: (kind, detail) for kind, detail, case, _ in planted}


def records_by_case(run: RunResult) -> dict[str, Record]:
    return {record.case: record for record in run.records}


def latency_of(samples_s: Sequence[float], **changed: Any) -> Latency:
    """What a model of which every time has these samples was found to need."""
    found = times(samples_s)
    plain = Latency(
        n=len(samples_s),
        warmup=10,
        warmup_settled=True,
        threads=2,
        device="cpu",
        batch_size=1,
        e2e_s=found,
        ttft_cold_s=found,
        ttft_warm_s=found,
        tpot_s=None,
        prompt_tokens=100.5,
        cached_prompt_tokens=90.0,
        output_tokens=20.0,
        correct=3,
        peak_memory_bytes=None,
        memory_of="process",
        cases="c",
    )
    return replace(plain, **changed)
