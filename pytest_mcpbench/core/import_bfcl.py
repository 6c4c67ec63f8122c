"""The Berkeley Function-Calling Leaderboard's single-turn Python files with their accepted answers, as rows of ours.

Source of the forms: `bfcl_eval/data` and the AST checker in ShishirPatil/gorilla (berkeley-function-call-leaderboard).
An accepted value "" means that the argument may be left out. Inside an object, and inside each object of a list, every
key has a list of accepted values of its own; deeper values stand for themselves.
"""

import itertools
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Json, Tool
from pytest_mcpbench.core.formats.family import same_json
from pytest_mcpbench.core.import_rows import ImportRow, Unusable, json_lines_of, word
from pytest_mcpbench.core.rows import first_line
from pytest_mcpbench.core.schema import ArgumentChecker
from pytest_mcpbench.errors import OptionError

CATEGORIES = {
    "simple_python": "simple",
    "simple": "simple",
    "multiple": "multiple",
    "parallel": "parallel",
    "parallel_multiple": "parallel_multiple",
    "live_simple": "simple",
    "live_multiple": "multiple",
    "live_parallel": "parallel",
    "live_parallel_multiple": "parallel_multiple",
    "irrelevance": "irrelevance",
    "live_irrelevance": "irrelevance",
}
"""Their categories and ours. `live_relevance` has no accepted answers; Java and JavaScript values are not JSON."""

_FILE = re.compile(r"(?:^|/)(possible_answer/)?BFCL_v[0-9]+_([a-z_]+)\.json$")
_TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "int": "integer", "bool": "boolean"}
_MOST_VARIANTS = 512
_LEFT_OUT = object()


class _Broken(Exception):
    """Why an accepted answer cannot be used."""


def bfcl_rows(source: Path) -> Iterator[ImportRow]:
    """The rows of all known categories in a folder or in the bfcl-eval wheel, category by category."""
    files = _files(source)
    checker = ArgumentChecker()
    for category, tag in CATEGORIES.items():
        questions = files.get((category, False), "")
        answers = {row["id"]: row["ground_truth"] for row in _rows(source, files.get((category, True), ""))}
        for row in _rows(source, questions):
            row_id = word(str(row.get("id")))
            if tag != "irrelevance" and row.get("id") not in answers:
                yield ImportRow(row_id, Unusable("it has no accepted answers"))
                continue
            try:
                yield ImportRow(row_id, _case(row_id, row, answers.get(row["id"], []), (tag, category), checker))
            except (_Broken, KeyError, TypeError, ValueError, AttributeError) as error:
                yield ImportRow(row_id, Unusable(f"its accepted answers cannot be used: {error}"))


def _files(source: Path) -> dict[tuple[str, bool], str]:
    """The text of each file, by its category and whether it holds answers; the first where there are several."""
    found: dict[tuple[str, bool], str] = {}
    try:
        for name, text in _members(source):
            match = _FILE.search(name)
            if match and "unused" not in name:
                found.setdefault((match.group(2), bool(match.group(1))), text)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"{source}: cannot be read: {first_line(error)}; give the folder of BFCL's data or the bfcl-eval wheel"
        ) from None
    return found


def _members(source: Path) -> Iterator[tuple[str, str]]:
    if source.is_dir():
        for path in sorted(source.rglob("BFCL_v*.json")):
            yield path.as_posix(), path.read_text(encoding="utf-8")
        return
    with zipfile.ZipFile(source) as wheel:
        for name in sorted(wheel.namelist()):
            if _FILE.search(name):
                yield name, wheel.read(name).decode()


def _rows(source: Path, text: str) -> list[dict[str, Any]]:
    try:
        return list(json_lines_of(text))
    except json.JSONDecodeError as error:
        raise OptionError(f"{source}: cannot be read as JSON lines: {error}; download the case set again") from None


