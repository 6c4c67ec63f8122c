"""Whether a model was trained on the cases that it is measured on."""

from pytest_mcpbench.core.case import Case, Message
from pytest_mcpbench.core.contamination import row_hash, trained_cases, withhold_if_trained
from pytest_mcpbench.core.gate import tier_of_rates
from pytest_mcpbench.core.summary import rate_of


def case(prompt: str, name: str = "a") -> Case:
    return Case(id=name, messages=(Message(role="user", content=prompt),), tools=(), alternatives=((),))


def test_a_row_is_known_by_its_words_whatever_its_id_case_and_spacing() -> None:
    assert row_hash(case("Read  a.py\n")) == row_hash(case("read a.py", name="b"))
    assert row_hash(case("read a.py")) != row_hash(case("read b.py"))


def test_cases_among_the_training_rows_are_named_and_the_tier_is_withheld() -> None:
    cases = [case("read a.py", "a"), case("read b.py", "b")]
    seen = trained_cases(cases, [row_hash(case("READ a.py", "row-17"))])
    assert seen == ("a",)
    tier = tier_of_rates(rate_of(100, 100), rate_of(100, 100))
    withheld = withhold_if_trained(tier, seen, 2)
    assert withheld.tier is None
    assert "trained on 1 of these 2 cases (a)" in withheld.reason


def test_a_model_without_training_rows_keeps_its_tier() -> None:
    tier = tier_of_rates(rate_of(100, 100), rate_of(100, 100))
    assert withhold_if_trained(tier, trained_cases([case("read a.py")], ()), 1) is tier
