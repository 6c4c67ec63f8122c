"""The embedding and the linear layers of a graph, in the number of bits that a recipe gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pytest_mcpbench.models.onnx_blocks import Blocks, quantize_blocks
from pytest_mcpbench.models.onnx_gptq import quantize_compensated
from pytest_mcpbench.models.onnx_graph import CONTRIB, GraphWriter
from pytest_mcpbench.models.onnx_recipe import Recipe

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearWriter:
    """Writes matrix products and look-ups of rows. Matrices are (outputs, inputs), as PyTorch stores them.

    A matrix whose inputs' second moments are known is rounded to fit them.
    """

    graph: GraphWriter
    recipe: Recipe
    moments: Mapping[str, Array] = field(default_factory=dict)

    def linear(self, x: str, name: str, weight: Array, bias: Array | None = None) -> str:
        """`x` times the transposed matrix, plus the bias."""
        recipe = self.recipe
        if recipe.bits_of(name) == 32:
            return self._biased(self._float(x, name, weight), name, bias)
        if recipe.dynamic:
            return self._dynamic(x, name, weight, bias)
        bits, size, symmetric = recipe.bits_of(name), recipe.block_size, recipe.symmetric
        moments = self.moments.get(name)
        if moments is None:
            blocks = quantize_blocks(weight, bits=bits, block_size=size, symmetric=symmetric)
        else:
            blocks = quantize_compensated(weight, moments, bits=bits, block_size=size, symmetric=symmetric)
        return self._blocks(x, name, blocks, weight.shape, bias)

    def embedding(self, ids: str, name: str, weight: Array) -> str:
        """The matrix's rows for the ids, (B, S, columns)."""
        bits = self.recipe.head_bits
        if bits == 32:
            return self.graph.node("Gather", [self.graph.weight(name, weight), ids])
        block = self.recipe.head_block_size
        blocks = quantize_blocks(weight, bits=bits, block_size=block)
        packed, scales = self._write_blocks(name, blocks)
        shape = self.graph.weight(f"{name}.scales_shape", np.array([*blocks.scales.shape, 1], np.int64))
        cubic = self.graph.node("Reshape", [scales, shape])
        attributes = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 2}
        rows = self.graph.node("GatherBlockQuantized", [packed, ids, cubic], domain=CONTRIB, **attributes)
        flat = self.graph.weight(f"{name}.row_shape", np.array([0, 0, -1], np.int64))
        rows = self.graph.node("Reshape", [rows, flat])
        columns = weight.shape[1]
        if columns % block == 0:
            return rows
        cut = [self.graph.weight(f"{name}.{n}", np.array([at], np.int64)) for n, at in enumerate((0, columns, 2))]
        return self.graph.node("Slice", [rows, *cut])

    def head(self, x: str, name: str, weight: Array | None, shape: tuple[int, int]) -> str:
        """`x` times the transposed matrix; without a weight, the embedding's of that name."""
        recipe = self.recipe
        if recipe.head_bits == 32:
            written = name if weight is None else self.graph.weight(name, weight)
            return self.graph.node("FusedMatMul", [x, written], domain=CONTRIB, transB=1)
        if weight is not None:
            self._write_blocks(name, quantize_blocks(weight, bits=recipe.head_bits, block_size=recipe.head_block_size))
        return self._n_bits(x, [f"{name}.packed", f"{name}.scales"], shape, recipe.head_bits, recipe.head_block_size)

    def _write_blocks(self, name: str, blocks: Blocks) -> tuple[str, str]:
        return (
            self.graph.weight(f"{name}.packed", blocks.packed),
            self.graph.weight(f"{name}.scales", blocks.scales),
        )

    def _blocks(self, x: str, name: str, blocks: Blocks, shape: tuple[int, ...], bias: Array | None) -> str:
        packed, scales = self._write_blocks(name, blocks)
        zeros = "" if blocks.zero_points is None else self.graph.weight(f"{name}.zeros", blocks.zero_points)
        last = "" if bias is None else self.graph.weight(f"{name}.bias", bias)
        inputs = [packed, scales, zeros, "", last]
        while not inputs[-1]:
            inputs.pop()
        return self._n_bits(x, inputs, (shape[0], shape[1]), blocks.bits, blocks.block_size)

    def _n_bits(self, x: str, inputs: list[str], shape: tuple[int, int], bits: int, block: int) -> str:
        n, k = shape
        attributes = {"N": n, "K": k, "bits": bits, "block_size": block, "accuracy_level": self.recipe.accuracy_level}
        return self.graph.node("MatMulNBits", [x, *inputs], domain=CONTRIB, **attributes)

    def _float(self, x: str, name: str, weight: Array) -> str:
        return self.graph.node("MatMul", [x, self.graph.weight(name, weight.T)])

    def _biased(self, y: str, name: str, bias: Array | None) -> str:
        return y if bias is None else self.graph.node("Add", [y, self.graph.weight(f"{name}.bias", bias)])

    def _dynamic(self, x: str, name: str, weight: Array, bias: Array | None) -> str:
        """8-bit integers with one scale a column; the activations' scale is found when the graph runs.

        They are unsigned, with 128 for zero. Signed ones saturate on processors that add pairs of products in 16 bits
        (AVX2 without VNNI): https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
        """
        scales = np.abs(weight).max(axis=1) / np.float32(127)
        integers = np.rint(weight / np.where(scales == 0, 1, scales)[:, None]) + 128
        zero = self.graph.weight(f"{name}.zero", np.array(128, np.uint8))
        inputs = [x, self.graph.weight(name, integers.astype(np.uint8).T)]
        inputs += [self.graph.weight(f"{name}.scales", scales), zero]
        inputs += [] if bias is None else [self.graph.weight(f"{name}.bias", bias)]
        return self.graph.node("DynamicQuantizeMatMul", inputs, domain=CONTRIB)
