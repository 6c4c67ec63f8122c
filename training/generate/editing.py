"""Rows for the edit tool: one place, every place, deletions, renames, blocks."""

import re
from dataclasses import replace

from pytest_mcpbench.training.generate.compose import Clause, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.edit_values import (
    composed_blocks,
    edited,
    edited_block,
    old_and_new,
    pool_blocks,
    value_look,
)
from pytest_mcpbench.training.generate.exact_edits import exact_edit
from pytest_mcpbench.training.generate.quoting import Slot
from pytest_mcpbench.training.generate.told_edits import told_edit

__all__ = ["edit_clause", "edited", "old_and_new", "short_edit"]

_SHARES = {
    "one": 0.46, "all": 0.16, "del": 0.12, "del_all": 0.03, "rename": 0.07, "from_to": 0.05, "block": 0.1,
    "sed": 0.01,
}  # fmt: skip
_TOLD = 0.66
"""The share of the rows that tell a story, or ask in another way than an order with its values in place."""

_EXACT = 0.2
"""The share of these rows that say how many places are touched."""

_CODE_EXTENSIONS = ("py", "js", "ts", "go", "rs", "java", "c", "cpp", "rb", "php", "tsx", "kt")


def edit_clause(make: Maker) -> Clause:
    """A request to change a text in a file."""
    if make.chance(_TOLD):
        return (exact_edit if make.chance(_EXACT) else told_edit)(make)
    kind = make.draw(_SHARES)
    if kind == "block":
        return _block(make)
    if kind == "sed":
        return _sed(make)
    return _simple(make, kind, make.phrasing("edit", kind))


def short_edit(make: Maker) -> Clause:
    """A short order to edit a file, for requests of two parts."""
    kind = make.draw({"one": 0.5, "all": 0.2, "del": 0.15, "rename": 0.15})
    return _simple(make, kind, make.phrasing("edit", kind, orders_only=True))


def _simple(make: Maker, kind: str, phrasing: Phrasing) -> Clause:
    old, new, thing = old_and_new(make, kind)
    path = make.values.path(make.rng.choice(_CODE_EXTENSIONS)) if kind == "rename" else make.values.path()
    first = value_look(old, new, make)
    if kind == "rename":
        first = Slot(old, "symbol")
    slots = {
        "file": Slot(path, "path"), "old": first, "new": Slot(new, first.look), "thing": Slot(thing),
        "line": Slot(str(make.rng.randrange(1, 900))),
    }  # fmt: skip
    if "'s {thing}" in phrasing.text:
        slots["file"] = Slot(path)
    every = kind in ("all", "del_all")
    renamed = kind == "rename" or (kind == "one" and re.search(r"\brenam", phrasing.text) is not None)
    answers = edited(path, old, new, every=every, rename=renamed)
    if kind == "del" and re.search(r"\b(line|import|comment|statement)\b", phrasing.text):
        call = answers[0][0]
        answers = ((one_call("edit", call.arguments, {"old_string": (old + "\n",)}, call.optional),),)
    return make.clause(phrasing, slots, answers)


def _block(make: Maker) -> Clause:
    phrasing = make.phrasing("edit", "block")
    suits, old, new = composed_blocks(make) if make.chance(0.7) else pool_blocks(make)
    path = make.values.path(make.rng.choice(suits))
    label = make.rng.choice(("", "", suits[0]))
    slots = {
        "file": Slot(path, "path"),
        "old": Slot(old, "block", f"```{label}\n{old}\n```"),
        "new": Slot(new, "block", f"```{label}\n{new}\n```"),
    }
    return replace(make.clause(phrasing, slots, edited_block(path, old, new)), order=False, end="open")


def _sed(make: Maker) -> Clause:
    old, new = make.values.of("id"), make.values.of("id")
    path = make.values.path()
    slots = {"file": Slot(path, "path"), "old": Slot(old), "new": Slot(new)}
    return make.clause(make.phrasing("edit", "sed"), slots, edited(path, old, new, every=True))
