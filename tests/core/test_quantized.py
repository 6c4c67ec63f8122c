"""Sizes, speeds and losses of quantized models, beside what the guide claims and what is possible."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.claims import GUIDE, claim_names, claims_named
from pytest_mcpbench.core.compare import Pair, Paired, paired
from pytest_mcpbench.core.quantized import (
    ClaimRow,
    Subject,
    cases_for,
    claim_rows,
    quantized_gates,
    quantized_verdict,
    size_verdict,
)
from pytest_mcpbench.core.speed import SpeedComparison, compare_speed
from pytest_mcpbench.core.stats import tango_upper
from pytest_mcpbench.core.target import targets_of
from pytest_mcpbench.core.weights import Weights

MB = 1_000_000
FLOAT32 = Weights(dtype="float32", bits=32, size_bytes=1072 * MB, read_bytes=1072 * MB, engine="PyTorch")
INT8 = Weights(
    dtype="int8",
    bits=8,
    block_size=32,
    scale_bits=32,
    size_bytes=316 * MB,
    read_bytes=316 * MB,
    engine="ONNX Runtime",
)
PAIR = Pair(before="finetuned", after="int8", relation="no-worse-than", bits=8)


def flips(both: int, gains: int, losses: int) -> Paired:
    answers = [(True, True)] * both + [(False, True)] * gains + [(True, False)] * losses
    return paired(*({str(number): answer[side] for number, answer in enumerate(answers)} for side in (0, 1)))


def faster(factor: float) -> SpeedComparison:
    times = [1.0 + number / 1000 for number in range(40)]
    return compare_speed(times, [time / factor for time in times], labels=("finetuned", "int8"))


SUBJECT = Subject(
    label="int8",
    reference="finetuned",
    bits=8,
    weights=INT8,
    reference_weights=FLOAT32,
    disk_bytes=536 * MB,
    loss=flips(596, 2, 2),
    speed=faster(3.0),
)


def row(subject: Subject, kind: str) -> ClaimRow:
    return next(row for row in claim_rows(subject) if row.claim.kind == kind)


def test_the_guides_numbers_are_in_the_table_and_each_has_a_name() -> None:
    assert [(claim.name, claim.words) for claim in GUIDE] == [
        ("int8-size", "-75 % size"),
        ("int8-speed", "2.67x speed"),
        ("int8-loss", "< 1 % loss"),
        ("int4-size", "-87.5 % size"),
        ("int4-speed", "3.67x speed"),
        ("int4-loss", "< 3 % loss"),
    ]


def test_claims_are_selected_all_together_by_bits_or_one_by_one() -> None:
    assert claims_named("") == GUIDE
    assert [claim.name for claim in claims_named("int4")] == ["int4-size", "int4-speed", "int4-loss"]
    assert [claim.name for claim in claims_named("int8-loss")] == ["int8-loss"]
    assert claims_named("int3") == ()
    assert len(claim_names()) == 1 + 2 + 6


def test_the_gates_are_those_that_were_asked_for_and_fit_the_bits() -> None:
    assert quantized_gates(PAIR, targets_of([])) == []
    asked = targets_of(["guide:int8-size", "guide:int4", "size:int8=0.3"])
    assert quantized_gates(PAIR, asked) == ["size", "guide:int8-size"]
    assert quantized_gates(replace(PAIR, bits=4), targets_of(["guide"])) == [
        "guide:int4-size",
        "guide:int4-speed",
        "guide:int4-loss",
    ]


def test_a_size_for_every_label_is_asked_of_quantized_models_and_one_for_a_label_of_that() -> None:
    whole = Pair(before="base", after="finetuned", relation="better-than")
    assert quantized_gates(whole, targets_of(["size=0.3"])) == []
    assert quantized_gates(whole, targets_of(["size:finetuned=0.3"])) == ["size"]


def test_a_size_is_of_the_weights_as_they_ran_and_says_what_it_is_on_disk() -> None:
    verdict = size_verdict(SUBJECT, 0.3)
    assert verdict.line() == (
        "PASS size int8: 29.5 % of finetuned in float32 (316 MB of 1,072 MB; 59.0 % of its files) <= target 30 %"
    )
    assert size_verdict(replace(SUBJECT, disk_bytes=1072 * MB), 0.3).reason.count("%") == 2


def test_a_size_above_the_target_fails_and_says_whether_its_form_could_reach_it() -> None:
    assert size_verdict(SUBJECT, 0.29).status == "FAIL"
    assert "larger blocks" in size_verdict(SUBJECT, 0.29).next_step
    impossible = size_verdict(SUBJECT, 0.25)
    assert impossible.status == "FAIL"
    assert impossible.next_step == (
        "no file of this form can reach it: not below 28.1 % (int8 in blocks of 32 from float32)"
    )


def test_a_size_below_what_its_form_takes_is_not_believed() -> None:
    small = replace(SUBJECT, weights=replace(INT8, size_bytes=200 * MB))
    verdict = size_verdict(small, 0.3)
    assert verdict.status == "FAIL"
    assert "below the 28.1 % that its form takes" in verdict.reason
    assert verdict.next_step.startswith("check what was measured")


@given(st.integers(302, 2000), st.floats(0.01, 1.0))
def test_a_size_passes_exactly_where_it_is_within_the_target(size_mb: int, target: float) -> None:
    subject = replace(SUBJECT, weights=replace(INT8, size_bytes=size_mb * MB))
    assert size_verdict(subject, target).passed == (size_mb / 1072 <= target)


def test_every_claim_stands_beside_what_was_measured_and_what_is_possible() -> None:
    assert [found.line() for found in claim_rows(SUBJECT)] == [
        "int8 guide -75 % size: 29.5 % of finetuned in float32 (316 MB of 1,072 MB; 59.0 % of its files); "
        "bound: not below 28.1 % (int8 in blocks of 32 from float32); does not hold",
        "int8 guide 2.67x speed: 3.00x as fast (95 % interval 3.00 to 3.00, 40 pairs); "
        "bound: at most 3.39x by smaller weights (1,072 MB / 316 MB a token); holds",
        "int8 guide < 1 % loss: net loss 0.0 points, at most 0.71; "
        "bound: none; these 600 cases show less than 1 point; holds",
    ]


def test_another_engine_may_be_faster_than_smaller_weights_alone_and_it_is_said() -> None:
    found = row(replace(SUBJECT, speed=faster(7.0)), "speed")
    assert found.verdict.status == "PASS"
    assert "at most 3.39x by smaller weights" in found.bound
    assert found.bound.endswith("the rest by another engine")
    assert "the rest by another engine" in found.verdict.reason


def test_on_one_engine_a_speedup_beyond_the_bound_is_an_error_whatever_the_claim() -> None:
    graph = replace(FLOAT32, engine="ONNX Runtime")
    found = row(replace(SUBJECT, reference_weights=graph, speed=faster(7.0)), "speed")
    assert found.verdict.status == "FAIL"
    assert "above the physical bound of 3.39x" in found.verdict.reason
    assert "check what was measured" in found.verdict.next_step


def test_on_one_engine_a_claim_beyond_the_bound_is_an_error_whatever_was_measured() -> None:
    half = Weights(dtype="float16", bits=16, engine="ONNX Runtime")
    column = Weights(dtype="int8", bits=8, engine="ONNX Runtime")
    subject = replace(SUBJECT, reference_weights=half, weights=column, speed=faster(1.9))
    found = row(subject, "speed")
    assert found.verdict.status == "FAIL"
    assert "above the physical bound of 2.00x" in found.verdict.reason
    assert "check what was measured" in found.verdict.next_step


def test_the_guides_int4_claims_are_beyond_its_own_baseline() -> None:
    half, by_32 = Weights(dtype="float16", bits=16), Weights(dtype="int4", bits=4, block_size=32)
    subject = Subject(label="int4", reference="finetuned", bits=4, weights=by_32, reference_weights=half)
    assert row(subject, "speed").bound == "at most 3.56x by smaller weights (float16 to int4 in blocks of 32)"
    assert row(subject, "size").bound == "not below 28.1 % (int4 in blocks of 32 from float16)"


def test_what_was_not_measured_fails_its_gate_and_says_how_to_measure_it() -> None:
    subject = replace(SUBJECT, speed=None, loss=None, reference_weights=None)
    for kind, step in (("speed", "latency"), ("loss", "same cases"), ("size", "--mcp-model=finetuned=PATH")):
        verdict = quantized_verdict(f"guide:int8-{kind}", subject, targets_of(["guide"]))
        assert (verdict.status, verdict.rate, verdict.gate) == ("FAIL", None, f"guide:int8-{kind}")
        assert verdict.reason.startswith("no data")
        assert step in verdict.next_step


def test_what_nothing_is_known_of_has_no_row() -> None:
    assert claim_rows(Subject(label="int8", reference="finetuned", bits=8)) == ()
    unmeasured = row(replace(SUBJECT, speed=None), "speed")
    assert unmeasured.line().endswith("(1,072 MB / 316 MB a token); no data")


def test_a_loss_that_the_cases_cannot_show_says_how_many_could_at_this_disagreement() -> None:
    seen = flips(598, 1, 5)
    text = cases_for(seen, 0.01)
    needed = int(text.split("takes ")[1].split(" ")[0].replace(",", ""))
    assert text == f"to show less than 1 point takes {needed:,} cases at this disagreement, 604 were run"
    assert tango_upper(5 * needed / 604, needed / 604, needed) < 0.01
    assert row(replace(SUBJECT, loss=seen), "loss").verdict.status == "UNDECIDED"
    assert cases_for(flips(90, 0, 10), 0.03) == "no number of cases shows less than 3 points at this loss"
