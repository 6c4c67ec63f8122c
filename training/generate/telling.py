"""Rows for the write tool in the words of real requests: small stories, labels, the file or the content first."""

import re
from collections.abc import Callable

from pytest_mcpbench.training.generate import lifelike
from pytest_mcpbench.training.generate.compose import (
    Alternatives,
    Clause,
    EmptyPoolError,
    Maker,
    Phrasing,
    is_order,
    one_call,
)
from pytest_mcpbench.training.generate.phrases import expand
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words, clear_without_quotes, habit_of, quoted
from pytest_mcpbench.training.generate.reading import NUMBER_WORDS, apart
from pytest_mcpbench.training.generate.snippets import FENCES, FILES

POOL = "write_told"
_SHARES = {
    "text": 0.14, "end": 0.14, "block_end": 0.28, "block_mid": 0.11, "block_first": 0.07, "thing": 0.07, "mid": 0.03,
    "named_bare": 0.025, "fixed": 0.025, "empty": 0.05, "lines2": 0.02, "lines3": 0.02, "breaks": 0.015, "kept": 0.01,
    "said": 0.03, "apart": 0.02, "apart_empty": 0.01, "apart_block": 0.015,
}  # fmt: skip
_SAID: dict[str, Callable[[Maker], str]] = {
    "person": lifelike.person,
    "number": lambda make: make.values.coin.number() if make.chance(0.3) else make.values.coin.whole(),
    "version": lambda make: make.values.of("ver"),
    "date": lifelike.day,
    "word": lambda make: make.values.word().lower(),
    "url": lambda make: make.values.of("url"),
}
_EXACT = re.compile(r"no (newline|line break|trailing)|without a line break|exact|precise|literal|verbatim|nothing")


def told_write(make: Maker) -> Clause:
    """A request to create or overwrite a file, told as people tell it."""
    kind = make.draw(_SHARES)
    if kind.startswith("block"):
        return _block(make, kind)
    return _BUILDERS[kind](make)


def told_phrasing(make: Maker, section: str) -> Phrasing:
    """A phrasing of the pool of stories. Raises EmptyPoolError where this side has none."""
    text = expand(make.line(POOL, section), make.rng)
    return Phrasing(
        text=text, order=is_order(text) and re.match(r"(create|make|write|add|put|save|store)\b", text) is not None
    )


def one_liner(make: Maker) -> tuple[str, tuple[str, ...]]:
    """A content of one line, and the extensions or names of files that it suits, if any."""
    draw = make.rng.random()
    if draw < 0.4:
        _, suits, text = lifelike.thing(make)
        return text, suits
    if draw < 0.78:
        return lifelike.sentence(make), ()
    coin, snippets = make.values.coin, make.values.snippets
    composed = (snippets.odd, snippets.odd, snippets.line, snippets.line, snippets.command, coin.with_apostrophe)
    return make.rng.choice(composed)(), ()


def answer(path: str, content: str, *others: str) -> Alternatives:
    """The right answers of a write."""
    accepted = [other for other in others if other != content]
    return ((one_call("write", {"file_path": path, "content": content}, accept={"content": accepted}),),)


def _kind(make: Maker) -> Slot:
    return Slot(make.line("kinds", "kind"))


def _text(make: Maker) -> Clause:
    phrasing = told_phrasing(make, "text")
    content, suits = one_liner(make)
    path = lifelike.lifelike_path(make, suits)
    others = [] if _EXACT.search(phrasing.text) else [content + "\n"]
    slots = {"file": Slot(path, "path"), "content": Slot(content, "quoted_text"), "kind": _kind(make)}
    return make.clause(phrasing, slots, answer(path, content, *others))


def _end(make: Maker) -> Clause:
    """The content ends the request, without quotes."""
    phrasing = told_phrasing(make, "end")
    content, suits = one_liner(make)
    if content != content.strip() or "\n" in content:
        raise EmptyPoolError("a content that has no clear ends")
    path = lifelike.lifelike_path(make, suits)
    others = [content[:-1]] if content[-1] == "." and not suits else []
    others += [] if _EXACT.search(phrasing.text) else [content + "\n"]
    slots = {"file": Slot(path, "path"), "content": Slot(content, "free"), "kind": _kind(make)}
    return make.clause(phrasing, slots, answer(path, content, *others))


def _shown(content: str, make: Maker) -> str:
    """The content in quotes, or bare where it is one word with clear ends."""
    if clear_without_quotes(content, "text") and make.chance(0.35):
        return content
    return quoted(content, habit_of(make.rng).mark["command" if make.chance(0.5) else "quoted_text"])


