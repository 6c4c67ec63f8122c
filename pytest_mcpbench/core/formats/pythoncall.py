"""Calls written as Python: a name and keyword arguments that are literals. Read and never evaluated."""

import re
from collections.abc import Callable

from pytest_mcpbench.core.case import Arguments, Json, ToolCall
from pytest_mcpbench.core.formats.literal import read_literal
from pytest_mcpbench.core.formats.reading import ReadError, skip_space
from pytest_mcpbench.errors import FormatError

NAME = re.compile(r"\w[\w./:-]*")
_KEY = re.compile(r"[^\W\d][\w$.-]*")
_CLOSING = re.compile(r"'{3,}|'+\Z")


def read_python_call(text: str, at: int) -> tuple[ToolCall, int]:
    """The call `name(key=value, …)` that starts at `at`, and the position behind its closing parenthesis.

    Raises ReadError: unclosed, not_a_call, positional_argument, duplicate_argument, and those of `read_literal`.
    """
    name = NAME.match(text, at)
    if name is None:
        raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
    at = skip_space(text, name.end())
    if not text.startswith("(", at):
        raise ReadError("unclosed" if at >= len(text) else "not_a_call", at)
    arguments, at = _read_arguments(text, at + 1)
    return ToolCall(name=name.group(), arguments=arguments), at


def _read_arguments(text: str, at: int) -> tuple[Arguments, int]:
    arguments: dict[str, Json] = {}
    at = skip_space(text, at)
    while not text.startswith(")", at):
        key = _KEY.match(text, at)
        if at >= len(text) or (key is not None and key.end() >= len(text)):
            raise ReadError("unclosed", at)
        after = skip_space(text, key.end()) if key else at
        if key is None or not text.startswith("=", after):
            raise ReadError("positional_argument", at)
        if key.group() in arguments:
            raise ReadError("duplicate_argument", at)
        arguments[key.group()], at = read_literal(text, after + 1)
        at = skip_space(text, at)
        if at >= len(text):
            raise ReadError("unclosed", at)
        if text[at] == ",":
            at = skip_space(text, at + 1)
        elif text[at] != ")":
            raise ReadError("not_a_literal", at)
    return arguments, at + 1


def write_python_call(call: ToolCall, format_name: str, write_text: Callable[[str], str] = repr) -> str:
    """`name(key=value, …)`, with texts as `write_text` writes them. Raises FormatError for names that are no names."""
    if not NAME.fullmatch(call.name):
        raise FormatError(
            f"{format_name}: a tool cannot be named {call.name!r}; letters, digits and _ . / : - make a name"
        )
    for key in call.arguments:
        if not _KEY.fullmatch(key):
            raise FormatError(f"{format_name}: {call.name}: an argument cannot be named {key!r}; rename it")
    arguments = ", ".join(f"{key}={write_literal(value, write_text)}" for key, value in call.arguments.items())
    return f"{call.name}({arguments})"


def write_literal(value: Json, write_text: Callable[[str], str] = repr) -> str:
    """The value as a Python literal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {write_literal(item, write_text)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write_literal(item, write_text) for item in value) + "]"
    return write_text(value) if isinstance(value, str) else repr(value)


def text_as_it_stands(value: str) -> str:
    """The text as a Python literal with few escapes: in three quotes where it has lines or both kinds of quotes.

    A model copies a line break more easily than it turns it into an escape that melts with the word behind it.
    """
    plain = "\n" not in value and not ("'" in value and '"' in value)
    if plain or not all(sign.isprintable() or sign in "\n\t" for sign in value):
        return repr(value)
    body = _CLOSING.sub(lambda found: "\\'" * len(found.group()), value.replace("\\", "\\\\"))
    return f"'''{body}'''"
