import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_mcpbench.models.onnx_blocks import dequantize_blocks, quantize_blocks
from pytest_mcpbench.models.onnx_gptq import quantize_compensated

Matrix = NDArray[np.float32]


def inputs(tokens: int, columns: int, seed: int) -> Matrix:
    """Inputs that depend on each other, some much larger than others, as a model's are."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(tokens, columns)) @ random.normal(size=(columns, columns)) / columns**0.5
    return (mixed * np.exp(random.normal(size=columns))).astype(np.float32)


def matrix(rows: int, columns: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 72, 96]), st.booleans(), st.sampled_from([4, 8]))
def test_products_with_the_inputs_change_less_than_if_each_weight_were_rounded_by_itself(
    seed: int, columns: int, symmetric: bool, bits: int
) -> None:
    x, weight = inputs(400, columns, seed), matrix(32, columns, seed)
    form = {"bits": bits, "block_size": 32, "symmetric": symmetric}
    alone = dequantize_blocks(quantize_blocks(weight, **form), columns)  # type: ignore[arg-type]  # one dict, two types
    fitted = dequantize_blocks(quantize_compensated(weight, x.T @ x, **form), columns)  # type: ignore[arg-type]  # as above
    assert np.square(x @ (fitted - weight).T).sum() < np.square(x @ (alone - weight).T).sum()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([4, 8]))
def test_inputs_that_know_nothing_of_each_other_leave_weights_as_if_rounded_alone(
    seed: int, symmetric: bool, bits: int
) -> None:
    weight = matrix(6, 96, seed)
    form = {"bits": bits, "block_size": 32, "symmetric": symmetric}
    alone = quantize_blocks(weight, **form)  # type: ignore[arg-type]  # one dict, two types
    fitted = quantize_compensated(weight, np.eye(96), **form)  # type: ignore[arg-type]  # as above
    np.testing.assert_allclose(dequantize_blocks(fitted, 96), dequantize_blocks(alone, 96), atol=1e-4)
    assert (fitted.packed.shape, fitted.scales.shape) == (alone.packed.shape, alone.scales.shape)
    assert (fitted.zero_points is None) == (alone.zero_points is None) == symmetric


@pytest.mark.parametrize("moments", [np.zeros((40, 40)), np.ones((40, 40)), np.diag([0.0] * 8 + [1e12] * 32)])
def test_inputs_that_never_vary_or_are_always_zero_give_finite_weights(moments: NDArray[np.float64]) -> None:
    weight = matrix(4, 40, 0)
    back = dequantize_blocks(quantize_compensated(weight, moments, bits=4, block_size=32), 40)
    assert np.isfinite(back).all()
    assert np.abs(back - weight).max() < np.abs(weight).max()


def test_what_is_quantized_is_not_changed() -> None:
    weight = matrix(4, 64, 0)
    before = weight.copy()
    quantize_compensated(weight, np.eye(64) + 0.5, bits=4, block_size=32)
    assert (weight == before).all()
