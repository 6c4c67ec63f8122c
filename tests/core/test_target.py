from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
