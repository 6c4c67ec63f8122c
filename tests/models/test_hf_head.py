import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")

from hypothesis import given  # noqa: E402  # behind the importorskip
from hypothesis import strategies as st  # noqa: E402

from pytest_mcpbench.models import hf_head  # noqa: E402
from pytest_mcpbench.models.hf_decode import Limits, Network, PrefixDecoder, prefix_decoder  # noqa: E402
from pytest_mcpbench.models.hf_head import PartedHead, Shortlist, fast_head  # noqa: E402
from tests.models.tiny import tiny_model  # noqa: E402


def drawn(seed: int, *shape: int) -> "torch.Tensor":
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    seed=st.integers(0, 10**6),
    apart=st.sampled_from([1e-4, 1e-3, 1e-2, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    shift=st.floats(-30, 30),
)
def test_the_token_is_the_first_choice_in_float32_even_where_rounding_confuses_them(
    seed: int, apart: float, scale: float, shift: float
) -> None:
    """Tokens in pairs that bfloat16 can hardly tell apart, and logits that may all be negative."""
    one = drawn(seed, 200, 24)
    weight = torch.cat([one, one + apart * drawn(seed + 1, 200, 24)]) * scale
    weight[:, 0] = shift
    hidden = drawn(seed + 2, 9, 24)
    hidden[:, 0] = 1.0
    exact = hidden.double() @ weight.double().T
    for row, token in (*enumerate(Shortlist(weight).choose(hidden)), *enumerate(PartedHead(weight).choose(hidden))):
        assert exact[row, token] >= exact[row].max() - 1e-5 * exact[row].abs().max()


def test_few_tokens_are_computed_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    made, hidden = Shortlist(drawn(1, 5000, 64)), drawn(2, 8, 64)
    expected = PartedHead(made._weight).choose(hidden)
    monkeypatch.setattr(made._whole, "choose", lambda hidden: pytest.fail("the shortlist was too long"))
    assert made.choose(hidden) == expected


def test_where_rounding_tells_nothing_all_tokens_are_computed() -> None:
    weight = 1 + 1e-6 * drawn(1, 500, 16)
    hidden = torch.ones(1, 16)
    exact = hidden.double() @ weight.double().T
    assert exact[0, Shortlist(weight).choose(hidden)[0]] >= exact.max() - 1e-5


def test_logits_that_are_no_numbers_do_not_end_the_run() -> None:
    for head in (Shortlist, PartedHead):
        assert len(head(drawn(1, 50, 16)).choose(torch.full((2, 16), torch.nan))) == 2


def test_a_head_in_parts_chooses_as_a_whole_one_wherever_the_best_token_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_head, "_PART", 7)
    weight, hidden = drawn(1, 50, 16), drawn(2, 400, 16)
    weight[49] *= 2  # the only one in the last part
    tokens = PartedHead(weight).choose(hidden)
    assert tokens == (hidden @ weight.T).argmax(dim=1).tolist()
    assert {token // 7 for token in tokens} == set(range(8))


def test_a_small_head_is_left_as_it_is() -> None:
    assert fast_head(tiny_model()) is None


@pytest.mark.parametrize("head", [Shortlist, PartedHead])
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_model_with_another_head_writes_what_it_writes_without(
    family: str, head: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(family).eval()
    prompts = [[5, 6, 7, *range(20, 20 + n)] for n in (3, 9, 1)]

    def written(decoder: PrefixDecoder | None) -> list[list[int]]:
        assert decoder is not None
        texts: list[list[int]] = [[] for _ in prompts]
        decoding = decoder.start(
            prompts, Limits(max_new_tokens=25, rows=3), lambda at, token: texts[at].append(token) is None
        )
        assert sorted(decoding.advance()) == [0, 1, 2]
        return texts

    plain = written(prefix_decoder(model, "cpu"))
    monkeypatch.setattr(hf_head, "_LARGE", 0)
    monkeypatch.setattr(hf_head, "rounding_pays", lambda weight: head is Shortlist)
    network = Network(model, "cpu")
    assert network.check()
    assert type(network._head) is head
    assert written(PrefixDecoder(network)) == plain


def test_a_shortlist_that_would_choose_other_tokens_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_head, "_LARGE", 0)
    monkeypatch.setattr(hf_head, "rounding_pays", lambda weight: True)
    monkeypatch.setattr(Shortlist, "choose", lambda self, hidden: [0] * len(hidden))
    network = Network(tiny_model().eval(), "cpu")
    assert network.check()
    assert network._head is None
