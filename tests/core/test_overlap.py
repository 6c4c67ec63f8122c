"""When two requests count as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case, ExpectedCall, Message
from pytest_mcpbench.core.overlap import CaseIndex, PromptIndex, normalized, trigrams, wording

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


def asked(prompt: str, **arguments: str) -> Case:
    call = ExpectedCall(name="read", arguments=arguments)
    return Case(id=prompt, messages=(Message(role="user", content=prompt),), tools=(), alternatives=((call,),))


def test_a_wording_with_other_values_is_the_same_wording() -> None:
    index = CaseIndex([asked("somebody sent us a.md and I do not have the time, sum it up", file_path="a.md")])
    assert index.has_like(
        asked("Somebody sent us docs/b.txt and I do not have the time, sum it up", file_path="docs/b.txt")
    )
    assert not index.has_like(
        asked("what stands in docs/b.txt, and who wrote all of that down", file_path="docs/b.txt")
    )


def test_a_wording_of_few_words_is_nobodys() -> None:
    index = CaseIndex([asked("please read a.md for me", file_path="a.md")])
    assert wording(asked("please read a.md for me", file_path="a.md")) is None
    assert not index.has_like(asked("please read setup.cfg for me", file_path="setup.cfg"))
    assert index.has_like(asked("please read A.md for me!", file_path="A.md")), "as it stands it is a duplicate"
