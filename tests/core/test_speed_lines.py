"""What was timed, in lines; the numbers themselves are pinned by the plugin's tests."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_mcpbench.core.gate import TierResult
from pytest_mcpbench.core.latency import times, to_mapping
from pytest_mcpbench.core.run import ModelResult
from pytest_mcpbench.core.speed_lines import speed_lines, speed_tables
from pytest_mcpbench.core.summary import summarize
from pytest_mcpbench.core.throughput import Throughput
from pytest_mcpbench.core.throughput import to_mapping as throughput_mapping
from tests.core.planted import latency_of
from tests.core.test_throughput import rate

NO_TIER = TierResult(tier=None, set_by=None, reason="")


EMPTY = ModelResult(
    spec="a", fingerprint="b", size_bytes=None, tier=NO_TIER, certified_tier=NO_TIER, summary=summarize([])
)


def lines(timed: Any, throughput: dict[str, Any] | None = None) -> list[str]:
    mapping = timed if timed is None or isinstance(timed, dict) else to_mapping(timed)
    return list(speed_lines(replace(EMPTY, latency=mapping, throughput=throughput)))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (12.3456, "12,346 ms"),
        (0.0999999, "100 ms"),
        (0.09994, "99.9 ms"),
        (0.0123456, "12.3 ms"),
        (0.00234567, "2.35 ms"),
        (0.0001234, "0.123 ms"),
    ],
)
def test_milliseconds_have_three_digits_that_count(seconds: float, shown: str) -> None:
    assert lines(latency_of([seconds] * 3))[0].startswith(f"  latency    mean {shown}, p50 takes 5 calls; 3 calls")


def test_three_hundred_calls_carry_every_percentile() -> None:
    first = lines(latency_of([number / 1000 for number in range(1, 301)]))[0]
    assert (
        "p50 150 ms, p90 270 ms (95 % sure: at most 279 ms), p99 297 ms (95 % sure: at most 300 ms); 300 calls" in first
    )


def test_what_could_not_be_measured_is_said() -> None:
    found = replace(latency_of([0.1] * 30), warmup_settled=False, cached_prompt_tokens=0.0, peak_memory_bytes=2_000_000)
    text = "\n".join(lines(found))
    assert "nothing can be held" in text
    assert "a further token  none was written" in text
    assert "cpu, 2 threads; warm-up 10 calls, which did not settle; peak memory 2 MB of the process" in text
    assert "of the GPU" in "\n".join(lines(replace(found, memory_of="cuda", tpot_s=times([0.1]))))


def test_what_was_not_measured_or_by_others_has_no_line() -> None:
    assert lines(None) == []
    assert lines({"mean_s": 0.1}, {"requests_per_s": 3}) == []


def test_a_page_gets_a_row_for_each_model_and_batch_size() -> None:
    timed = {"int8": replace(EMPTY, latency=to_mapping(latency_of([0.5] * 30)))}
    batches = Throughput(batch_size=4, threads=2, device="cpu", batches=(rate(1, 10), rate(4, 20)), knee=4)
    tables = speed_tables({"base": EMPTY, **timed, "x": replace(EMPTY, throughput=throughput_mapping(batches))})
    assert [(table.title, [label for label, _ in table.rows]) for table in tables] == [
        ("Latency", ["int8"]),
        ("Throughput", ["x", "x"]),
    ]
    for table in tables:
        assert {len(cells) for _, cells in table.rows} == {len(table.columns)}
    ((_, cells),) = tables[0].rows
    assert dict(zip(tables[0].columns, cells, strict=True))["p90"] == "500 ms"
    assert dict(zip(tables[0].columns, cells, strict=True))["p99"] == "-"
    assert tables[1].rows[1][1][:2] == ("4 (knee)", "20.00")
    assert speed_tables({"base": EMPTY}) == []
