"""What no model at all would score: three null models, and how far a model is above the best of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, Protocol

from pytest_mcpbench.core.case import Case, Json, Message, Tool, ToolCall
from pytest_mcpbench.core.formats import parse, render
from pytest_mcpbench.core.gate import Tier, TierResult, tier_of_rates
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import Rate, Summary, show_percent, summarize
from pytest_mcpbench.errors import FormatError

_EMPTY: dict[str, Json] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}


class Asked(Protocol):
    """What a null model sees: the part that a case and a request have in common."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""
        ...

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools on offer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What one null model scores."""

    name: str
    level3: Rate
    level4: Rate

    @property
    def tier(self) -> TierResult:
        """The tier it would get."""
        return tier_of_rates(self.level3, self.level4)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorReport:
    """What every null model scores on one set of cases."""

    floors: tuple[Floor, ...]

    @property
    def best(self) -> str:
        """The name of the null model with the best level 3, and among equals the best level 4."""
        return max(self.floors, key=lambda floor: (floor.level3.correct, floor.level4.correct)).name

    @property
    def level3(self) -> Rate:
        """The best tool accuracy of any null model."""
        return self.best_at("level3").level3

    @property
    def level4(self) -> Rate:
        """The best parameter accuracy of any null model, not always of the one that has the best level 3."""
        return self.best_at("level4").level4

    def best_at(self, level: Literal["level3", "level4"]) -> Floor:
        """The null model that is best at this level."""
        return max(self.floors, key=lambda floor: floor.level3.correct if level == "level3" else floor.level4.correct)

    @property
    def too_easy(self) -> Floor | None:
        """A null model that would get a better tier than POOR: then the cases cannot tell a good model from none."""
        return next((floor for floor in self.floors if floor.tier.tier not in (None, Tier.POOR)), None)


def silent(_asked: Asked) -> str:
    """No answer at all."""
    return ""


def first_tool(asked: Asked) -> str:
    """A native call of the first tool, its required arguments filled with empty values of the right type.

    No answer if no tool is offered or its name cannot be written in the native format.
    """
    if not asked.tools:
        return ""
    tool = asked.tools[0]
    arguments = {name: _empty_value(tool.parameters.get(name)) for name in tool.required}
    try:
        return render([ToolCall(name=tool.name, arguments=arguments)], "native")
    except FormatError:
        return ""


def echo(asked: Asked) -> str:
    """The user's last words."""
    return next((turn.content for turn in reversed(asked.messages) if turn.role == "user"), "")


FLOORS: dict[str, Callable[[Asked], str]] = {"silent": silent, "first-tool": first_tool, "echo": echo}


def floor_report(cases: Sequence[Case]) -> FloorReport:
    """What the null models score on these cases."""
    return FloorReport(floors=tuple(_floor(name, answer, cases) for name, answer in FLOORS.items()))


def withhold(result: TierResult, report: FloorReport) -> TierResult:
    """The tier, or none with the reason where a null model reaches ACCEPTABLE on the same cases."""
    easy = report.too_easy
    if easy is None or easy.tier.tier is None:
        return result
    reason = (
        f"withheld, as null:{easy.name}, which understands nothing, is {easy.tier.tier.name} on these cases "
        f"({easy.tier.reason}); add cases that a constant answer gets wrong"
    )
    return TierResult(tier=None, set_by=None, reason=reason)


def skill_line(summary: Summary, report: FloorReport) -> str:
    """How far the model is above the best floor at levels 3 and 4, in percentage points."""
    return "; ".join(
        [
            _skill("level3", summary.levels["level3"], report.best_at("level3").name, report.level3),
            _skill("level4", summary.levels["level4"], report.best_at("level4").name, report.level4),
        ]
    )


def _skill(level: str, rate: Rate, name: str, floor: Rate) -> str:
    if rate.n == 0 or floor.n == 0:
        return f"{level} no data"
    points = float((rate.exact - floor.exact) * 100)
    distance = f"{abs(points):.1f} points {'above' if points >= 0 else 'below'}"
    own, best = show_percent(rate.exact), show_percent(floor.exact)
    return f"{level} {own} % is {distance} the best floor, null:{name} with {best} %"


def _floor(name: str, answer: Callable[[Asked], str], cases: Sequence[Case]) -> Floor:
    # A constant answer is read once; the calls in it depend on no case.
    read = cache(partial(parse, fmt="native"))
    levels = summarize([score(case, read(answer(case))) for case in cases]).levels
    return Floor(name=name, level3=levels["level3"], level4=levels["level4"])


def _empty_value(schema: Json) -> Json:
    """The emptiest value a parameter's schema admits, as far as its type and enum tell; a text where they do not."""
    if not isinstance(schema, dict):
        return ""
    if schema.get("enum"):
        return schema["enum"][0]
    declared = schema.get("type")
    kind = declared[0] if isinstance(declared, list) and declared else declared
    return None if kind == "null" else _EMPTY.get(str(kind), "")
