"""How a model is quantized."""

from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pytest_mcpbench.errors import OptionError

Quantization = Literal["none", "int8", "int4", "int8-dynamic"]
QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)

_USUAL: dict[str, dict[str, Any]] = {
    "none": {"bits": 32, "head_bits": 32},
    "int8": {"bits": 8, "head_bits": 8},
    "int4": {"bits": 4, "head_bits": 8, "head_block_size": 64, "symmetric": False, "eight": ("qkv_proj",)},
    "int8-dynamic": {"bits": 8, "head_bits": 8},
}
"""For int4 the queries, keys and values have 8 bits: of all layers, they lose most for the bytes that 4 bits save."""

_BLOCK_SIZES = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes of the weights.

    `bits` are those of the linear layers and `head_bits` those of the last one, which the embedding shares where
    the model ties them: 4, 8, or 32 for float32. `eight` are parts of names of linear layers that get 8 bits, `keep`
    of those that stay float32. `accuracy_level` is MatMulNBits': 4 multiplies in 8-bit integers, 1 in float32. The
    embedding and the last layer are always symmetric. `int8-dynamic` scales activations by whatever is in the
    batch, so that an answer depends on its batch: such a model is run one prompt at a time.
    """

    quantization: Quantization
    bits: int
    head_bits: int
    block_size: int = 32
    head_block_size: int = 32
    symmetric: bool = True
    accuracy_level: int = 4
    eight: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether the scales of activations are found over all that is computed together."""
        return self.quantization == "int8-dynamic"

    def bits_of(self, name: str) -> int:
        """The bits of the linear layer of that name: 4, 8, or 32 where it stays in float32."""
        if self.bits == 32 or any(part in name for part in self.keep):
            return 32
        return 8 if any(part in name for part in self.eight) else self.bits

    def as_json(self) -> dict[str, Any]:
        """The fields, for the folder's own record."""
        return asdict(self) | {"eight": list(self.eight), "keep": list(self.keep)}


def make_recipe(quantization: str, **options: Any) -> Recipe:
    """The usual recipe of that name, changed by options: the fields of `Recipe`, where None leaves the usual.

    A `block_size` is the last layer's too. Raises OptionError for an unknown name or a value that is not possible.
    """
    if quantization not in _USUAL:
        raise OptionError(f"--quantization={quantization}: is unknown (known: {', '.join(QUANTIZATIONS)})")
    given = {name: value for name, value in options.items() if value is not None}
    if "block_size" in given:
        given.setdefault("head_block_size", given["block_size"])
    fields = _USUAL[quantization] | given
    for name, possible in (("head_bits", (4, 8, 32)), ("block_size", _BLOCK_SIZES), ("accuracy_level", (0, 1, 4))):
        if fields.get(name, possible[-1]) not in possible:
            option = f"--{name.replace('_', '-')}={fields[name]}"
            raise OptionError(f"{option}: is not possible (possible: {', '.join(map(str, possible))})")
    return Recipe(quantization=cast("Quantization", quantization), **fields)


def usual_calibration(quantization: str) -> Path | None:
    """The rows that weights are rounded to fit where none are given; None where they are rounded by themselves.

    They are generated rows of the coding tools, in the form of a case file; the benchmark has other cases.
    """
    if quantization != "int4":
        return None
    return Path(str(files("pytest_mcpbench.fixtures"))) / "calibration" / "coding.jsonl"
