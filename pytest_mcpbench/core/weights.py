"""How a model's weights are kept while it runs, and what their bytes allow: the least size, the most speed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of a model as it runs, which for a checkpoint may be another number type than on disk.

    `dtype` is float32, bfloat16, float16, int8, int4 or int8-dynamic, `bits` those of the smallest weights. Of these
    `block_size` share a scale of `scale_bits` and, with `zero_points`, an integer of `bits`; None is a scale for
    a whole column, which is too few to count. `size_bytes` are those of all weights, `read_bytes` those that every
    token reads: all but an embedding of its own, of which it reads a row. `engine` computes with them.
    """

    dtype: str
    bits: int
    block_size: int | None = None
    scale_bits: int = 16
    zero_points: bool = False
    parameters: int | None = None
    size_bytes: int | None = None
    read_bytes: int | None = None
    engine: str = ""

    @property
    def bits_a_weight(self) -> float:
        """The bits that a weight takes with its share of scale and zero point: 4.5 in 4 bits by 32, with 16 a scale."""
        if self.block_size is None:
            return float(self.bits)
        return self.bits + (self.scale_bits + (self.bits if self.zero_points else 0)) / self.block_size

    @property
    def quantized_bits(self) -> int | None:
        """The bits by which a quantized model is called, None for floating-point ones."""
        return next((bits for bits in (8, 4) if self.dtype.startswith(f"int{bits}")), None)

    def form(self) -> str:
        """The form in words: `float32`, or `int4 in blocks of 32`."""
        return self.dtype if self.block_size is None else f"{self.dtype} in blocks of {self.block_size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that smaller weights can speed up what reads each of them once a token.

    `factor` is a ratio of bytes, `reason` says of which. `binds` says whether both models run on one engine: else a
    slower engine of the reference adds a factor of its own, and a larger speedup is possible.
    """

    factor: float
    reason: str
    binds: bool


def format_ratio(reference: Weights, quantized: Weights) -> float:
    """How many times fewer bits a weight of the second takes, by its form alone.

    float16 to 8 bits by column is 2.0, to 4 bits in blocks of 32 is 3.56; from float32 it is 4 and 7.1.
    """
    return reference.bits_a_weight / quantized.bits_a_weight


def speed_bound(reference: Weights | None, quantized: Weights | None) -> Bound | None:
    """The bound on a token's speedup; None where either's weights are unknown.

    By the bytes that a token reads where both are known, else by the form of the weights. It bounds decoding, which
    waits for memory; reading a prompt is bounded by arithmetic.
    Source: a roofline's memory side (S. Williams, A. Waterman, D. Patterson, CACM 52 (2009) 65-76).
    """
    if reference is None or quantized is None:
        return None
    binds = bool(reference.engine) and reference.engine == quantized.engine
    if reference.read_bytes and quantized.read_bytes:
        reason = f"{show_bytes(reference.read_bytes)} / {show_bytes(quantized.read_bytes)} a token"
        return Bound(factor=reference.read_bytes / quantized.read_bytes, reason=reason, binds=binds)
    reason = f"{reference.form()} to {quantized.form()}"
    return Bound(factor=format_ratio(reference, quantized), reason=reason, binds=binds)


def show_bytes(size_bytes: int) -> str:
    """The size in MB, in bytes where it is less than one."""
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes:,} bytes"
