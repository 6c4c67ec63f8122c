"""Text that a model wrote, made fit to be shown."""

_LAYOUT = str.maketrans("", "", "\n\t")


def printable(text: str, width: int | None = None) -> str:
    """The text on one line with every character that is not printable escaped, cut to `width` characters."""
    cut = text if width is None or len(text) <= width else text[: width - 1] + "…"
    return cut if cut.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in cut)


def visible(text: str, limit: int | None = None) -> str:
    """The text with its lines and tabs, every other character that is not printable escaped; cut with a note."""
    cut = text if limit is None else text[:limit]
    # Nearly every text is plain: to look is quicker than to build it anew, letter by letter.
    plain = cut.isprintable() or cut.translate(_LAYOUT).isprintable()
    shown = cut if plain else "".join(char if char.isprintable() or char in "\n\t" else _escaped(char) for char in cut)
    return shown if len(cut) == len(text) else f"{shown}\n… {len(text) - len(cut):,} more characters in the result file"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
