"""Whether calls are equal: typed JSON equality, the declared equivalences, and the best pairing of several calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_mcpbench.core.case import ExpectedCall, Json, Tool, ToolCall
from pytest_mcpbench.core.schema import allows_type, match_rule

Why = Literal["missing", "extra", "wrong_value", "wrong_type", "wrong_tool", "missing_call", "extra_call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One difference: where (`call` counts the expected calls from 0, or the extra ones), what, and why."""

    call: int
    path: str
    want: Json
    got: Json
    why: Why


def normal_path(path: str) -> str:
    """The path without leading `./`, doubled `/` and a trailing `/`. `..`, letter case and the disk play no part."""
    while "//" in path:
        path = path.replace("//", "/")
    if len(path) > 1:
        path = path.rstrip("/")
    while path.startswith("./"):
        path = path[2:]
    return path


def values_equal(want: Json, got: Json, schema: Json) -> bool:
    """Typed JSON equality: a bool is never a number, arrays are ordered, strings equal byte for byte.

    3 equals 3.0 only where the schema says `number`.
    """
    if isinstance(want, bool) or isinstance(got, bool) or want is None or got is None:
        return want is got
    if isinstance(want, int | float) and isinstance(got, int | float):
        return want == got and (type(want) is type(got) or allows_type(schema, "number"))
    if isinstance(want, str) or isinstance(got, str):
        return isinstance(want, str) and isinstance(got, str) and want == got
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        return want.keys() == got.keys() and all(
            values_equal(want[key], got[key], _child(schema, "properties", key)) for key in want
        )
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        items = schema.get("items", {}) if isinstance(schema, Mapping) else {}
        return len(want) == len(got) and all(values_equal(w, g, items) for w, g in zip(want, got, strict=True))
    return False


def call_mismatches(
    want: ExpectedCall, got: ToolCall, tool: Tool | None, index: int, *, strict: bool
) -> tuple[Mismatch, ...]:
    """How the call differs from the expected one. `strict` puts the schema's `path` equivalences out of force."""
    if want.name != got.name:
        return (Mismatch(call=index, path="", want=want.name, got=got.name, why="wrong_tool"),)
    found: list[Mismatch] = []
    for name, value in want.arguments.items():
        if _rule(tool, name) == "any":
            continue
        if name not in got.arguments:
            found.append(Mismatch(call=index, path=name, want=value, got=None, why="missing"))
        elif not _any_equal((value, *want.accept.get(name, ())), got.arguments[name], tool, name, strict=strict):
            why: Why = "wrong_value" if _json_type(value) == _json_type(got.arguments[name]) else "wrong_type"
            found.append(Mismatch(call=index, path=name, want=value, got=got.arguments[name], why=why))
    for name, value in got.arguments.items():
        if name in want.arguments or _rule(tool, name) == "any":
            continue
        if not _any_equal(want.optional.get(name, ()), value, tool, name, strict=strict):
            found.append(Mismatch(call=index, path=name, want=None, got=value, why="extra"))
    return tuple(found)


def match_calls(
    want: Sequence[ExpectedCall], got: Sequence[ToolCall], tools: Mapping[str, Tool], *, strict: bool = False
) -> tuple[Mismatch, ...]:
    """The differences under the pairing of calls that leaves the fewest; empty if all is right. Order plays no part."""
    pairs = {
        (i, j): call_mismatches(expected, call, tools.get(expected.name), i, strict=strict)
        for i, expected in enumerate(want)
        for j, call in enumerate(got)
    }
    partner = best_pairing(len(want), len(got), lambda i, j: _cost(pairs[i, j]))
    found = [mismatch for i, j in partner.items() for mismatch in pairs[i, j]]
    for i, expected in enumerate(want):
        if i not in partner:
            found.append(Mismatch(call=i, path="", want=expected.name, got=None, why="missing_call"))
    for j, call in enumerate(got):
        if j not in partner.values():
            found.append(Mismatch(call=j, path="", want=None, got=call.name, why="extra_call"))
    return tuple(found)


def best_pairing(rows: int, columns: int, cost: Callable[[int, int], int]) -> dict[int, int]:
    """The column of each row, min(rows, columns) pairs in all, with the smallest sum of costs.

    Source: H. W. Kuhn, Naval Research Logistics Quarterly 2 (1955) 83-97, in the shortest-path form of
    R. Jonker and A. Volgenant, Computing 38 (1987) 325-340. O(min(rows, columns)² · max(rows, columns)).
    """
    if rows > columns:
        return {i: j for j, i in best_pairing(columns, rows, lambda a, b: cost(b, a)).items()}
    row_of = [-1] * (columns + 1)
    row_price, column_price = [0] * rows, [0] * (columns + 1)
    for row in range(rows):
        row_of[columns] = row
        column, before = _shortest_path(row_of, row_price, column_price, cost)
        while column != columns:
            row_of[column], column = row_of[before[column]], before[column]
    return {row_of[column]: column for column in range(columns) if row_of[column] >= 0}


def _shortest_path(
    row_of: list[int], row_price: list[int], column_price: list[int], cost: Callable[[int, int], int]
) -> tuple[int, list[int]]:
    """The free column at the end of a cheapest augmenting path, and the column before each; prices are updated."""
    columns = len(row_of) - 1
    slack: list[float] = [float("inf")] * columns
    before = [columns] * columns
    done: list[int] = [columns]
    open_columns = set(range(columns))
    column = columns
    while row_of[column] >= 0:
        row = row_of[column]
        for other in open_columns:
            reduced = cost(row, other) - row_price[row] - column_price[other]
            if reduced < slack[other]:
                slack[other], before[other] = reduced, column
        nearest = min(open_columns, key=lambda other: (slack[other], other))
        delta = int(slack[nearest])
        for passed in done:
            row_price[row_of[passed]] += delta
            column_price[passed] -= delta
        for other in open_columns:
            slack[other] -= delta
        open_columns.remove(nearest)
        done.append(nearest)
        column = nearest
    return column, before


def _cost(mismatches: Sequence[Mismatch]) -> int:
    """A wrong tool costs more than any number of wrong arguments a call could have."""
    return 1_000_000 if mismatches and mismatches[0].why == "wrong_tool" else len(mismatches)


def _any_equal(wants: Sequence[Json], got: Json, tool: Tool | None, name: str, *, strict: bool) -> bool:
    schema = tool.parameters.get(name, {}) if tool else {}
    if any(values_equal(want, got, schema) for want in wants):
        return True
    if strict or _rule(tool, name) != "path" or not isinstance(got, str):
        return False
    return any(isinstance(want, str) and normal_path(want) == normal_path(got) for want in wants)


def _rule(tool: Tool | None, name: str) -> str:
    return match_rule(tool, name) if tool else "exact"


def _child(schema: Json, keyword: str, key: str) -> Json:
    children = schema.get(keyword, {}) if isinstance(schema, Mapping) else {}
    return children.get(key, {}) if isinstance(children, Mapping) else {}


def _json_type(value: Json) -> str:
    for kind, name in ((bool, "boolean"), (int, "number"), (float, "number"), (str, "string"), (Mapping, "object")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "array"
