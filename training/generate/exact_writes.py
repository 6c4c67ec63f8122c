"""Contents that have to be kept as given: own quotes, backslashes, commas in lines, lines of any beginning."""

from collections.abc import Callable

from pytest_mcpbench.training.generate import lifelike
from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.pools import side, value_sections
from pytest_mcpbench.training.generate.quoting import Slot, quoted

POOL = "exact_contents"
_PHRASES = "write_exact"
_SHARES = {
    "quoted": 0.1, "ticked": 0.04, "slashes": 0.08, "literal": 0.05, "commas": 0.1, "listed": 0.1, "listed3": 0.04,
    "word": 0.12, "person": 0.04, "orders": 0.08, "block": 0.25,
}  # fmt: skip
_MARKS = {'"': 0.45, "'": 0.27, "`": 0.28}
_INDENTS = ("", "", "", "  ", "    ", "    ", "\t", "        ")


def exact_write(make: Maker) -> Clause:
    """A request to write a file whose content is copied sign by sign."""
    section = make.draw(_SHARES)
    text = expand(make.line(_PHRASES, section), make.rng)
    path = _path(make)
    slots, content, others = _BUILDERS.get(section, _marked(section))(make)
    slots["file"] = Slot(path, "path")
    if section == "block":
        text += make.rng.choice(("\n{block}", "\n\n{block}"))
    return make.clause(Phrasing(text=text, order=False), slots, _answer(path, content, others))


def _answer(path: str, content: str, others: tuple[str, ...]) -> Alternatives:
    return ((one_call("write", {"file_path": path, "content": content}, accept={"content": others}),),)


def _path(make: Maker) -> str:
    if make.chance(0.6):
        return make.values.fill(_line(make, "path"))
    return lifelike.lifelike_path(make)


def _line(make: Maker, section: str) -> str:
    entries = side(value_sections(POOL)[section], make.split)
    if not entries:
        raise EmptyPoolError(f"{POOL}.{section}")
    return make.rng.choice(entries)


Parts = tuple[dict[str, Slot], str, tuple[str, ...]]


def _one(make: Maker) -> str:
    draw = make.rng.random()
    if draw < 0.35:
        return lifelike.sentence(make)
    if draw < 0.6:
        return make.values.word()
    return lifelike.entry(make) if draw < 0.85 else make.values.coin.sentence(1, 5)


def _marked(section: str) -> Callable[[Maker], Parts]:
    """A content that keeps its quotes or backticks, or that is all between them."""

    def built(make: Maker) -> Parts:
        if section in ("slashes", "literal"):
            content = make.values.fill(_line(make, section))
            return {"content": Slot(content, "plain", quoted(content, make.draw(_MARKS)))}, content, ()
        inner = _one(make)
        mark = "`" if section == "ticked" else make.rng.choice(('"', '"', "'"))
        if mark in inner or "\n" in inner:
            raise EmptyPoolError("quotes in quotes")
        content = f"{mark}{inner}{mark}"
        return {"content": Slot(content)}, content, (content + "\n",)

    return built


def _word(make: Maker) -> Parts:
    content = _one(make)
    if "\n" in content:
        raise EmptyPoolError("more than a line")
    shown = quoted(content, make.draw(_MARKS))
    return {"content": Slot(content, "plain", shown)}, content, (content + "\n",)


def _rows(section: str, count: int) -> Callable[[Maker], Parts]:
    """Lines with commas in them, or one thing a line."""

    def built(make: Maker) -> Parts:
        if section == "csv":
            rows = [make.values.fill(_line(make, "csv")) for _ in range(count)]
            shown = rows if make.chance(0.65) else [quoted(row, "`") for row in rows]
        else:
            rows = [_listed(make) for _ in range(count)]
            mark = make.draw(_MARKS)
            bare = make.chance(0.55) and all(row.replace("_", "").isalnum() for row in rows)
            shown = rows if bare else [quoted(row, mark) for row in rows]
        if len(set(rows)) < count:
            raise EmptyPoolError("a line twice")
        content = "\n".join(rows)
        slots = {f"line{n}": Slot(row, "plain", said) for n, (row, said) in enumerate(zip(rows, shown, strict=True), 1)}
        return slots, content, (content + "\n",)

    return built


def _listed(make: Maker) -> str:
    values = make.values
    draws = (values.word, values.word, values.coin.word, values.coin.snake, lambda: values.of("Name"), values.path)
    return make.rng.choice((*draws, lambda: lifelike.sentence(make)))()


def _person(make: Maker) -> Parts:
    content = lifelike.person(make)
    return {"person": Slot(content)}, content, (content + "\n",)


def _orders(make: Maker) -> Parts:
    content = make.values.fill(_line(make, "orders"))
    slots = {"orders": Slot(content, "free"), "orders2": Slot(content, "quoted_text")}
    return slots, content, (content + "\n",)


def _block(make: Maker) -> Parts:
    """Three to twelve lines that begin with anything: short words, signs, gaps."""
    rows: list[str] = []
    for _ in range(make.rng.choice((3, 3, 4, 4, 5, 6, 7, 8, 10, 12))):
        gap = make.rng.choice(_INDENTS) if rows else ""
        rows.append(gap + make.values.fill(_line(make, "line")))
        if make.chance(0.06):
            rows.append("")
    while rows[-1] == "":
        rows.pop()
    content = "\n".join(rows)
    fenced = make.chance(0.35) or "\n\n" in content
    if "```" in content or (len(set(rows)) < len(rows) // 2):
        raise EmptyPoolError("a block that is hardly one")
    shown = f"```\n{content}\n```" if fenced else content
    slots = {"block": Slot(content, "block", shown), "count": Slot(f"{len(rows)} lines")}
    return slots, content, (content + "\n",)


_BUILDERS: dict[str, Callable[[Maker], Parts]] = {
    "commas": _rows("csv", 2), "listed": _rows("any", 2), "listed3": _rows("any", 3), "word": _word, "person": _person,
    "orders": _orders, "block": _block,
}  # fmt: skip
