"""Rows for the read tool: whole files, first lines, ranges of lines."""

from pytest_mcpbench.core.case import ExpectedCall, Json
from pytest_mcpbench.training.generate.compose import Clause, Maker, one_call
from pytest_mcpbench.training.generate.line_numbers import lines_asked, ordinal
from pytest_mcpbench.training.generate.natural import natural_file, natural_folder, natural_path, told
from pytest_mcpbench.training.generate.quoting import Slot

_SHARES = {
    "whole": 0.18, "apart": 0.04, "limit": 0.05, "offset": 0.035, "skip": 0.01, "range": 0.62, "window": 0.05,
    "line": 0.01, "ordinal": 0.01,
}  # fmt: skip
_TOLD = 0.64
"""The share of rows that are told in the manner of natural.py."""

_SHARES_TOLD = {
    "whole": 0.11, "apart": 0.055, "range": 0.6, "window": 0.035, "limit": 0.03, "offset": 0.025, "skip": 0.03,
    "line": 0.005, "block": 0.01, "rank": 0.025, "few": 0.012, "few_from": 0.013, "apart_range": 0.05,
}  # fmt: skip
_ROUND = (
    *(3, 5, 10, 10, 12, 15, 20, 20, 25, 30, 40, 50, 50, 60, 75, 80, 100, 100),
    *(120, 150, 200, 250, 300, 400, 500, 1000),
)

NUMBER_WORDS = {
    2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten", 12: "twelve",
    15: "fifteen", 20: "twenty", 25: "twenty-five", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 80: "eighty",
    100: "hundred",
}  # fmt: skip


def read_clause(make: Maker) -> Clause:
    """A request to read a file, whole or in part."""
    if make.chance(_TOLD):
        return _told(make)
    kind = make.draw(_SHARES)
    phrasing = make.phrasing("read", kind)
    path = make.values.path()
    if kind == "apart":
        slots, path = apart(make)
        return make.clause(phrasing, slots, read_answers(path, {}))
    numbers, shown = lines_asked(make, kind, phrasing.text) if kind == "range" else _numbers(make, kind)
    slots = {"file": Slot(path, "path"), "kind": Slot(make.line("kinds", "kind")), **shown}
    slots["Name"] = Slot(make.values.of("Name"))
    return make.clause(phrasing, slots, read_answers(path, numbers))


def _told(make: Maker) -> Clause:
    kind = make.draw(_SHARES_TOLD)
    phrasing = told(make, "read_more", kind)
    numbers, shown_numbers = _lines(make, kind, phrasing.text)
    if kind in ("apart", "apart_range"):
        name, folder = natural_file(make), natural_folder(make)
        shown = f"{folder}/" if make.chance(0.12) else folder
        slots = {"name": Slot(name, "path"), "dir": Slot(folder, "path", shown), **shown_numbers}
        return make.clause(phrasing, slots, read_answers(f"{folder}/{name}", numbers))
    path = natural_path(make)
    slots = {"file": Slot(path, "path"), **shown_numbers}
    return make.clause(phrasing, slots, read_answers(path, numbers))


def _lines(make: Maker, kind: str, text: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    if kind in ("whole", "apart"):
        return {}, {}
    return lines_asked(make, "range" if kind == "apart_range" else kind, text)


def apart(make: Maker) -> tuple[dict[str, Slot], str]:
    """A file's name and its folder as two slots, and the path that they make."""
    name, folder = make.values.base_name(), make.values.folder()
    shown = f"{folder}/" if make.chance(0.12) else folder
    return {"name": Slot(name, "path"), "dir": Slot(folder, "path", shown)}, f"{folder}/{name}"


def short_read(make: Maker) -> Clause:
    """A short order to read one file or a range of its lines, for requests of two parts."""
    kind = "range" if make.chance(0.45) else "whole"
    phrasing = make.phrasing("read", kind, orders_only=True)
    path = make.values.path()
    numbers, shown = lines_asked(make, kind, phrasing.text) if kind == "range" else ({}, {})
    slots = {"file": Slot(path, "path"), "kind": Slot(make.line("kinds", "kind")), **shown}
    return make.clause(phrasing, slots, read_answers(path, numbers))


def read_call(path: str) -> ExpectedCall:
    """The call that reads the whole file."""
    return one_call("read", {"file_path": path}, optional={"offset": (0, 1)})


def count_of_lines(make: Maker) -> int:
    """A number of lines that somebody would ask for."""
    return make.rng.choice(_ROUND) if make.chance(0.6) else make.rng.randrange(2, 600)


def counted(make: Maker, number: int, share: float = 0.13) -> Slot:
    """The number as digits, or sometimes in words."""
    word = NUMBER_WORDS.get(number)
    if word and make.chance(share * 2):
        return Slot(str(number), shown=word)
    return Slot(str(number))


def _numbers(make: Maker, kind: str) -> tuple[dict[str, Json], dict[str, Slot]]:
    """The arguments beside the path, and the numbers as the request shows them."""
    n = count_of_lines(make)
    start = make.rng.randrange(1, 60) if make.chance(0.3) else make.rng.randrange(2, 3000)
    if kind == "whole":
        return {}, {}
    if kind == "ordinal":
        return _ordinal(make)
    if kind == "limit":
        return {"limit": n}, {"n": counted(make, n)}
    if kind == "offset":
        return {"offset": max(start, 2)}, {"n": Slot(str(max(start, 2))), "m": Slot(str(max(start, 2) - 1))}
    if kind == "skip":
        return {"offset": n + 1}, {"n": counted(make, n)}
    length = 1 if kind == "line" else n
    return {"offset": start, "limit": length}, {"a": Slot(str(start)), "n": counted(make, n)}


def _ordinal(make: Maker) -> tuple[dict[str, Json], dict[str, Slot]]:
    """One line by its rank: the first is a limit, as "the first 20 lines" are; a later one has an offset."""
    rank = make.rng.choice((1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) if make.chance(0.7) else make.rng.randrange(11, 300)
    numbers: dict[str, Json] = {"limit": 1} if rank == 1 else {"offset": rank, "limit": 1}
    return numbers, {"ord": ordinal(make, rank)}


def read_answers(path: str, numbers: dict[str, Json]) -> tuple[tuple[ExpectedCall, ...], ...]:
    """The right calls for these lines of a file; a first line 1 may be left out or counted from 0."""
    arguments = {"file_path": path, **numbers}
    if "offset" not in numbers:
        return ((one_call("read", arguments, optional={"offset": (0, 1)}),),)
    canonical = one_call("read", arguments, accept={"offset": (0,)} if numbers.get("offset") == 1 else {})
    if numbers.get("offset") == 1 and "limit" in numbers:
        return ((canonical,), (one_call("read", {"file_path": path, "limit": numbers["limit"]}),))
    return ((canonical,),)
