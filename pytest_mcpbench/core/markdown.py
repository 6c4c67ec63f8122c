"""A run as markdown, for a pull request or a job summary. What a model wrote stays text."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from pytest_mcpbench.core.compare import Paired
from pytest_mcpbench.core.comparison_lines import COLUMNS, LEVEL_OF, average_latency_s, flips, rates_of, size_text
from pytest_mcpbench.core.floors import FloorReport, skill_line
from pytest_mcpbench.core.gate import Verdict
from pytest_mcpbench.core.headline import Decision, Headline, headline_of
from pytest_mcpbench.core.quantized import claims_of
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import NO_TOOL, Rate, show_percent
from pytest_mcpbench.core.text import printable

SIGNS: dict[Decision, str] = {"PASS": "✅", "FAIL": "❌", "UNDECIDED": "⚠️", "MEASURED": "📏"}

_SPECIAL = re.compile(r"([\\`*_\[\]#!|~$])")
_WIDEST = 160
_FLIPS = 10
_GATES = 30
_TOOLS = 40
"""The most tools in a table, so that the whole stays shorter than the 65,536 characters of a pull request's comment."""


def markdown_of(result: RunResult) -> str:
    """The verdict, tiers, gates that did not pass, rates, comparisons, tools and three failures."""
    top = headline_of(result)
    blocks = [
        *_head(result, top),
        *_models(result, top),
        *_gates([verdict for verdict in result.gates if not verdict.passed]),
        *_tools(result),
        *_comparisons(result),
        *_failures(top),
        f"<sub>{result.cases.n} cases, hash {escape(result.cases.hash[:12])}, {escape(result.created)}</sub>",
    ]
    return "\n\n".join(blocks) + "\n"


def escape(text: str, width: int = _WIDEST) -> str:
    """The text as markdown that shows it letter by letter: no markup, no HTML, no mention, no line break."""
    shown = printable(text, width).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", shown).replace("@", "@&#8203;")


def code(text: str, width: int = _WIDEST) -> str:
    """The text as a code span, with a fence that no run of backticks in it can close."""
    shown = printable(text, width)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown or ' '}{pad}{fence}"


def _head(result: RunResult, top: Headline) -> Iterator[str]:
    yield f"## {SIGNS[top.decision]} {escape(top.sentence)}"
    if top.focus is None:
        return
    yield "\n".join(
        f"- **{escape(model.label)}**: {escape(result.models[model.label].tier.line(), 400)}" for model in top.models
    )
    weakest = top.focus.weakest
    if weakest is not None:
        yield (
            f"Weakest tool of {escape(top.focus.label)}: **{escape(weakest.name)}**, "
            f"{escape(weakest.level3.describe())}; parameters {escape(weakest.level4.describe())}."
        )


def _models(result: RunResult, top: Headline) -> Iterator[str]:
    rows = []
    against = {comparison.after: comparison for comparison in result.comparisons}
    for model in top.models:
        found = result.models[model.label]
        compared = against.get(model.label)
        latency = average_latency_s(found)
        rows.append(
            [
                escape(model.label),
                f"{SIGNS[model.decision]} {model.decision}",
                found.tier.tier.name if found.tier.tier else "no tier",
                *(
                    _cell(rate) + (_change(compared.levels[LEVEL_OF[column]]) if compared else "")
                    for column, rate in rates_of(found).items()
                ),
                "-" if latency is None else f"{1000 * latency:,.0f} ms",
                size_text(found),
            ]
        )
    yield _table(["model", "verdict", "tier", *COLUMNS, "latency", "size"], rows)
    if against:
        pairs = "; ".join(f"{escape(after)} against {escape(pair.before)}" for after, pair in against.items())
        yield f"<sub>Second lines: the change in points with its 95 % interval, {pairs}.</sub>"
    if result.floors:
        floors = FloorReport(floors=result.floors)
        yield "\n".join(
            f"- skill of {escape(label)}: {escape(skill_line(model.summary, floors), 400)}"
            for label, model in result.models.items()
        )


