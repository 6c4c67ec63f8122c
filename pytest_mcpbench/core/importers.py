"""Case sets of others as our cases: BFCL's single-turn files, OpenAI chat rows and xLAM rows.

A row that cannot become a case is skipped and listed with its reason; nothing is guessed. Every case passes the checks
that a case file passes, so an accepted answer that breaks its own tool's schema is a reason to skip.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Case, ExpectedCall, Json, Message, Tool
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.import_bfcl import bfcl_rows
from pytest_mcpbench.core.import_rows import ImportRow, Unusable, json_rows, rows_of_calls
from pytest_mcpbench.core.rows import Place
from pytest_mcpbench.errors import CaseError, OptionError

_PYTHON_TYPES = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "complex": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "list": "array",
    "array": "array",
    "tuple": "array",
    "set": "array",
    "dict": "object",
    "object": "object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A row that did not become a case, and why in one line."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The cases of a foreign set in its order, and the rows that were left out."""

    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...]


def import_cases(kind: str, source: Path) -> ImportResult:
    """The cases in `source`: for "bfcl" a folder or the bfcl-eval wheel, for "openai" and "xlam" a JSON or JSONL file.

    Raises OptionError for another kind or a source that cannot be read as one.
    """
    if kind not in _READERS:
        raise OptionError(f"unknown kind of case set {kind!r}; take one of: {', '.join(_READERS)}")
    if not source.exists():
        raise OptionError(f"{source}: there is no such file or folder; give the path of the {kind} case set")
    reader = CaseReader(shipped_tools=source.parent)
    cases: list[Case] = []
    skipped: list[Skipped] = []
    taken: set[str] = set()
    for row in _READERS[kind](source):
        try:
            if isinstance(row.data, Unusable):
                raise CaseError(row.data.reason)
            case = reader.case_of(row.data, Place(path=str(source)))
            if case.id in taken:
                raise CaseError(f"the id {case.id!r} is taken by an earlier row")
        except CaseError as error:
            words = str(error)
            skipped.append(Skipped(id=row.id, reason=words.partition(f"case {row.id!r}: ")[2] or words))
            continue
        taken.add(case.id)
        cases.append(case)
    if not cases and not skipped:
        raise OptionError(f"{source}: no {kind} rows in it; give the path of the {kind} case set")
    return ImportResult(cases=tuple(cases), skipped=tuple(skipped))


def case_row(case: Case) -> dict[str, Json]:
    """The case as one row of a case file, its tools inline."""
    row: dict[str, Json] = {"id": case.id}
    if len(case.messages) == 1 and case.messages[0].role == "user":
        row["prompt"] = case.messages[0].content
    else:
        row["messages"] = [_message_row(message) for message in case.messages]
    row["tools"] = [_tool_row(tool) for tool in case.tools]
    lists = [[_call_row(call) for call in calls] for calls in case.alternatives]
    row |= {"expected": lists[0]} if len(lists) == 1 else {"expected_any": lists}
    row |= {"tags": sorted(case.tags)} if case.tags else {}
    row |= {"source": case.source} if case.source is not None else {}
    row |= {"answer": case.answer} if case.answer is not None else {}
    return row


def _message_row(message: Message) -> dict[str, Json]:
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.calls]
    named = {"name": message.name} if message.name is not None else {}
    return {"role": message.role, "content": message.content, **({"calls": calls} if calls else {}), **named}


def _tool_row(tool: Tool) -> dict[str, Json]:
    aliases = {"aliases": list(tool.aliases)} if tool.aliases else {}
    return {"name": tool.name, "description": tool.description, "inputSchema": dict(tool.input_schema), **aliases}


def _call_row(call: ExpectedCall) -> dict[str, Json]:
    accept = {"accept": {key: list(values) for key, values in call.accept.items()}} if call.accept else {}
    optional = {"optional": {key: list(values) for key, values in call.optional.items()}} if call.optional else {}
    return {"name": call.name, "arguments": dict(call.arguments), **accept, **optional}


