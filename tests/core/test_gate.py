import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.gate import (
    Targets,
    Tier,
    certifiable_notice,
    certified_tier,
    check_gate,
    check_gates,
    show_target,
    targets_of,
    tier_of,
    tier_of_rates,
)
from pytest_mcpbench.core.level import LEVEL_NAMES
from pytest_mcpbench.core.stats import clopper_pearson_lower, clopper_pearson_upper
from pytest_mcpbench.core.summary import Summary, rate_of, summarize

ORDER = list(Tier)
counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
targets_in_percent = st.integers(1, 99).map(lambda percent: percent / 100)


def summary_of(tool: tuple[int, int], parameters: tuple[int, int], **tools: tuple[int, int]) -> Summary:
    empty = summarize([])
    levels = {"level1": rate_of(*tool), "level2": rate_of(*parameters)}
    levels |= {"level3": rate_of(*tool), "level4": rate_of(*parameters)}
    rows = {name: {"level3": rate_of(*found)} for name, found in tools.items()}
    return Summary(**{name: getattr(empty, name) for name in empty.__slots__} | {"levels": levels, "tools": rows})


@pytest.mark.parametrize(
    ("tool", "parameters", "tier", "set_by"),
    [
        (951, 901, Tier.EXCELLENT, "both"),
        (1000, 1000, Tier.EXCELLENT, "both"),
        (950, 901, Tier.GOOD, "tool accuracy"),
        (951, 900, Tier.GOOD, "parameter accuracy"),
        (950, 900, Tier.GOOD, "both"),
        (850, 800, Tier.GOOD, "both"),
        (849, 800, Tier.ACCEPTABLE, "tool accuracy"),
        (850, 799, Tier.ACCEPTABLE, "parameter accuracy"),
        (750, 700, Tier.ACCEPTABLE, "both"),
        (749, 1000, Tier.POOR, "tool accuracy"),
        (1000, 699, Tier.POOR, "parameter accuracy"),
        (0, 0, Tier.POOR, "both"),
    ],
)
def test_the_tier_is_the_worse_of_two_columns_at_exact_borders(
    tool: int, parameters: int, tier: Tier, set_by: str
) -> None:
    result = tier_of(summary_of((tool, 1000), (parameters, 1000)))
    assert (result.tier, result.set_by) == (tier, set_by)
    assert result.line().startswith(f"{tier.name} ({tier.action}): tool accuracy ")
    assert result.line().endswith(f"set by {set_by}")


@given(st.integers(1, 10**6))
def test_exactly_95_percent_is_good_for_any_number_of_cases(twentieths: int) -> None:
    perfect = (1, 1)
    assert tier_of(summary_of((19 * twentieths, 20 * twentieths), perfect)).tier is Tier.GOOD
    assert tier_of(summary_of((19 * twentieths + 1, 20 * twentieths), perfect)).tier is Tier.EXCELLENT


@given(counts, counts)
def test_one_more_right_answer_never_lowers_a_tier(tool: tuple[int, int], parameters: tuple[int, int]) -> None:
    before = tier_of(summary_of(tool, parameters)).tier
    assert before is not None
    for hits, n in (tool, parameters):
        if hits < n:
            more = tier_of(summary_of((hits + 1, n) if (hits, n) == tool else tool, parameters)).tier
            assert more is not None
            assert ORDER.index(more) <= ORDER.index(before)


@given(counts, counts)
def test_a_certified_tier_is_never_better_than_the_tier(tool: tuple[int, int], parameters: tuple[int, int]) -> None:
    seen, proven = tier_of(summary_of(tool, parameters)).tier, certified_tier(summary_of(tool, parameters)).tier
    assert seen is not None
    assert proven is not None
    assert ORDER.index(proven) >= ORDER.index(seen)


def test_29_perfect_cases_certify_good_and_59_excellent() -> None:
    tiers = [certified_tier(summary_of((n, n), (n, n))).tier for n in (1, 10, 11, 28, 29, 58, 59)]
    assert tiers == [
        Tier.POOR,
        Tier.POOR,
        Tier.ACCEPTABLE,
        Tier.GOOD,
        Tier.GOOD,
        Tier.GOOD,
        Tier.EXCELLENT,
    ]
    assert "tool accuracy at least 90.2 %" in certified_tier(summary_of((29, 29), (29, 29))).reason


@pytest.mark.parametrize(
    ("tool", "parameters", "named"),
    [
        ((5, 5), (0, 0), "no data for parameter accuracy: no case that expects a call was run"),
        ((0, 0), (0, 0), "no data for tool accuracy and parameter accuracy: no case was run"),
    ],
)
def test_without_data_in_a_column_there_is_no_tier(
    tool: tuple[int, int], parameters: tuple[int, int], named: str
) -> None:
    for result in (tier_of(summary_of(tool, parameters)), certified_tier(summary_of(tool, parameters))):
        assert (result.tier, result.set_by, result.action) == (None, None, None)
        assert result.line() == f"no tier: {named}"


def test_a_rate_just_under_a_step_does_not_seem_to_be_on_it() -> None:
    result = tier_of_rates(rate_of(94_999, 100_000), rate_of(1, 1))
    assert result.reason.startswith("tool accuracy 94.999 % and parameter accuracy 100.0 %")


@given(counts, targets_in_percent)
def test_a_point_gate_compares_exactly(found: tuple[int, int], target: float) -> None:
    verdict = check_gate("level3", "m", rate_of(*found), target)
    assert verdict.status == ("PASS" if found[0] * 100 >= round(target * 100) * found[1] else "FAIL")


