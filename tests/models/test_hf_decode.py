from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")

from hypothesis import given, settings  # noqa: E402  # behind the importorskip
from hypothesis import strategies as st  # noqa: E402

from pytest_mcpbench.models import hf_decode  # noqa: E402
from pytest_mcpbench.models.hf_attention import BatchCache, Prefix  # noqa: E402
from pytest_mcpbench.models.hf_decode import Limits, PrefixDecoder, prefix_decoder, runs_of_like_length  # noqa: E402
from tests.models.tiny import FAMILIES, tiny_model  # noqa: E402

VOCABULARY = 259
WINDOW = 16
"""The tiny gemma3's."""


@cache
def network(family: str) -> Any:
    return tiny_model(family).eval()


def opened(family: str) -> PrefixDecoder:
    decoder = prefix_decoder(network(family), "cpu")
    assert decoder is not None
    return decoder


def tokens(seed: int, n: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return [int(token) for token in torch.randint(3, VOCABULARY, (n,), generator=generator)]


def alone(family: str, prompt: Sequence[int], n: int) -> list[int]:
    """What the model writes greedily, computing everything again for each token."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(n):
            ids.append(int(network(family)(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def written(
    decoder: PrefixDecoder, prompts: Sequence[Sequence[int]], lengths: Sequence[int], rows: int = 32
) -> tuple[list[list[int]], int]:
    """What is written to each prompt, each up to its own length, and how many prompt tokens were known."""
    texts: list[list[int]] = [[] for _ in prompts]

    def push(index: int, token: int) -> bool:
        texts[index].append(token)
        return len(texts[index]) < lengths[index]

    decoding = decoder.start(prompts, Limits(max_new_tokens=max(lengths), rows=rows), push)
    ended = []
    while part := decoding.advance():
        ended += part
    assert sorted(ended) == list(range(len(prompts)))
    return texts, decoding.known


@pytest.mark.parametrize("shared", [WINDOW - 6, WINDOW * 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_shared_prefix_and_rests_of_any_length_write_what_the_model_alone_writes(family: str, shared: int) -> None:
    start = tokens(shared, shared)
    prompts = [start + tokens(seed, n) for seed, n in enumerate((1, 13, 5, 3 * WINDOW), start=2)]
    lengths = [20, 3, 9, 20]
    expected = [alone(family, prompt, n) for prompt, n in zip(prompts, lengths, strict=True)]
    assert written(opened(family), prompts, lengths) == (expected, shared)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_come_later_write_what_they_would_alone(family: str) -> None:
    start = tokens(1, 20)
    prompts = [start + tokens(seed, 1 + seed * 5 % 23) for seed in range(14)]
    lengths = [1 + seed * 7 % 17 for seed in range(14)]
    expected = [alone(family, prompt, n) for prompt, n in zip(prompts, lengths, strict=True)]
    assert written(opened(family), prompts, lengths, rows=4) == (expected, 20)


@settings(max_examples=25)
@given(
    shared=st.integers(0, 40),
    rests=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 12)), min_size=1, max_size=8),
    rows=st.integers(1, 8),
)
def test_any_mix_of_lengths_in_a_sliding_window_is_exact(shared: int, rests: list[tuple[int, int]], rows: int) -> None:
    prompts = [tokens(99, shared) + tokens(seed, n) for seed, (n, _) in enumerate(rests)]
    lengths = [n for _, n in rests]
    expected = [alone("gemma3", prompt, n) for prompt, n in zip(prompts, lengths, strict=True)]
    assert written(opened("gemma3"), prompts, lengths, rows)[0] == expected


def test_what_no_token_can_see_of_the_prefix_is_left_out() -> None:
    held = BatchCache(Prefix(tuple(range(40))), 2, "cpu")
    positions = held.open(torch.ones(2, 3, dtype=torch.bool))
    masks, everything = held.masks(16), held.masks(None)
    assert (everything.shared, everything.first) == (None, 0)
    assert masks.shared is not None
    columns = range(masks.first, 40)
    for row, queries in enumerate(positions.tolist()):
        for query, at in enumerate(queries):
            seen = [column for column, out in zip(columns, masks.shared[row, query].tolist(), strict=True) if not out]
            assert seen == [column for column in range(40) if at - column < 16]
    assert len(columns) == 16


def test_a_long_prompt_read_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [tokens(1, 90), tokens(2, 40)]
    whole = written(opened("gemma3"), prompts, [8, 8])
    monkeypatch.setattr(hf_decode, "_SCORES_BYTES", 20_000)
    assert written(opened("gemma3"), prompts, [8, 8]) == whole


def test_what_was_computed_serves_the_next_prompts_as_far_as_they_are_equal() -> None:
    decoder, start = opened("llama"), tokens(1, 30)
    prompts = [start + tokens(seed, 6) for seed in range(2, 5)]
    known = []
    for prompt in prompts:
        texts, before = written(decoder, [prompt], [5])
        known.append(before)
        assert texts == [alone("llama", prompt, 5)]
    assert known == [0, 30, 30]
    stranger = tokens(7, 12)
    assert written(decoder, [stranger], [5]) == ([alone("llama", stranger, 5)], 0)
    decoder.kept = Prefix()
    assert written(decoder, [prompts[0]], [1])[1] == 0


def test_a_prefix_longer_for_one_batch_is_cut_for_the_next() -> None:
    decoder, start = opened("llama"), tokens(1, 30)
    longer = start + tokens(2, 10)
    assert written(decoder, [[*longer, 5], [*longer, 6]], [2, 2])[1] == 40
    prompts = [start + tokens(seed, 6) for seed in (3, 4)]
    assert written(decoder, prompts, [5, 5]) == ([alone("llama", prompt, 5) for prompt in prompts], 30)


def test_equal_prompts_leave_a_token_to_compute() -> None:
    prompt = tokens(1, 30)
    expected = alone("llama", prompt, 4)
    assert written(opened("llama"), [prompt, prompt], [4, 4]) == ([expected, expected], 29)


def test_the_prefix_is_computed_in_one_run_for_all_and_the_head_at_the_last_position_only() -> None:
    decoder, start = opened("llama"), tokens(1, 30)
    shapes: list[tuple[int, ...]] = []
    hook = network("llama").lm_head.register_forward_hook(lambda module, given, out: shapes.append(tuple(out.shape)))
    read: list[tuple[int, ...]] = []
    other = network("llama").model.embed_tokens.register_forward_hook(
        lambda module, given, out: read.append(tuple(given[0].shape))
    )
    written(decoder, [start + tokens(seed, 6) for seed in (2, 3)], [2, 2])
    hook.remove()
    other.remove()
    assert read == [(1, 30), (2, 6), (2, 1)]
    assert [shape[1] for shape in shapes] == [1, 1, 1]


def test_the_models_own_attention_is_back_afterwards() -> None:
    model = network("llama")
    before = model.config._attn_implementation
    written(opened("llama"), [tokens(1, 9)], [2])
    assert model.config._attn_implementation == before


def test_a_model_whose_attention_is_another_is_not_decoded_this_way() -> None:
    model = tiny_model().eval()
    attention = model.model.layers[0].self_attn
    plain = attention.forward

    def scaled(*args: Any, **kwargs: Any) -> Any:
        out, weights = plain(*args, **kwargs)
        return (out * 2 if model.config._attn_implementation == hf_decode.ATTENTION else out), weights

    attention.forward = scaled
    assert prefix_decoder(model, "cpu") is None


def test_a_window_that_a_model_keeps_to_itself_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("gemma3").eval()
    model.config.sliding_window = 4096
    for layer in model.model.layers:
        layer.self_attn.sliding_window = None
    assert prefix_decoder(model, "cpu") is None


def test_layers_of_unknown_kinds_are_not_shared() -> None:
    model = tiny_model().eval()
    model.config.layer_types = ["full_attention", "chunked_attention"]
    assert prefix_decoder(model, "cpu") is None


def test_positions_that_depend_on_the_length_are_not_shared() -> None:
    model = tiny_model()
    model.config.rope_scaling = {"rope_type": "dynamic", "factor": 2.0}
    assert prefix_decoder(model, "cpu") is None


@given(st.dictionaries(st.integers(0, 99), st.integers(1, 300), max_size=40))
def test_runs_hold_every_row_and_little_padding(lengths: dict[int, int]) -> None:
    runs = runs_of_like_length(lengths)
    assert sorted(key for run in runs for key in run) == sorted(lengths)
    for run in runs:
        real, padded = sum(lengths[key] for key in run), max(lengths[key] for key in run) * len(run)
        assert padded <= max(real * 1.1, 2 * 300 + 128)
