import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mcpbench.training.batches import Split, batches_by_length, plan_epoch, share_of_step
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.course import evaluates_at, learning_rate_at

lengths_of_rows = st.lists(st.integers(1, 500), min_size=1, max_size=200)


@given(lengths_of_rows, st.integers(1, 70), st.integers(0, 5))
def test_an_epoch_sees_every_row_once(lengths: list[int], batch: int, epoch: int) -> None:
    steps = plan_epoch(lengths, batch, seed=1, epoch=epoch)
    assert sorted(row for step in steps for row in step) == list(range(len(lengths)))
    assert all(1 <= len(step) <= batch for step in steps)
    assert len(steps) == -(-len(lengths) // batch)


def test_an_epoch_is_the_same_again_and_the_next_is_another() -> None:
    lengths = [row % 7 for row in range(100)]
    assert plan_epoch(lengths, 8, 1, 0) == plan_epoch(lengths, 8, 1, 0) != plan_epoch(lengths, 8, 1, 1)


def test_rows_of_like_length_share_a_step() -> None:
    lengths = [row % 100 for row in range(1000)]
    steps = plan_epoch(lengths, 10, 0, 0)
    spreads = [max(lengths[r] for r in step) - min(lengths[r] for r in step) for step in steps]
    assert sum(spreads) / len(spreads) < 8


@given(lengths_of_rows, st.integers(1, 9), st.integers(1, 5), st.integers(1, 2000), st.integers(1, 300))
def test_processes_share_a_step_s_rows_without_loss_or_doubles(
    lengths: list[int], micro: int, processes: int, tokens: int, targets: int
) -> None:
    rows, completions = range(len(lengths)), list(range(1, len(lengths) + 1))
    shape = {"processes": processes, "rows": micro, "tokens": tokens, "targets": targets}
    splits = [Split(rank=rank, **shape) for rank in range(processes)]
    shares = [share_of_step(rows, lengths, completions, split) for split in splits]
    batches = [batch for share in shares for batch in share.micro_batches]
    assert sorted(row for batch in batches for row in batch) == list(rows)
    assert {share.tokens for share in shares} == {sum(completions)}
    passes = {len(share.micro_batches) for share in shares}
    assert len(passes) == 1  # processes that share the weights gather them together in each pass
    assert passes != {0}
    for batch in filter(None, batches):
        assert len(batch) <= micro
        assert len(batch) <= 1 or len(batch) * max(lengths[row] for row in batch) <= tokens
        assert len(batch) <= 1 or sum(completions[row] for row in batch) <= targets


@given(lengths_of_rows, st.integers(1, 20))
def test_evaluation_batches_hold_every_row_the_longest_first(lengths: list[int], batch: int) -> None:
    batches = batches_by_length(lengths, batch)
    order = [row for rows in batches for row in rows]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths, reverse=True)


@given(st.integers(1, 60), st.integers(1, 8))
def test_every_epoch_ends_with_an_evaluation(steps: int, evaluations: int) -> None:
    at = [step for step in range(1, steps + 1) if evaluates_at(step, steps, evaluations)]
    assert at[-1] == steps
    assert len(at) <= evaluations
    second = [step for step in range(steps + 1, 2 * steps + 1) if evaluates_at(step, steps, evaluations)]
    assert second == [step + steps for step in at]


@pytest.mark.parametrize("course", ["cosine", "linear", "constant"])
def test_the_rate_rises_to_its_peak_and_never_leaves_its_range(course: str) -> None:
    config = MCPFineTuningConfig(learning_rate=1e-3, warmup_ratio=0.1, lr_scheduler_type=course)
    rates = [learning_rate_at(step, 100, config) for step in range(1, 101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[9] == rates[10] == max(rates) == 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0
    assert (rates[-1] < 2e-5) == (course != "constant")
