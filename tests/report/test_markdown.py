"""The markdown summary."""

import json
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.markdown import code, escape, markdown_of
from pytest_mcpbench.core.result import to_json
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import rate_of
from pytest_mcpbench.core.weights import Weights
from pytest_mcpbench.html.page import render_report

COLUMNS = ("level3", "level4", "level1", "level2")


def table_rows(text: str, head: str) -> list[list[str]]:
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_its_numbers_are_the_result_files(run: RunResult) -> None:
    document, text = json.loads(to_json(run)), markdown_of(run)
    rows = table_rows(text, "| model |")
    assert [row[0] for row in rows] == list(document["models"])
    for row in rows:
        entry = document["models"][row[0]]
        assert row[2] == entry["tier"]
        for level, cell in zip(COLUMNS, row[3:7], strict=True):
            rate = entry["levels"][level]
            assert f"({rate['correct']}/{rate['n']})" in cell
            assert abs(float(cell.split(" %")[0]) - 100 * rate["rate"]) < 0.06
            pair = next((pair for pair in document["comparisons"] if pair["after"] == row[0]), None)
            change, low, high = (float(found) for found in re.findall(r"[+-][\d.]+", cell)) if pair else (0, 0, 0)
            if pair:
                exactly = pair["levels"][level]
                for shown, exact in zip((change, low, high), (exactly["change"], *exactly["interval"]), strict=True):
                    assert abs(shown - 100 * exact) < 0.06
    for tool, *cells in table_rows(text, "| tool accuracy |"):
        for label, cell in zip(document["models"], cells, strict=True):
            rate = document["models"][label]["tools"][tool]["level3"]
            assert f"({rate['correct']}/{rate['n']})" in cell


def test_its_comparisons_and_skills_are_the_result_files(run: RunResult) -> None:
    document, text = json.loads(to_json(run)), markdown_of(run)
    for pair in document["comparisons"]:
        part = text.split(f"### {pair['before']} → {pair['after']}\n")[1].split("\n### ")[0]
        for level, name in (("level3", "tool"), ("level4", "parameter")):
            entry = pair["levels"][level]
            found = re.search(rf"- {name} accuracy: (\S+) points .*, (\d+) gained, (\d+) lost", part)
            assert abs(float(found[1]) - 100 * entry["change"]) < 0.06
            assert (int(found[2]), int(found[3])) == (len(entry["gained"]), len(entry["lost"]))
    best = max(floor["level3"]["rate"] for floor in document["floors"])
    for label, entry in document["models"].items():
        above = re.search(rf"- skill of {label}: level3 ([\d.]+) % is ([\d.]+) points above", text)
        assert abs(float(above[1]) - 100 * entry["levels"]["level3"]["rate"]) < 0.06
        assert abs(float(above[2]) - 100 * (entry["levels"]["level3"]["rate"] - best)) < 0.06


def test_every_gate_that_did_not_pass_is_listed(run: RunResult) -> None:
    text = markdown_of(run)
    stopped = [verdict for verdict in run.gates if not verdict.passed]
    assert stopped
    for verdict in stopped:
        assert f"**{verdict.status}** {escape(f'{verdict.gate} {verdict.model}')}" in text


def test_the_verdict_comes_first_and_three_failures_last(run: RunResult) -> None:
    text = markdown_of(run)
    assert text.startswith("## ❌ finetuned and int4 must not ship; int8 is undecided")
    assert text.count("\n- `") == 3


def test_a_run_of_very_many_tools_still_fits_a_pull_requests_comment(run: RunResult) -> None:
    models = {}
    for label, model in run.models.items():
        rates = model.summary.tools["read"]
        tools = {f"mcp_server_with_a_long_name__tool_{number}": rates for number in range(500)}
        tools["the_weakest"] = {level: rate_of(0, 9) for level in rates}
        models[label] = replace(model, summary=replace(model.summary, tools=tools))
    paired = dict.fromkeys(tools, run.comparisons[0].tools["read"])
    pairs = tuple(replace(comparison, tools=paired) for comparison in run.comparisons)
    gates = tuple(replace(v, gate=f"tool:x{n}") for n in range(50) for v in run.gates if not v.passed)
    text = markdown_of(replace(run, models=models, comparisons=pairs, gates=gates))
    assert len(text) < 65_536
    assert "the\\_weakest" in text
    assert "The 40 weakest of 501 tools" in text


def test_hostile_texts_stay_text(hostile: RunResult) -> None:
    text = markdown_of(hostile)
    spans_gone = re.sub(r"(`+).*?\1", "", text)
    for mark in ("<script", "<img", "<details", "@someone", "](javascript"):
        assert mark not in spans_gone
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text) < 60_000  # a pull request's comment takes 65,536 characters


@given(st.text())
def test_a_code_span_cannot_be_closed_by_its_text(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)[0]
    assert span.endswith(fence)
    inner = span[len(fence) : -len(fence)]
    assert fence not in re.findall("`+", inner)
    assert "\n" not in span


@given(st.text())
def test_escaped_text_holds_no_markup(text: str) -> None:
    shown = escape(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|<>]", shown)
    assert "\n" not in shown


def test_the_guides_claims_stand_beside_what_was_measured(run: RunResult) -> None:
    weights = {
        "finetuned": Weights(dtype="float32", bits=32, size_bytes=1_072_000_000),
        "int8": Weights(dtype="int8", bits=8, size_bytes=316_000_000),
    }
    models = {label: replace(model, weights=weights.get(label)) for label, model in run.models.items()}
    text = markdown_of(replace(run, models=models))
    assert "- int8 guide -75 % size: 29.5 % of finetuned in float32 (316 MB of 1,072 MB" in text
    assert "bound: at most 4.00x by smaller weights (float32 to int8); no data" in text
    assert text.count("guide &lt; ") == 2
    assert 'data-claim="int8-size"' in render_report(replace(run, models=models))