def _thing(make: Maker) -> Clause:
    """A content with the word for what it is in front of it."""
    noun, suits, content = lifelike.thing(make)
    path = lifelike.lifelike_path(make, suits if make.chance(0.85) else ())
    slots = {"file": Slot(path, "path"), "thing": Slot(f"{noun} {_shown(content, make)}"), "kind": _kind(make)}
    return make.clause(_calm(told_phrasing(make, "thing")), slots, answer(path, content, content + "\n"))


def _mid(make: Maker) -> Clause:
    """The content stands in the sentence without quotes: one word of signs, or code that ends with a sign."""
    for _ in range(30):
        noun, suits, content = lifelike.thing(make)
        if re.fullmatch(r"\S*[^\s.,:!?'\"`]|[^.?!]*[;}>)]", content) and len(content) < 120 and content[0] not in "'\"":
            break
    else:
        raise EmptyPoolError("no content that can stand without quotes")
    path = lifelike.lifelike_path(make, suits)
    slots = {"file": Slot(path, "path"), "thing": Slot(noun), "content": Slot(content)}
    return make.clause(_calm(told_phrasing(make, "mid")), slots, answer(path, content, content + "\n"))


def _calm(phrasing: Phrasing) -> Phrasing:
    return Phrasing(text=phrasing.text, order=False)


def _named_bare(make: Maker) -> Clause:
    noun, suits, content = lifelike.thing(make)
    path = lifelike.lifelike_path(make, suits)
    slots = {"file": Slot(path, "path"), "thing": Slot(noun), "content": Slot(content, "free")}
    return make.clause(told_phrasing(make, "named_bare"), slots, answer(path, content, content + "\n"))


def _fixed(make: Maker) -> Clause:
    said, content = lifelike.fixed(make)
    suits = ("json",) if "JSON" in said else ("txt", "json", "cfg", "yml", "html")
    path = lifelike.lifelike_path(make, suits if make.chance(0.6) else ())
    slots = {"file": Slot(path, "path"), "thing": Slot(said)}
    return make.clause(told_phrasing(make, "fixed"), slots, answer(path, content, content + "\n"))


def _empty(make: Maker) -> Clause:
    path = lifelike.lifelike_path(make)
    return make.clause(
        told_phrasing(make, "empty"), {"file": Slot(path, "path"), "kind": _kind(make)}, answer(path, "")
    )


def _lines(section: str) -> Callable[[Maker], Clause]:
    def built(make: Maker) -> Clause:
        plain = make.chance(0.35)
        texts = [(lifelike.plain_entry if plain else lifelike.entry)(make) for _ in range(int(section[-1]))]
        if plain and not all(clear_as_words(text) for text in texts):
            raise EmptyPoolError("a line that cannot stand without quotes")
        path, content = lifelike.lifelike_path(make, ("txt", "md", "txt", "csv", "log")), "\n".join(texts)
        slots = {f"line{n}": Slot(text, "plain" if plain else "quoted_text") for n, text in enumerate(texts, 1)}
        slots |= {"file": Slot(path, "path"), "kind": _kind(make)}
        return make.clause(told_phrasing(make, section), slots, answer(path, content, content + "\n"))

    return built


def _breaks(make: Maker) -> Clause:
    """Line breaks typed as backslash-n, said to mean line breaks."""
    texts = [lifelike.entry(make) for _ in range(make.rng.choice((2, 2, 3, 3, 4)))]
    if any("\\" in text for text in texts):
        raise EmptyPoolError("a backslash of another meaning")
    path, content = lifelike.lifelike_path(make), "\n".join(texts)
    slots = {"file": Slot(path, "path"), "content": Slot(content, "quoted_text", "\\n".join(texts)), "bn": Slot("\\n")}
    return make.clause(told_phrasing(make, "breaks"), slots, answer(path, content, content + "\n"))


def _kept(make: Maker) -> Clause:
    """Backslashes that stay backslashes."""
    shapes = ("<xw>\\n<xw2>", "<word>: %d\\n", "C:\\new\\<xw>", "a\\nb", "\\n", "<Name>\\n<Name2>\\n", "\\r\\n<xw>",
              "s/\\n/<xw>/g", "<xw>\\t<n>\\n", "D:\\<xw>\\notes\\<xw2>", "printf('<word>\\n')",
              "line<d>\\nline<n>")  # fmt: skip
    content = make.values.fill(make.rng.choice(shapes))
    path = lifelike.lifelike_path(make)
    slots = {"file": Slot(path, "path"), "content": Slot(content, "quoted_text")}
    return make.clause(told_phrasing(make, "kept"), slots, answer(path, content))


