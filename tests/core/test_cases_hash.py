from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.dataset import cases_hash
from tests.core.test_dataset import CALL, ROW, TOOL, Row, case_of

CASES = [case_of({**ROW, "id": case_id, "tags": [case_id]}) for case_id in ("a", "b", "c")]


@given(st.permutations(CASES))
def test_the_hash_does_not_depend_on_order_or_tags(cases: list[Case]) -> None:
    assert cases_hash(cases) == cases_hash(replace(case, tags=frozenset()) for case in CASES)


def test_the_hash_is_the_same_whether_cases_share_their_tools_or_each_has_its_own() -> None:
    described = ({**TOOL, "description": f"Number {number % 3}."} for number in range(60))
    rows = [{**ROW, "id": f"c{number}", "tools": [offered]} for number, offered in enumerate(described)]
    assert len({cases_hash(map(case_of, rows)) for _ in range(5)}) == 1
    shared = case_of(rows[0]).tools
    apart = [case_of({**ROW, "id": name, "tools": [{**TOOL, "description": "Number 0."}]}) for name in "ab"]
    assert cases_hash(apart) == cases_hash(replace(case, tools=shared) for case in apart)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "z"},
        {"prompt": "read b"},
        {"expected": []},
        {"expected": [{**CALL, "accept": {"path": ["b"]}}]},
        {"expected": [{**CALL, "optional": {"limit": [1]}}]},
        {"tools": [{**TOOL, "description": "Other."}]},
        {"tools": [{**TOOL, "aliases": []}]},
    ],
    ids=str,
)
def test_the_hash_tells_what_is_asked_and_expected(change: Row) -> None:
    assert cases_hash([case_of(ROW)]) != cases_hash([case_of({**ROW, **change})])
