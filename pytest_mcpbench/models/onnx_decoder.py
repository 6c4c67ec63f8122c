"""A decoder as an ONNX graph of few, fused nodes: attention with its cache in one, logits only where asked for.

Prompts are padded on the right and each row has its own length, so that no mask is needed and a prefix that rows
share can be copied into the cache of each. The cache is written in place where input and output are one buffer.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import onnx

from pytest_mcpbench.models.onnx_arch import Arch, Layer
from pytest_mcpbench.models.onnx_format import MAX_LENGTH
from pytest_mcpbench.models.onnx_graph import CONTRIB, value_info
from pytest_mcpbench.models.onnx_linear import Array, LinearWriter

_EMBEDDING = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"


class Tensors(Protocol):
    """The weights of a checkpoint by their names in it."""

    def get(self, name: str) -> Array:
        """The tensor in float32. Raises ModelError if there is none."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        ...


def write_decoder(linear: LinearWriter, arch: Arch, tensors: Tensors, on_layer: Callable[[int], None]) -> None:
    """Write the whole model. The inputs and outputs are those that `graph_inputs` and `graph_outputs` describe.

    `on_layer` is told how many layers are written.
    """
    graph = linear.graph
    _DecoderWriter(linear, arch, tensors).write(on_layer)
    graph.save(graph_inputs(arch), graph_outputs(arch), {MAX_LENGTH: str(arch.max_length)})


def graph_inputs(arch: Arch) -> list[onnx.ValueInfoProto]:
    """The inputs: a chunk of each row's tokens, padded on the right, and the caches of what came before.

    `last_positions` counts with what is in the cache; `total_length` is the longest row's, one more than its last
    position; `logits_at` says where in the chunk logits are wanted.
    """
    return [
        value_info("input_ids", np.int64, ["batch", "chunk"]),
        value_info("chunk_lengths", np.int32, ["batch"]),
        value_info("last_positions", np.int32, ["batch"]),
        value_info("total_length", np.int32, []),
        value_info("logits_at", np.int64, ["batch", "wanted", 1]),
        *_caches(arch, "past", "capacity"),
    ]


def graph_outputs(arch: Arch) -> list[onnx.ValueInfoProto]:
    """Logits (B, P, V) and the cache of each layer."""
    logits = value_info("logits", np.float32, ["batch", "wanted", arch.vocabulary])
    return [logits, *_caches(arch, "present", "present_capacity")]


def _caches(arch: Arch, name: str, capacity: str) -> list[onnx.ValueInfoProto]:
    shape: list[int | str] = ["batch", arch.kv_heads, capacity, arch.head_dim]
    kinds = [(layer, kind) for layer in range(len(arch.layers)) for kind in ("key", "value")]
    return [value_info(f"{name}.{layer}.{kind}", np.float32, shape) for layer, kind in kinds]


