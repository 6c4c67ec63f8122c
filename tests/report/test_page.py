"""The HTML page: its numbers, its texts, what it leaves out, its size."""

import base64
import json
import random
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_mcpbench.core.curves import Checkpoint, Count, Curves, StepLoss
from pytest_mcpbench.core.history import PastModel
from pytest_mcpbench.core.kept import CaseSet
from pytest_mcpbench.core.result import to_json
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import Confusion, rate_of, show_percent
from pytest_mcpbench.errors import ResultError
from pytest_mcpbench.html.page import Extras, render_report, write_report
from pytest_mcpbench.html.payload import pack
from pytest_mcpbench.html.view import gate_title, matrix_of, skill_rows
from tests.report.conftest import HOSTILE, four_models

FIVE_MB = 5_000_000


class Elements(HTMLParser):
    """Every element with its attributes and the text directly in it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)


def unpacked(page: str) -> dict:
    packed = re.search(r'id="data">([^<]*)<', page)
    return json.loads(zlib.decompress(base64.b64decode(packed[1])))


@pytest.fixture(scope="module")
def page(run: RunResult) -> str:
    return render_report(run)


def test_every_rate_of_the_page_is_the_result_files(page: str, run: RunResult) -> None:
    document = json.loads(to_json(run))
    shown = [
        (attributes["data-key"].removeprefix("table|").split("|"), attributes["value"], "".join(text))
        for tag, attributes, text in Elements(page).found
        if tag == "data"
    ]
    assert len(shown) > 50
    for (label, *path), counts, percent in shown:
        entry = document["models"][label]
        rate = entry["levels"][path[0]] if len(path) == 1 else entry["tools"][path[0].removeprefix("tool:")][path[1]]
        assert counts == f"{rate['correct']}/{rate['n']}"
        exact = rate_of(rate["correct"], rate["n"]).exact
        assert percent.strip().replace("\N{NO-BREAK SPACE}", " ") == f"{show_percent(exact)} %"
    keys = {"|".join(key) for key, _, _ in shown}
    assert {f"{label}|{level}" for label in document["models"] for level in entry["levels"]} <= keys


def test_every_verdict_and_comparison_of_the_page_is_the_result_files(page: str, run: RunResult) -> None:
    document = json.loads(to_json(run))
    attributes = [found for _, found, _ in Elements(page).found]
    gates = {(a["data-gate"], a["data-verdict"], a["data-counts"]) for a in attributes if "data-gate" in a}
    assert gates == {(f"{g['model']}|{g['name']}", g["verdict"], f"{g['correct']}/{g['n']}") for g in document["gates"]}
    flips = {(a["data-pair"], a["data-flips"]) for a in attributes if "data-pair" in a}
    assert flips == {
        (
            f"{c['before']}|{c['after']}|{level}",
            f"{len(c['levels'][level]['gained'])}/{len(c['levels'][level]['lost'])}",
        )
        for c in document["comparisons"]
        for level in ("level3", "level4")
    }


def test_every_change_and_skill_of_the_page_is_the_result_files(page: str, run: RunResult) -> None:
    document = json.loads(to_json(run))
    found = {a["data-change"]: (a["data-counts"], text[0]) for _, a, text in Elements(page).found if "data-change" in a}
    wanted = {}
    for pair in document["comparisons"]:
        wanted |= {f"change|{pair['after']}|{level}": entry for level, entry in pair["levels"].items()}
        wanted |= {f"pair|{pair['before']}|{pair['after']}|{tool}": entry for tool, entry in pair["tools"].items()}
    assert len(found) > 12
    for key, (counts, shown) in found.items():
        entry = wanted[key]
        assert counts == f"{entry['before']}/{entry['after']}/{entry['n']}"
        assert float(shown) == pytest.approx(100 * entry["change"], abs=0.05 + 1e-9)
    best = max(floor["level3"]["rate"] for floor in document["floors"])
    for label, cells in skill_rows(run):
        rate = document["models"][label]["levels"]["level3"]["rate"]
        assert float(cells[2]) == pytest.approx(100 * (rate - best), abs=0.05 + 1e-9)
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page


def test_the_reasons_stand_under_the_decision_in_words(page: str, run: RunResult) -> None:
    head = page[page.index('class="because"') : page.index("<nav")]
    stopped = [verdict for verdict in run.gates if not verdict.passed]
    assert head.count("<li><b>") == 3
    assert f"and {len(stopped) - 3} more that did not pass" in head
    assert "<b>int4</b> Tool accuracy" in head
    assert "level3" not in head


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("level1", "Detection"),
        ("tool:my:tool", "Right tool where my:tool is asked for"),
        ("better-than:base:level3", "Tool accuracy better than base"),
        ("no-worse-than:a:b:level4", "Parameter accuracy no worse than a:b"),
        ("no-regression:speed", "Speed no worse than in the earlier run"),
        ("guide:int8-size", "The guide's int8 size"),
        ("speedup", "Speedup"),
    ],
)
def test_gates_have_names_that_need_no_manual(gate: str, words: str) -> None:
    assert gate_title(gate) == words


def test_verdict_and_tier_and_weakest_tool_and_three_failures_come_first(page: str) -> None:
    page = page[page.index("<body>") :]
    order = [page.index(mark) for mark in ("<h1>", 'class="tier ', "Weakest tool", 'class="failures"', 'id="gates"')]
    assert order == sorted(order)
    failures = page[page.index('class="failures"') : page.index('id="gates"')]
    assert failures.count("<h3>") == 3
    assert failures.count("Expected</dt>") == 3


def test_the_explorer_holds_every_answer_with_why_it_is_wrong(page: str, run: RunResult) -> None:
    data = unpacked(page)
    assert len(data["cases"]) == run.cases.n
    assert len(data["records"]) == len(run.records)
    for row, record in zip(data["records"], run.records, strict=True):
        assert data["models"][row[0]] == record.model
        assert data["cases"][row[1]][0] == record.case
        assert (len(row) > 5) == (record.error_kind is not None)
        assert len(row) == 5 or row[7]


def test_no_text_of_a_model_becomes_markup(hostile: RunResult) -> None:
    page = render_report(hostile)
    elements = Elements(page).found
    assert [attributes.get("id") for tag, attributes, _ in elements if tag == "script"] == ["data", None]
    assert not [tag for tag, attributes, _ in elements if tag in ("img", "iframe", "link", "object")]
    assert not [key for _, attributes, _ in elements for key in attributes if key.startswith("on")]
    assert not [a for _, a, _ in elements if a.get("id") == "pwned"]
    assert "49" not in {"".join(text).strip() for _, _, text in elements}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\u2028\u2029]", page)
    assert len(page) < FIVE_MB


def test_hostile_texts_stand_whole_but_escaped_in_the_explorer(hostile: RunResult) -> None:
    data = unpacked(render_report(hostile))
    texts = {case[0]: case[1] for case in data["cases"]}
    assert texts["script"].startswith(HOSTILE["script"])
    assert texts["surrogate"].startswith("a\\ud800b")
    assert "\\u202e" in texts["right-to-left"]
    assert "more characters in the result file" in json.dumps(data["records"])


def test_the_page_loads_nothing_and_runs_only_its_own_script(page: str) -> None:
    elements = Elements(page).found
    assert not [a for _, a, _ in elements if "src" in a]
    links = [a["href"] for _, a, _ in elements if a.get("href")]
    assert all(link.startswith("#") for link in links)
    policy = next(a["content"] for _, a, _ in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_a_run_without_times_or_comparisons_leaves_their_sections_out(run: RunResult) -> None:
    one = replace(
        run,
        models={"finetuned": run.models["finetuned"]},
        comparisons=(),
        records=tuple(record for record in run.records if record.model == "finetuned"),
        gates=tuple(verdict for verdict in run.gates if verdict.model == "finetuned"),
    )
    page = render_report(one)
    assert 'id="comparison"' not in page
    assert 'id="figures"' not in page
    assert "ms on average" not in page


def test_times_history_sizes_and_training_curves_are_plotted_where_they_are_known(run: RunResult) -> None:
    models = {
        label: replace(model, size_bytes=10**9 // number, latency={"mean_s": 0.1 / number, "samples_s": [0.1, 0.2]})
        for number, (label, model) in enumerate(run.models.items(), 1)
    }
    past = [
        PastModel(
            file=f"{number}.json",
            created="2026",
            cases=run.cases.hash,
            label="finetuned",
            spec="x",
            fingerprint=str(number),
            tier="GOOD",
            levels=run.models["finetuned"].summary.levels,
            passed=True,
        )
        for number in range(3)
    ]
    point = Checkpoint(
        step=10, epoch=1, train_loss=0.1, eval_loss=0.2, tool=Count(n=9, correct=8), parameters=Count(n=9, correct=7)
    )
    curves = Curves(
        ended="completed",
        best_step=10,
        train_rows=9,
        points=(StepLoss(step=1, train_loss=1.0), StepLoss(step=5, train_loss=0.4)),
        evaluations=(point,),
    )
    page = render_report(replace(run, models=models), Extras(past=past, curves={"finetuned": curves}))
    for title in ("Latency", "Size against accuracy", "History", "Training of finetuned"):
        assert f"<b>{title}</b>" in page
    assert page.count('<svg class="plot" role="img" aria-label="') == 4
    assert "50 ms on average" in page
    assert "var(--series-1)" in page
    assert not re.search("#0102[01]", page)


def test_a_result_that_kept_no_cases_still_makes_a_page(run: RunResult) -> None:
    page = render_report(replace(run, cases=CaseSet(hash=run.cases.hash, n=run.cases.n)))
    assert len(unpacked(page)["records"]) == len(run.records)


def test_a_page_of_five_hundred_cases_of_four_models_is_small() -> None:
    assert len(render_report(four_models(25)).encode()) < FIVE_MB


def test_ten_thousand_cases_of_four_models_fit_a_page_whole(run: RunResult) -> None:
    draw = random.Random(0)
    cases, records = [], []
    by_case = {case.id: [r for r in run.records if r.case == case.id] for case in run.cases.items}
    for number in range(10_000):
        case = run.cases.items[number % run.cases.n]
        name, word = f"{case.id}-{number}", draw.randbytes(12).hex()
        cases.append(replace(case, id=name, messages=(replace(case.messages[0], content=f"{case.prompt} {word}"),)))
        records += [replace(r, case=name, text=f"{r.text} {word}") for r in by_case[case.id]]
    many = replace(run, cases=replace(run.cases, n=10_000, items=tuple(cases)), records=tuple(records), comparisons=())
    page = render_report(many)
    assert len(page.encode()) < FIVE_MB
    data = unpacked(page)
    assert (len(data["cases"]), len(data["records"])) == (10_000, 40_000)
    assert data["records"][-1][2].endswith(word)


def test_texts_are_cut_until_the_data_fit(run: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = 1_000_000
    monkeypatch.setattr("pytest_mcpbench.html.payload.BUDGET", budget)
    draw = random.Random(0)
    noise = [base64.b64encode(draw.randbytes(9_000)).decode() for _ in run.records]
    long = replace(run, records=tuple(replace(r, text=text) for r, text in zip(run.records, noise, strict=True)))
    payload = pack(long)
    assert payload.limit < 8_000
    assert len(payload.packed) <= budget


def test_a_matrix_keeps_every_case_and_calls_wrong_pairs_wrong() -> None:
    confusion = [
        Confusion(want="read", got="read", n=5),
        Confusion(want="read", got="no call", n=2),
        Confusion(want="bash+read", got="bash+read", n=3),
        Confusion(want="bash+read", got="bash+grep", n=1),
        *(Confusion(want=f"rare{i}", got=f"rare{i}", n=1) for i in range(20)),
    ]
    matrix = matrix_of(confusion)
    assert sum(cell.n for _, _, cells in matrix.rows for cell in cells) == sum(entry.n for entry in confusion)
    rows = {name: dict(zip(matrix.columns, cells, strict=True)) for name, _, cells in matrix.rows}
    assert (rows["read"]["read"].right, rows["read"]["no call"].right) == (True, False)
    assert (rows["several"]["several"].n, rows["several"]["other calls"].n) == (3, 1)
    assert len(matrix.columns) <= 15


def test_a_page_that_cannot_be_written_is_an_error_of_one_line(run: RunResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be written"):
        write_report(run, tmp_path / "file" / "report.html")
