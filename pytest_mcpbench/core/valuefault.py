"""In what way an argument's value is wrong: one word for every pair of values that differ."""

import json
import re
from collections.abc import Callable
from typing import Literal

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.match import normal_path

ValueFault = Literal[
    "number_type",
    "quoting",
    "white_space",
    "letter_case",
    "path",
    "punctuation",
    "truncated",
    "misread",
    "hallucinated",
]
"""The first that applies in this order. `misread`: the value stands in the request, but is not the one asked for;
`hallucinated`: it stands nowhere in it."""

_QUOTES = re.compile(r"""\\?["'`\u2018\u2019\u201c\u201d\xab\xbb]""")
_SPACE = re.compile(r"(?:\s|\\[nrt])+")
_PUNCTUATION = re.compile(r"[^\w]|_")
_FILE_NAMES = ("path", "file", "dir", "folder")
_PATTERN_NAMES = ("glob", "pattern")
_LONGEST = 20_000


def value_fault(want: Json, got: Json, parameter: str = "", request: str = "") -> ValueFault:
    """How `got` is wrong where `want` was right. `request` is what the user said."""
    if _same_number(want, got):
        return "number_type"
    if not isinstance(want, str) or not isinstance(got, str):
        return _origin(got, request)
    return _text_fault(want[:_LONGEST], got[:_LONGEST], parameter) or _origin(got, request)


def _same_number(want: Json, got: Json) -> bool:
    """Whether both mean one number, truth value or null, written as different types."""
    return type(want) is not type(got) and _scalar_text(want) == _scalar_text(got) is not None


def _scalar_text(value: Json) -> str | None:
    if isinstance(value, str):
        value = value.strip()
        try:
            return str(float(value))
        except ValueError:
            return value.lower() if value.lower() in ("true", "false", "none", "null") else None
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return str(float(value)) if isinstance(value, int | float) and abs(value) < 1e300 else None


def _text_fault(want: str, got: str, parameter: str) -> ValueFault | None:
    checks: tuple[tuple[ValueFault, Callable[[], bool]], ...] = (
        ("quoting", lambda: _QUOTES.sub("", want) == _QUOTES.sub("", got)),
        ("white_space", lambda: _SPACE.sub("", want) == _SPACE.sub("", got)),
        ("letter_case", lambda: want.casefold() == got.casefold()),
        ("path", lambda: _is_path(want, parameter) and _same_place(want, got)),
        ("punctuation", lambda: _PUNCTUATION.sub("", want) == _PUNCTUATION.sub("", got) != ""),
        ("truncated", lambda: got.strip() in want),
    )
    return next((fault for fault, applies in checks if applies()), None)


def _is_path(value: str, parameter: str) -> bool:
    name = parameter.lower()
    if "/" in value and any(word in name for word in _FILE_NAMES):
        return True  # a folder's name may hold spaces
    named = any(word in name for word in (*_FILE_NAMES, *_PATTERN_NAMES))
    return (named or "/" in value) and not re.search(r"\s", value.strip())


def _same_place(want: str, got: str) -> bool:
    """Whether one path is an end of the other, or they differ only in how they begin, or in where they lead up to."""
    first, second = ([part for part in normal_path(path.lstrip("/~")).split("/") if part] for path in (want, got))
    if not first or not second or len(first) == len(second) == 1:
        return first == second
    short, long = sorted((first, second), key=len)
    size = len(short)
    return long[-size:] == short or (long[:size] == short and size < len(long)) or first[-1] == second[-1]


def _origin(got: Json, request: str) -> ValueFault:
    shown = got if isinstance(got, str) else json.dumps(got, default=str)
    return "misread" if shown.strip() and shown.strip().casefold() in request.casefold() else "hallucinated"
