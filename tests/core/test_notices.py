import pytest

from pytest_mcpbench.core.compare import Pair
from pytest_mcpbench.core.notices import idle_notice, margin_notice
from pytest_mcpbench.core.stats import tango_upper
from pytest_mcpbench.core.target import targets_of

PAIR = Pair(before="finetuned", after="int8", relation="no-worse-than", bits=8)


@pytest.mark.parametrize(("margin", "enough"), [(0.02, 133), (0.03, 88), (0.01, 268)])
def test_too_few_cases_for_a_margin_are_told_before_anything_runs(margin: float, enough: int) -> None:
    assert tango_upper(0, 0, enough) < margin <= tango_upper(0, 0, enough - 1)
    notice = margin_notice(enough - 1, PAIR, margin)
    assert notice is not None
    assert f"{enough - 1} cases cannot show that int8 loses less than {100 * margin:g} point" in notice
    assert f"takes {enough} without a disagreement" in notice
    assert margin_notice(enough, PAIR, margin) is None
    assert margin_notice(1, Pair(before="base", after="finetuned", relation="better-than"), None) is None


def test_no_number_of_cases_shows_no_loss_at_all() -> None:
    assert margin_notice(10**6, PAIR, 0.0) == (
        "1000000 cases cannot show that int8 loses less than 0 points against finetuned"
    )


@pytest.mark.parametrize(
    ("targets", "named"),
    [
        (["guide"], "guide:int8, guide:int4"),
        (["guide:int8-size"], "guide:int8"),
        (["size=0.3"], "size"),
        (["size:itn8=0.3", "margin:int4=0.01"], "size:itn8, margin:int4"),
    ],
)
def test_targets_that_judge_none_of_the_models_are_named(targets: list[str], named: str) -> None:
    found = idle_notice(targets_of(targets), {"base": None, "finetuned": None})
    assert found == f"no model of this run is judged by {named} (it has: base, finetuned)"


@pytest.mark.parametrize("targets", [[], ["guide"], ["guide:int8"], ["size=0.3"], ["size:int8=0.3", "margin=0.01"]])
def test_targets_that_judge_a_model_need_no_notice(targets: list[str]) -> None:
    assert idle_notice(targets_of(targets), {"finetuned": None, "int8": 8}) is None


def test_both_halves_of_the_guide_that_were_asked_for_by_name_must_find_their_model() -> None:
    found = idle_notice(targets_of(["guide:int8", "guide:int4"]), {"finetuned": None, "int8": 8})
    assert found is not None
    assert "guide:int4 (" in found
