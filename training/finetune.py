"""Fine-tuning, from checked input to a finished folder.

The loop is this project's own, on Accelerate and PEFT. TRL's SFTTrainer would bring `trl` and `datasets`, render
prompts itself, and compute logits at every position; here the bytes are those of `models.prompt`, the loss sees
completion tokens alone, evaluation scores what the model writes, and a run resumes to the bit.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mcpbench.core.case import Case
from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.base import BaseModel, look_at, open_base
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.course import Sets, Watcher
from pytest_mcpbench.training.export import write_adapter, write_merged, write_records
from pytest_mcpbench.training.folder import RunFolder
from pytest_mcpbench.training.machine import machine_of, processes_of_run, run_dtype, shares_weights
from pytest_mcpbench.training.monitor import indicators
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import TrainingReport
from pytest_mcpbench.training.rows import TrainingData, rows_for

if TYPE_CHECKING:
    import torch

    from pytest_mcpbench.training.loop import TrainingLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is run, none of which changes what it computes.

    `base` is a model in memory to start from, `base_name` what the adapter records as its base, `merge` asks for a
    merged checkpoint too, `watcher` looks on.
    """

    base: BaseModel | None = None
    base_name: str | None = None
    merge: bool = False
    watcher: Watcher | None = None


@dataclass(slots=True, kw_only=True)
class _Prepared:
    """The checked and encoded input of a run."""

    config: MCPFineTuningConfig
    data: TrainingData
    base: BaseModel
    folder: RunFolder
    resumes: bool
    train: list[Case]
    sets: Sets


def run_finetuning(
    config: MCPFineTuningConfig, data: TrainingData, output: Path, options: RunOptions | None = None
) -> TrainingReport:
    """The report of the run, with the finished adapter in the folder `output`. Goes on with an unfinished run there.

    Raises TrainingError or ModelError, before any weights load, for input that cannot work; TrainingError for a run
    that breaks, which can then be resumed.
    """
    chosen = options or RunOptions()
    began_s = time.perf_counter()
    prepared = _prepare(config, data, output, chosen)
    with _training(prepared, chosen.watcher or Silent()) as loop:
        setup_s = time.perf_counter() - began_s
        with _one_line(config):
            course = loop.run()
        assert course.best is not None, "the last step of an epoch is always evaluated"
        report = TrainingReport(
            config={**asdict(config), "model_name": prepared.base.name},
            base=prepared.base.name,
            format=prepared.base.style(config).fmt.name,
            train_rows=len(prepared.train),
            validation_rows=prepared.sets.validation_n,
            trainable_parameters=sum(p.numel() for p in loop.network.parameters() if p.requires_grad),
            total_steps=loop.total_steps,
            ended=course.ended,
            best_step=course.best.step,
            seconds=course.seconds,
            setup_s=setup_s,
            machine=machine_of(loop.accelerator, str(loop.dtype).removeprefix("torch.")),
            points=tuple(course.points),
            evaluations=tuple(course.evaluations),
            indicators=indicators(course.points, course.evaluations),
        )
        if loop.accelerator.is_main_process:
            _write(prepared, loop, report, merge=chosen.merge)
        loop.accelerator.wait_for_everyone()
    return report


def _prepare(config: MCPFineTuningConfig, data: TrainingData, output: Path, options: RunOptions) -> _Prepared:
    """Everything that can be wrong with the input is found here, where only the tokenizer was loaded."""
    source = look_at(config.model_name) if options.base is None else None
    name = options.base_name or (options.base.name if options.base else config.model_name)
    identity = hashlib.sha256(f"{config.fingerprint} {data.fingerprint} {name}".encode()).hexdigest()
    folder = RunFolder(path=output, identity=identity)
    resumes = folder.check()
    base = options.base or open_base(source or look_at(config.model_name), options.base_name)
    train, validation, sample = rows_for(data, config)
    judged = [*validation, *sample]
    sets = Sets(
        train=tuple(base.encode(train, config)),
        judged_cases=tuple(judged),
        judged=tuple(base.encode(judged, config)),
        validation_n=len(validation),
    )
    return _Prepared(config=config, data=data, base=base, folder=folder, resumes=resumes, train=train, sets=sets)


