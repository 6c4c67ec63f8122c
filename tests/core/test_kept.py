"""The cases that a result keeps."""

import json
from pathlib import Path

from pytest_mcpbench.core.dataset import CaseReader, cases_hash
from pytest_mcpbench.core.decode import decoder
from pytest_mcpbench.core.kept import CaseSet, keep, restore
from pytest_mcpbench.core.result import _plain

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_cases_come_back_from_json_as_they_were() -> None:
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read([FIXTURES / "cases/coding/two.jsonl"])
    kept = keep(cases, cases_hash(cases))
    assert len(kept.toolsets) == 1
    again: CaseSet = decoder(CaseSet)(json.loads(json.dumps(kept, default=_plain)))
    assert cases_hash(restore(again)) == kept.hash
    assert [case.tags for case in restore(again)] == [case.tags for case in cases]
