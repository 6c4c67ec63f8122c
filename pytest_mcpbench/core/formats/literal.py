"""A reader for Python literals in model output: it accepts values and nothing else, and never evaluates anything."""

import math
import re
from dataclasses import dataclass

from pytest_mcpbench.core.case import Json

MAX_DEPTH = 64
MAX_DIGITS = 400
"""Longest number read, in characters. No tool takes a longer one, and Python refuses 4,300 digits itself."""

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[oO][0-7]+|0[bB][01]+"
    r"|(?:[0-9]+(?:_[0-9]+)*)?\.?[0-9]*(?:_[0-9]+)*(?:[eE][+-]?[0-9]+)?"
)
_STRING_START = re.compile(r"([rRuU]?)('''|\"\"\"|'|\")")
_BARE_STOPS = {"'": re.compile(r"['\\\r\n]"), '"': re.compile(r"[\"\\\r\n]")}
_TRIPLE_STOPS = {"'''": re.compile(r"'''|\\"), '"""': re.compile(r'"""|\\')}
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})")
_CONSTANTS: dict[str, Json] = {
    "True": True,
    "False": False,
    "None": None,
    "true": True,
    "false": False,
    "null": None,
}


@dataclass(slots=True)
class LiteralError(Exception):
    """Why a literal cannot be read: a reason's code and where in the text."""

    reason: str
    at: int


def skip_space(text: str, at: int) -> int:
    """The position of the next character that is not white space, at most len(text)."""
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches the empty string too


def read_literal(text: str, at: int, depth: int = 0) -> tuple[Json, int]:
    """The value that starts at `at`, and the position behind it. Tuples are read as lists.

    Raises LiteralError with a reason: unclosed, not_a_literal, newline_in_literal, too_deep, bad_number,
    number_out_of_range, bad_escape, duplicate_key, key_not_a_string.
    """
    at = skip_space(text, at)
    if at >= len(text):
        raise LiteralError("unclosed", at)
    char = text[at]
    if _STRING_START.match(text, at):
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
    raise LiteralError("not_a_literal", at)


def _read_sequence(text: str, at: int, depth: int) -> tuple[Json, int]:
    opener, start = text[at], at
    closer = "]" if opener == "[" else ")"
    items, at, commas = _read_items(text, at + 1, closer, depth)
    if opener == "(" and len(items) == 1 and not commas:
        return items[0], at
    if opener == "(" and not items and commas:
        raise LiteralError("not_a_literal", start)
    return items, at


def _read_items(text: str, at: int, closer: str, depth: int) -> tuple[list[Json], int, int]:
    if depth >= MAX_DEPTH:
        raise LiteralError("too_deep", at)
    items: list[Json] = []
    commas = 0
    at = skip_space(text, at)
    while not text.startswith(closer, at):
        value, at = read_literal(text, at, depth + 1)
        items.append(value)
        at, more = _after_item(text, at, closer)
        commas += more
    return items, at + 1, commas


def _after_item(text: str, at: int, closer: str) -> tuple[int, bool]:
    """The position of the next item or of the closer, and whether a comma was passed."""
    at = skip_space(text, at)
    if at >= len(text):
        raise LiteralError("unclosed", at)
    if text[at] == ",":
        return skip_space(text, at + 1), True
    if text.startswith(closer, at):
        return at, False
    raise LiteralError("not_a_literal", at)


def _read_dict(text: str, at: int, depth: int) -> tuple[Json, int]:
    if depth >= MAX_DEPTH:
        raise LiteralError("too_deep", at)
    result: dict[str, Json] = {}
    at = skip_space(text, at + 1)
    while not text.startswith("}", at):
        key_at = at
        key, at = read_literal(text, at, depth + 1)
        if not isinstance(key, str):
            raise LiteralError("key_not_a_string", key_at)
        if key in result:
            raise LiteralError("duplicate_key", key_at)
        at = skip_space(text, at)
        if not text.startswith(":", at):
            raise LiteralError("unclosed" if at >= len(text) else "not_a_literal", at)
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
        raise LiteralError("not_a_literal" if not token else "bad_number", start)
    if len(token) > MAX_DIGITS:
        raise LiteralError("number_out_of_range", start)
    try:
        value: int | float = int(token, 0) if not re.search(r"[.eE]", token) or token[:2] in ("0x", "0X") else float(token)
    except ValueError:
        raise LiteralError("bad_number", start) from None
    if not math.isfinite(value):
        raise LiteralError("number_out_of_range", start)
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
    stops = _TRIPLE_STOPS[quote] if len(quote) == 3 else _BARE_STOPS[quote]
    parts: list[str] = []
    while (stop := stops.search(text, at)) is not None:
        parts.append(text[at : stop.start()])
        found = stop.group()
        if found == quote:
            return "".join(parts), stop.end()
        if found != "\\":
            raise LiteralError("newline_in_literal", stop.start())
        if raw:
            parts.append(text[stop.start() : stop.start() + 2])
            at = stop.start() + 2
        else:
            part, at = _read_escape(text, stop.end())
            parts.append(part)
    raise LiteralError("unclosed", len(text))


def _read_escape(text: str, at: int) -> tuple[str, int]:
    """What the escape means whose backslash stands in front of `at`. An unknown one keeps its backslash, as in Python."""
    if at >= len(text):
        raise LiteralError("unclosed", at)
    char = text[at]
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    if char == "\n":
        return "", at + 1
    code = _ESCAPE_CODE.match(text, at)
    if code is None:
        if char in "xuUN":
            raise LiteralError("bad_escape", at)
        return "\\" + char, at + 1
    digits = code.group(1) or code.group(2) or code.group(3)
    value = int(digits, 16) if digits else int(code.group(4), 8)
    if value > 0x10FFFF:
        raise LiteralError("bad_escape", at)
    return chr(value), code.end()
