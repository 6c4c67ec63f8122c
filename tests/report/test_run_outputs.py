"""What a run writes beside its lines: report, markdown, comparisons and their gates."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import scipy.special  # noqa: F401 (a run inside a test forgets what it imported, and numpy cannot be imported twice)

from pytest_mcpbench.core.contamination import row_hash
from pytest_mcpbench.core.result import read_result
from pytest_mcpbench.core.summary import show_percent
from pytest_mcpbench.models.base import LoadOptions, Model, Source
from pytest_mcpbench.models.load import load_model
from tests.core.planted import planted_cases, right_answer

LEAN = ("-pno:randomly", "-pno:hypothesispytest", "-pno:benchmark", "-pno:cacheprovider")


@pytest.fixture
def models(pytester: pytest.Pytester) -> dict[str, str]:
    """Options that name the cases and recorded models: all wrong, all right, one wrong, and many wrong."""
    planted = [entry for entry in planted_cases(8) if entry[0] not in ("cut", "harness_error")]
    cases = [
        {
            "id": case.id,
            "prompt": case.prompt,
            "tools": "coding",
            "expected": [{"name": call.name, "arguments": dict(call.arguments)} for call in case.expected],
        }
        for _, _, case, _ in planted
    ]
    pytester.path.joinpath("cases.jsonl").write_text("\n".join(map(json.dumps, cases)))
    options = {}
    for name, wrong in (("bad", len(planted)), ("good", 0), ("near", 1), ("half", len(planted) // 2)):
        rows = [
            {"case": case.id, "text": (text if number < wrong else right_answer(case)).text}
            for number, (_, _, case, text) in enumerate(planted)
        ]
        pytester.path.joinpath(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        options[name] = f"replay:{name}.jsonl"
    return options


def bench(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(
        "--pyargs", "pytest_mcpbench.suites", "--mcp-cases=cases.jsonl", "--mcp-json=run.json", "-q", *LEAN, *arguments
    )


def test_report_and_markdown_are_written_and_say_what_the_result_says(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    done = bench(
        pytester,
        f"--mcp-model=base={models['bad']}",
        f"--mcp-model=finetuned={models['good']}",
        "--mcp-report=out/report.html",
        "--mcp-markdown=out/summary.md",
    )
    assert done.ret == 0
    result = read_result(pytester.path / "run.json")
    page = Path("out/report.html").read_text("utf-8")
    rate = result.models["finetuned"].summary.levels["level3"]
    assert f'data-key="finetuned|level3" value="{rate.correct}/{rate.n}"' in page
    assert Path("out/summary.md").read_text("utf-8").startswith("## ✅ finetuned may ship")


def test_a_fine_tuned_model_must_be_better_and_a_quantized_one_no_worse(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    done = bench(
        pytester,
        *(f"--mcp-model={label}={models[name]}" for label, name in {"base": "bad", "finetuned": "good"}.items()),
        *(f"--mcp-model={label}={models[name]}" for label, name in {"int8": "good", "int4": "half"}.items()),
    )
    assert done.ret == 1
    gates = {(v.model, v.gate): v.status for v in read_result(pytester.path / "run.json").gates}
    assert gates["finetuned", "better-than:base:level3"] == "PASS"
    assert gates["int8", "no-worse-than:finetuned:level4"] == "PASS"
    assert gates["int4", "no-worse-than:finetuned:level4"] == "FAIL"
    done.stdout.fnmatch_lines(
        [
            "comparison",
            "*tool *parameters *detection *parsing *latency *size*",
            "*finetuned -> int4*",
            "*FAIL no-worse-than:finetuned:level4 int4:*itself not below margin 3 points*",
        ]
    )


def test_a_fine_tuned_model_that_is_worse_than_its_base_fails_the_run(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    done = bench(
        pytester, f"--mcp-model=base={models['good']}", f"--mcp-model=finetuned={models['half']}", "-m", "comparison"
    )
    assert done.ret == 1
    done.assert_outcomes(failed=2)


def test_a_margin_of_one_point_is_selected_by_a_target(pytester: pytest.Pytester, models: dict[str, str]) -> None:
    chosen = ("-m", "comparison", f"--mcp-model=finetuned={models['good']}", f"--mcp-model=int8={models['near']}")
    loose = bench(pytester, *chosen, "--mcp-target=margin:int8=0.05")
    assert loose.ret == 0
    strict = bench(pytester, *chosen, "--mcp-target=margin:int8=0.01")
    assert strict.ret == 1
    strict.stdout.fnmatch_lines(["*UNDECIDED no-worse-than:finetuned:level*more cases at this rate would pass*"])


def test_one_model_is_compared_with_nothing(pytester: pytest.Pytester, models: dict[str, str]) -> None:
    done = bench(pytester, f"--mcp-model=finetuned={models['good']}")
    assert done.ret == 0
    assert read_result(pytester.path / "run.json").comparisons == ()
    assert "comparison" not in done.stdout.str()


def test_a_report_without_its_extra_is_a_usage_error_before_anything_runs(
    pytester: pytest.Pytester, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_mcpbench.publish.find_spec", lambda name: None if name == "jinja2" else object())
    done = bench(pytester, f"--mcp-model=finetuned={models['good']}", "--mcp-report=r.html")
    assert done.ret == 4
    assert "pip install 'pytest-mcpbench[report]'" in done.stderr.str()
    assert "Traceback" not in done.stderr.str()
    assert not Path("run.json").exists()


def test_a_report_that_cannot_be_written_fails_the_run_in_one_line(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    Path("file").write_text("")
    done = bench(pytester, f"--mcp-model=finetuned={models['good']}", "--mcp-markdown=file/summary.md")
    assert done.ret == 4
    done.stdout.fnmatch_lines(["ERROR: file/summary.md: cannot be written*"])
    assert read_result(pytester.path / "run.json").models


def test_a_model_that_was_trained_on_the_cases_gets_no_tier(
    pytester: pytest.Pytester, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for kind, _, case, _ in planted_cases(1) if kind == "no_attempt")
    seen = row_hash(replace(case, id="a-training-row"))

    def load_trained(source: Source, options: LoadOptions) -> Model:
        model = load_model(source, options)
        model.info = replace(model.info, trained_on=(seen, "another"))
        return model

    monkeypatch.setattr("pytest_mcpbench.models.answers.load_model", load_trained)
    done = bench(pytester, f"--mcp-model=finetuned={models['good']}", "--mcp-report=r.html")
    model = read_result(pytester.path / "run.json").models["finetuned"]
    assert (model.tier.tier, model.certified_tier.tier) == (None, None)
    assert len(model.trained_cases) >= 1
    done.stdout.fnmatch_lines([f"*no tier: withheld, as the model was trained on {len(model.trained_cases)} of these*"])
    assert "withheld, as the model was trained on" in Path("r.html").read_text("utf-8")


def test_cases_that_were_missed_before_are_no_ground_for_a_comparison(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    chosen = (f"--mcp-model=base={models['half']}", f"--mcp-model=finetuned={models['near']}")
    assert bench(pytester, *chosen).ret == 0
    assert len(read_result(pytester.path / "run.json").comparisons) == 1
    again = bench(pytester, *chosen, "--mcp-missed")
    assert again.ret == 0
    assert read_result(pytester.path / "run.json").comparisons == ()


def test_the_terminal_and_pytests_own_junit_file_count_as_the_result_does(
    pytester: pytest.Pytester, models: dict[str, str]
) -> None:
    done = bench(pytester, f"--mcp-model=base={models['half']}", "--junit-xml=junit.xml")
    summary = read_result(pytester.path / "run.json").models["base"].summary
    shown = re.findall(r"(level\d) \w+ +(\d+)/(\d+) right \(([\d.]+) %", done.stdout.str())
    assert [(level, int(correct), int(n)) for level, correct, n, _ in shown] == [
        (level, rate.correct, rate.n) for level, rate in summary.levels.items()
    ]
    assert [percent for *_, percent in shown] == [show_percent(rate.exact) for rate in summary.levels.values()]
    found: Counter[tuple[str, str]] = Counter()
    for case in ElementTree.parse("junit.xml").iter("testcase"):
        noted = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        if "mcp_level" in noted and "test_tool[" not in str(case.get("name")):
            found[str(noted["mcp_level"]), str(noted["mcp_outcome"])] += 1
    for level, rate in summary.levels.items():
        assert (found[level, "right"], found[level, "missed"]) == (rate.correct, rate.n - rate.correct)