def _said(make: Maker) -> Clause:
    """One value out of a small story: a name, a number, a date."""
    kind = make.rng.choice(list(_SAID))
    content = _SAID[kind](make)
    path = lifelike.lifelike_path(make, ("txt", "txt", "md", "cfg") if make.chance(0.5) else ())
    slots = {"file": Slot(path, "path"), "content": Slot(content)}
    return make.clause(told_phrasing(make, f"said_{kind}"), slots, answer(path, content, content + "\n"))


def _parted(make: Maker) -> tuple[dict[str, Slot], str]:
    """A name and its folder, in two slots."""
    if make.chance(0.5):
        return apart(make)
    path = lifelike.lifelike_path(make)
    folder, slash, name = path.rpartition("/")
    if not slash or folder in ("", ".", "~", "..") or "\\" in path:
        return apart(make)
    return {"name": Slot(name, "path"), "dir": Slot(folder, "path")}, path


def _apart(make: Maker) -> Clause:
    slots, path = _parted(make)
    content = one_liner(make)[0]
    slots["content"] = Slot(content, "quoted_text")
    return make.clause(told_phrasing(make, "apart"), slots, answer(path, content, content + "\n"))


def _apart_empty(make: Maker) -> Clause:
    slots, path = _parted(make)
    return make.clause(told_phrasing(make, "apart_empty"), slots, answer(path, ""))


def _apart_block(make: Maker) -> Clause:
    slots, path = _parted(make)
    content = _contents(make)[1]
    phrasing = told_phrasing(make, "apart_block")
    slots["block"] = Slot(content, "block", _fenced(make, content, "", 0.3))
    return make.clause(
        Phrasing(text=phrasing.text + "\n\n{block}", order=False), slots, answer(path, content, content + "\n")
    )


def _contents(make: Maker) -> tuple[tuple[str, ...], str]:
    """A content of several lines, seldom of one, and the files that hold such."""
    draw = make.rng.random()
    if draw < 0.72:
        return lifelike.whole_file(make)
    if draw < 0.93:
        kind, content = make.values.snippets.block(make.rng.choice((3, 3, 4, 5, 6, 7, 8, 10)))
        return FILES[kind], content
    return one_liner(make)[::-1]


def _fenced(make: Maker, content: str, label: str, share: float) -> str:
    if "```" in content:
        return content
    fence = content != content.strip() or make.chance(share)
    return f"```{make.rng.choice(('', label))}\n{content}\n```" if fence else content


def _language(make: Maker, suits: tuple[str, ...]) -> str:
    """What the language of such a file is called, or a word that says nothing of it."""
    for row in make.values.languages:
        if row[1].strip() in suits:
            return make.rng.choice(row[0].split(",")).strip()
    return make.rng.choice(("little", "short", "small", "new"))


def _count(content: str) -> str:
    """How many lines a content has, in words where it is short."""
    rows = content.count("\n") + 1
    return "one line" if rows == 1 else f"{NUMBER_WORDS.get(rows, rows)} lines"


def _block(make: Maker, kind: str) -> Clause:
    suits, content = _contents(make)
    if content != content.strip("\n") or not content:
        raise EmptyPoolError("a block that has no clear ends")
    phrasing = told_phrasing(make, kind)
    path = lifelike.lifelike_path(make, suits)
    suit = suits[0] if suits else "txt"
    label = FENCES.get(suit, suit if suit.islower() and "." not in suit else "")
    shown = _fenced(make, content, label, {"block_end": 0.3, "block_mid": 0.35, "block_first": 0.45}[kind])
    text = phrasing.text
    if kind == "block_end":
        text += make.rng.choice(("\n{block}", "\n\n{block}", "\n\n{block}"))
        if "```" in shown and shown != content and make.chance(0.2):
            text += make.rng.choice(("\n", "\n\n")) + make.line("write", "behind")
    elif shown != content and make.chance(0.4):
        text = text.replace("\n\n", "\n")
    slots = {"file": Slot(path, "path"), "block": Slot(content, "block", shown), "kind": _kind(make)}
    slots |= {"lang": Slot(_language(make, suits)), "count": Slot(_count(content))}
    return make.clause(Phrasing(text=text, order=False), slots, answer(path, content, content + "\n"))


_BUILDERS: dict[str, Callable[[Maker], Clause]] = {
    "text": _text, "end": _end, "thing": _thing, "mid": _mid, "named_bare": _named_bare, "fixed": _fixed,
    "empty": _empty,
    "lines2": _lines("lines2"), "lines3": _lines("lines3"), "breaks": _breaks, "kept": _kept, "said": _said,
    "apart": _apart, "apart_empty": _apart_empty, "apart_block": _apart_block,
}  # fmt: skip