def _gates(stopped: Sequence[Verdict]) -> Iterator[str]:
    if stopped:
        shown = [
            f"- **{verdict.status}** {escape(verdict.line()[len(verdict.status) :].strip(), 600)}"
            for verdict in stopped
        ]
        more = [f"- and {len(shown) - _GATES} more"] if len(shown) > _GATES else []
        yield "### Gates that did not pass"
        yield "\n".join([*shown[:_GATES], *more])


def _tools(result: RunResult) -> Iterator[str]:
    tools = sorted({tool for model in result.models.values() for tool in model.summary.tools if tool != NO_TOOL})
    if len(tools) > _TOOLS:
        tools.sort(key=lambda tool: _lowest(tool, result))
    if tools:
        yield "### Tool by tool"
        rows = []
        for tool in tools[:_TOOLS]:
            rates = [model.summary.tools.get(tool, {}).get("level3") for model in result.models.values()]
            rows.append([escape(tool, 40), *(_cell(rate) for rate in rates)])
        yield _table(["tool accuracy", *map(escape, result.models)], rows)
        if len(tools) > _TOOLS:
            yield f"The {_TOOLS} weakest of {len(tools)} tools; the report has all."


def _lowest(tool: str, result: RunResult) -> Fraction:
    rates = (model.summary.tools.get(tool, {}).get("level3") for model in result.models.values())
    return min((rate.exact for rate in rates if rate and rate.n), default=Fraction(1))


def _comparisons(result: RunResult) -> Iterator[str]:
    for comparison in result.comparisons:
        yield f"### {escape(comparison.before)} → {escape(comparison.after)}"
        lines = [
            f"- {name}: {escape(comparison.levels[level].describe())}"
            for level, name in (("level3", "tool accuracy"), ("level4", "parameter accuracy"))
        ]
        for word, gained in (("lost", False), ("gained", True)):
            cases = flips(comparison, gained=gained)
            more = f" and {len(cases) - _FLIPS} more" if len(cases) > _FLIPS else ""
            if cases:
                lines.append(f"- {word}: {', '.join(code(case) for case in cases[:_FLIPS])}{more}")
        if comparison.speed is not None:
            lines.append(f"- speed: {escape(comparison.speed.reason, 400)}")
        lines += [f"- {escape(row.line(), 400)}" for row in claims_of(result, comparison)]
        yield "\n".join(lines)
        changed = [(tool, found) for tool, found in comparison.tools.items() if found.n]
        if len(changed) > _TOOLS:
            changed = sorted(changed, key=lambda entry: entry[1].exact_change)[:_TOOLS]
        if changed and comparison.relation == "better-than":
            rows = [
                [
                    escape(tool, 40),
                    f"{show_percent(Fraction(found.before, found.n))} %",
                    f"{show_percent(Fraction(found.after, found.n))} %",
                    f"{float(found.exact_change * 100):+.1f}",
                ]
                for tool, found in changed
            ]
            yield _table(["tool", escape(comparison.before), escape(comparison.after), "points"], rows)


def _failures(top: Headline) -> Iterator[str]:
    if top.focus is not None and top.focus.failures:
        yield f"### What {escape(top.focus.label)} got wrong: {top.focus.missed} of {top.focus.n} cases"
        yield "\n".join(f"- {code(miss.case)}: {code(miss.line)}" for miss in top.focus.failures)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *rows))


def _change(found: Paired) -> str:
    if found.interval is None:
        return ""
    low, high = (f"{100 * bound:+.1f}" for bound in found.interval)
    return f"<br>{float(found.exact_change * 100):+.1f} ({low} to {high})"


def _cell(rate: Rate | None) -> str:
    if rate is None or rate.n == 0:
        return "-"
    return f"{show_percent(rate.exact)} % ({rate.correct}/{rate.n})"
