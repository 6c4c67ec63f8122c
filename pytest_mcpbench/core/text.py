"""Text that a model wrote, made fit to be shown."""


def printable(text: str, width: int | None = None) -> str:
    """The text on one line with every character that is not printable escaped, cut to `width` characters."""
    cut = text if width is None or len(text) <= width else text[: width - 1] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)