def _case(
    row_id: str, row: Mapping[str, Any], answers: Sequence[Any], tags: Sequence[str], checker: ArgumentChecker
) -> dict[str, Json]:
    tools = [_tool(function) for function in row["function"]]
    offered = {tool["name"]: Tool(name=tool["name"], input_schema=tool["inputSchema"]) for tool in tools}
    return {
        "id": row_id,
        "messages": [
            {"role": message["role"], "content": message.get("content") or ""}
            for turn in row["question"]
            for message in turn
        ],
        "tools": tools,
        "expected": [
            _expected(offered, name, accepted, checker) for call in answers for name, accepted in call.items()
        ],
        "tags": ["bfcl", *dict.fromkeys(tags)],
        "source": "BFCL, Apache-2.0",
    }


def _tool(function: Mapping[str, Any]) -> dict[str, Json]:
    schema = _schema(function["parameters"])
    return {"name": function["name"], "description": function.get("description") or "", "inputSchema": schema}


def _schema(schema: Any) -> Any:
    """The schema with JSON Schema's names for the types; `any` is no type."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    declared = made.get("type")
    if isinstance(declared, str):
        made["type"] = _TYPES.get(declared, declared)
        if declared == "any":
            del made["type"]
    if isinstance(made.get("properties"), dict):
        made["properties"] = {name: _schema(inner) for name, inner in made["properties"].items()}
    if isinstance(made.get("items"), dict):
        made["items"] = _schema(made["items"])
    return made


def _expected(
    offered: Mapping[str, Tool], name: str, accepted: Mapping[str, Any], checker: ArgumentChecker
) -> dict[str, Json]:
    tool = offered.get(name)
    if tool is None:
        raise _Broken(f"they call {name!r}, which is not offered")
    arguments: dict[str, Json] = {}
    accept: dict[str, Json] = {}
    optional: dict[str, Json] = {}
    for key, options in accepted.items():
        schema = tool.parameters.get(key)
        if schema is None:
            raise _Broken(f"{name!r} has no parameter {key!r}")
        values = _values(key, options, schema, checker)
        if "" in options and key not in tool.required:
            optional |= {key: values} if values else {}
        elif not values:
            raise _Broken(f"no accepted value of {key!r} fits its schema")
        else:
            arguments[key] = values[0]
            accept |= {key: values[1:]} if values[1:] else {}
    return {"name": name, "arguments": arguments, "accept": accept, "optional": optional}


def _values(key: str, options: Sequence[Any], schema: Mapping[str, Any], checker: ArgumentChecker) -> list[Json]:
    """The accepted values that the parameter's schema admits, without doubles."""
    given = [option for option in options if not isinstance(option, str) or option] or list(options)
    alone = Tool(name=key, input_schema={"type": "object", "properties": {key: schema}})
    values: list[Json] = []
    for value in itertools.chain.from_iterable(_variants(option, schema) for option in given):
        if checker.problem(alone, {key: value}) is None and not any(same_json(value, known) for known in values):
            values.append(value)
    return values


def _variants(option: Any, schema: Mapping[str, Any]) -> list[Json]:
    """The values that one accepted value stands for."""
    items = schema.get("items")
    if schema.get("type") == "object" and isinstance(option, dict):
        return _objects(option)
    if isinstance(option, list) and isinstance(items, dict) and items.get("type") == "object":
        return [list(made) for made in _product([_objects(item) for item in option])]
    return [option]


def _objects(option: Any) -> list[Json]:
    if not isinstance(option, dict):
        return [option]
    choices = []
    for accepted in option.values():
        values = accepted if isinstance(accepted, list) else [accepted]
        choices.append([_LEFT_OUT if value == "" and isinstance(value, str) else value for value in values])
    made = ({k: v for k, v in zip(option, chosen, strict=True) if v is not _LEFT_OUT} for chosen in _product(choices))
    return list(made)


def _product(choices: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    made = list(itertools.islice(itertools.product(*choices), _MOST_VARIANTS + 1))
    if len(made) > _MOST_VARIANTS:
        raise _Broken(f"an argument has more than {_MOST_VARIANTS} accepted forms")
    return made
