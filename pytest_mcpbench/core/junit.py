"""A run as JUnit XML, made from its result: a suite per model, gates as failures, misses as properties."""

from pathlib import Path
from xml.etree import ElementTree

from pytest_mcpbench.core.diagnose import is_miss
from pytest_mcpbench.core.report import explain_record
from pytest_mcpbench.core.run import ModelResult, Record, RunResult
from pytest_mcpbench.core.summary import Rate
from pytest_mcpbench.core.text import printable


def junit_of(result: RunResult) -> str:
    """The XML text. A miss is not a failure; a gate that did not pass is."""
    root = ElementTree.Element("testsuites", name="mcpbench")
    for label, model in result.models.items():
        records = [record for record in result.records if record.model == label]
        gates = [verdict for verdict in result.gates if verdict.model == label]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(label),
            tests=str(len(records) + len(gates)),
            failures=str(sum(not verdict.passed for verdict in gates)),
            errors="0",
            skipped="0",
            timestamp=printable(result.created),
        )
        _suite_properties(suite, model)
        for verdict in gates:
            case = _case(suite, f"mcpbench.{label}.gates", verdict.gate)
            if not verdict.passed:
                failure = ElementTree.SubElement(case, "failure", message=printable(verdict.line()))
                failure.set("type", verdict.status)
        for record in records:
            _record(suite, record)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def junit_problem(path: Path) -> str | None:
    """What speaks against a JUnit file as evidence: no XML, no test in it, or tests that failed; None if nothing."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return f"no JUnit XML: {error}"
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    if not cases:
        return "no test is in it"
    return f"{failed} of {len(cases)} tests failed" if failed else None


def _suite_properties(suite: ElementTree.Element, model: ModelResult) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    tier = model.tier.tier.name if model.tier.tier else "none"
    _property(properties, "tier", tier)
    for level, rate in model.summary.levels.items():
        _rate(properties, level, rate)
    for tool, rates in model.summary.tools.items():
        for level, rate in rates.items():
            _rate(properties, f"tool:{tool}:{level}", rate)


def _rate(properties: ElementTree.Element, name: str, rate: Rate) -> None:
    _property(properties, name, f"{rate.correct}/{rate.n}")


def _record(suite: ElementTree.Element, record: Record) -> None:
    case = _case(suite, f"mcpbench.{record.model}", record.case)
    properties = ElementTree.SubElement(case, "properties")
    missed = is_miss(record)
    _property(properties, "mcp_outcome", "missed" if missed else "right")
    if missed:
        lost = ",".join(level for level, right in record.levels.items() if right is False)
        _property(properties, "mcp_levels", lost)
        _property(properties, "mcp_why", explain_record(record))


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=printable(classname), name=printable(name), time="0")


def _property(parent: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(parent, "property", name=printable(name), value=printable(value))
