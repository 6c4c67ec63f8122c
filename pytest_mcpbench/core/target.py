"""What a model has to reach: the default targets, and the ones a user sets."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from pytest_mcpbench.core.claims import GUIDE_KEY, Claim, claim_names, claims_named
from pytest_mcpbench.core.level import LEVEL_NAMES, LEVELS
from pytest_mcpbench.errors import OptionError

TOOL_TARGET = 0.90

MARGINS = {8: 0.02, 4: 0.03}
"""The net loss that is forgiven a quantized model, by its bits."""

ALLOWANCES = {8: 0.01, 4: 0.02}
"""How far the default targets of quantized models lie below the others', by their bits: 94 and 93 % tool accuracy."""

_SYNONYMS = {"tool_accuracy": "level3", "parameter_accuracy": "level4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """What a target's key admits: values between two bounds, a name behind a colon, a machine behind the value."""

    low: float = 0.0
    high: float = 1.0
    named: bool = False
    on_machine: bool = False


_KEYS: dict[str, _Key] = {
    **{name: _Key() for name in LEVEL_NAMES},
    "tool": _Key(named=True),
    "margin": _Key(high=0.5, named=True),
    "size": _Key(high=1.0, named=True),
    "speedup": _Key(low=0.01, high=1000, named=True),
    "latency_p90_ms": _Key(low=0.001, high=1e9, named=True, on_machine=True),
}
_EXAMPLES = (
    f"{', '.join(LEVEL_NAMES)}, tool, tool:NAME, margin, margin:LABEL, size:LABEL, speedup:LABEL, "
    f"latency_p90_ms:LABEL, {GUIDE_KEY}, {', '.join(_SYNONYMS)}"
)
_MACHINE = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimit:
    """The time in milliseconds within which 90 % of requests are answered, on the machine that it was set for.

    `machine` is the fingerprint that a run shows; None where the limit names none, and then it cannot be judged.
    """

    ms: float
    machine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The rates in [0, 1] to reach: per level, for every tool at level 3, and for single tools.

    `margins` are the net losses in [0, 0.5] that quantized models may have, `speedups` the factors that models have
    to be faster by, `latencies` their limits, `sizes` the shares of their reference's bytes; each by label, under ""
    for any label. `claims` are the guide's that are asked for, `given` the keys that a user set.
    """

    levels: Mapping[str, float] = field(default_factory=lambda: {level.name: level.target for level in LEVELS})
    tool: float = TOOL_TARGET
    tools: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[str, float] = field(default_factory=dict)
    speedups: Mapping[str, float] = field(default_factory=dict)
    latencies: Mapping[str, LatencyLimit] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    given: frozenset[str] = frozenset()

    def for_bits(self, bits: int | None) -> "Targets":
        """The targets of models of so many bits: what nobody set is a point lower for 8 bits and two for 4."""
        less = ALLOWANCES.get(bits or 0, 0.0)
        levels = {name: target if name in self.given else _less(target, less) for name, target in self.levels.items()}
        return replace(self, levels=levels, tool=self.tool if "tool" in self.given else _less(self.tool, less))

    def size_for(self, label: str) -> float | None:
        """The share of its reference's bytes that a quantized model may take; None where nobody said."""
        return self.sizes.get(label, self.sizes.get(""))

    def speedup_for(self, label: str) -> float | None:
        """How many times as fast as its reference a model has to be; None where nobody said."""
        return self.speedups.get(label, self.speedups.get(""))

    def latency_for(self, label: str) -> LatencyLimit | None:
        """The limit of a model's latency; None where nobody set one."""
        return self.latencies.get(label, self.latencies.get(""))

    def margin_for(self, label: str, bits: int | None) -> float:
        """The net loss that a model with this label and so many bits may have."""
        return self.margins.get(label, self.margins.get("", MARGINS.get(bits or 8, MARGINS[8])))

    def for_tool(self, name: str) -> float:
        """The target of one tool."""
        return self.tools.get(name, self.tool)


def parse_target(text: str) -> tuple[str, float]:
    """The key and value of `level3=0.97`, `tool=0.9`, `tool:grep=0.95`, `speedup:int8=2.67` or a synonym.

    A synonym, such as `tool_accuracy=0.97`, comes back as the level it means. A limit of latency may name its machine,
    as in `latency_p90_ms:int8=500@0f3a5b7c9d1e`. The guide's claims, as `guide:int8`, need no value and have 1.
    Raises OptionError for an unknown key and for a value that is no number or outside the key's range.
    """
    key, value, _ = _parsed(text)
    return key, value


def targets_of(texts: Iterable[str]) -> Targets:
    """The default targets with these put over them in turn; a later one wins. Raises OptionError as `parse_target`."""
    levels = {level.name: level.target for level in LEVELS}
    tool = TOOL_TARGET
    latencies: dict[str, LatencyLimit] = {}
    others: dict[str, dict[str, float]] = {"tool": {}, "margin": {}, "speedup": {}, "size": {}}
    claims: dict[Claim, None] = {}
    given = set()
    for text in texts:
        key, value, machine = _parsed(text)
        kind, _, name = key.partition(":")
        given.add(key)
        if kind == GUIDE_KEY:
            claims |= dict.fromkeys(claims_named(name))
        elif key in levels:
            levels[key] = value
        elif key == "tool":
            tool = value
        elif kind == "latency_p90_ms":
            latencies[name] = LatencyLimit(ms=value, machine=machine)
        else:
            others[kind][name] = value
    return Targets(
        levels=levels,
        tool=tool,
        tools=others["tool"],
        margins=others["margin"],
        speedups=others["speedup"],
        latencies=latencies,
        sizes=others["size"],
        claims=tuple(claims),
        given=frozenset(given),
    )


def exact_target(target: float) -> Fraction:
    """The target as the decimal number it was written as: 0.95 is 19/20, not the nearest binary fraction."""
    return Fraction(str(target))


def _parsed(text: str) -> tuple[str, float, str | None]:
    """The key, the value, and the machine that stands behind it."""
    if re.match(rf"\s*{GUIDE_KEY}\s*(?:[:=]|$)", text):
        return _guide(text), 1.0, None
    key, sign, value = (part.strip() for part in text.rpartition("="))
    if not sign:
        raise OptionError(f"target {text!r}: write KEY=VALUE, as in level3=0.97 (keys: {_EXAMPLES})")
    key = _SYNONYMS.get(key, key)
    kind, colon, name = key.partition(":")
    known = _KEYS.get(kind)
    if known is None or (colon and not (known.named and name)):
        raise OptionError(f"target {text!r}: there is no target {key!r} (keys: {_EXAMPLES})")
    value, at, machine = value.partition("@") if known.on_machine else (value, "", "")
    if at and not _MACHINE.fullmatch(machine):
        raise OptionError(f"target {text!r}: {machine!r} is no machine: write the 12 letters and digits a run shows")
    return key, _value(text, value, known), machine or None


def _guide(text: str) -> str:
    """The key of a target that selects claims. `=true` may stand behind it, since a TOML table needs a value."""
    key, sign, value = (part.strip() for part in text.partition("="))
    if key not in claim_names():
        raise OptionError(f"target {text!r}: there is no claim {key!r} (claims: {', '.join(claim_names())})")
    if sign and value.lower() != "true":
        raise OptionError(f"target {text!r}: the guide's claims have values of their own: write {key}, or {key}=true")
    return key


def _less(target: float, less: float) -> float:
    # In decimals: 0.97 - 0.01 is not 0.96 in binary.
    return float(max(exact_target(target) - exact_target(less), Fraction(0)))


def _value(text: str, value: str, known: _Key) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not known.low <= number <= known.high:
        hint = f"; for {value} % write {number / 100:g}" if known.high <= 1 and known.high < number <= 100 else ""
        raise OptionError(f"target {text!r}: {value!r} is not a number from {known.low:g} to {known.high:g}{hint}")
    return number
