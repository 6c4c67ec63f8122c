"""From files to cases: every line is checked before anything runs, and an error names file, line and rule."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.case import Case, ExpectedCall, Json, Message, Tool, ToolCall
from pytest_mcpbench.core.rows import (
    Place,
    first_line,
    json_lines,
    mapping_at,
    object_of,
    strings_at,
    text_at,
    value_lists_at,
)
from pytest_mcpbench.core.schema import ArgumentChecker, schema_problem
from pytest_mcpbench.errors import CaseError

_CASE_KEYS = ("id", "prompt", "messages", "tools", "expected", "expected_any", "tags", "source", "answer")
_CALL_KEYS = ("name", "arguments", "accept", "optional")
_MESSAGE_KEYS = ("role", "content", "calls", "name")
_TOOL_KEYS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "aliases", "icons", "_meta")
_ROLES = ("system", "user", "assistant", "tool")
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(slots=True)
class CaseReader:
    """Reads case files; each tool file is read, and each schema compiled, once.

    `shipped_tools` is the folder where a tool set's name is looked up after the case file's own.
    `tools` replaces the tools of every case.
    """

    shipped_tools: Path
    tools: tuple[Tool, ...] | None = None
    _tool_files: dict[Path, tuple[Tool, ...]] = field(default_factory=dict)
    _named: dict[tuple[str, str], tuple[Tool, ...]] = field(default_factory=dict)
    _checker: ArgumentChecker = field(default_factory=ArgumentChecker)

    def read(self, paths: Iterable[Path]) -> list[Case]:
        """The cases of all files and folders, in order. Raises CaseError for the first thing that is wrong."""
        seen: dict[str, Place] = {}
        cases: list[Case] = []
        for path in [file for given in paths for file in case_files(given)]:
            for place, data in json_lines(path):
                case = self.case_of(data, place)
                if case.id in seen:
                    first = seen[case.id]
                    place.fail(
                        f"the id {case.id!r} is taken by {first.path}:{first.line}; ids are unique in a whole set"
                    )
                seen[case.id] = place
                cases.append(case)
        return cases

    def case_of(self, data: Json, place: Place) -> Case:
        """The case that one row of a file describes."""
        row = object_of(data, "a case", _CASE_KEYS, place)
        case_id = row.get("id")
        if not isinstance(case_id, str) or not case_id or not set(case_id) <= _ID_CHARACTERS:
            place.fail(f"'id' is {case_id!r}; it must be a word of letters, digits, '-', '_' and '.'")
        place = Place(path=place.path, line=place.line, case_id=case_id)
        tools = self._offered(row, place)
        return Case(
            id=case_id,
            messages=_conversation(row, place),
            tools=tools,
            alternatives=self._alternatives(row, tools, place),
            tags=frozenset(strings_at(row, "tags", place)),
            source=text_at(row, "source", place),
            answer=text_at(row, "answer", place),
        )

    def _offered(self, row: Mapping[str, Json], place: Place) -> tuple[Tool, ...]:
        if self.tools is not None:
            return self.tools
        given = row.get("tools")
        if isinstance(given, list):
            return tools_of(given, place)
        if not isinstance(given, str) or not given:
            place.fail("'tools' must be a tool set's name, a path or a list of tools in MCP's tools/list form")
        # Looked up once for each case file: to look for a file takes longer than to check a case.
        named = (place.path, given)
        if named not in self._named:
            path = self._tool_path(given, place)
            if path not in self._tool_files:
                self._tool_files[path] = read_tools(path)
            self._named[named] = self._tool_files[path]
        return self._named[named]

    def _tool_path(self, given: str, place: Place) -> Path:
        beside = Path(place.path).parent
        candidates = [beside / given, beside / f"{given}.json", self.shipped_tools / f"{given}.json"]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            known = ", ".join(sorted(file.stem for file in self.shipped_tools.glob("*.json")))
            place.fail(f"no tools named {given!r}: not a file beside the case file, nor a shipped set ({known})")
        return found

    def _alternatives(
        self, row: Mapping[str, Json], tools: Sequence[Tool], place: Place
    ) -> tuple[tuple[ExpectedCall, ...], ...]:
        if ("expected" in row) == ("expected_any" in row):
            place.fail("give either 'expected' (a list of calls, [] where no tool applies) or 'expected_any'")
        lists = row["expected_any"] if "expected_any" in row else [row["expected"]]
        if not isinstance(lists, list) or not lists or not all(isinstance(calls, list) for calls in lists):
            place.fail("'expected' must be a list of calls, 'expected_any' a list of such lists")
        if len(lists) > 1 and not all(lists):
            place.fail("'expected_any' cannot hold an empty list: either a tool applies or none does")
        offered = {tool.name: tool for tool in tools}
        return tuple(tuple(self._expected_call(call, offered, place) for call in calls) for calls in lists)

    def _expected_call(self, data: Json, offered: Mapping[str, Tool], place: Place) -> ExpectedCall:
        row = object_of(data, "an expected call", _CALL_KEYS, place)
        name = row.get("name")
        tool = offered.get(name) if isinstance(name, str) else None
        if tool is None:
            place.fail(
                f"the expected call names tool {name!r}, which the case does not offer "
                f"(offered: {', '.join(offered)}); add it to 'tools' or fix the name"
            )
        arguments = mapping_at(row, "arguments", place)
        accept = value_lists_at(row, "accept", place)
        optional = value_lists_at(row, "optional", place)
        self._check_values(tool, arguments, (accept, optional), place)
        return ExpectedCall(name=tool.name, arguments=arguments, accept=accept, optional=optional)

    def _check_values(
        self,
        tool: Tool,
        arguments: Mapping[str, Json],
        room: tuple[Mapping[str, tuple[Json, ...]], Mapping[str, tuple[Json, ...]]],
        place: Place,
    ) -> None:
        """Every value that would count as right must be one that the tool's schema admits."""
        accept, optional = room
        if stray := next((key for key in accept if key not in arguments), None):
            place.fail(f"{tool.name}: 'accept' names {stray!r}, which is not in 'arguments'; use 'optional' for it")
        if stray := next((key for key in optional if key in arguments), None):
            place.fail(f"{tool.name}: 'optional' names {stray!r}, which is in 'arguments'; use 'accept' for it")
        variants = [arguments]
        variants += [
            {**arguments, key: value} for key, values in (*accept.items(), *optional.items()) for value in values
        ]
        for variant in variants:
            if problem := self._checker.problem(tool, variant):
                place.fail(f"the expected call of {tool.name!r} breaks the tool's schema: {problem}")


