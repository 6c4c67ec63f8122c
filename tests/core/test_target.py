from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.claims import GUIDE
from pytest_mcpbench.core.target import LatencyLimit, Targets, exact_target, parse_target, targets_of
from pytest_mcpbench.errors import OptionError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("level3=0.97", ("level3", 0.97)),
        (" level1 = 1 ", ("level1", 1.0)),
        ("level2=0", ("level2", 0.0)),
        ("tool=0.9", ("tool", 0.9)),
        ("tool:grep=0.95", ("tool:grep", 0.95)),
        ("tool:server:read=0.5", ("tool:server:read", 0.5)),
        ("tool:a=b=0.5", ("tool:a=b", 0.5)),
        ("tool_accuracy=0.8", ("level3", 0.8)),
        ("parameter_accuracy=.7", ("level4", 0.7)),
        ("speedup:int8=2.67", ("speedup:int8", 2.67)),
        ("latency_p90_ms:int8=500", ("latency_p90_ms:int8", 500.0)),
        ("latency_p90_ms=500@0123456789ab", ("latency_p90_ms", 500.0)),
    ],
)
def test_a_target_is_a_key_and_a_rate(text: str, parsed: tuple[str, float]) -> None:
    assert parse_target(text) == parsed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("level3=1.5", "'1.5' is not a number from 0 to 1"),
        ("level3=-0.1", "'-0.1' is not a number from 0 to 1"),
        ("level3=97", "'97' is not a number from 0 to 1; for 97 % write 0.97"),
        ("level3=nan", "'nan' is not a number from 0 to 1"),
        ("level3=inf", "'inf' is not a number from 0 to 1"),
        ("level3=97%", "'97%' is not a number"),
        ("level3=", "'' is not a number"),
        ("level5=0.9", "there is no target 'level5' (keys: level1, level2, level3, level4, tool, tool:NAME"),
        ("level3:grep=0.9", "there is no target 'level3:grep'"),
        ("tool:=0.9", "there is no target 'tool:'"),
        ("=0.9", "there is no target ''"),
        ("speedup:int8=0", "'0' is not a number from 0.01 to 1000"),
        ("latency_p90_ms:int8=500@here", "'here' is no machine: write the 12 letters and digits a run shows"),
        ("level3=0.9@0123456789ab", "'0.9@0123456789ab' is not a number"),
        ("0.9", "write KEY=VALUE, as in level3=0.97"),
        ("level3", "write KEY=VALUE, as in level3=0.97"),
        ("", "write KEY=VALUE"),
    ],
)
def test_a_bad_target_is_refused_with_its_text_the_rule_and_the_known_keys(text: str, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_target(text)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"target {text!r}: ")
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_target_within_range_or_an_option_error(text: str) -> None:
    try:
        key, value = parse_target(text)
    except OptionError:
        return
    assert 0 <= value <= (1 if key.partition(":")[0] not in ("speedup", "latency_p90_ms") else 1e9)


def test_without_a_word_from_the_user_the_targets_are_the_guides() -> None:
    targets = targets_of([])
    assert targets == Targets()
    assert dict(targets.levels) == {"level1": 0.97, "level2": 0.95, "level3": 0.95, "level4": 0.90}
    assert targets.for_tool("grep") == 0.90


def test_a_later_target_wins_and_the_others_stay() -> None:
    targets = targets_of(["level3=0.5", "tool:grep=0.6", "tool=0.8", "tool_accuracy=0.7", "tool:grep=0.65"])
    assert targets.levels == {"level1": 0.97, "level2": 0.95, "level3": 0.7, "level4": 0.90}
    assert (targets.for_tool("grep"), targets.for_tool("read")) == (0.65, 0.8)


def test_a_target_is_the_decimal_number_that_was_written() -> None:
    assert exact_target(0.95) == Fraction(19, 20)
    assert exact_target(1e-05) == Fraction(1, 100_000)
    assert exact_target(parse_target("level3=0.945")[1]) == Fraction(945, 1000)


def test_speed_has_targets_by_label_or_for_any_model() -> None:
    targets = targets_of(["speedup=2", "speedup:int8=2.67", "latency_p90_ms:int8=500@0123456789ab"])
    assert (targets.speedup_for("int8"), targets.speedup_for("int4")) == (2.67, 2)
    assert targets.latency_for("int8") == LatencyLimit(ms=500, machine="0123456789ab")
    assert targets.latency_for("int4") is targets_of([]).speedup_for("int8") is None
    assert targets_of(["latency_p90_ms=9"]).latency_for("any") == LatencyLimit(ms=9)


def test_quantized_models_have_targets_a_point_or_two_lower_unless_a_user_set_them() -> None:
    usual = targets_of([])
    assert usual.for_bits(8).levels == {"level1": 0.96, "level2": 0.94, "level3": 0.94, "level4": 0.89}
    assert usual.for_bits(4).levels == {"level1": 0.95, "level2": 0.93, "level3": 0.93, "level4": 0.88}
    assert (usual.for_bits(8).tool, usual.for_bits(4).tool) == (0.89, 0.88)
    assert usual.for_bits(None) == usual
    given = targets_of(["tool_accuracy=0.97", "tool=0.5", "tool:grep=0.6"]).for_bits(4)
    assert (given.levels["level3"], given.levels["level4"]) == (0.97, 0.88)
    assert (given.tool, given.for_tool("grep")) == (0.5, 0.6)


def test_a_size_is_set_for_a_label_or_for_all() -> None:
    targets = targets_of(["size=0.3", "size:int4=0.18"])
    assert (targets.size_for("int8"), targets.size_for("int4")) == (0.3, 0.18)
    assert targets_of([]).size_for("int8") is None


@pytest.mark.parametrize("text", ["guide", " guide ", "guide=true", "guide=True", "guide:int8", "guide:int4-loss=true"])
def test_the_guides_claims_are_targets_without_a_value(text: str) -> None:
    key = text.partition("=")[0].strip()
    assert parse_target(text) == (key, 1.0)
    assert {claim.gate for claim in targets_of([text, text]).claims} == {
        claim.gate for claim in GUIDE if key in ("guide", f"guide:int{claim.bits}", claim.gate)
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("guide:int3", "there is no claim 'guide:int3' (claims: guide, guide:int8, guide:int8-size, "),
        ("guide:", "there is no claim 'guide:'"),
        ("guide=0.5", "the guide's claims have values of their own: write guide, or guide=true"),
        ("guidebook=1", "there is no target 'guidebook'"),
        ("size=25", "'25' is not a number from 0 to 1; for 25 % write 0.25"),
    ],
)
def test_a_claim_that_is_none_is_refused_with_those_there_are(text: str, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_target(text)
    assert problem in str(caught.value)
