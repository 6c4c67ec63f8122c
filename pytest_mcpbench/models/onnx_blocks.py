"""Weights in blocks of integers, in the layout of ONNX Runtime's MatMulNBits and GatherBlockQuantized."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

_ROWS_AT_ONCE_VALUES = 4_000_000

_SYMMETRIC_SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
_SHRINKS = tuple((low, high) for low in (1.0, 0.93, 0.86, 0.79) for high in (1.0, 0.93, 0.86, 0.79))
"""How far a 4-bit block's ends may lie inside of its values: the best of these is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A matrix (N, K) in blocks along K, each with its scale: value = (integer - zero point) * scale.

    `packed` is uint8 (N, K / block, block * bits / 8), lower bits first; `scales` is float32 (N, K / block);
    `zero_points` is uint8 (N, K / block * bits / 8), rounded up, or None where it is 2 ** (bits - 1) throughout.
    K is padded to whole blocks with zeros.
    """

    packed: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.uint8] | None
    bits: int
    block_size: int


def quantize_blocks(weight: NDArray[np.float32], *, bits: int, block_size: int, symmetric: bool = True) -> Blocks:
    """The matrix in blocks of 8- or 4-bit integers.

    Symmetric blocks put their largest value on the most negative integer, so that all integers are used; where
    there are only 4 bits, the scale and zero point with the least squared error are looked for.
    """
    assert bits in (4, 8), "the packing below is of whole and half bytes"
    n, k_blocks = len(weight), -(-weight.shape[1] // block_size)
    packed = np.empty((n, k_blocks, block_size * bits // 8), np.uint8)
    scales = np.empty((n, k_blocks), np.float32)
    zeros = np.empty((n, -(-k_blocks * bits // 8)), np.uint8)
    rows = max(1, _ROWS_AT_ONCE_VALUES // weight.shape[1])
    for at in range(0, n, rows):
        part = slice(at, at + rows)
        packed[part], scales[part], some = _quantize_rows(in_blocks(weight[part], block_size), bits, symmetric)
        zeros[part] = pack(some, bits)
    return Blocks(
        packed=packed,
        scales=scales,
        zero_points=None if symmetric else zeros,
        bits=bits,
        block_size=block_size,
    )


def dequantize_blocks(blocks: Blocks, columns: int) -> NDArray[np.float32]:
    """The matrix (N, columns) that the blocks stand for."""
    integers = _unpack(blocks.packed, blocks.bits).astype(np.float32)
    n, k_blocks, _ = integers.shape
    if blocks.zero_points is None:
        zeros = np.full((n, k_blocks), 1 << (blocks.bits - 1), np.float32)
    else:
        zeros = _unpack(blocks.zero_points, blocks.bits)[:, :k_blocks].astype(np.float32)
    values: NDArray[np.float32] = (integers - zeros[..., None]) * blocks.scales[..., None]
    return values.reshape(n, -1)[:, :columns]


def in_blocks(weight: NDArray[np.float32], block_size: int) -> NDArray[np.float32]:
    """The matrix (N, K) as (N, blocks, block), filled up with zeros."""
    n, k = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -k % block_size)))
    return padded.reshape(n, -1, block_size)


def _quantize_rows(
    values: Values, bits: int, symmetric: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Packed integers, scales, and zero points that are not packed, of values (N, blocks, block)."""
    scales, zeros = find_grid(values, bits, symmetric=symmetric)
    integers = to_integers(values, scales, zeros, bits).astype(np.uint8)
    return pack(integers, bits), scales, zeros.astype(np.uint8)


def find_grid(values: Values, bits: int, *, symmetric: bool, importance: Values | None = None) -> tuple[Values, Values]:
    """Scales and zero points (N, blocks) for values (N, blocks, block).

    With 4 bits those of several candidates that have the least squared error, each value's weighted by its
    `importance`, which has the shape of the values or one that spreads to it.
    """
    start = _symmetric if symmetric else _asymmetric
    best_scales, best_zeros = start(values, bits, 1.0, 1.0)
    if bits == 8:
        return best_scales, best_zeros
    weights = np.float32(1) if importance is None else importance
    least = np.full(values.shape[:2], np.inf, np.float32)
    for low, high in _SHRINKS if not symmetric else ((shrink, shrink) for shrink in _SYMMETRIC_SHRINKS):
        scales, zeros = start(values, bits, low, high)
        scales = _refitted(values, weights, (scales, zeros), bits)
        error = values - (to_integers(values, scales, zeros, bits) - zeros[..., None]) * scales[..., None]
        squared = np.einsum("nbk,nbk->nb", error * weights, error)
        best_scales = np.where(squared < least, scales, best_scales)
        best_zeros = np.where(squared < least, zeros, best_zeros)
        least = np.minimum(squared, least)
    return best_scales, best_zeros


def _symmetric(
    values: NDArray[np.float32], bits: int, low: float, high: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scales and zero points that put the largest value, shrunk, on the most negative integer."""
    middle = np.float32(1 << (bits - 1))
    at = np.abs(values).argmax(axis=2)
    extreme = np.take_along_axis(values, at[..., None], axis=2)[..., 0]
    return (extreme * np.float32(high) / -middle).astype(np.float32), np.full(values.shape[:2], middle, np.float32)


def _asymmetric(
    values: NDArray[np.float32], bits: int, low: float, high: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scales and zero points that share out the range from the least value to the largest, each shrunk, and zero."""
    top = (1 << bits) - 1
    least = np.minimum(values.min(axis=2), 0) * np.float32(low)
    scales = ((np.maximum(values.max(axis=2), 0) * np.float32(high) - least) / top).astype(np.float32)
    zeros = np.clip(np.rint(-least / np.where(scales == 0, 1, scales)), 0, top)
    return scales, zeros.astype(np.float32)


def _refitted(values: Values, weights: Values | np.float32, grid: tuple[Values, Values], bits: int) -> Values:
    """The scales with the least weighted squared error for the integers that the given grid leads to."""
    scales, zeros = grid
    steps = to_integers(values, scales, zeros, bits) - zeros[..., None]
    weighted = steps * weights
    norm = np.einsum("nbk,nbk->nb", steps, weighted)
    fitted = np.einsum("nbk,nbk->nb", values, weighted) / np.where(norm == 0, 1, norm)
    return np.where(norm == 0, scales, fitted).astype(np.float32)


def to_integers(values: Values, scales: Values, zeros: Values, bits: int) -> Values:
    """The integers, as floats, of values (N, blocks, block) in a grid of scales and zero points (N, blocks)."""
    inverse = np.where(scales == 0, 0, 1 / np.where(scales == 0, 1, scales)).astype(np.float32)
    top = (1 << bits) - 1
    rounded: Values = np.clip(np.rint(values * inverse[..., None] + zeros[..., None]), 0, top)
    return rounded


def pack(integers: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The integers along the last axis in bytes, two to a byte where they have 4 bits, the first in the lower half."""
    if bits == 8:
        return integers
    if integers.shape[-1] % 2:
        integers = np.pad(integers, [(0, 0)] * (integers.ndim - 1) + [(0, 1)])
    return integers[..., 0::2] | (integers[..., 1::2] << np.uint8(4))


def _unpack(packed: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    if bits == 8:
        return packed
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)
