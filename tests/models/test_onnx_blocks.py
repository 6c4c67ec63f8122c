import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_mcpbench.models.onnx_blocks import dequantize_blocks, quantize_blocks

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 80), st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))


def matrix(rows: int, columns: int, seed: int, size: float) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=(rows, columns)) * size).astype(np.float32)


def steps(weight: NDArray[np.float32], block: int, levels: int) -> NDArray[np.float32]:
    """The distance between neighbouring integers, for each value, if its block's range were shared out evenly."""
    n, k = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -k % block))).reshape(n, -1, block)
    reach = np.abs(padded).max(axis=2) * 2 / levels
    return np.repeat(reach, block, axis=1)[:, :k]


@settings(max_examples=60)
@given(SHAPES, st.sampled_from([4, 8]), st.sampled_from([16, 32]), st.booleans())
def test_a_value_moves_by_one_step_at_most(
    shape: tuple[int, int, int, float], bits: int, block: int, symmetric: bool
) -> None:
    weight = matrix(*shape)
    back = dequantize_blocks(quantize_blocks(weight, bits=bits, block_size=block, symmetric=symmetric), shape[1])
    # Half a step by rounding; the most positive integer lies a step short of the most negative one; and a scale may
    # be a quarter smaller where that serves the others.
    allowed = steps(weight, block, 1 << bits) * (1.01 if bits == 8 else 2.3)
    assert (np.abs(back - weight) <= allowed + 1e-30).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8]), st.booleans())
def test_values_that_fit_the_grid_come_back_as_they_were(seed: int, bits: int, symmetric: bool) -> None:
    integers = np.random.default_rng(seed).integers(-(1 << bits - 1), 1 << bits - 1, size=(3, 64)).astype(np.float32)
    integers[:, ::32] = -(1 << bits - 1)
    integers[:, 1::32] = (1 << bits - 1) - 1
    weight = integers * np.float32(0.25)
    back = dequantize_blocks(quantize_blocks(weight, bits=bits, block_size=32, symmetric=symmetric), 64)
    np.testing.assert_allclose(back, weight, rtol=1e-6)


def test_zeros_stay_zeros() -> None:
    blocks = quantize_blocks(np.zeros((2, 48), np.float32), bits=4, block_size=32)
    assert (dequantize_blocks(blocks, 48) == 0).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_the_shapes_are_those_that_the_kernels_read(bits: int) -> None:
    blocks = quantize_blocks(matrix(6, 70, 0, 1.0), bits=bits, block_size=32, symmetric=False)
    assert blocks.packed.shape == (6, 3, 32 * bits // 8)
    assert blocks.scales.shape == (6, 3)
    assert blocks.zero_points is not None
    assert blocks.zero_points.shape == (6, 3 if bits == 8 else 2)


def test_the_first_of_two_4_bit_integers_is_in_the_lower_half() -> None:
    weight = np.zeros((1, 16), np.float32)
    weight[0, :2] = -8, 7
    blocks = quantize_blocks(weight, bits=4, block_size=16)
    assert blocks.packed[0, 0, 0] == 0 | (15 << 4)


def test_searching_for_a_scale_loses_less_than_the_one_that_fits_the_largest() -> None:
    weight = matrix(64, 256, 1, 1.0)
    blocks = quantize_blocks(weight, bits=4, block_size=32)
    extreme = np.take_along_axis(
        weight.reshape(64, 8, 32), np.abs(weight.reshape(64, 8, 32)).argmax(axis=2)[..., None], axis=2
    )
    scale = extreme / -8
    plain = np.clip(np.rint(weight.reshape(64, 8, 32) / scale), -8, 7) * scale
    ours = np.square(dequantize_blocks(blocks, 256) - weight).sum()
    assert ours < np.square(plain.reshape(64, 256) - weight).sum()