def case_files(path: Path) -> list[Path]:
    """The `.jsonl` files of a folder and the folders in it, sorted; or the file itself."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CaseError(f"{path}: no such file or folder; give a .jsonl file of cases or a folder that holds some")
    files = sorted(path.rglob("*.jsonl"))
    if not files:
        raise CaseError(f"{path}: no case file in it; a case file's name ends in .jsonl")
    return files


def read_tools(path: Path) -> tuple[Tool, ...]:
    """The tools of a JSON file in MCP's `tools/list` form: a list, or an object with a list under `tools`."""
    place = Place(path=str(path))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        place.fail(f"no tool file: {first_line(error)}")
    return tools_of(data.get("tools") if isinstance(data, dict) else data, place)


def tools_of(data: Json, place: Place) -> tuple[Tool, ...]:
    """The tools of a list in `tools/list` form. Raises CaseError for a bad or doubled one."""
    if not isinstance(data, list) or not data:
        place.fail("tools must be a non-empty list in MCP's tools/list form")
    tools = tuple(_tool_of(item, place) for item in data)
    names: set[str] = set()
    for name in [name for tool in tools for name in (tool.name, *tool.aliases)]:
        if name in names:
            place.fail(f"two tools are called {name!r}; names and aliases are unique")
        names.add(name)
    return tools


