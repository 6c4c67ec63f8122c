"""Runs to report on: four models with planted faults, and texts that would like to be markup."""

import random
from dataclasses import replace

import pytest

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.compare import compare_verdict, margin_of, paired, pairs_of
from pytest_mcpbench.core.pairs import compare_records, records_of
from pytest_mcpbench.core.plan import Generation
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.target import Targets
from tests.core.planted import planted_cases, right_answer, run_of

SHARES = {"base": 0.6, "finetuned": 0.02, "int8": 0.03, "int4": 0.2}

HOSTILE = {
    "script": "<script>document.documentElement.dataset.pwned = 'yes'</script>",
    "image": "<img src=x onerror=\"document.documentElement.dataset.pwned = 'yes'\">",
    "closing": "</script></pre></details><h1 id=pwned>pwned</h1><!--",
    "control": "\x00\x07\x1b[31mred\x1b[0m\x7f\x85",
    "right-to-left": "abc\u202edcba\u2066x\u200f",
    "surrogate": "a\ud800b",
    "markdown": "```\n# big\n[x](javascript:alert(1)) | a | b |\n<details>@someone",
    "separator": "a\u2028b\u2029c\ufeff",
    "template": "{{ 7 * 7 }}{% raw %}",
    "million": "x" * 1_000_000,
}


def four_models(each: int) -> RunResult:
    """A run of base, finetuned, int8 and int4 over `each` cases of every planted fault."""
    planted = planted_cases(each)
    cases = [case for _, _, case, _ in planted]
    answers: dict[str, dict[str, Generation]] = {}
    for label, share in SHARES.items():
        draw = random.Random(label)
        answers[label] = {
            case.id: wrong if draw.random() < share else right_answer(case) for _, _, case, wrong in planted
        }
    return compared(run_of(cases, answers))


def compared(run: RunResult) -> RunResult:
    """The run with its comparisons and their verdicts."""
    pairs = pairs_of(list(run.models))
    comparisons, verdicts = [], []
    for pair in pairs:
        sides = records_of(run, pair.before), records_of(run, pair.after)
        margin = margin_of(pair, Targets())
        comparisons.append(compare_records(pair, *sides, run.cases, margin))
        answers = [{record.case: record.levels["level3"] for record in side} for side in sides]
        verdicts.append(compare_verdict(pair, "level3", paired(*answers), margin))
    return replace(run, comparisons=tuple(comparisons), gates=(*run.gates, *verdicts))


def hostile_run() -> RunResult:
    """A run whose prompts and answers all carry hostile texts, as prose and inside of calls."""
    cases: list[Case] = []
    answers: dict[str, Generation] = {}
    for (name, text), (_, _, case, _) in zip(HOSTILE.items(), planted_cases(len(HOSTILE)), strict=False):
        message = replace(case.messages[0], content=text[:2_000] + " please")
        cases.append(replace(case, id=name, messages=(message,)))
        shown = text.replace("\\", "").replace("'", "").replace("\n", " ")
        call = f"<tool_use>read(file_path='{shown}', {shown[:40]}='{shown}')</tool_use>"
        answers[name] = Generation(text=text if len(cases) % 2 else call)
    return run_of(cases, {"finetuned": answers})


@pytest.fixture(scope="session")
def run() -> RunResult:
    return four_models(6)


@pytest.fixture(scope="session")
def hostile() -> RunResult:
    return hostile_run()
