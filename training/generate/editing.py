"""Rows for the edit tool: one place, every place, deletions, renames, blocks."""

import re

from pytest_mcpbench.training.generate.compose import Alternatives, Clause, EmptyPoolError, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.pools import blocks, lines, side
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words
from pytest_mcpbench.training.generate.snippets import FILES

_SHARES = {
    "one": 0.46, "all": 0.16, "del": 0.12, "del_all": 0.03, "rename": 0.07, "from_to": 0.05, "block": 0.1,
    "sed": 0.01,
}  # fmt: skip
_MAX_TEXT = 76
_CODE_EXTENSIONS = ("py", "js", "ts", "go", "rs", "java", "c", "cpp", "rb", "php", "tsx", "kt")


def edit_clause(make: Maker) -> Clause:
    """A request to change a text in a file."""
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


def old_and_new(make: Maker, kind: str = "one") -> tuple[str, str, str]:
    """A text, what takes its place, and, for `from_to`, the name of the thing that changes (else "")."""
    memo: dict[str, str] = {}
    fill = make.values.fill
    if kind in ("del", "del_all"):
        return _to_delete(make), "", ""
    if kind == "rename":
        mark = make.rng.choice(("<id>", "<id>", "<idc>", "<idc>", "<Id>", "<CONST>"))
        pair = fill(mark, memo), fill(mark[:-1] + "2>", memo), ""
    elif kind == "from_to":
        thing, old, new = make.rng.choice(side(lines("things"), make.split)).split(" | ")
        pair = fill(old, memo), fill(new, memo), thing
    elif make.chance(0.55):
        pair = (*_composed_pair(make), "")
    else:
        entries = side(lines("edits"), make.split)
        old, new = make.rng.choice(entries).split(" ⇒ ")
        if make.chance(0.16):
            old, new = make.rng.choice(
                (("<id>", "<id2>"), ("<idc>", "<idc2>"), ("<word>", "<word2>"), ("<n>", "<m>"), ("<Id>", "<Id2>"),
                 ("<phrase>", "<phrase2>"), ("<stem>", "<stem2>"))
            )  # fmt: skip
        pair = fill(old, memo), fill(new, memo), ""
    return pair if pair[0] != pair[1] else old_and_new(make, kind)


def edited(path: str, old: str, new: str, *, every: bool = False, rename: bool = False) -> Alternatives:
    """The right answers of an edit: `replace_all` where every place is asked for, either way for a rename."""
    arguments = {"file_path": path, "old_string": old, "new_string": new}
    if every:
        return ((one_call("edit", {**arguments, "replace_all": True}),),)
    return ((one_call("edit", arguments, optional={"replace_all": (True, False) if rename else (False,)}),),)


def _composed_pair(make: Maker) -> tuple[str, str]:
    """A text that no other row has, and the same with a change, or another one of its kind."""
    old = _composed_text(make)
    if make.chance(0.62):
        return old, make.values.snippets.mutated(old)
    return old, _composed_text(make)


def _composed_text(make: Maker) -> str:
    coin, snippets = make.values.coin, make.values.snippets
    for _ in range(20):
        draw = make.rng.random()
        if draw < 0.3:
            text = snippets.line()
        elif draw < 0.48:
            text = coin.sentence(1, 8)
        elif draw < 0.6:
            text = coin.with_apostrophe()
        elif draw < 0.78:
            text = snippets.odd()
        elif draw < 0.88:
            text = snippets.expression()
        else:
            text = make.rng.choice((coin.number, coin.snake, coin.kebab, coin.any_word, snippets.literal))()
        if text.strip() and len(text) < _MAX_TEXT:
            return make.rng.choice((f"{text} ", f" {text}")) if make.chance(0.05) else text
    return coin.word()


def _to_delete(make: Maker) -> str:
    if make.chance(0.5):
        return _composed_text(make)
    draw = make.rng.random()
    if draw < 0.45:
        return make.values.fill(make.rng.choice(side(lines("code"), make.split)))
    if draw < 0.75:
        return make.values.phrase()
    return make.values.of(make.rng.choice(("id", "idc", "word", "Word", "CONST", "stem", "kebab")))


def value_look(old: str, new: str, make: Maker) -> Slot:
    """How the old text is shown: as words without quotes where both allow it, sometimes; else as a text."""
    if make.chance(0.3) and all(clear_as_words(text) for text in (old, new) if text):
        return Slot(old)
    return Slot(old, "text")


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
    suits, old, new = _composed_blocks(make) if make.chance(0.7) else _pool_blocks(make)
    path = make.values.path(make.rng.choice(suits))
    label = make.rng.choice(("", "", suits[0]))
    slots = {
        "file": Slot(path, "path"),
        "old": Slot(old, "block", f"```{label}\n{old}\n```"),
        "new": Slot(new, "block", f"```{label}\n{new}\n```"),
    }
    clause = make.clause(phrasing, slots, edited(path, old, new))
    both = one_call("edit", {"file_path": path, "old_string": old + "\n", "new_string": new + "\n"},
                    optional={"replace_all": (False,)})  # fmt: skip
    return Clause(pieces=clause.pieces, alternatives=(*clause.alternatives, (both,)), order=False, end="open")


def _pool_blocks(make: Maker) -> tuple[tuple[str, ...], str, str]:
    entries = [entry for entry in blocks("code_blocks") if side((entry[1],), make.split)]
    suits, body = make.rng.choice(entries)
    old, new = make.values.fill(body).split("\n====\n")
    return suits, old, new


def _composed_blocks(make: Maker) -> tuple[tuple[str, ...], str, str]:
    """One to five lines, and the same with lines changed, left out or added."""
    rng, snippets = make.rng, make.values.snippets
    kind, old = snippets.block(rng.choice((1, 2, 2, 3, 3, 4, 5)))
    rows = old.split("\n")
    at = rng.randrange(len(rows))
    draw = rng.random()
    if draw < 0.2 and len(rows) > 1:
        del rows[at]
    elif draw < 0.4:
        rows.insert(at + 1, re.sub(r"\S.*", "", rows[at]) + snippets.line(kind))
    elif draw < 0.6:
        rows = snippets.block(rng.choice((1, 2, 3)))[1].split("\n")
    else:
        rows[at] = snippets.mutated(rows[at])
    new = "\n".join(rows)
    if new == old or not new.strip():
        raise EmptyPoolError("no change")
    return FILES[kind], old, new


def _sed(make: Maker) -> Clause:
    old, new = make.values.of("id"), make.values.of("id")
    path = make.values.path()
    slots = {"file": Slot(path, "path"), "old": Slot(old), "new": Slot(new)}
    return make.clause(make.phrasing("edit", "sed"), slots, edited(path, old, new, every=True))
