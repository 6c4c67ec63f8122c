import pytest

from pytest_mcpbench.core.level import LEVEL_NAMES, LEVELS, answer
from pytest_mcpbench.core.score import Score


def score_of(**answers: bool | None) -> Score:
    found: dict[str, bool | None] = {"detected": False, "parsed": False, "correct": False, "parameters": False}
    return Score(
        case_id="c", expects_call=True, tools=("read",), attempted=False, parameters_strict=False, **(found | answers)
    )


def test_the_targets_are_those_of_the_guide() -> None:
    assert [(level.name, level.target) for level in LEVELS] == [
        ("level1", 0.97),
        ("level2", 0.95),
        ("level3", 0.95),
        ("level4", 0.90),
    ]


@pytest.mark.parametrize(
    ("level", "field"), [("level1", "detected"), ("level2", "parsed"), ("level3", "correct"), ("level4", "parameters")]
)
def test_each_level_asks_its_own_question(level: str, field: str) -> None:
    assert [name for name in LEVEL_NAMES if answer(score_of(**{field: True}), name)] == [level]


def test_a_level_that_does_not_ask_answers_none_and_not_false() -> None:
    no_call = score_of(parsed=None, parameters=None)
    assert [answer(no_call, level.name) is None for level in LEVELS] == [level.over == "calls" for level in LEVELS]


def test_an_unknown_level_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no level is named 'level5' \(levels: level1, level2, level3, level4\)"):
        answer(score_of(), "level5")
