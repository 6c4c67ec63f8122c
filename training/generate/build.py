"""Rows as they are drawn: one at a time, checked, and none twice."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random

from pytest_mcpbench.core.case import Case, Message, Tool
from pytest_mcpbench.core.dataset import read_tools
from pytest_mcpbench.core.formats import parse, render
from pytest_mcpbench.core.overlap import CaseIndex, normalized
from pytest_mcpbench.core.schema import ArgumentChecker
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, finished
from pytest_mcpbench.training.generate.editing import edit_clause
from pytest_mcpbench.training.generate.finding import glob_clause
from pytest_mcpbench.training.generate.grounding import invented
from pytest_mcpbench.training.generate.pairs import pair_clause
from pytest_mcpbench.training.generate.pools import Split
from pytest_mcpbench.training.generate.reading import read_clause
from pytest_mcpbench.training.generate.refusing import refused_clause
from pytest_mcpbench.training.generate.searching import grep_clause
from pytest_mcpbench.training.generate.shell import bash_clause
from pytest_mcpbench.training.generate.writing import write_clause

BUILDERS: dict[str, Callable[[Maker], Clause]] = {
    "read": read_clause, "write": write_clause, "edit": edit_clause, "bash": bash_clause, "grep": grep_clause,
    "glob": glob_clause, "two": pair_clause, "none": refused_clause,
}  # fmt: skip

SHARES = {
    "read": 0.17, "write": 0.118, "edit": 0.132, "bash": 0.118, "grep": 0.142, "glob": 0.118, "two": 0.074,
    "none": 0.128,
}  # fmt: skip
"""What part of the rows asks for what: each tool alone, two calls, no call."""

_MAX_DRAWS = 400
"""Draws in a row that may fail (a doubled prompt, an empty side of a pool) before the pools count as too small."""

_MAX_ANSWER = 600
"""Characters of a rendered answer: hardly more fit into the tokens that evaluation allows."""

_MAX_PROMPT = 720
"""Characters of a prompt."""

_MAX_TOKENS = 360
"""Tokens of prompt and answer together, as estimated: with the system text a row then has six hundred at most."""

_TOKENS = re.compile(r"[A-Za-z]{1,4}|\d|[^\w\s]|_|\n|[^\x00-\x7f]")


def draw(split: Split, counts: Iterable[tuple[str, int]], seed: str, foreign: CaseIndex, seen: set[str]) -> list[Case]:
    """So many rows of each kind, drawn from one side of the pools, each with its kind for an id.

    Their prompts are added to `seen`, normalized, and none was in there. None is like a case in `foreign`, with
    whatever values. A row that fails one of its checks is drawn again. Raises TrainingError where the pools give out.
    """
    maker = Maker(Random(seed), split)
    return [_next_row(maker, kind, seen, foreign) for kind, count in counts for _ in range(count)]


@cache
def coding_tools() -> tuple[Tool, ...]:
    """The six tools of the shipped set."""
    return read_tools(Path(str(files("pytest_mcpbench.fixtures"))) / "tools" / "coding.json")


def faults(case: Case, checker: ArgumentChecker) -> str | None:
    """What is wrong with a row: an answer that rendering spoils, breaks a schema or is invented; None if nothing."""
    calls = [expected.call for expected in case.expected]
    if calls and list(parse(render(calls, "native"), "native").calls) != calls:
        return f"the answer to {case.prompt!r} is not read back as it was written"
    tools = {tool.name: tool for tool in case.tools}
    for alternative in case.alternatives:
        for call in alternative:
            variants = [call.arguments]
            room = (*call.accept.items(), *call.optional.items())
            variants += [{**call.arguments, name: value} for name, values in room for value in values]
            for arguments in variants:
                if problem := checker.problem(tools[call.name], arguments):
                    return f"{call.name} for {case.prompt!r}: {problem}"
    return invented(case)


def _next_row(make: Maker, kind: str, seen: set[str], foreign: CaseIndex) -> Case:
    checker = _checker()
    for _ in range(_MAX_DRAWS):
        try:
            clause = BUILDERS[kind](make)
        except EmptyPoolError:
            continue
        names = sorted({call.name for call in clause.alternatives[0]})
        prompt = finished(clause, make, "bash" if "bash" in names else names[0] if names else "none")
        key = normalized(prompt)
        answer = render([call.call for call in clause.alternatives[0]], "native") if names else ""
        if not key or key in seen or _too_long(prompt, answer):
            continue
        case = Case(
            id=kind,
            messages=(Message(role="user", content=prompt),),
            tools=coding_tools(),
            alternatives=clause.alternatives,
            tags=frozenset((*names, _category(clause.alternatives[0], names))),
        )
        if not foreign.has_like(case) and faults(case, checker) is None:
            seen.add(key)
            return case
    raise TrainingError(f"the pools give no more {kind!r} rows that differ from each other; ask for fewer rows")


def _too_long(prompt: str, answer: str) -> bool:
    if len(prompt) > _MAX_PROMPT or len(answer) > _MAX_ANSWER:
        return True
    return len(prompt) + len(answer) > _MAX_TOKENS and len(_TOKENS.findall(prompt + answer)) > _MAX_TOKENS


@cache
def _checker() -> ArgumentChecker:
    return ArgumentChecker()


def _category(calls: Sequence[object], names: Sequence[str]) -> str:
    if not calls:
        return "irrelevance"
    if len(calls) == 1:
        return "simple"
    return "parallel" if len(names) == 1 else "parallel_multiple"
