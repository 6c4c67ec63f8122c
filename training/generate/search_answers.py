"""Which calls of the grep tool are right for a pattern, a place and a way to show the result."""

import re
from collections.abc import Sequence

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.training.generate.compose import Alternatives, one_call
from pytest_mcpbench.training.generate.places import HERE, Place
from pytest_mcpbench.training.generate.quoting import Slot

_META = re.compile(r"[.^$*+?()\[\]{}|\\]")


def escapes(pattern: str, kind: str) -> list[str]:
    """The pattern with its regex characters escaped, all or those of one kind, where it is meant literally."""
    if kind == "regex":
        return []
    found = sorted(set(_META.findall(pattern)))
    variants = {_META.sub(lambda match: "\\" + match.group(), pattern)}
    variants |= {pattern.replace(sign, "\\" + sign) for sign in found}
    return sorted(variants - {pattern})


def answers(
    pattern: Slot, kind: str, place: Place, extra: dict[str, Json], optional: dict[str, Sequence[Json]]
) -> Alternatives:
    """The right calls of a search: one for each way to say its place."""
    room: dict[str, Sequence[Json]] = {"multiline": (False,), **optional}
    if "multiline" in extra:
        room.pop("multiline")
    found = []
    for where in (place.arguments, *place.others):
        more: dict[str, Sequence[Json]] = {} if "path" in where else {"path": HERE}
        glob = str(where.get("glob", ""))
        accept: dict[str, Sequence[Json]] = {"pattern": escapes(pattern.value, kind)}
        if glob and "/" not in glob:
            accept["glob"] = (f"**/{glob}",)
        arguments = {"pattern": pattern.value, **where, **extra}
        order = ("pattern", "path", "glob", "type", "output_mode", "head_limit", "multiline")
        arguments = {name: arguments[name] for name in order if name in arguments}
        found.append((one_call("grep", arguments, accept, {**more, **room}),))
    return tuple(found)
