"""Which earlier run is meant."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.earlier import Earlier, find_earlier
from pytest_mcpbench.core.result import RunResult, write_result
from pytest_mcpbench.errors import OptionError
from tests.core.test_regression import CASES, latency, run, timed_run


def answered(text: str, folder: Path, cases: Sequence[Case] = CASES) -> Earlier:
    found = find_earlier(text, folder, cases, ["finetuned", "int8"]).answered
    assert found is not None
    return found


def keep(folder: Path, runs: Mapping[str, RunResult]) -> None:
    for name, result in runs.items():
        write_result(result, folder / f"{name}.json")


def test_last_is_the_latest_run_of_the_same_cases(tmp_path: Path) -> None:
    keep(tmp_path, {"1": run(), "2": run(1), "3": run(cases=10)})
    (tmp_path / "4.json").write_text("{")
    labels = ["finetuned"]
    assert answered("last", tmp_path).name == "2"
    assert answered("last", tmp_path, CASES[:10]).name == "3"
    with pytest.raises(OptionError, match="run once without --mcp-compare"):
        find_earlier("last", tmp_path, CASES, ["int8"])
    with pytest.raises(OptionError, match="'last': no such file"):
        find_earlier("last", tmp_path / "none", CASES, labels)


def test_a_run_is_named_by_its_file_its_name_the_beginning_of_it_or_a_label(tmp_path: Path) -> None:
    keep(tmp_path, {"2026-01-02": run(), "2026-02-03": run(1)})
    write_result(run(2), tmp_path / "other" / "main.json")
    labels = ["finetuned", "int8"]
    assert answered(str(tmp_path / "other/main.json"), tmp_path).result == run(2)
    assert answered("2026-01-02", tmp_path).result == run()
    assert answered("2026-02", tmp_path).path == tmp_path / "2026-02-03.json"
    assert answered("finetuned", tmp_path).name == "2026-02-03"
    for text, problem in [("2026", "begins the names of 2 runs"), ("nobody", "'nobody': no such file, and no run")]:
        with pytest.raises(OptionError, match=problem):
            find_earlier(text, tmp_path, CASES, labels)
    with pytest.raises(OptionError, match=r"main.json has none of the models int8 \(it has: finetuned\)"):
        find_earlier(str(tmp_path / "other/main.json"), tmp_path, CASES, ["int8"])


def test_answers_and_times_may_come_from_two_runs(tmp_path: Path) -> None:
    only_timed = replace(timed_run(latency(0.1)), records=())
    keep(tmp_path, {"1": timed_run(latency(0.2)), "2": only_timed, "3": run(), "4": replace(run(), records=())})
    found = find_earlier("last", tmp_path, CASES, ["finetuned"])
    assert found.answered is not None
    assert found.timed is not None
    assert (found.answered.name, found.timed.name, len(found.runs)) == ("3", "2", 2)
    both = find_earlier("1", tmp_path, CASES, ["finetuned"])
    assert [earlier.name for earlier in both.runs] == ["1"]
    with pytest.raises(OptionError, match="4 holds neither answers nor times of finetuned"):
        find_earlier("4", tmp_path, CASES, ["finetuned"])
