"""Weights in blocks of integers, in the layout of ONNX Runtime's MatMulNBits and GatherBlockQuantized."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE_VALUES = 4_000_000

_SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
"""How far a 4-bit block's scale may be below the one that fits its largest value: the best of these is taken."""


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

    Symmetric blocks put their largest value on the most negative integer, so that all integers are used; of some
    smaller scales the one with the least squared error is taken where there are only 4 bits.
    """
    assert bits in (4, 8), "the packing below is of whole and half bytes"
    n, k_blocks = len(weight), -(-weight.shape[1] // block_size)
    packed = np.empty((n, k_blocks, block_size * bits // 8), np.uint8)
    scales = np.empty((n, k_blocks), np.float32)
    zeros = np.empty((n, -(-k_blocks * bits // 8)), np.uint8)
    rows = max(1, _ROWS_AT_ONCE_VALUES // weight.shape[1])
    for at in range(0, n, rows):
        part = slice(at, at + rows)
        packed[part], scales[part], some = _quantize_rows(_in_blocks(weight[part], block_size), bits, symmetric)
        zeros[part] = _pack(some, bits)
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


def _in_blocks(weight: NDArray[np.float32], block_size: int) -> NDArray[np.float32]:
    n, k = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -k % block_size)))
    return padded.reshape(n, -1, block_size)


def _quantize_rows(
    values: NDArray[np.float32], bits: int, symmetric: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Packed integers, scales, and zero points that are not packed, of values (N, blocks, block)."""
    top = (1 << bits) - 1
    if symmetric:
        zeros = np.full(values.shape[:2], 1 << (bits - 1), np.float32)
        scales = _symmetric_scales(values, bits)
    else:
        low = np.minimum(values.min(axis=2), 0)
        scales = ((np.maximum(values.max(axis=2), 0) - low) / top).astype(np.float32)
        zeros = np.clip(np.rint(-low / np.where(scales == 0, 1, scales)), 0, top)
    integers = _rounded(values, scales, zeros, top).astype(np.uint8)
    return _pack(integers, bits), scales, zeros.astype(np.uint8)


def _symmetric_scales(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    middle, top = float(1 << (bits - 1)), (1 << bits) - 1
    at = np.abs(values).argmax(axis=2)
    extreme = np.take_along_axis(values, at[..., None], axis=2)[..., 0]
    full = (extreme / -middle).astype(np.float32)
    if bits > 4:
        return full
    zeros = np.full(full.shape, middle, np.float32)
    best, least = full, np.full(full.shape, np.inf, np.float32)
    for shrink in _SHRINKS:
        scales = (full * np.float32(shrink)).astype(np.float32)
        error = values - (_rounded(values, scales, zeros, top) - zeros[..., None]) * scales[..., None]
        squared = np.einsum("nbk,nbk->nb", error, error)
        best = np.where(squared < least, scales, best)
        least = np.minimum(squared, least)
    return best


def _rounded(
    values: NDArray[np.float32], scales: NDArray[np.float32], zeros: NDArray[np.float32], top: int
) -> NDArray[np.float32]:
    inverse = np.where(scales == 0, 0, 1 / np.where(scales == 0, 1, scales)).astype(np.float32)
    rounded: NDArray[np.float32] = np.clip(np.rint(values * inverse[..., None] + zeros[..., None]), 0, top)
    return rounded


def _pack(integers: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
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
