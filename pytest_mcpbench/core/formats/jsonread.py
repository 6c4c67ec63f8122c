"""Strict JSON in model output: one value at a place in a text, and the call that an object describes."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from pytest_mcpbench.core.case import Json, ToolCall
from pytest_mcpbench.core.formats.reading import MAX_DEPTH, MAX_DIGITS, ReadError, skip_space

ARGUMENT_KEYS = ("arguments", "parameters")


def read_json(text: str, at: int) -> tuple[Json, int]:
    """The JSON value (RFC 8259) that starts at `at` after white space, and the position behind it.

    Raises ReadError: unclosed, bad_json, duplicate_key, not_finite (NaN, Infinity, 1e999), number_out_of_range,
    too_deep.
    """
    at = skip_space(text, at)
    if at >= len(text):
        raise ReadError("unclosed", at)
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated string")
        raise ReadError("unclosed" if cut else "bad_json", error.pos) from None
    except RecursionError:
        raise ReadError("too_deep", at) from None
    except ReadError as error:
        raise ReadError(error.reason, at) from None
    return value, end


def read_call(text: str, at: int) -> tuple[ToolCall, int]:
    """The call that the JSON object at `at` describes, and the position behind it."""
    value, end = read_json(text, at)
    return call_of(value, at), end


def read_calls(text: str, at: int) -> tuple[list[ToolCall], int]:
    """The calls in the JSON array at `at`, at least one, and the position behind it."""
    value, end = read_json(text, at)
    if not isinstance(value, list):
        raise ReadError("not_an_array", at)
    if not value:
        raise ReadError("empty", at)
    return [call_of(item, at) for item in value], end


def call_of(value: Json, at: int, *, name_key: str = "name", argument_keys: Sequence[str] = ARGUMENT_KEYS) -> ToolCall:
    """The call that an object describes: a name, and the arguments as an object or as the JSON text of one.

    Raises ReadError: not_an_object, no_name, no_arguments, two_arguments, arguments_not_an_object, too_deep.
    """
    if not isinstance(value, dict):
        raise ReadError("not_an_object", at)
    name = value.get(name_key)
    if not isinstance(name, str) or not name.strip():
        raise ReadError("no_name", at)
    given = [key for key in argument_keys if key in value]
    if len(given) != 1:
        raise ReadError("two_arguments" if given else "no_arguments", at)
    return ToolCall(name=name, arguments=arguments_of(value[given[0]], at))


def arguments_of(value: Json, at: int) -> dict[str, Json]:
    """The arguments, given as an object or as the JSON text of one."""
    if isinstance(value, str):
        try:
            value = whole_json(value, at)
        except ReadError as error:
            known = error.reason in ("duplicate_key", "not_finite", "number_out_of_range", "too_deep")
            raise ReadError(error.reason if known else "arguments_not_an_object", at) from None
    if not isinstance(value, dict):
        raise ReadError("arguments_not_an_object", at)
    for argument in value.values():
        check_depth(argument, at)
    return value


def whole_json(text: str, at: int = 0) -> Json:
    """The JSON value that is all of `text`. Raises ReadError at `at`."""
    try:
        value, end = read_json(text, 0)
    except ReadError as error:
        raise ReadError(error.reason, at) from None
    if skip_space(text, end) < len(text):
        raise ReadError("trailing_text", at)
    return value


def check_depth(value: Json, at: int = 0) -> None:
    """Raise ReadError too_deep if the value's lists and objects nest deeper than MAX_DEPTH."""
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = list(_children(level))
        if not level:
            return
    raise ReadError("too_deep", at)


def _children(values: Sequence[Json]) -> Iterator[Json]:
    for value in values:
        if isinstance(value, dict):
            yield None  # an empty object is a level of its own
            yield from value.values()
        elif isinstance(value, list):
            yield None
            yield from value


def dump(value: Json) -> str:
    """The value as JSON on one line, characters outside ASCII as they are."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def dump_call(call: ToolCall, arguments_key: str = "arguments") -> str:
    """`{"name": …, "arguments": {…}}`, spaced as the chat templates' `tojson` does."""
    return dump({"name": call.name, arguments_key: dict(call.arguments)})


def _object(pairs: list[tuple[str, Json]]) -> Mapping[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ReadError("duplicate_key", 0)
    return result


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ReadError("number_out_of_range", 0)
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_DIGITS:
        raise ReadError("number_out_of_range", 0)
    if not math.isfinite(value):
        raise ReadError("not_finite", 0)
    return value


def _constant(name: str) -> Json:
    raise ReadError("not_finite", 0)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
