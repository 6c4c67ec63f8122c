from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.models.prefix import APART_TOKENS, common_prefix, prefix_groups

PROMPTS = st.lists(st.lists(st.integers(0, 2), max_size=8), max_size=8)


@given(PROMPTS)
def test_the_common_prefix_is_the_longest_start_of_all(prompts: list[list[int]]) -> None:
    length = common_prefix(prompts)
    assert len({tuple(prompt[:length]) for prompt in prompts}) <= 1
    assert not prompts or (
        any(len(prompt) == length for prompt in prompts) or len({prompt[length] for prompt in prompts}) > 1
    )


@given(PROMPTS, st.integers(1, 400))
def test_every_prompt_is_in_one_group(prompts: list[list[int]], repeat: int) -> None:
    groups = prefix_groups([[token for token in prompt for _ in range(repeat)] for prompt in prompts])
    assert sorted(place for group in groups for place in group) == list(range(len(prompts)))


def test_tool_sets_are_computed_apart_though_all_prompts_begin_alike() -> None:
    tool_sets = [[1] * 50 + [2] * 140, [1] * 50 + [3] * 140]
    prompts = [[*tool_sets[at % 2], 9, at] for at in range(20)]
    assert sorted(map(sorted, prefix_groups(prompts))) == [list(range(0, 20, 2)), list(range(1, 20, 2))]


def test_a_prefix_that_saves_less_than_a_batch_costs_makes_no_group() -> None:
    prompts = [[1] * 100 + [2 + at % 2] * 5 + [at] for at in range(20)]
    assert len(prefix_groups(prompts)) == 1


def test_prompts_that_share_with_few_stay_together_beside_a_group() -> None:
    strangers = [[at] * 200 for at in range(1, 8)]
    family = [[50] * 200 + [at] for at in range(6)]
    assert sorted(map(sorted, prefix_groups(strangers + family))) == [list(range(7)), list(range(7, 13))]


def test_a_group_within_a_group_is_found() -> None:
    inner = [[1] * 300 + [2] * 300 + [at] for at in range(4)]
    outer = [[1] * 300 + [3 + at] * 20 for at in range(4)]
    assert APART_TOKENS < 3 * 300
    assert sorted(map(sorted, prefix_groups(inner + outer))) == [list(range(4)), list(range(4, 8))]


def test_a_group_behind_one_that_is_not_worth_it_is_found() -> None:
    family = [[1, 1, *[2] * 200, at] for at in range(4)]
    strangers = [[1, 3], [4], [4, 5]]
    assert sorted(map(sorted, prefix_groups(family + strangers))) == [[0, 1, 2, 3], [4, 5, 6]]