@contextmanager
def _training(prepared: _Prepared, watcher: Watcher) -> "Iterator[TrainingLoop]":
    """The loop over the model with LoRA on; afterwards the base is as it was, ready for another run."""
    # Here, not above: everything heavy is loaded from this line on, after the input was found sound.
    from pytest_mcpbench.training import lora  # noqa: PLC0415

    accelerator = processes_of_run()
    sharded = shares_weights(accelerator)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        prepared.folder.begin(asdict(prepared.config))
    loop = _assemble(prepared, accelerator, watcher if accelerator.is_main_process else Silent(), sharded=sharded)
    if prepared.resumes:
        loop.resume()
    base = prepared.base
    try:
        yield loop
    finally:
        loop.head.remove()
        # Sharding and merging use the base up; it is loaded again if another run wants it.
        kept = base.network is not None and not sharded
        base.network = lora.remove_lora(loop.network, prepared.config) if kept else None
        accelerator.free_memory()


def _assemble(prepared: _Prepared, accelerator: Any, watcher: Watcher, *, sharded: bool) -> "TrainingLoop":
    """The loop and its parts: network with LoRA, output hook, optimizer, evaluator."""
    import torch  # noqa: PLC0415

    from pytest_mcpbench.training import lora  # noqa: PLC0415
    from pytest_mcpbench.training.evaluate import Evaluator  # noqa: PLC0415
    from pytest_mcpbench.training.loop import TrainingLoop  # noqa: PLC0415
    from pytest_mcpbench.training.objective import CompletionHead  # noqa: PLC0415

    config, base, device = prepared.config, prepared.base, accelerator.device
    dtype = run_dtype(config.dtype, device)
    # Weights that no GPU holds whole go from main memory to all of them, a layer at a time.
    network = lora.add_lora(base.load(dtype, torch.device("cpu") if sharded else device), config)
    weights, fused = list(lora.trainable(network).values()), device.type == "cuda" and not sharded
    made = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused)
    head = CompletionHead(network)
    model, optimizer = accelerator.prepare(network, made)
    evaluator = Evaluator(
        model=network,
        head=head,
        tokenizer=base.tokenizer,
        style=base.style(config),
        settings=GenerationSettings(max_new_tokens=config.max_new_tokens, batch_size=config.eval_batch_size),
        accelerator=accelerator,
        dtype=dtype,
        sharded=sharded,
    )
    return TrainingLoop(
        config=config,
        sets=prepared.sets,
        model=model,
        network=network,
        optimizer=optimizer,
        head=head,
        evaluator=evaluator,
        accelerator=accelerator,
        folder=prepared.folder,
        watcher=watcher,
        dtype=dtype,
    )


def _write(prepared: _Prepared, loop: "TrainingLoop", report: TrainingReport, *, merge: bool) -> None:
    """The files of a finished run: the one that makes it an adapter last, and then the unfinished state goes."""
    from pytest_mcpbench.models.folder import TRAINING  # noqa: PLC0415
    from pytest_mcpbench.training import lora  # noqa: PLC0415

    folder, base = prepared.folder, prepared.base
    best = folder.load_best()
    write_records(folder.path, report, prepared.train, prepared.data.files)
    if merge:
        base.network = None
        network = loop.network if not loop.evaluator.sharded else _whole_network(prepared, loop.dtype)
        lora.set_adapter(network, best)
        write_merged(network, base.tokenizer, folder.path, folder.path / TRAINING)
    write_adapter(folder.path, best, prepared.config, lora.target_modules(loop.network), base.name)
    folder.finish()


def _whole_network(prepared: _Prepared, dtype: "torch.dtype") -> Any:
    """The model with LoRA on, in this process's main memory: what processes share cannot be merged by one of them."""
    import torch  # noqa: PLC0415

    from pytest_mcpbench.training import lora  # noqa: PLC0415

    return lora.add_lora(prepared.base.load(dtype, torch.device("cpu")), prepared.config)


@contextmanager
def _one_line(config: MCPFineTuningConfig) -> Iterator[None]:
    """Turn what a machine runs out of into one line that says what to change."""
    import torch  # noqa: PLC0415

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        size, steps = config.per_device_train_batch_size, config.gradient_accumulation_steps
        raise TrainingError(
            f"out of memory with per_device_train_batch_size {size}; halve it and double gradient_accumulation_steps "
            f"({steps}) for the same steps, or set gradient_checkpointing"
        ) from error
