"""What a request for files by name is answered with: patterns with and without `**/`, folders beside or in them."""

from collections.abc import Sequence

from pytest_mcpbench.training.generate.compose import Alternatives, one_call
from pytest_mcpbench.training.generate.places import HERE, Place


def found(pattern: str, place: Place, others: Sequence[str] = ()) -> Alternatives:
    """The right calls for a pattern of ours: with and without `**/`, the folder beside the pattern or in it."""
    short = [each.removeprefix("**/") for each in (pattern, *others)]
    accept = {"pattern": [each for each in (*others, *short) if each != pattern]}
    folder = place.arguments.get("path")
    if folder is None:
        return ((one_call("glob", {"pattern": pattern}, accept, {"path": HERE}),),)
    inside = {"pattern": [f"{folder}/{each}" for each in (*others, *short) if each != pattern]}
    return (
        (one_call("glob", {"pattern": pattern, "path": folder}, accept),),
        (one_call("glob", {"pattern": f"{folder}/{pattern}"}, inside, {"path": HERE}),),
    )


def typed(pattern: str, place: Place) -> Alternatives:
    """The right calls for a pattern that the user typed: as it is, or with `**/` in front of a bare one."""
    accept = [] if "/" in pattern else [f"**/{pattern}"]
    folder = place.arguments.get("path")
    if folder is None:
        return ((one_call("glob", {"pattern": pattern}, {"pattern": accept}, {"path": HERE}),),)
    inside = {"pattern": [f"{folder}/{each}" for each in accept]}
    return (
        (one_call("glob", {"pattern": pattern, "path": folder}, {"pattern": accept}),),
        (one_call("glob", {"pattern": f"{folder}/{pattern}"}, inside),),
    )


def directly(pattern: str, folder: str, others: Sequence[str] = ()) -> Alternatives:
    """The right calls for files in a folder itself, not below it."""
    inside = {"pattern": [f"{folder}/{each}" for each in others]}
    return (
        (one_call("glob", {"pattern": pattern, "path": folder}, {"pattern": list(others)}),),
        (one_call("glob", {"pattern": f"{folder}/{pattern}"}, inside, {"path": HERE}),),
    )


def one_level_down(name: str, folder: str) -> Alternatives:
    """The right calls for a file in each direct subfolder."""
    return (
        (one_call("glob", {"pattern": f"{folder}/*/{name}"}, optional={"path": HERE}),),
        (one_call("glob", {"pattern": f"*/{name}", "path": folder}),),
    )
