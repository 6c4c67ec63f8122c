"""Gates on speed: which there are, and how a limit is judged."""

from dataclasses import replace

import pytest

from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.latency import times
from pytest_mcpbench.core.speed_limit import latency_verdict, limit_elsewhere, no_reference, speed_gates
from pytest_mcpbench.core.target import LatencyLimit, targets_of
from tests.core.planted import latency_of

PAIRS = (Pair(before="finetuned", after="int8", relation="no-worse-than"),)
MACHINE = "0123456789ab"


@pytest.mark.parametrize(
    ("texts", "gates"),
    [
        ([], {"finetuned": (), "int8": ()}),
        (["speedup=2"], {"finetuned": (), "int8": ("speedup",)}),
        (["speedup:int8=2"], {"finetuned": (), "int8": ("speedup",)}),
        (["speedup:finetuned=2"], {"finetuned": ("speedup",), "int8": ()}),
        ([f"latency_p90_ms=500@{MACHINE}"], {"finetuned": ("latency_p90_ms",), "int8": ("latency_p90_ms",)}),
        ([f"latency_p90_ms:int8=5@{MACHINE}", "speedup=2"], {"finetuned": (), "int8": ("speedup", "latency_p90_ms")}),
    ],
)
def test_a_model_has_the_gates_that_were_asked_for(texts: list[str], gates: dict[str, tuple[str, ...]]) -> None:
    assert {label: speed_gates(label, PAIRS, targets_of(texts), MACHINE) for label in gates} == gates


def test_a_speedup_over_nothing_says_what_is_missing() -> None:
    assert "give the reference too" in no_reference("int8", 2.67).line()


@pytest.mark.parametrize(
    ("limit_ms", "status"), [(100.0, "PASS"), (95.0, "UNDECIDED"), (90.0, "UNDECIDED"), (89.0, "FAIL")]
)
def test_a_limit_is_held_by_the_bound_and_broken_by_the_percentile(limit_ms: float, status: str) -> None:
    found = latency_of([number / 1000 for number in range(1, 101)])  # p90 is 90 ms, at most 96 ms
    verdict = latency_verdict("int8", LatencyLimit(ms=limit_ms, machine=MACHINE), found)
    assert (verdict.status, verdict.rate, verdict.n) == (status, 90.0, 100)
    assert verdict.correct == limit_ms


@pytest.mark.parametrize("at", ["", "@ba9876543210"])
def test_a_limit_for_another_machine_is_no_gate_and_says_how_to_make_it_one(at: str) -> None:
    targets = targets_of([f"latency_p90_ms:int8=1{at}"])
    assert speed_gates("int8", PAIRS, targets, MACHINE) == ()
    line = limit_elsewhere("int8", targets, MACHINE) or ""
    assert f"--mcp-target latency_p90_ms:int8=1@{MACHINE}" in line
    assert limit_elsewhere("int8", targets_of([f"latency_p90_ms:int8=1@{MACHINE}"]), MACHINE) is None
    assert limit_elsewhere("finetuned", targets, MACHINE) is None


def test_a_limit_without_enough_requests_says_how_many_it_takes() -> None:
    limit = LatencyLimit(ms=1000, machine=MACHINE)
    verdict = latency_verdict("int8", limit, latency_of([0.5] * 28))
    assert (verdict.status, verdict.n, verdict.rate) == ("UNDECIDED", 28, None)
    assert "time 29 or more" in verdict.line()
    unmeasured = replace(latency_of([0.5]), e2e_s=times([0.5]))
    assert latency_verdict("int8", limit, unmeasured).status == "UNDECIDED"
