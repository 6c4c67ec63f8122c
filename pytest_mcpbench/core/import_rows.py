"""What the importers of foreign case sets share: rows with their ids, and calls in our form."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.rows import first_line
from pytest_mcpbench.errors import OptionError


class Unusable(NamedTuple):
    """Why a row is no case, in place of the case."""

    reason: str


class ImportRow(NamedTuple):
    """A row of a foreign set under its id: a row of our case files, or why there is none."""

    id: str
    data: dict[str, Json] | Unusable


def json_rows(source: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a JSON list or of JSON lines, each with its own id or the file's name and its number.

    Raises OptionError for a file that is neither.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if text.lstrip().startswith("[") else list(json_lines_of(text))
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"{source}: cannot be read as JSON: {first_line(error)}; give a JSON or JSONL file") from None
    for number, row in enumerate(rows, 1):
        own = row.get("id") if isinstance(row, dict) else None
        yield (word(str(own)) if own is not None else f"{word(source.stem)}-{number:05d}"), row


def json_lines_of(text: str) -> Iterator[Any]:
    """The value of each line that is not blank."""
    return (json.loads(line) for line in text.split("\n") if line.strip())


def word(text: str) -> str:
    """The text with `-` for every character that a case's id cannot have."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)


def rows_of_calls(calls: Iterable[Mapping[str, Any]]) -> list[dict[str, Json]]:
    """Calls as our case files write them; arguments may be an object or the JSON text of one."""
    rows = []
    for call in calls:
        given = call.get("arguments", call.get("parameters", {}))
        arguments = json.loads(given or "{}") if isinstance(given, str) else given
        if not isinstance(arguments, dict):
            raise TypeError(f"the arguments of {call['name']!r} are no object")
        rows.append({"name": call["name"], "arguments": arguments})
    return rows
