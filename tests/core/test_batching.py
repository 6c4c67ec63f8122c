from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.batching import BatchingCheck, batching_verdict, compare_answers, spread
from pytest_mcpbench.core.plan import Generation

ANSWERS = st.sampled_from(["", "a", "b"])


def answers(texts: list[str]) -> dict[str, Generation]:
    return {f"case-{number:02}": Generation(text=text) for number, text in enumerate(texts)}


@given(st.lists(st.tuples(ANSWERS, ANSWERS), min_size=1, max_size=20))
def test_a_case_differs_exactly_where_its_two_texts_do(pairs: list[tuple[str, str]]) -> None:
    check = compare_answers(answers([one for one, _ in pairs]), answers([two for _, two in pairs]))
    verdict = batching_verdict(check, "m")
    wrong = [f"case-{number:02}" for number, (one, two) in enumerate(pairs) if one != two]
    assert [each.case for each in check.differences] == wrong
    assert verdict.passed == (not wrong)
    assert (verdict.n, verdict.correct) == (len(pairs), len(pairs) - len(wrong))
    assert all(case in verdict.reason for case in wrong[:10])


def test_the_verdict_names_the_cases_and_shows_the_first_ones_texts() -> None:
    verdict = batching_verdict(compare_answers(answers(["read a", "x"]), answers(["read b", "x"])), "int8")
    assert verdict.line() == (
        "FAIL batching int8: 1 of 2 cases answered differently alone and together: case-00; "
        "case-00 alone: read a; together: read b; its rates depend on the batch: "
        "measure with --mcp-batch-size=1, or find what mixes rows of a batch"
    )


def test_an_answer_that_is_cut_or_fails_on_one_side_only_differs() -> None:
    whole = {"a": Generation(text="x"), "b": Generation(text="")}
    broken = {
        "a": Generation(text="x", finish_reason="length"),
        "b": Generation(text="", finish_reason="error", error="out of memory"),
    }
    check = compare_answers(whole, broken)
    assert [each.together for each in check.differences] == ["x (cut)", "error, out of memory"]


def test_so_many_cases_that_not_all_are_named_are_counted() -> None:
    verdict = batching_verdict(compare_answers(answers(["a"] * 15), answers(["b"] * 15)), "m")
    assert "case-09 and 5 more;" in verdict.reason


def test_why_there_was_no_batch_is_said_and_no_case_is_no_pass() -> None:
    check = compare_answers(answers(["a"]), answers(["a"]), "each prompt runs alone")
    assert batching_verdict(check, "m").reason == "1 case answered alike alone and together (each prompt runs alone)"
    assert batching_verdict(BatchingCheck(n=0, differences=()), "m").status == "FAIL"


@given(st.integers(0, 50), st.integers(1, 60))
def test_what_is_spread_keeps_its_order_and_reaches_over_all(count: int, n: int) -> None:
    found = spread(range(count), n)
    assert len(found) == len(set(found)) == min(count, n)
    assert found == sorted(found)
    gaps = [after - before for before, after in pairwise(found)]
    assert not gaps or max(gaps) - min(gaps) <= 1
