"""The nouns: tools, calls, conversations and cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
"""A JSON value: None, bool, int, float, str, a list of them or a dict from str to them."""

Arguments = Mapping[str, Json]

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call as a model wrote it or as a case expects it: a tool's name and the values it is given."""

    name: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool in MCP's `tools/list` form."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Json] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def parameters(self) -> Mapping[str, Json]:
        """The schema of each parameter by its name, in the order of the tool's file."""
        properties: Mapping[str, Json] = self.input_schema.get("properties", {})
        return properties

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that every call must give."""
        return tuple(self.input_schema.get("required", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation. `calls` are an assistant's earlier calls, `name` the tool whose result this is."""

    role: Role
    content: str = ""
    calls: tuple[ToolCall, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """A right call, and the room it leaves.

    `accept` lists other right values of an argument that is in `arguments`; `optional` maps an argument
    that may be left out to the values it may have if it is given.
    """

    name: str
    arguments: Arguments = field(default_factory=dict)
    accept: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    optional: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    @property
    def call(self) -> ToolCall:
        """The canonical answer, the one that training renders."""
        return ToolCall(name=self.name, arguments=self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and what answers it.

    `alternatives` holds one or more whole call lists, each of them right; the first is canonical.
    A case where no tool applies has exactly one alternative, the empty list.
    """

    id: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    alternatives: tuple[tuple[ExpectedCall, ...], ...]
    tags: frozenset[str] = frozenset()
    source: str | None = None
    answer: str | None = None

    @property
    def expected(self) -> tuple[ExpectedCall, ...]:
        """The canonical calls; empty where no tool applies."""
        return self.alternatives[0]

    @property
    def expects_call(self) -> bool:
        """Whether some tool applies."""
        return bool(self.alternatives[0])

    @property
    def prompt(self) -> str:
        """The last thing the user said."""
        return next((message.content for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def expected_tools(self) -> frozenset[str]:
        """The names of the tools that the canonical answer calls."""
        return frozenset(call.name for call in self.expected)
