"""Bounds that follow from the form of weights alone, and from their bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.core.weights import Weights, format_ratio, speed_bound

FLOAT32, FLOAT16 = Weights(dtype="float32", bits=32), Weights(dtype="float16", bits=16)
BY_COLUMN = Weights(dtype="int8", bits=8)
BY_32 = Weights(dtype="int4", bits=4, block_size=32)


@pytest.mark.parametrize(
    ("reference", "quantized", "ratio"),
    [(FLOAT16, BY_COLUMN, 2.0), (FLOAT16, BY_32, 3.56), (FLOAT32, BY_COLUMN, 4.0), (FLOAT32, BY_32, 7.11)],
)
def test_the_known_bounds_follow_from_bits_and_blocks(reference: Weights, quantized: Weights, ratio: float) -> None:
    assert format_ratio(reference, quantized) == pytest.approx(ratio, abs=0.005)


def test_scales_in_float32_and_zero_points_cost_bits() -> None:
    assert Weights(dtype="int8", bits=8, block_size=32, scale_bits=32).bits_a_weight == 9
    assert Weights(dtype="int4", bits=4, block_size=32, scale_bits=32, zero_points=True).bits_a_weight == 5.125


@given(st.integers(1, 256), st.integers(1, 256))
def test_larger_blocks_never_take_more_bits(first: int, second: int) -> None:
    small, large = sorted((first, second))
    sizes = [Weights(dtype="int4", bits=4, block_size=size, zero_points=True).bits_a_weight for size in (small, large)]
    assert sizes[0] >= sizes[1] > 4


def test_bytes_that_are_known_go_before_the_form() -> None:
    reference = Weights(dtype="float32", bits=32, read_bytes=1_072_000_000, engine="PyTorch")
    quantized = Weights(dtype="int8", bits=8, block_size=32, read_bytes=316_000_000, engine="ONNX Runtime")
    bound = speed_bound(reference, quantized)
    assert bound is not None
    assert bound.factor == pytest.approx(3.39, abs=0.005)
    assert bound.reason == "1,072 MB / 316 MB a token"
    assert not bound.binds, "the reference's engine may be slow for reasons of its own"


def test_without_bytes_the_form_bounds_and_without_weights_nothing_does() -> None:
    bound = speed_bound(FLOAT16, BY_32)
    assert bound is not None
    assert bound.factor == pytest.approx(3.56, abs=0.005)
    assert bound.reason == "float16 to int4 in blocks of 32"
    assert speed_bound(None, BY_32) is None
    assert speed_bound(FLOAT16, None) is None


def test_one_engine_is_bound_and_an_unknown_one_is_not() -> None:
    ours, theirs = (Weights(dtype="float32", bits=32, engine=engine) for engine in ("ONNX Runtime", ""))
    assert speed_bound(ours, ours).binds  # type: ignore[union-attr]  # both are known
    assert not speed_bound(theirs, theirs).binds  # type: ignore[union-attr]  # both are known
