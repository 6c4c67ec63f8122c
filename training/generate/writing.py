"""Rows for the write tool: contents in quotes, without quotes, in blocks, and none at all."""

import re
from collections.abc import Callable

from pytest_mcpbench.training.generate.compose import Alternatives, Clause, Maker, Phrasing, one_call
from pytest_mcpbench.training.generate.exact_writes import exact_write
from pytest_mcpbench.training.generate.pools import blocks, lines, side
from pytest_mcpbench.training.generate.quoting import Slot, clear_as_words
from pytest_mcpbench.training.generate.reading import apart
from pytest_mcpbench.training.generate.snippets import FENCES, FILES
from pytest_mcpbench.training.generate.telling import told_write

_SHARES = {
    "quoted": 0.2, "bare_end": 0.08, "bare_mid": 0.03, "block": 0.35, "block_tail": 0.06, "empty": 0.07,
    "two_lines": 0.05, "three_lines": 0.03, "apart": 0.08, "short": 0.06,
}  # fmt: skip
_TOLD = 0.75
"""The share of the rows that are told as people tell things, with reasons and in any order."""

_EXACT = 0.4
"""The share of these rows whose content has signs or lines that are easily lost."""

_TEXTS = ("txt", "md", "txt", "txt", "log", "json", "py", "html", "cfg", "csv")

_DATA = (
    '{"<id>": "<word>"}', '{"<id>": <n>}', '{"<id>": <n>, "<id2>": false}', "[<n>, <m>]", "{}", "[]", '["<word>"]',
    '{"<word>": {"<id>": true}}', "{<id>: <n>}", "<CONST>=<n>", "<id> = <n>",
)  # fmt: skip


def write_clause(make: Maker) -> Clause:
    """A request to create or overwrite a file."""
    if make.chance(_TOLD):
        return (exact_write if make.chance(_EXACT) else told_write)(make)
    kind = make.draw(_SHARES)
    if kind in _BUILDERS:
        return _BUILDERS[kind](make)
    if kind in ("block", "block_tail"):
        return _block(make, kind)
    if kind in ("two_lines", "three_lines"):
        return _few_lines(make, kind)
    if kind == "quoted":
        return _quoted(make, make.phrasing("write", "quoted"))
    return _bare(make, kind)


def short_write(make: Maker) -> Clause:
    """A short order to write a file, its content in quotes or empty, for requests of two parts."""
    if make.chance(0.25):
        return _empty(make, orders_only=True)
    return _quoted(make, make.phrasing("write", "quoted", orders_only=True))


def short_content(make: Maker) -> str:
    """A content of one line, as given in quotes."""
    values = make.values
    if make.chance(0.55):
        return _composed(make)
    draw = make.rng.random()
    if draw < 0.5:
        text = values.phrase()
    elif draw < 0.78:
        text = values.fill(make.rng.choice(side(lines("code"), make.split)))
    elif draw < 0.84:
        text = values.of(make.rng.choice(("n", "ver", "word", "sha", "email", "url", "id", "port")))
    elif draw < 0.92:
        text = values.fill(make.rng.choice(("<word> <word2> <stem>", "<Name> <word> <n>", "<stem>-<n> <word>", "<id>")))
    else:
        text = values.fill("<word>, <word2>") + make.rng.choice((".", "!", "?", "...", "", ";"))
    return text


def _composed(make: Maker) -> str:
    """A content of one line that no other row has."""
    coin, snippets = make.values.coin, make.values.snippets
    draw = make.rng.random()
    if draw < 0.36:
        return coin.sentence(2, 16)
    if draw < 0.48:
        return coin.with_apostrophe()
    if draw < 0.64:
        return snippets.odd()
    return snippets.command() if draw < 0.7 else snippets.line() if draw < 0.94 else coin.number()


def _file_for(make: Maker) -> str:
    return make.values.path(make.rng.choice(_TEXTS)) if make.chance(0.45) else make.values.path()


def _quoted(make: Maker, phrasing: Phrasing) -> Clause:
    path = _file_for(make)
    content, shown, others = short_content(make), None, []
    if make.chance(0.06):
        first, second = make.values.phrase(), make.values.phrase()
        if "\\" not in first + second:
            shown, content = f"{first}\\n{second}", f"{first}\n{second}"
            others = [shown, content + "\n"]
    if re.search(r"\bline\b", phrasing.text) or make.chance(0.2):
        others.append(content + "\n")
    slots = {
        "file": Slot(path, "path"),
        "content": Slot(content, "quoted_text", shown),
        "kind": Slot(make.line("kinds", "kind")),
    }
    return make.clause(phrasing, slots, written(path, content, others))


