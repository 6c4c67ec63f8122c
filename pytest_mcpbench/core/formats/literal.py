"""A reader for Python literals in model output: it accepts values and nothing else, and never evaluates anything."""

import math
import re
import sys

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.formats.reading import MAX_DEPTH, MAX_DIGITS, ReadError, skip_space

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[oO][0-7]+|0[bB][01]+"
    r"|(?:[0-9]+(?:_[0-9]+)*)?\.?[0-9]*(?:_[0-9]+)*(?:[eE][+-]?[0-9]+)?"
)
_PLAIN = re.compile(
    r"""'([^'\\\r\n]*+)'(?=[,\])}:])|"([^"\\\r\n]*+)"(?=[,\])}:])|(-?(?:0|[1-9][0-9]{0,17}))(?=[,\])}])"""
)
_INTEGERS = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,17}), ?)++")
"""Values that need no further look: lists may hold them by the hundred thousand."""
_STRING_START = re.compile(r"([rRuU]?)('''|\"\"\"|'|\")")
_BODIES = {
    "'": re.compile(r"[^'\\\r\n]*+(?:\\(?:\r\n|[\s\S])[^'\\\r\n]*+)*+"),
    '"': re.compile(r'[^"\\\r\n]*+(?:\\(?:\r\n|[\s\S])[^"\\\r\n]*+)*+'),
    "'''": re.compile(r"(?:[^'\\]|\\[\s\S]|'(?!''))*+"),
    '"""': re.compile(r'(?:[^"\\]|\\[\s\S]|"(?!""))*+'),
}
_ESCAPE = re.compile(r"\\(\r\n|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|[\s\S])")
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPES |= dict.fromkeys(("\n", "\r", "\r\n"), "")
_CONSTANTS: dict[str, Json] = {
    "True": True,
    "False": False,
    "None": None,
    "true": True,
    "false": False,
    "null": None,
}


def read_literal(text: str, at: int, depth: int = 0) -> tuple[Json, int]:
    """The value that starts at `at`, and the position behind it. Tuples are read as lists.

    Raises ReadError with a reason: unclosed, not_a_literal, newline_in_literal, too_deep, bad_number,
    number_out_of_range, bad_escape, duplicate_key, key_not_a_string.
    """
    at = skip_space(text, at)
    if at >= len(text):
        raise ReadError("unclosed", at)
    plain = _PLAIN.match(text, at)
    if plain is not None:
        kind = plain.lastindex or 0
        return int(plain.group()) if kind == 3 else plain.group(kind), plain.end()
    char = text[at]
    if char in "'\"rRuU" and _STRING_START.match(text, at):
        return _read_strings(text, at)
    if char in "[(":
        return _read_sequence(text, at, depth)
    if char == "{":
        return _read_dict(text, at, depth)
    if char in "+-.0123456789":
        return _read_number(text, at)
    word = _WORD.match(text, at)
    if word and word.group() in _CONSTANTS:
        return _CONSTANTS[word.group()], word.end()
    raise ReadError("not_a_literal", at)


def _read_sequence(text: str, at: int, depth: int) -> tuple[Json, int]:
    opener, start = text[at], at
    closer = "]" if opener == "[" else ")"
    items, at, commas = _read_items(text, at + 1, closer, depth)
    if opener == "(" and len(items) == 1 and not commas:
        return items[0], at
    if opener == "(" and not items and commas:
        raise ReadError("not_a_literal", start)
    return items, at


def _read_items(text: str, at: int, closer: str, depth: int) -> tuple[list[Json], int, int]:
    if depth >= MAX_DEPTH:
        raise ReadError("too_deep", at)
    items: list[Json] = []
    commas = 0
    at = skip_space(text, at)
    while not text.startswith(closer, at):
        run = _INTEGERS.match(text, at)
        if run is not None:
            items.extend(map(int, run.group().rstrip(", ").split(",")))
            at, commas = skip_space(text, run.end()), commas + 1
            continue
        value, at = read_literal(text, at, depth + 1)
        items.append(value)
        at, more = _after_item(text, at, closer)
        commas += more
    return items, at + 1, commas


def _after_item(text: str, at: int, closer: str) -> tuple[int, bool]:
    """The position of the next item or of the closer, and whether a comma was passed."""
    at = skip_space(text, at)
    if at >= len(text):
        raise ReadError("unclosed", at)
    if text[at] == ",":
        return skip_space(text, at + 1), True
    if text.startswith(closer, at):
        return at, False
    raise ReadError("not_a_literal", at)


def _read_dict(text: str, at: int, depth: int) -> tuple[Json, int]:
    if depth >= MAX_DEPTH:
        raise ReadError("too_deep", at)
    result: dict[str, Json] = {}
    at = skip_space(text, at + 1)
    while not text.startswith("}", at):
        key_at = at
        key, at = read_literal(text, at, depth + 1)
        if not isinstance(key, str):
            raise ReadError("key_not_a_string", key_at)
        if key in result:
            raise ReadError("duplicate_key", key_at)
        at = skip_space(text, at)
        if not text.startswith(":", at):
            raise ReadError("unclosed" if at >= len(text) else "not_a_literal", at)
        result[key], at = read_literal(text, at + 1, depth + 1)
        at, _ = _after_item(text, at, "}")
    return result, at + 1


def _read_number(text: str, at: int) -> tuple[Json, int]:
    start = at
    sign = -1 if text[at] == "-" else 1
    if text[at] in "+-":
        at = skip_space(text, at + 1)
    match = _NUMBER.match(text, at)
    token = match.group() if match else ""
    end = at + len(token)
    if not token or token == "." or (end < len(text) and (text[end].isalnum() or text[end] in "_.")):
        raise ReadError("not_a_literal" if not token else "bad_number", start)
    if len(token) > MAX_DIGITS:
        raise ReadError("number_out_of_range", start)
    try:
        value: int | float = (
            int(token, 0) if not re.search(r"[.eE]", token) or token[:2] in ("0x", "0X") else float(token)
        )
    except ValueError:
        raise ReadError("bad_number", start) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ReadError("number_out_of_range", start)
    return sign * value, end


def _read_strings(text: str, at: int) -> tuple[str, int]:
    """One string, or several that Python would join because they stand side by side."""
    parts: list[str] = []
    while (start := _STRING_START.match(text, at)) is not None:
        part, end = _read_string(text, start.end(), start.group(2), raw=start.group(1) in ("r", "R"))
        parts.append(part)
        at = skip_space(text, end)
    return "".join(parts), end


def _read_string(text: str, at: int, quote: str, *, raw: bool) -> tuple[str, int]:
    end = _BODIES[quote].match(text, at).end()  # type: ignore[union-attr]  # matches the empty string too
    if not text.startswith(quote, end):
        raise ReadError("newline_in_literal" if text[end : end + 1] in ("\r", "\n") else "unclosed", end)
    body = text[at:end]
    if raw or "\\" not in body:
        return body, end + len(quote)
    try:
        return _ESCAPE.sub(_meaning, body), end + len(quote)
    except ReadError as error:
        raise ReadError(error.reason, at + error.at) from None


def _meaning(escape: re.Match[str]) -> str:
    """What an escape stands for. An unknown one keeps its backslash, as in Python."""
    code = escape.group(1)
    known = _ESCAPES.get(code)
    if known is not None:
        return known
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code in ("x", "u", "U", "N") or (code[0] == "U" and int(code[1:], 16) > sys.maxunicode):
        raise ReadError("bad_escape", escape.start())
    return chr(int(code[1:], 16)) if code[0] in "xuU" else escape.group()
