"""What the guide promises of quantized models, as targets that can be named and selected."""

from dataclasses import dataclass
from typing import Literal

ClaimKind = Literal["size", "speed", "loss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One promise about models of so many bits, beside the model that they were made from.

    `value` is the share of its bytes for "size", the factor for "speed", the net loss in [0, 1] for "loss".
    """

    bits: int
    kind: ClaimKind
    value: float

    @property
    def name(self) -> str:
        """What selects it: `int8-size`."""
        return f"int{self.bits}-{self.kind}"

    @property
    def gate(self) -> str:
        """The name of its gate: `guide:int8-size`."""
        return f"{GUIDE_KEY}:{self.name}"

    @property
    def words(self) -> str:
        """The promise as the guide has it: `-75 % size`, `2.67x speed`, `< 1 % loss`."""
        if self.kind == "size":
            return f"-{100 * (1 - self.value):g} % size"
        return f"{self.value:g}x speed" if self.kind == "speed" else f"< {100 * self.value:g} % loss"


GUIDE_KEY = "guide"
"""The target that selects the promises."""

GUIDE = (
    Claim(bits=8, kind="size", value=0.25),
    Claim(bits=8, kind="speed", value=2.67),
    Claim(bits=8, kind="loss", value=0.01),
    Claim(bits=4, kind="size", value=0.125),
    Claim(bits=4, kind="speed", value=3.67),
    Claim(bits=4, kind="loss", value=0.03),
)
"""The guide's table of quantization: from 14 GB to 3.5 and 1.75 GB, so much faster, with so little loss."""


def claims_named(name: str) -> tuple[Claim, ...]:
    """The claims that a name selects: all for an empty one, three for `int8`, one for `int8-size`; none if unknown."""
    return tuple(claim for claim in GUIDE if name in ("", f"int{claim.bits}", claim.name))


def claim_names() -> tuple[str, ...]:
    """Everything that selects claims, as a target is written: `guide`, `guide:int8`, `guide:int8-size` and so on."""
    names = dict.fromkeys(name for claim in GUIDE for name in (f"int{claim.bits}", claim.name))
    return (GUIDE_KEY, *(f"{GUIDE_KEY}:{name}" for name in names))
