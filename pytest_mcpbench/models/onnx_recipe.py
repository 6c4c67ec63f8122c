"""How a model is quantized."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pytest_mcpbench.errors import OptionError

Quantization = Literal["none", "int8", "int4", "int8-dynamic"]
QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)

_BITS = {"none": (32, 32), "int8": (8, 8), "int4": (4, 8), "int8-dynamic": (8, 8)}
_BLOCK_SIZES = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes of the weights.

    `bits` are those of the linear layers and `head_bits` those of the last one, which the embedding shares where
    the model ties them: 4, 8, or 32 for float32. `accuracy_level` is MatMulNBits': 4 multiplies in 8-bit integers,
    1 in float32. `keep` are parts of names of linear layers that stay float32. The embedding and the last layer are
    always symmetric. `int8-dynamic` scales activations by whatever is in the batch, so that an answer depends on
    its batch: such a model is run one prompt at a time.
    """

    quantization: Quantization
    bits: int
    head_bits: int
    block_size: int = 32
    symmetric: bool = True
    accuracy_level: int = 4
    keep: tuple[str, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether the scales of activations are found over all that is computed together."""
        return self.quantization == "int8-dynamic"

    def as_json(self) -> dict[str, Any]:
        """The fields, for the folder's own record."""
        return asdict(self) | {"keep": list(self.keep)}


def make_recipe(quantization: str, *, head_bits: int | None = None, block_size: int = 32, **options: Any) -> Recipe:
    """The recipe of that name: 8 bits, or 4 with an 8-bit last layer, in blocks of 32. Raises OptionError.

    `options` are the other fields of `Recipe`.
    """
    if quantization not in _BITS:
        raise OptionError(f"--quantization={quantization}: is unknown (known: {', '.join(QUANTIZATIONS)})")
    bits, usual_head = _BITS[quantization]
    if head_bits not in (None, 4, 8, 32):
        raise OptionError(f"--head-bits={head_bits}: is not possible (possible: 4, 8, 32)")
    if block_size not in _BLOCK_SIZES:
        raise OptionError(f"--block-size={block_size}: is not possible (possible: {', '.join(map(str, _BLOCK_SIZES))})")
    if options.get("accuracy_level", 4) not in (0, 1, 4):
        raise OptionError(f"--accuracy-level={options['accuracy_level']}: is not possible (possible: 0, 1, 4)")
    return Recipe(
        quantization=quantization,  # type: ignore[arg-type]  # one of its literals, as just checked
        bits=bits,
        head_bits=head_bits or usual_head,
        block_size=block_size,
        **options,
    )