def _bare(make: Maker, kind: str) -> Clause:
    """A content without quotes: in the middle no connective may hide in it, at the end it runs to the end."""
    phrasing = make.phrasing("write", kind)
    content = ""
    while not content or "\n" in content or not clear_as_words(content):
        content = short_content(make).rstrip(" .!?,;:")
    if kind == "bare_end" and make.chance(0.35):
        entries = _DATA if make.chance(0.4) else side(lines("code"), make.split)
        code = make.values.fill(make.rng.choice(entries))
        content = content if code[-1] in ".!?:" else code
    path = _file_for(make)
    others = [content + "."]
    if kind == "bare_end" and make.chance(0.12) and content[-1:].isalpha() and " " in content:
        phrasing = Phrasing(text=phrasing.text + ".", order=phrasing.order)
    slots = {"file": Slot(path, "path"), "content": Slot(content, "free"), "kind": Slot(make.line("kinds", "kind"))}
    return make.clause(phrasing, slots, written(path, content, [*others, content + "\n"]))


def _block(make: Maker, kind: str) -> Clause:
    phrasing = make.phrasing("write", kind)
    name, content = _several_lines(make)
    path = make.values.path(name) if name.islower() and "." not in name else make.values.folder() + f"/{name}"
    if "/" in path and "." not in name and not name.islower() and make.chance(0.5):
        path = name
    if name.startswith(".") or "." in name:
        path = name if make.chance(0.5) else f"{make.values.folder()}/{name}"
    fence = make.chance(0.5 if kind == "block" else 0.8) or content.startswith((" ", "\t"))
    label = make.rng.choice(("", "", FENCES.get(name, name if name.islower() and "." not in name else "")))
    shown = f"```{label}\n{content}\n```" if fence else content
    text = phrasing.text
    if kind == "block":
        text += make.rng.choice(("\n{block}", "\n{block}", "\n\n{block}"))
        if fence and make.chance(0.25):
            text += make.rng.choice(("\n", "\n\n")) + make.line("write", "behind")
    elif not fence:
        text = text.replace("{block}\n", "{block}\n\n")
    slots = {
        "file": Slot(path, "path"),
        "block": Slot(content, "block", shown),
        "kind": Slot(make.line("kinds", "kind")),
    }
    return make.clause(
        Phrasing(text=text, order=phrasing.order and kind == "block"), slots, written(path, content, [content + "\n"])
    )


def _several_lines(make: Maker) -> tuple[str, str]:
    """A file's extension or name, and a content of two to fourteen lines for it."""
    rng = make.rng
    if make.chance(0.68):
        kind, content = make.values.snippets.block(rng.choice((2, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 14)))
        return rng.choice(FILES[kind]), content
    entries = [entry for entry in blocks("contents") if side((entry[1],), make.split)]
    suits, body = rng.choice(entries)
    content = make.values.fill(body)
    if suits == ("txt",) and make.chance(0.4):
        content = "\n".join(short_content(make) for _ in range(rng.randrange(3, 7)))
    return rng.choice(suits), content


def _empty(make: Maker, *, orders_only: bool = False) -> Clause:
    path = make.values.path()
    phrasing = make.phrasing("write", "empty", orders_only=orders_only)
    return make.clause(phrasing, {"file": Slot(path, "path")}, written(path, "", []))


def _few_lines(make: Maker, kind: str) -> Clause:
    path = _file_for(make)
    texts = [short_content(make) for _ in range(2 if kind == "two_lines" else 3)]
    content = "\n".join(texts)
    slots = {f"line{number}": Slot(text, "quoted_text") for number, text in enumerate(texts, 1)}
    slots["file"] = Slot(path, "path")
    return make.clause(make.phrasing("write", kind), slots, written(path, content, [content + "\n"]))


def _apart(make: Maker) -> Clause:
    """The file's name and its folder stand apart in the request."""
    slots, path = apart(make)
    if make.chance(0.3):
        return make.clause(make.phrasing("write", "apart_empty"), slots, written(path, "", []))
    content = short_content(make)
    others = [content + "\n"] if make.chance(0.2) else []
    slots["content"] = Slot(content, "quoted_text")
    return make.clause(make.phrasing("write", "apart"), slots, written(path, content, others))


def _short(make: Maker) -> Clause:
    """A content of one number, word or version, named as what it is."""
    coin, values = make.values.coin, make.values
    kind = make.draw({"number": 0.4, "word": 0.35, "version": 0.25})
    if kind == "number":
        content = coin.number() if make.chance(0.4) else coin.whole()
        shown = make.rng.choice((f"the number {content}", f"the value {content}", content))
    elif kind == "word":
        content = coin.any_word() if make.chance(0.6) else values.word()
        shown = make.rng.choice((f"the word {content}", f"the word {content}", f"the single word {content}"))
    else:
        content = values.of("ver")
        shown = make.rng.choice((f"the version {content}", f"version number {content}", content, content))
    path = _file_for(make)
    slots = {"file": Slot(path, "path"), "thing": Slot(shown)}
    return make.clause(make.phrasing("write", "short"), slots, written(path, content, [content + "\n"]))


def written(path: str, content: str, others: list[str]) -> Alternatives:
    """The right answers of a write: the content, or one of the others that the words leave open."""
    return ((one_call("write", {"file_path": path, "content": content}, accept={"content": others}),),)


_BUILDERS: dict[str, Callable[[Maker], Clause]] = {"empty": _empty, "apart": _apart, "short": _short}