def _openai_rows(source: Path) -> Iterator[ImportRow]:
    """A row a line: `messages` whose last is the assistant's right answer, and `tools`."""
    for row_id, data in json_rows(source):
        try:
            row = _openai_row(row_id, data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield ImportRow(row_id, Unusable(f"no chat row: {type(error).__name__} {error}"))
            continue
        yield ImportRow(row_id, row)


def _openai_row(row_id: str, data: Any) -> dict[str, Json]:
    *before, last = data["messages"]
    if last["role"] != "assistant":
        raise ValueError("the last message is not the assistant's answer")
    calls = _chat_calls(last)
    tools = [tool.get("function", tool) for tool in data["tools"]]
    answer = {"answer": last["content"]} if not calls and isinstance(last.get("content"), str) else {}
    return {
        "id": row_id,
        "messages": [_chat_message(message) for message in before],
        "tools": [
            {
                "name": tool["name"],
                "description": tool.get("description") or "",
                "inputSchema": tool.get("parameters") or {"type": "object", "properties": {}},
            }
            for tool in tools
        ],
        "expected": calls,
        "tags": ["openai"],
        **answer,
    }


def _chat_message(message: Mapping[str, Any]) -> dict[str, Json]:
    role = {"developer": "system", "function": "tool"}.get(message["role"], message["role"])
    calls = _chat_calls(message)
    named = {"name": message["name"]} if role == "tool" and message.get("name") else {}
    return {"role": role, "content": _words(message.get("content")), **({"calls": calls} if calls else {}), **named}


def _words(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return str(content or "")


def _chat_calls(message: Mapping[str, Any]) -> list[dict[str, Json]]:
    return rows_of_calls(call.get("function", call) for call in message.get("tool_calls") or ())


def _xlam_rows(source: Path) -> Iterator[ImportRow]:
    """A row a line: `query`, `tools` and `answers`, the last two as JSON or as the text of it."""
    for row_id, data in json_rows(source):
        try:
            tools, answers = (
                json.loads(data[key]) if isinstance(data[key], str) else data[key] for key in ("tools", "answers")
            )
            row = {
                "id": row_id,
                "prompt": data["query"],
                "tools": [_xlam_tool(tool) for tool in tools],
                "expected": rows_of_calls(answers),
                "tags": ["xlam"],
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield ImportRow(row_id, Unusable(f"no xLAM row: {type(error).__name__} {error}"))
            continue
        yield ImportRow(row_id, row)


def _xlam_tool(tool: Mapping[str, Any]) -> dict[str, Json]:
    parameters = tool.get("parameters") or {}
    if parameters.get("type") == "object" and "properties" in parameters:
        schema = parameters
    else:
        types = {name: str(about.get("type", "")) for name, about in parameters.items()}
        properties = {name: _python_schema(types[name], about) for name, about in parameters.items()}
        required = [name for name, about in parameters.items() if "optional" not in types[name].lower()]
        required = [name for name in required if "default" not in parameters[name]]
        schema = {"type": "object", "properties": properties, "required": required}
    return {"name": tool["name"], "description": tool.get("description") or "", "inputSchema": schema}


def _python_schema(annotation: str, about: Mapping[str, Any]) -> dict[str, Json]:
    """The schema of a parameter whose type is written as Python does; no type where it is none of Python's own."""
    word = annotation.split(",", 1)[0].strip().removeprefix("Optional[").split("[", 1)[0].rstrip("]").lower()
    described = {"description": about["description"]} if isinstance(about.get("description"), str) else {}
    return {**({"type": _PYTHON_TYPES[word]} if word in _PYTHON_TYPES else {}), **described}


_READERS: dict[str, Callable[[Path], Iterable[ImportRow]]] = {
    "bfcl": bfcl_rows,
    "openai": _openai_rows,
    "xlam": _xlam_rows,
}
