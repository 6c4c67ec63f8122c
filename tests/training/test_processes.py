"""A killed process is taken up by the next; two processes take the steps of one."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import accelerate
import pytest
import torch
from accelerate import DistributedType
from safetensors.torch import load_file

from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import read_report
from pytest_mcpbench.training.rows import read_data
from tests.training.quick import MakeModel, quick

NEEDS_2_7 = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7), reason="PyTorch 2.6 shares weights over GPUs alone"
)

SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    from pytest_mcpbench.training.config import load_config
    from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
    from pytest_mcpbench.training.progress import Silent
    from pytest_mcpbench.training.rows import read_data

    if "SHARE" in os.environ:
        # Accelerate turns FSDP on for accelerators alone; PyTorch shares weights over processors just as well.
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

        begin = AcceleratorState.__init__

        def share(self, *args, **kwargs):
            begin(self, *args, **kwargs)
            self.distributed_type = DistributedType.FSDP
            self.fsdp_plugin = FullyShardedDataParallelPlugin(
                fsdp_version=2,
                auto_wrap_policy="transformer_based_wrap",
                transformer_cls_names_to_wrap=["LlamaDecoderLayer"],
                reshard_after_forward=True,
            )

        AcceleratorState.__init__ = share

    if "APART" in os.environ:
        # What differs between real GPUs: the last bits of logits, and how much memory is free. Here it differs much.
        import torch
        from pytest_mcpbench.models import hf
        from pytest_mcpbench.training.evaluate import Evaluator
        from pytest_mcpbench.training.objective import CompletionHead

        second, make, judge = os.environ["RANK"] == "1", CompletionHead.__init__, Evaluator.judge

        def noisy(self, network):
            make(self, network)
            network.get_output_embeddings().register_forward_hook(
                lambda module, inputs, logits: logits + torch.randn_like(logits) if not network.training else None
            )

        def told(self, *args):
            found = judge(self, *args)
            with Path(os.environ["APART"], os.environ["RANK"]).open("a") as file:
                print(found, file=file)
            return found

        Evaluator.judge = told
        if second:
            CompletionHead.__init__ = noisy
            hf.rows_that_fit = lambda device, row: 1

    class Plug(Silent):
        def step(self, step, total):
            if step == int(os.environ.get("KILL_AT", "0")):
                os.kill(os.getpid(), signal.SIGKILL)

    config, rows, output = (Path(word) for word in sys.argv[1:])
    merge = "MERGE" in os.environ
    run_finetuning(load_config(config), read_data([rows], [rows]), output, RunOptions(watcher=Plug(), merge=merge))
"""


def start(config: MCPFineTuningConfig, rows: Path, output: Path, **environment: str) -> "subprocess.Popen[str]":
    """The run in a process of its own, on one thread."""
    toml = output.with_suffix(".toml")
    values = {name: getattr(config, name) for name in config.__slots__}
    toml.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(toml), str(rows), str(output)],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_is_taken_up_by_the_next(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    config = quick(make_model(hidden=32))
    killed = start(config, rows_file, tmp_path / "out", KILL_AT="6")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out" / "unfinished" / "state.safetensors").is_file()
    seen: list[int] = []
    watcher = Silent()
    watcher.step = lambda step, total: seen.append(step)  # type: ignore[method-assign]
    data = read_data([rows_file], [rows_file])
    report = run_finetuning(config, data, tmp_path / "out", RunOptions(watcher=watcher))
    assert seen == [5, 6, 7, 8]
    assert report.ended == "completed"
    assert not (tmp_path / "out" / "unfinished").exists()


def run_two(config: MCPFineTuningConfig, rows: Path, output: Path, **environment: str) -> list[str]:
    """What two processes, of which each does its part of the run, say on stderr once both are through."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "CUDA_VISIBLE_DEVICES": "",
        "ACCELERATE_USE_CPU": "true",
    }
    processes = [
        start(config, rows, output, RANK=str(rank), LOCAL_RANK=str(rank), **shared, **environment) for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for another waits for ever
    return [error for process, error in zip(processes, errors, strict=True) if process.returncode]


@pytest.mark.parametrize("sharing", [{}, pytest.param({"SHARE": "1"}, marks=NEEDS_2_7)], ids=["ddp", "fsdp"])
def test_two_processes_take_the_steps_that_one_takes(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, sharing: dict[str, str]
) -> None:
    # 29 rows in steps of 8: the last step of an epoch has 5, an odd number to share.
    config = quick(make_model(hidden=32), per_device_train_batch_size=2, gradient_accumulation_steps=4, dtype="float32")
    data = read_data([rows_file], [rows_file])
    alone = run_finetuning(config, data, tmp_path / "alone", RunOptions(merge=True))
    assert not run_two(config, rows_file, tmp_path / "both", MERGE="1", **sharing)
    both = read_report(tmp_path / "both")
    assert both.machine.processes == 2
    for one, two in zip(alone.points, both.points, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, rel=1e-3)
        assert two.grad_norm == pytest.approx(one.grad_norm, rel=1e-2)
    assert [e.tool for e in both.evaluations] == [e.tool for e in alone.evaluations]
    assert [e.eval_loss for e in both.evaluations] == pytest.approx([e.eval_loss for e in alone.evaluations], rel=1e-3)
    one, two = (load_file(tmp_path / name / "merged" / "model.safetensors") for name in ("alone", "both"))
    torch.testing.assert_close(two, one, rtol=1e-2, atol=1e-3)


@NEEDS_2_7
def test_what_processes_share_is_taken_up_by_the_next(make_model: MakeModel, rows_file: Path, tmp_path: Path) -> None:
    config = quick(make_model(hidden=32), per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert not run_two(config, rows_file, tmp_path / "whole", SHARE="1")
    assert run_two(config, rows_file, tmp_path / "both", SHARE="1", KILL_AT="6")
    assert not run_two(config, rows_file, tmp_path / "both", SHARE="1")
    whole, both = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "both"))
    torch.testing.assert_close(both, whole, rtol=0, atol=0)


@NEEDS_2_7
def test_processes_that_share_weights_stay_in_step_where_their_gpus_differ(
    make_model: MakeModel, rows_file: Path, tmp_path: Path
) -> None:
    config = quick(make_model(hidden=32), per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert not run_two(config, rows_file, tmp_path / "both", SHARE="1", APART=str(tmp_path))
    first, second = ((tmp_path / rank).read_text() for rank in "01")
    assert first.count("Judged(") == config.num_train_epochs
    assert first == second


@pytest.mark.parametrize("kind", [DistributedType.FSDP, DistributedType.DEEPSPEED])
def test_a_way_of_sharing_that_is_not_known_is_refused(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: DistributedType
) -> None:
    other = SimpleNamespace(distributed_type=kind, is_fsdp2=False, num_processes=1)
    monkeypatch.setattr(accelerate, "Accelerator", lambda **_: other)
    with pytest.raises(TrainingError, match=rf"accelerate is set to {kind.value}.*fsdp_version: 2"):
        run_finetuning(quick(make_model(hidden=32)), read_data([rows_file], [rows_file]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_processes_that_do_not_know_of_each_other_are_refused(
    make_model: MakeModel, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(accelerate, "Accelerator", lambda **_: SimpleNamespace(num_processes=1))
    with pytest.raises(TrainingError, match=r"2 processes were started \(WORLD_SIZE\) and accelerate knows of 1"):
        run_finetuning(quick(make_model(hidden=32)), read_data([rows_file], [rows_file]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
