"""Rates, limits and alerts over a production log."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.production import LEAST, Entry, alerts, baseline_of, read_log, windows
from pytest_mcpbench.core.summary import rate_of
from pytest_mcpbench.errors import FormatError, ResultError
from tests.core.planted import planted_run

READER = CaseReader(shipped_tools=Path(__file__).parents[2] / "fixtures" / "tools")
CALL = "<tool_use>read(file_path='a.py')</tool_use>"
WANTED = [{"name": "read", "arguments": {"file_path": "a.py"}}]


def log_of(tmp_path: Path, rows: list[Any]) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def entry(right: bool | None = True, attempted: bool = True, parsed: bool | None = True) -> Entry:
    return Entry(
        model=None, time=None, attempted=attempted, parsed=parsed, detection=right, tool=right, parameters=right
    )


def test_entries_are_scored_as_the_benchmark_scores_where_they_carry_a_label(tmp_path: Path) -> None:
    log = read_log(
        log_of(
            tmp_path,
            [
                {"prompt": "read a.py", "text": CALL, "expected": WANTED},
                {
                    "prompt": "read b.py",
                    "text": CALL,
                    "expected": [{"name": "read", "arguments": {"file_path": "b.py"}}],
                },
                {"prompt": "hello", "text": CALL, "expected": []},
                {"prompt": "read a.py", "text": CALL},
                {"prompt": "read a.py", "text": "<tool_use>read("},
                {"prompt": "hello", "text": "hi", "finish_reason": "stop", "model": "f00", "time": "2026-01-01"},
            ],
        ),
        READER,
    )
    found = [(e.attempted, e.parsed, e.detection, e.tool, e.parameters) for e in log.entries]
    assert found == [
        (True, True, True, True, True),
        (True, True, True, True, False),
        (True, True, False, False, None),
        (True, True, None, None, None),
        (True, False, None, None, None),
        (False, None, None, None, None),
    ]
    assert log.entries[-1].model == "f00"


def test_lines_that_cannot_be_read_are_counted_with_their_places(tmp_path: Path) -> None:
    good = {"prompt": "read a.py", "text": CALL}
    path = log_of(
        tmp_path, [good, "{broken", "[]", {"prompt": "x"}, {**good, "txt": 1}, {**good, "finish_reason": "x"}, "", good]
    )
    log = read_log(path, READER)
    assert len(log.entries) == 2
    assert [place.split(": ")[0].rsplit(":", 1)[1] for place in log.unreadable] == ["2", "3", "4", "5", "6"]


def test_a_log_without_an_entry_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no entry can be read"):
        read_log(log_of(tmp_path, ["{"]), READER)
    with pytest.raises(ResultError, match="cannot be read"):
        read_log(tmp_path / "none.jsonl", READER)
    with pytest.raises(FormatError):
        read_log(log_of(tmp_path, [{"prompt": "x", "text": "y"}]), READER, "no-such-format")


@given(st.lists(st.booleans(), min_size=1, max_size=250), st.integers(20, 60))
def test_windows_hold_every_entry_once_and_end_with_the_last(answers: list[bool], size: int) -> None:
    found = [w for w in windows([entry(right) for right in answers], size) if w.metric == "tool"]
    assert sum(window.rate.n for window in found) == len(answers)
    assert sum(window.rate.correct for window in found) == sum(answers)
    assert found[-1].last == len(answers)
    assert found[-1].rate.n == min(size, len(answers))
    for window in found:
        assert window.low is None or 0 <= window.low <= window.high <= 1


def test_limits_of_a_long_baseline_are_three_standard_errors_and_of_a_short_one_wider() -> None:
    (window,) = [w for w in windows([entry()] * 400, 400, {"tool": rate_of(90_000, 100_000)}) if w.metric == "tool"]
    assert window.low == pytest.approx(0.9 - 3 * (0.9 * 0.1 / 400) ** 0.5, abs=0.005)
    assert window.high == pytest.approx(0.9 + 3 * (0.9 * 0.1 / 400) ** 0.5, abs=0.005)
    (short,) = [w for w in windows([entry()] * 400, 400, {"tool": rate_of(90, 100)}) if w.metric == "tool"]
    assert short.low < window.low
    assert short.high > window.high


def test_a_rate_below_ninety_percent_raises_an_alert_and_one_at_it_does_not() -> None:
    at = [entry(number % 10 != 0) for number in range(100)]
    below = [*at[:-1], entry(False)]
    assert alerts(windows(at, 100)) == ()
    assert {alert.window.metric for alert in alerts(windows(below, 100))} == {"detection", "tool", "parameters"}


def test_a_drop_above_ninety_percent_is_caught_by_the_control_limits() -> None:
    answers = [entry(number % 500 != 0) for number in range(2_000)] + [entry(number % 14 != 0) for number in range(200)]
    raised = alerts(windows(answers, 200))
    assert {alert.reason for alert in raised} == {"outside its control limits"}
    assert "tool" in {alert.window.metric for alert in raised}


@pytest.mark.parametrize(("rate", "length"), [(0.97, 1_000), (0.995, 300), (0.999, 200)])
def test_a_steady_model_seldom_raises_an_alert(rate: float, length: int) -> None:
    draw = random.Random(1)
    raised = 0
    for _ in range(100):
        answers = [entry(draw.random() < rate) for _ in range(length)]
        raised += any(alert.window.metric == "tool" for alert in alerts(windows(answers, 100)))
    assert raised <= 2


def test_many_more_calls_than_usual_are_out_of_control_but_few_are_no_accuracy_alert() -> None:
    rare = [entry(None, attempted=number % 10 == 0, parsed=True if number % 10 == 0 else None) for number in range(900)]
    assert alerts(windows(rare, 100)) == ()
    (alert,) = alerts(windows([*rare, *[entry(None)] * 100], 100))
    assert (alert.window.metric, alert.reason) == ("attempts", "outside its control limits")


def test_a_window_of_few_entries_raises_no_alert() -> None:
    assert alerts(windows([entry(False)] * (LEAST - 1), 100)) == ()
    assert alerts(windows([entry(False)] * LEAST, 100))


def test_a_runs_records_give_the_baseline() -> None:
    run, _ = planted_run(2)
    found = baseline_of(run.records)
    assert found["tool"] == run.models["finetuned"].summary.levels["level3"]
    assert found["parameters"] == run.models["finetuned"].summary.levels["level4"]


def test_the_latest_window_plays_no_part_in_its_own_limits() -> None:
    answers = [entry()] * 100 + [entry(number >= 9) for number in range(100)]
    latest = [window for window in windows(answers, 100) if window.metric == "tool"][-1]
    assert latest.low > 0.92
    assert latest.out_of_control


def test_a_first_miss_is_no_alarm_however_spotless_the_log_was() -> None:
    answers = [entry()] * 300 + [entry(number > 0) for number in range(100)]
    assert alerts(windows(answers, 100)) == ()
