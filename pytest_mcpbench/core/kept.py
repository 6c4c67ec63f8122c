"""The cases of a run as its result keeps them, so that a result explains itself and can be scored again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from pytest_mcpbench.core.case import Case, ExpectedCall, Message, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCase:
    """A case whose tools stand once for all cases that offer them; `tools` is their key."""

    id: str
    messages: tuple[Message, ...]
    tools: str
    alternatives: tuple[tuple[ExpectedCall, ...], ...]
    tags: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """The last thing the user said."""
        return next((message.content for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def expected_tools(self) -> tuple[str, ...]:
        """The names of the tools that the canonical answer calls, sorted; empty where no tool applies."""
        return tuple(sorted({call.name for call in self.alternatives[0]})) if self.alternatives else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSet:
    """Which cases were run: their number, a hash of what they ask and expect, and the cases themselves.

    `items` is empty in files that were written before results kept their cases.
    """

    hash: str
    n: int
    items: tuple[KeptCase, ...] = ()
    toolsets: Mapping[str, tuple[Tool, ...]] = field(default_factory=dict)

    def by_id(self) -> dict[str, KeptCase]:
        """The kept cases by their ids."""
        return {case.id: case for case in self.items}


def keep(cases: Iterable[Case], digest: str) -> CaseSet:
    """The cases, each set of tools once; `digest` is their hash."""
    toolsets: dict[str, tuple[Tool, ...]] = {}
    keys: dict[int, str] = {}
    items = []
    for case in cases:
        key = keys.get(id(case.tools))
        if key is None:
            key = keys[id(case.tools)] = _tools_key(case.tools)
            toolsets[key] = case.tools
        items.append(
            KeptCase(
                id=case.id,
                messages=case.messages,
                tools=key,
                alternatives=case.alternatives,
                tags=tuple(sorted(case.tags)),
            )
        )
    return CaseSet(hash=digest, n=len(items), items=tuple(items), toolsets=toolsets)


def restore(kept: CaseSet) -> list[Case]:
    """The cases again, as `keep` took them. Raises KeyError for tools that were not kept."""
    return [
        Case(
            id=case.id,
            messages=case.messages,
            tools=kept.toolsets[case.tools],
            alternatives=case.alternatives,
            tags=frozenset(case.tags),
        )
        for case in kept.items
    ]


def _tools_key(tools: tuple[Tool, ...]) -> str:
    return hashlib.sha256(json.dumps([asdict(tool) for tool in tools]).encode()).hexdigest()[:12]
