"""What a model has to reach: the default targets, and the ones a user sets."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from pytest_mcpbench.core.level import LEVEL_NAMES, LEVELS
from pytest_mcpbench.errors import OptionError

TOOL_TARGET = 0.90

MARGINS = {8: 0.02, 4: 0.03}
"""The net loss that is forgiven a quantized model, by its bits."""

_SYNONYMS = {"tool_accuracy": "level3", "parameter_accuracy": "level4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """What a target's key admits: values between two bounds, and a name behind a colon."""

    low: float = 0.0
    high: float = 1.0
    named: bool = False


_KEYS: dict[str, _Key] = {
    **{name: _Key() for name in LEVEL_NAMES},
    "tool": _Key(named=True),
    "margin": _Key(high=0.5, named=True),
}
_EXAMPLES = f"{', '.join(LEVEL_NAMES)}, tool, tool:NAME, margin, margin:LABEL, {', '.join(_SYNONYMS)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The rates in [0, 1] to reach: per level, for every tool at level 3, and for single tools.

    `margins` are the net losses in [0, 0.5] that quantized models may have, by label; under "" for any label.
    """

    levels: Mapping[str, float] = field(default_factory=lambda: {level.name: level.target for level in LEVELS})
    tool: float = TOOL_TARGET
    tools: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[str, float] = field(default_factory=dict)

    def margin_for(self, label: str, bits: int | None) -> float:
        """The net loss that a model with this label and so many bits may have."""
        return self.margins.get(label, self.margins.get("", MARGINS.get(bits or 8, MARGINS[8])))

    def for_tool(self, name: str) -> float:
        """The target of one tool."""
        return self.tools.get(name, self.tool)


def parse_target(text: str) -> tuple[str, float]:
    """The key and value of `level3=0.97`, `tool=0.9`, `tool:grep=0.95` or a synonym such as `tool_accuracy=0.97`.

    Synonyms come back as the level they mean. Raises OptionError for an unknown key and for a value that is no
    number or outside the key's range.
    """
    key, sign, value = (part.strip() for part in text.rpartition("="))
    if not sign:
        raise OptionError(f"target {text!r}: write KEY=VALUE, as in level3=0.97 (keys: {_EXAMPLES})")
    key = _SYNONYMS.get(key, key)
    kind, colon, name = key.partition(":")
    known = _KEYS.get(kind)
    if known is None or (colon and not (known.named and name)):
        raise OptionError(f"target {text!r}: there is no target {key!r} (keys: {_EXAMPLES})")
    return key, _value(text, value, known)


def targets_of(texts: Iterable[str]) -> Targets:
    """The default targets with these put over them in turn; a later one wins. Raises OptionError as `parse_target`."""
    levels = {level.name: level.target for level in LEVELS}
    tool = TOOL_TARGET
    tools: dict[str, float] = {}
    margins: dict[str, float] = {}
    for text in texts:
        key, value = parse_target(text)
        if key in levels:
            levels[key] = value
        elif key == "tool":
            tool = value
        elif key.partition(":")[0] == "margin":
            margins[key.partition(":")[2]] = value
        else:
            tools[key.removeprefix("tool:")] = value
    return Targets(levels=levels, tool=tool, tools=tools, margins=margins)


def exact_target(target: float) -> Fraction:
    """The target as the decimal number it was written as: 0.95 is 19/20, not the nearest binary fraction."""
    return Fraction(str(target))


def _value(text: str, value: str, known: _Key) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not known.low <= number <= known.high:
        hint = f"; for {value} % write {number / 100:g}" if known.high < number <= 100 else ""
        raise OptionError(f"target {text!r}: {value!r} is not a number from {known.low:g} to {known.high:g}{hint}")
    return number
