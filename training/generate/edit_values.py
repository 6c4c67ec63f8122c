"""What the edit tool replaces by what, how the texts are shown, and which calls are right."""

import re

from pytest_mcpbench.training.generate.compose import Alternatives, EmptyPoolError, Maker, one_call
from pytest_mcpbench.training.generate.pools import blocks, lines, side
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words
from pytest_mcpbench.training.generate.snippets import FILES

_MAX_TEXT = 76


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


def value_look(old: str, new: str, make: Maker) -> Slot:
    """How the old text is shown: as words without quotes where both allow it, sometimes; else as a text."""
    if make.chance(0.3) and all(clear_as_words(text) for text in (old, new) if text):
        return Slot(old)
    return Slot(old, "text")


def edited_block(path: str, old: str, new: str) -> Alternatives:
    """The right answers where blocks stand on their own lines: both with their last line break, or neither."""
    both = {"file_path": path, "old_string": old + "\n", "new_string": new + "\n"}
    return (*edited(path, old, new), (one_call("edit", both, optional={"replace_all": (False,)}),))


def pool_blocks(make: Maker, pool: str = "code_blocks") -> tuple[tuple[str, ...], str, str]:
    """Endings of a file, a block of a pool that suits them, and what takes its place."""
    entries = [entry for entry in blocks(pool) if side((entry[1],), make.split)]
    suits, body = make.rng.choice(entries)
    old, new = make.values.fill(body).split("\n====\n")
    return suits, old, new


def composed_blocks(make: Maker) -> tuple[tuple[str, ...], str, str]:
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
