"""4-bit weights whose rounding errors make up for one another on the inputs that a layer sees.

Source: E. Frantar et al., GPTQ, arXiv 2210.17323: columns are rounded in turn, and what a column loses is taken
into account by those that are still to come, through the inverse of the inputs' second moments.
"""

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.models.onnx_blocks import Blocks, Values, find_grid, in_blocks, pack, to_integers

_DAMPING = 0.01
"""Of the mean second moment, added to each: it keeps the inverse of few rows' moments tame. GPTQ's own value."""


def quantize_compensated(
    weight: Values, moments: NDArray[np.floating], *, bits: int, block_size: int, symmetric: bool = True
) -> Blocks:
    """The matrix (N, K) in blocks, rounded so that its products with the inputs change little.

    `moments` (K, K) is the sum of the inputs' outer products, X^T X. The blocks' form is `quantize_blocks`' own.
    """
    n, columns = weight.shape
    left = in_blocks(weight, block_size).reshape(n, -1).copy()
    factor = _factor(moments, left.shape[1])
    count = left.shape[1] // block_size
    integers = np.empty((n, count, block_size), np.uint8)
    scales, zeros = np.empty((n, count), np.float32), np.empty((n, count), np.uint8)
    for block in range(count):
        here = slice(block * block_size, (block + 1) * block_size)
        # An input's part in the error that no later column can take over.
        importance = np.square(1 / np.diagonal(factor)[here])[None, None]  # (1, 1, block)
        scale, zero = find_grid(left[:, None, here], bits, symmetric=symmetric, importance=importance)
        rounded, errors = _round_block(left[:, here], factor[here, here], (scale, zero), bits)
        left[:, here.stop :] -= errors @ factor[here, here.stop :]
        integers[:, block], scales[:, block], zeros[:, block] = rounded, scale[:, 0], zero[:, 0]
    assert columns <= left.shape[1], "blocks are padded, never cut"
    return Blocks(
        packed=pack(integers, bits),
        scales=scales,
        zero_points=None if symmetric else pack(zeros, bits),
        bits=bits,
        block_size=block_size,
    )


def _round_block(
    values: Values, factor: Values, grid: tuple[Values, Values], bits: int
) -> tuple[NDArray[np.uint8], Values]:
    """The integers of one block's columns and their errors over the factor's diagonal, both (N, block)."""
    scale, zero = grid  # (N, 1) each
    left = np.asfortranarray(values)
    rounded, errors = np.empty(left.shape, np.uint8, order="F"), np.empty(left.shape, np.float32, order="F")
    for at in range(left.shape[1]):
        integers = to_integers(left[:, None, at : at + 1], scale, zero, bits)[:, 0]  # (N, 1)
        back = (integers - zero) * scale
        error = (left[:, at : at + 1] - back) / factor[at, at]
        left[:, at + 1 :] -= error * factor[at, at + 1 :]
        rounded[:, at], errors[:, at] = integers[:, 0], error[:, 0]
    return rounded, errors


def _factor(moments: NDArray[np.floating], columns: int) -> Values:
    """The upper Cholesky factor U of the damped moments' inverse, U^T U, (columns, columns).

    A column that is padding, or whose input was always zero, stands by itself.
    """
    known = len(moments)
    damped = np.eye(columns)
    damped[:known, :known] = moments
    diagonal = np.diagonal(damped).copy()
    mean = float(diagonal[:known].mean()) or 1.0
    diagonal[diagonal == 0] = mean
    damped[np.diag_indices(columns)] = diagonal + _DAMPING * mean
    factor: Values = np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)
    return factor
