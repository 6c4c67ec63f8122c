"""The subcommands that read results: what they print, what they write, how they exit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pytest_mcpbench.cli import app
from pytest_mcpbench.core.result import read_result, write_result
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.errors import McpBenchError
from tests.core.planted import planted_cases, right_answer, run_of
from tests.report.conftest import compared, four_models, hostile_run


def mcpbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(done: Result) -> str:
    assert isinstance(done.exception, McpBenchError), done.output
    text = str(done.exception)
    assert "\n" not in text
    return text


@pytest.fixture(scope="module")
def run() -> RunResult:
    return four_models(4)


@pytest.fixture
def file(run: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_result(run, tmp_path / "run.json")
    return tmp_path / "run.json"


def perfect(label: str = "finetuned", fingerprint: str = "good") -> RunResult:
    cases = [case for _, _, case, _ in planted_cases(4)]
    run = run_of(cases, {label: {case.id: right_answer(case) for case in cases}})
    return replace(run, models={label: replace(run.models[label], fingerprint=fingerprint)})


def test_compare_shows_the_table_the_flips_with_both_texts_and_fails_on_a_lost_margin(
    file: Path, run: RunResult
) -> None:
    done = mcpbench("compare", file)
    assert done.exit_code == 1
    assert "base -> finetuned" in done.output
    assert "FAIL no-worse-than:finetuned:level3 int4" in done.output
    flip = run.comparisons[-1].levels["level3"].lost[0]
    assert f"    {flip}\n      finetuned: " in done.output
    assert "  int8 guide < 1 % loss: net loss " in done.output


def test_compare_of_a_run_with_itself_finds_nothing_and_passes(file: Path) -> None:
    done = mcpbench("compare", file, file, "--before", "int8", "--after", "int8")
    assert done.exit_code == 0, done.output
    assert "0 gained, 0 lost" in done.output


def test_compare_across_files_uses_only_common_cases(tmp_path: Path, file: Path, run: RunResult) -> None:
    other = perfect()
    kept = other.cases.items[: len(other.cases.items) // 2]
    ids = {case.id for case in kept}
    half = replace(
        other,
        cases=replace(other.cases, items=kept),
        records=tuple(record for record in other.records if record.case in ids),
    )
    write_result(half, tmp_path / "half.json")
    done = mcpbench("compare", file, tmp_path / "half.json", "--before", "base", "--after", "finetuned")
    assert done.exit_code == 0, done.output
    assert "base (A) -> finetuned (B)" in done.output
    assert "  finetuned (B)     100.0 %     100.0 %" in done.output
    assert f"compared over the {len(ids)} cases that both ran (A ran {run.cases.n}, B " in done.output
    back = mcpbench("compare", tmp_path / "half.json", file, "--before", "finetuned", "--after", "base")
    assert back.exit_code == 1
    assert "worse beyond chance" in back.output


def test_compare_names_labels_and_cases_that_do_not_fit(tmp_path: Path, file: Path) -> None:
    assert "no model 'x'" in error_of(mcpbench("compare", file, "--before", "x"))
    other = perfect()
    strangers = tuple(replace(case, id=f"other-{case.id}") for case in other.cases.items)
    write_result(replace(other, cases=replace(other.cases, items=strangers)), tmp_path / "other.json")
    assert "no case in common" in error_of(mcpbench("compare", file, tmp_path / "other.json"))
    write_result(other, tmp_path / "one.json")
    assert "nothing to compare" in error_of(mcpbench("compare", tmp_path / "one.json"))


@pytest.mark.parametrize("command", ["compare", "debug", "rescore", "gate"])
def test_a_run_without_models_or_with_strangers_answers_is_refused_in_one_line(
    command: str, tmp_path: Path, run: RunResult
) -> None:
    empty = replace(run, models={}, comparisons=(), gates=(), records=())
    write_result(empty, tmp_path / "empty.json")
    assert "no" in error_of(mcpbench(command, tmp_path / "empty.json"))
    strange = replace(run, models={"other": run.models["base"]})
    write_result(strange, tmp_path / "strange.json")
    assert "'finetuned' is none of the models" in error_of(mcpbench(command, tmp_path / "strange.json"))


def test_debug_names_kinds_examples_and_remedies(file: Path) -> None:
    done = mcpbench("debug", file, "--model", "base")
    assert done.exit_code == 0
    assert "wrong value (quoting)" in done.output
    assert "what to change, best supported first:\n    1. " in done.output
    assert "finetuned:" not in done.output
    assert "no model 'x'" in error_of(mcpbench("debug", file, "--model", "x"))


def test_rescore_writes_a_result_that_equals_the_old_under_the_old_rules(file: Path, tmp_path: Path) -> None:
    done = mcpbench("rescore", file, "--out", tmp_path / "again.json")
    assert done.exit_code == 1
    assert "0 answers are judged differently" in done.output
    old, new = read_result(file), read_result(tmp_path / "again.json")
    assert (new.models, new.records, new.comparisons) == (old.models, old.records, old.comparisons)
    assert {(v.gate, v.model, v.status) for v in new.gates} == {(v.gate, v.model, v.status) for v in old.gates}


def test_rescore_reads_the_texts_in_another_format(file: Path) -> None:
    done = mcpbench("rescore", file, "--format", "hermes")
    assert done.exit_code == 1
    assert "answers are judged differently" in done.output
    assert "0 answers" not in done.output


def test_report_writes_every_form_from_one_result(file: Path, tmp_path: Path) -> None:
    done = mcpbench("report", file, "--html", "a/r.html", "--markdown", "r.md", "--junit", "r.xml")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a" / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "r.md").read_text("utf-8").startswith("## ")
    assert (tmp_path / "r.xml").read_text("utf-8").startswith("<?xml")
    assert mcpbench("report", file).output == f"written: {file.with_suffix('.html')}\n"
    assert "no training report" in error_of(mcpbench("report", file, "--training", tmp_path))
    assert "no model 'x'" in error_of(mcpbench("report", file, "--training", "x=y"))


@pytest.mark.parametrize("command", ["compare", "debug", "rescore", "report", "gate"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": "mcpbench.run/9"}', "mcpbench.run/9"),
        ('{"models": {}}', "no 'schema'"),
        ("{", "not JSON"),
        ('{"schema": "mcpbench.run/1"}', "breaks 'mcpbench.run/1'"),
    ],
)
def test_a_foreign_or_broken_result_is_refused_by_name(tmp_path: Path, command: str, text: str, says: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert says in error_of(mcpbench(command, tmp_path / "run.json"))


def test_a_result_of_before_cases_were_kept_is_still_read(file: Path, run: RunResult) -> None:
    document = json.loads(file.read_text())
    del document["cases"]["items"], document["cases"]["toolsets"]
    for model in document["models"].values():
        del model["trained_cases"], model["format"]
    document["comparisons"] = []
    file.write_text(json.dumps(document))
    assert mcpbench("debug", file).exit_code == 0
    assert mcpbench("report", file).exit_code == 0
    assert "holds no cases" in error_of(mcpbench("rescore", file))


def test_gate_prints_each_point_with_its_evidence_and_fails_by_name(file: Path, tmp_path: Path) -> None:
    done = mcpbench("gate", file)
    assert done.exit_code == 1
    assert f"[{file}]" in done.output
    assert "must not ship: " in done.output
    policy = tmp_path / "policy.toml"
    points = [line.split()[1].rstrip(":") for line in done.output.splitlines() if line.startswith("FAIL")]
    policy.write_text("[waive]\n" + "\n".join(f'{point} = "agreed"' for point in points))
    waived = mcpbench("gate", file, "--policy", policy)
    assert waived.exit_code == 0, waived.output
    assert "WAIVED" in waived.output


def test_gate_checks_the_training_rows_themselves(file: Path, tmp_path: Path) -> None:
    rows = [
        {
            "id": f"row-{number}",
            "prompt": f"read notes{number}.txt",
            "tools": "coding",
            "expected": [{"name": "read", "arguments": {"file_path": f"notes{number}.txt"}}],
        }
        for number in range(40)
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[evidence]\ndata = "{data}"\n')
    assert (
        f"PASS   data: 40 rows without an error, 29 needed [{data}]"
        in mcpbench("gate", file, "--policy", policy).output
    )
    data.write_text("\n".join(map(json.dumps, [*rows, {"id": "bad"}])))
    assert "FAIL   data: " in mcpbench("gate", file, "--policy", policy).output


def test_a_junit_file_is_evidence_only_if_its_tests_passed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[evidence]\nintegration = "out.xml"\n')
    for test, line in (
        ("", "PASS   integration: evidence is there"),
        ("<failure/>", "FAIL   integration: 1 of 1 tests"),
    ):
        (tmp_path / "out.xml").write_text(f'<testsuite><testcase name="a">{test}</testcase></testsuite>')
        assert line in mcpbench("gate", file, "--policy", tmp_path / "policy.toml").output


def test_the_training_report_of_the_demo_model_is_evidence_and_is_plotted(
    run: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = {**run.models, "finetuned": replace(run.models["finetuned"], spec="demo:finetuned")}
    write_result(replace(run, models=models), tmp_path / "run.json")
    assert "[the training report beside finetuned]" in mcpbench("gate", tmp_path / "run.json").output
    assert mcpbench("report", tmp_path / "run.json").exit_code == 0
    assert "<b>Training of finetuned</b>" in (tmp_path / "run.html").read_text("utf-8")


def log(path: Path, right: int, wrong: int, **extra: str) -> Path:
    row = {"prompt": "read a.py", "expected": [{"name": "read", "arguments": {"file_path": "a.py"}}], **extra}
    good, bad = "<tool_use>read(file_path='a.py')</tool_use>", "<tool_use>read(file_path='b.py')</tool_use>"
    rows = [{**row, "text": good}] * right + [{**row, "text": bad}] * wrong
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_monitor_stays_quiet_while_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = mcpbench("monitor", log(tmp_path / "log.jsonl", 300, 0))
    assert done.exit_code == 0, done.output
    assert "no alert" in done.output


def test_monitor_alerts_below_ninety_percent_and_names_the_model_to_go_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / ".mcpbench" / "runs"
    for number, fingerprint in enumerate(("older", "old", "current", "never released"), 1):
        write_result(perfect(fingerprint=fingerprint), runs / f"{number}.json")
    bad = log(tmp_path / "log.jsonl", 200, 30, model="current")
    done = mcpbench("monitor", bad)
    assert done.exit_code == 1
    assert "ALERT parameters: 70.0 % is below 90 %" in done.output
    assert "roll back to finetuned" in done.output
    assert "fingerprint old" in done.output
    payload = json.loads(mcpbench("monitor", bad, "--json").output)
    assert (payload["schema"], payload["alert"]) == ("mcpbench.monitor/1", True)
    assert payload["roll_back_to"]["fingerprint"] == "old"
    assert payload["metrics"]["parameters"]["correct"] == 70
    assert payload["text"].startswith("ALERT")
    assert "roll back to finetuned" in payload["text"]


def test_monitor_lists_the_latest_windows_of_a_long_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = mcpbench("monitor", log(tmp_path / "log.jsonl", 400, 0), "--window", "20").output.splitlines()
    assert "  attempts: 12 earlier windows" in shown
    assert sum(line.startswith("  attempts 20/20 attempted") for line in shown) == 8


def test_monitor_centres_its_limits_on_a_benchmark_run(tmp_path: Path, file: Path) -> None:
    entries = log(tmp_path / "log.jsonl", 90, 10)
    assert "name one of" in error_of(mcpbench("monitor", entries, "--baseline", str(file)))
    assert mcpbench("monitor", entries).exit_code == 0
    write_result(compared(perfect()), tmp_path / "good.json")
    done = mcpbench("monitor", entries, "--baseline", f"{tmp_path / 'good.json'}#finetuned")
    assert done.exit_code == 1
    assert "outside its control limits" in done.output


def test_hostile_texts_reach_the_terminal_escaped(tmp_path: Path) -> None:
    run = hostile_run()
    label = "evil\x1b[2J\u202e\ud800"
    renamed = replace(
        run,
        models={label: run.models["finetuned"]},
        records=tuple(replace(record, model=label) for record in run.records),
        gates=tuple(replace(verdict, model=label) for verdict in run.gates),
    )
    write_result(renamed, tmp_path / "run.json")
    for command in (["debug"], ["rescore"], ["compare", tmp_path / "run.json"], ["gate"], ["report"]):
        done = mcpbench(command[0], tmp_path / "run.json", *command[1:])
        assert done.exception is None or isinstance(done.exception, SystemExit | McpBenchError), command
        assert all(char.isprintable() or char == "\n" for char in done.output), command
        assert max(map(len, done.output.split("\n"))) < 2_000
