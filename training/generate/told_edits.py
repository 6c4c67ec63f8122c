"""Rows for the edit tool in the words of people who tell why, name the file first or last, or label the parts."""

import re
from dataclasses import replace

from pytest_mcpbench.training.generate.compose import Clause, EmptyPoolError, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.edit_values import (
    composed_blocks,
    edited,
    edited_block,
    old_and_new,
    pool_blocks,
)
from pytest_mcpbench.training.generate.pools import lines, side
from pytest_mcpbench.training.generate.quoting import Slot
from pytest_mcpbench.training.generate.reading import apart
from pytest_mcpbench.training.generate.stories import (
    domain_of,
    fits_raw,
    natural_file,
    natural_value,
    told,
    typed_look,
)

_POOL = "edit_told"
_SHARES = {
    "one": 0.48, "all": 0.17, "raw": 0.07, "rawall": 0.015, "del": 0.1, "del_all": 0.025, "rename": 0.04,
    "block": 0.07, "apart": 0.03,
}  # fmt: skip
_EVERY = frozenset({"all", "del_all", "rawall"})
_NATURAL = 0.68
_CODE = ("py", "web", "systems", "java", "games", "embedded")
_PUNCTUATED = re.compile(r"[^\w\s]")


def told_edit(make: Maker) -> Clause:
    """A request to change a text in a file, told in one of many ways."""
    kind = make.draw(_SHARES)
    core = make.phrasing(_POOL, kind)
    if kind == "block":
        return _block(make, core)
    path, old, new = _change(make, kind)
    files = {"file": Slot(path, "path")}
    if kind == "apart":
        files, path = apart(make)
    if kind.startswith("raw"):
        if not fits_raw(core.text, old, new):
            raise EmptyPoolError("not for a line of its own")
        files |= {"rawold": Slot(old, "free"), "rawnew": Slot(new, "free")}
    slots = {**files, **_looks(make, kind, old, new), "line": Slot(str(make.rng.randrange(1, 900)))}
    renamed = kind == "rename" or (kind == "one" and "renam" in core.text)
    answers = edited(path, old, new, every=kind in _EVERY, rename=renamed)
    if kind == "del" and re.search(r"\b(line|import|comment|statement)\b", core.text):
        call = answers[0][0]
        answers = ((one_call("edit", call.arguments, {"old_string": (old + "\n",)}, call.optional),),)
    text = told(make, _POOL, core, open_end=core.text.endswith(("rawnew}", "rawold}")))
    return make.clause(text, slots, answers)


def _looks(make: Maker, kind: str, old: str, new: str) -> dict[str, Slot]:
    if kind == "rename":
        return {"old": Slot(old, "symbol"), "new": Slot(new, "symbol")}
    look = typed_look(make, old, new).look
    return {"old": Slot(old, look), "new": Slot(new, look)}


def _change(make: Maker, kind: str) -> tuple[str, str, str]:
    """A file, what is replaced in it, and by what."""
    if kind == "rename":
        path = natural_file(make, make.rng.choice(_CODE))
        return path, *old_and_new(make, "rename")[:2]
    if not make.chance(_NATURAL):
        return make.values.path(), *_short(make, kind)
    domain = domain_of(make)
    path = natural_file(make, domain)
    memo: dict[str, str] = {}
    if kind in ("del", "del_all"):
        pool = side(lines("natural_drops"), make.split) if make.chance(0.5) else ()
        text = make.rng.choice(pool) if pool else natural_value(make, "natural_edits", domain).split(" ⇒ ")[0]
        return path, make.values.fill(text, memo), ""
    old, new = natural_value(make, "natural_edits", domain).split(" ⇒ ")
    old, new = make.values.fill(old, memo), make.values.fill(new, memo)
    if make.chance(0.1):
        old, new = new, old
    if make.chance(0.16):
        new = make.values.snippets.mutated(old)
    if old == new or not new.strip():
        raise EmptyPoolError("no change")
    return path, old, new


def _short(make: Maker, kind: str) -> tuple[str, str]:
    """A change of coined texts, more often one with signs in it."""
    base = kind if kind in ("del", "del_all") else "one"
    pairs = [old_and_new(make, base)[:2] for _ in range(2)]
    pairs.sort(key=lambda pair: len(_PUNCTUATED.findall(pair[0])), reverse=make.chance(0.6))
    return pairs[0]


def _block(make: Maker, core: Phrasing) -> Clause:
    suits, old, new = pool_blocks(make, "natural_blocks") if make.chance(0.5) else composed_blocks(make)
    suit = make.rng.choice(suits)
    path = make.values.path(suit) if not suit.startswith((".", "Docker", "Make")) else suit
    slots = {"file": Slot(path, "path"), "old": Slot(old, "block"), "new": Slot(new, "block")}
    fenced = make.chance(0.5) or "\n\n" in old + new or not core.text.endswith("}")
    if fenced:
        label = make.rng.choice(("", "", suit if suit.isalnum() else ""))
        slots |= {key: Slot(text, "block", f"```{label}\n{text}\n```") for key, text in (("old", old), ("new", new))}
    text = told(make, _POOL, core, open_end=True)
    return replace(make.clause(text, slots, edited_block(path, old, new)), order=False, end="open")
