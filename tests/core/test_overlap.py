"""When two requests count as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.overlap import PromptIndex, normalized, trigrams

PROMPTS = st.text(alphabet="abcde ,.!", max_size=25).map(lambda text: f"a{text}")


def jaccard(one: str, two: str) -> float:
    first, second = trigrams(one), trigrams(two)
    return len(first & second) / len(first | second)


@pytest.mark.parametrize("same", ["Read a.py!", "  read\ta.py", "READ `a.py`", "read a_py"])
def test_case_punctuation_and_white_space_make_no_other_request(same: str) -> None:
    assert normalized(same) == normalized("read a.py")


def test_prompts_of_punctuation_alone_differ() -> None:
    assert normalized("???") != normalized("!!!")


@given(st.lists(PROMPTS, max_size=12), PROMPTS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_index_finds_what_comparing_all_with_all_finds(prompts: list[str], prompt: str, least: float) -> None:
    found = PromptIndex(prompts).nearest(prompt, least)
    best = max((jaccard(prompt, other) for other in prompts), default=0.0)
    if best < least:
        assert found is None
    else:
        assert found is not None
        assert found[1] == best == jaccard(prompt, prompts[found[0]])