def cases_hash(cases: Iterable[Case]) -> str:
    """A SHA-256 over what the cases ask and expect, whatever their order and tags."""
    # Cases that offer the same tools share one tuple of them, whose text is most of what is hashed.
    tools: dict[int, str] = {}
    digests = sorted(_case_digest(case, tools) for case in list(cases))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _case_digest(case: Case, tools: dict[int, str]) -> str:
    offered = tools.get(id(case.tools))
    if offered is None:
        described = [(tool.name, tool.description, tool.input_schema, tool.aliases) for tool in case.tools]
        offered = tools[id(case.tools)] = json.dumps(described, sort_keys=True)
    said = [(turn.role, turn.content, turn.name, _calls(turn.calls)) for turn in case.messages]
    expected = [[(c.name, c.arguments, c.accept, c.optional) for c in calls] for calls in case.alternatives]
    parts = (json.dumps(case.id), json.dumps(said, sort_keys=True), offered, json.dumps(expected, sort_keys=True))
    return hashlib.sha256(f"[{', '.join(parts)}]".encode()).hexdigest()


def _calls(calls: Iterable[ToolCall]) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in calls]


def _tool_of(data: Json, place: Place) -> Tool:
    row = object_of(data, "a tool", _TOOL_KEYS, place)
    name: Json = row.get("name")
    aliases = strings_at(row, "aliases", place)
    for word in (name, *aliases):
        # What a person will read on a terminal, and a marker expression can name.
        if not isinstance(word, str) or not word or not word.isprintable():
            place.fail(f"a tool's 'name' or alias is {word!r}; it must be a word")
    schema = row.get("inputSchema")
    if not isinstance(schema, dict):
        place.fail(f"tool {name!r}: 'inputSchema' must be a JSON Schema object")
    tool = Tool(
        name=name,
        description=text_at(row, "description", place) or "",
        input_schema=schema,
        aliases=tuple(aliases),
    )
    if problem := schema_problem(tool):
        place.fail(f"tool {name!r}: {problem}")
    return tool


def _conversation(row: Mapping[str, Json], place: Place) -> tuple[Message, ...]:
    if ("prompt" in row) == ("messages" in row):
        place.fail("give either 'prompt' or 'messages'")
    if "prompt" in row:
        if not isinstance(row["prompt"], str) or not row["prompt"].strip():
            place.fail("'prompt' must be a text that is not blank")
        return (Message(role="user", content=row["prompt"]),)
    turns = row["messages"]
    if not isinstance(turns, list) or not turns:
        place.fail('\'messages\' must be a non-empty list of {"role", "content"}')
    messages = tuple(_message(turn, place) for turn in turns)
    if messages[-1].role not in ("user", "tool"):
        place.fail(f"the last message is the {messages[-1].role}'s; it must be the user's or a tool's result")
    return messages


def _message(data: Json, place: Place) -> Message:
    row = object_of(data, "a message", _MESSAGE_KEYS, place)
    if row.get("role") not in _ROLES:
        place.fail(f"a message's 'role' is {row.get('role')!r}; roles: {', '.join(_ROLES)}")
    calls = row.get("calls", [])
    if not isinstance(calls, list):
        place.fail("a message's 'calls' must be a list of calls")
    made = []
    for call in calls:
        item = object_of(call, "an earlier call", ("name", "arguments"), place)
        if not isinstance(item.get("name"), str):
            place.fail(f"an earlier call's 'name' is {item.get('name')!r}; it must be a word")
        made.append(ToolCall(name=item["name"], arguments=mapping_at(item, "arguments", place)))
    content = text_at(row, "content", place) or ""
    return Message(role=row["role"], content=content, calls=tuple(made), name=text_at(row, "name", place))