@given(counts, targets_in_percent)
def test_a_certified_gate_asks_for_proof_either_way(found: tuple[int, int], target: float) -> None:
    verdict = check_gate("level3", "m", rate_of(*found), target, "certified")
    proven, refuted = clopper_pearson_lower(*found) >= target, clopper_pearson_upper(*found) < target
    assert verdict.status == ("PASS" if proven else "FAIL" if refuted else "UNDECIDED")
    point = check_gate("level3", "m", rate_of(*found), target).status
    assert verdict.status in (point, "UNDECIDED")


@given(counts, targets_in_percent)
def test_no_line_shows_a_rate_on_the_other_side_of_its_target(found: tuple[int, int], target: float) -> None:
    line = check_gate("level3", "m", rate_of(*found), target).line()
    shown, sign, goal = re.search(r"\(([\d.]+) %.* (>=|<) target ([\d.]+) %", line).groups()  # type: ignore[union-attr]
    assert (Fraction(shown) >= Fraction(goal)) is (sign == ">=")


@pytest.mark.parametrize("mode", ["point", "certified"])
def test_no_data_fails_a_gate_even_one_with_the_target_0(mode: str) -> None:
    verdict = check_gate("level4", "m", rate_of(0, 0), 0.0, mode)  # type: ignore[arg-type]
    assert (verdict.status, verdict.rate, verdict.interval) == ("FAIL", None, None)
    assert verdict.line().startswith("FAIL level4 m: no data for target 0 %; ")


def test_an_undecided_gate_says_how_many_more_cases_decide_it() -> None:
    verdict = check_gate("level3", "m", rate_of(29, 29), 0.95, "certified")
    assert verdict.status == "UNDECIDED"
    assert verdict.next_step.startswith("30 more cases at this rate would pass it")
    worse = check_gate("level3", "m", rate_of(18, 20), 0.95, "certified")
    more = int(worse.next_step.split()[0])
    assert "would fail it" in worse.next_step
    assert clopper_pearson_upper(0.9 * (20 + more), 20 + more) < 0.95
    assert clopper_pearson_upper(0.9 * (19 + more), 19 + more) >= 0.95
    equal = check_gate("level3", "m", rate_of(19, 20), 0.95, "certified")
    assert (equal.status, equal.next_step) == ("UNDECIDED", "no number of cases decides at this rate")


def test_the_lines_read_as_the_style_asks() -> None:
    lines = [
        check_gate("level3", "finetuned", rate_of(143, 200), 0.95).line(),
        check_gate("tool:grep", "finetuned", rate_of(190, 200), 0.95).line(),
        check_gate("level3", "m", rate_of(59, 59), 0.95, "certified").line(),
        check_gate("level3", "m", rate_of(50, 100), 0.95, "certified").line(),
    ]
    misses = "look at the misses: add --mcp-missed -v, or mcpbench debug RUN.json"
    assert lines == [
        f"FAIL level3 finetuned: 143/200 right (71.5 %, 95 % interval 64.9 to 77.3) < target 95 %; {misses}",
        "PASS tool:grep finetuned: 190/200 right (95.0 %, 95 % interval 91.0 to 97.3) >= target 95 %",
        "PASS level3 m: 59/59 right (100.0 %, 95 % interval 93.9 to 100.0), lower bound 95.05 % >= target 95 %",
        f"FAIL level3 m: 50/100 right (50.0 %, 95 % interval 40.4 to 59.6), upper bound 58.6 % < target 95 %; {misses}",
    ]


def test_there_is_a_gate_for_each_level_and_each_tool_at_its_own_target() -> None:
    summary = summary_of((96, 100), (91, 100), read=(9, 10), grep=(8, 10), none=(0, 10))
    verdicts = {verdict.gate: verdict for verdict in check_gates(summary, "m", targets_of(["tool:grep=0.75"]))}
    assert list(verdicts) == [*LEVEL_NAMES, "tool:grep", "tool:read"]
    assert [verdicts[gate].status for gate in verdicts] == ["FAIL", "FAIL", "PASS", "PASS", "PASS", "PASS"]
    assert (verdicts["tool:grep"].target, verdicts["tool:read"].target) == (0.75, 0.9)


def test_a_tool_with_a_target_of_its_own_and_no_case_fails_and_so_may_the_cases_without_a_tool() -> None:
    targets = targets_of(["tool:glob=0.5", "tool:none=0.5"])
    verdicts = check_gates(summary_of((1, 1), (1, 1), none=(6, 10)), "m", targets)
    assert [(v.gate, v.status, v.n) for v in verdicts[4:]] == [("tool:glob", "FAIL", 0), ("tool:none", "PASS", 10)]


def test_too_few_cases_are_announced_with_what_they_can_show() -> None:
    even = Targets(levels=dict.fromkeys(LEVEL_NAMES, 0.95))
    notice = certifiable_notice(29, even)
    assert notice is not None
    assert notice.startswith("29 cases can show at most > 90.2 %; 59 without a miss are needed for > 95 %")
    assert certifiable_notice(58, even) is not None
    assert certifiable_notice(59, even) is None


def test_the_notice_lists_each_target_that_is_out_of_reach() -> None:
    assert certifiable_notice(1, Targets()) == (
        "1 case can show at most > 5.0 %; 29 without a miss are needed for > 90 % (level4), "
        "59 for > 95 % (level2, level3), 99 for > 97 % (level1)"
    )
    assert certifiable_notice(98, Targets()) == (
        "98 cases can show at most > 96.99 %; 99 without a miss are needed for > 97 % (level1)"
    )
    certain = certifiable_notice(10_000, targets_of(["level1=1"]))
    assert certain == "10000 cases can show at most > 99.97 %; no number can show > 100 % (level1)"


def test_a_target_is_shown_without_needless_decimals() -> None:
    assert [show_target(target) for target in (0.95, 0.975, 1.0, 0.0)] == ["95 %", "97.5 %", "100 %", "0 %"]