class _DecoderWriter:
    def __init__(self, linear: LinearWriter, arch: Arch, tensors: Tensors) -> None:
        self._graph = linear.graph
        self._arch = arch
        self._tensors = tensors
        self._linear = linear

    def write(self, on_layer: Callable[[int], None]) -> None:
        arch, graph = self._arch, self._graph
        rotations = [self._rotation(index) for index in range(len(arch.ropes))]
        embedding = self._tensors.get(_EMBEDDING)
        stream = self._linear.embedding("input_ids", _EMBEDDING, embedding)
        del embedding
        if arch.embedding_scale != 1:
            scale = graph.weight("embedding_scale", np.array(arch.embedding_scale, np.float32))
            stream = graph.node("Mul", [stream, scale])
        added: str | None = None
        for index, layer in enumerate(arch.layers):
            stream, added = self._layer(index, layer, rotations[layer.rope], stream, added)
            on_layer(index + 1)
        assert added is not None, "a model has a layer"
        # Only now are positions dropped: the last layers' caches need them all, and the head costs most of all.
        stream = graph.node("Add", [stream, added])
        stream = graph.node("GatherND", [stream, "logits_at"], batch_dims=1)  # (B, P, hidden)
        self._head(self._norm(stream, "model.norm.weight"))

    def _head(self, x: str) -> None:
        arch = self._arch
        shape = (arch.vocabulary, arch.hidden)
        if arch.tied:
            logits = self._linear.head(x, _EMBEDDING, None, shape)
        else:
            logits = self._linear.head(x, _HEAD, self._tensors.get(_HEAD), shape)
        self._graph.nodes("Identity", [logits], ["logits"])

    def _layer(
        self, index: int, layer: Layer, rotation: tuple[str, str], stream: str, added: str | None
    ) -> tuple[str, str]:
        """The residual stream, and what is still to be added to it: the next norm adds it on its way."""
        arch, at = self._arch, f"model.layers.{index}"
        stream, x = self._add_norm(stream, added, f"{at}.input_layernorm.weight")
        attended = self._attention(index, layer, rotation, x)
        if arch.sandwich:
            attended = self._norm(attended, f"{at}.post_attention_layernorm.weight")
        before_mlp = "pre_feedforward_layernorm" if arch.sandwich else "post_attention_layernorm"
        stream, x = self._add_norm(stream, attended, f"{at}.{before_mlp}.weight")
        changed = self._mlp(index, x)
        if arch.sandwich:
            changed = self._norm(changed, f"{at}.post_feedforward_layernorm.weight")
        return stream, changed

    def _attention(self, index: int, layer: Layer, rotation: tuple[str, str], x: str) -> str:
        arch, graph, at = self._arch, self._graph, f"model.layers.{index}.self_attn"
        weight, bias = self._stacked(at, "qkv_proj", ("q_proj", "k_proj", "v_proj"))
        query = self._linear.linear(x, f"{at}.qkv_proj", weight, bias)
        key = value = ""
        if arch.qk_norm:
            sizes = np.array([arch.heads, arch.kv_heads, arch.kv_heads], np.int64) * arch.head_dim
            split = [query, graph.weight("qkv_sizes", sizes)]
            query, key, value = graph.nodes("Split", split, ["", "", ""], axis=-1)
            query = self._head_norm(query, f"{at}.q_norm.weight")
            key = self._head_norm(key, f"{at}.k_norm.weight")
        cache = [f"past.{index}.key", f"past.{index}.value"]
        lengths = ["last_positions", "total_length"]
        skipped = [""] * 7  # position_ids, attention_bias, head_sink, k_scale, v_scale, q_norm_weight, k_norm_weight
        attended = graph.nodes(
            "GroupQueryAttention",
            [query, key, value, *cache, *lengths, *rotation, *skipped, "chunk_lengths"],
            ["", f"present.{index}.key", f"present.{index}.value"],
            domain=CONTRIB,
            num_heads=arch.heads,
            kv_num_heads=arch.kv_heads,
            scale=arch.attention_scale,
            local_window_size=-1 if layer.window is None else layer.window,
            do_rotary=1,
        )[0]
        return self._linear.linear(attended, f"{at}.o_proj", *self._matrix(f"{at}.o_proj"))

    def _mlp(self, index: int, x: str) -> str:
        graph, at = self._graph, f"model.layers.{index}.mlp"
        weight, bias = self._stacked(at, "gate_up_proj", ("gate_proj", "up_proj"))
        both = self._linear.linear(x, f"{at}.gate_up_proj", weight, bias)
        gate, up = graph.nodes("Split", [both], ["", ""], axis=-1, num_outputs=2)
        if self._arch.activation == "silu":
            gate = graph.node("QuickGelu", [gate], domain=CONTRIB, alpha=1.0)
        else:
            gate = graph.node("FastGelu", [gate], domain=CONTRIB)
        x = graph.node("Mul", [gate, up])
        return self._linear.linear(x, f"{at}.down_proj", *self._matrix(f"{at}.down_proj"))

    def _rotation(self, index: int) -> tuple[str, str]:
        """Cosines and sines, (positions, R / 2).

        ONNX Runtime computes them when it loads the graph; stored, they would be a tenth of a small model.
        """
        arch, graph, rope = self._arch, self._graph, self._arch.ropes[index]
        positions = graph.node(
            "Range", [graph.weight(f"position_{n}", np.array(n, np.float32)) for n in (0, arch.max_length, 1)]
        )
        column = graph.node("Unsqueeze", [positions, graph.weight("column_axis", np.array([1], np.int64))])
        angles = graph.node("Mul", [column, graph.weight(f"rope.{index}", rope.frequencies)])
        cosines, sines = graph.node("Cos", [angles]), graph.node("Sin", [angles])
        if rope.scaling == 1:
            return cosines, sines
        scaling = graph.weight(f"rope.{index}.scaling", np.array(rope.scaling, np.float32))
        return graph.node("Mul", [cosines, scaling]), graph.node("Mul", [sines, scaling])

    def _add_norm(self, stream: str, added: str | None, name: str) -> tuple[str, str]:
        """The sum of the first two, and the sum normalized."""
        if added is None:
            return stream, self._norm(stream, name)
        gamma = self._norm_weight(name)
        x, _, _, total = self._graph.nodes(
            "SkipSimplifiedLayerNormalization",
            [stream, added, gamma],
            ["", "-", "-", ""],
            domain=CONTRIB,
            epsilon=self._arch.epsilon,
        )
        return total, x

    def _norm(self, x: str, name: str) -> str:
        inputs = [x, self._norm_weight(name)]
        return self._graph.node(
            "SimplifiedLayerNormalization", inputs, epsilon=self._arch.epsilon, axis=-1, stash_type=1
        )

    def _norm_weight(self, name: str) -> str:
        return self._graph.weight(name, self._tensors.get(name) + np.float32(self._arch.norm_offset))

    def _head_norm(self, x: str, name: str) -> str:
        """Each head by itself: (B, S, heads * D) is normalized as (B, S * heads, D)."""
        apart = self._graph.weight("heads_apart", np.array([0, -1, self._arch.head_dim], np.int64))
        x = self._norm(self._graph.node("Reshape", [x, apart]), name)
        heads = self._arch.heads if ".q_norm." in name else self._arch.kv_heads
        size = heads * self._arch.head_dim
        return self._graph.node("Reshape", [x, self._graph.weight(f"{size}_wide", np.array([0, -1, size], np.int64))])

    def _stacked(self, at: str, whole: str, parts: tuple[str, ...]) -> tuple[Array, Array | None]:
        """One matrix of several that read the same input: one product of theirs is faster than each alone."""
        if self._arch.packed:
            return self._matrix(f"{at}.{whole}")
        matrices = [self._matrix(f"{at}.{part}") for part in parts]
        if all(bias is None for _, bias in matrices):
            return np.concatenate([weight for weight, _ in matrices]), None
        biases = [np.zeros(len(weight), np.float32) if bias is None else bias for weight, bias in matrices]
        return np.concatenate([weight for weight, _ in matrices]), np.concatenate(biases)

    def _matrix(self, name: str) -> tuple[Array, Array | None]:
        bias = f"{name}.bias"
        return self._tensors.get(f"{name}.weight"), self._tensors.get(bias) if self._tensors.has(bias) else None
