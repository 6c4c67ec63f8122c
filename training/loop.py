"""The training loop: steps, evaluations, the best checkpoint, early stopping, and a state to go on from."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.batches import Split, StepPlan, plan_epoch, share_of_step
from pytest_mcpbench.training.config import MCPFineTuningConfig
from pytest_mcpbench.training.course import (
    Course,
    Facts,
    Sets,
    Watcher,
    evaluates_at,
    evaluation_from,
    learning_rate_at,
)
from pytest_mcpbench.training.evaluate import Evaluator
from pytest_mcpbench.training.folder import RunFolder
from pytest_mcpbench.training.graphs import Compute, RecordedPasses
from pytest_mcpbench.training.lora import adapter_tensors, whole
from pytest_mcpbench.training.monitor import indicators, newly_fired
from pytest_mcpbench.training.objective import Batch, CompletionHead, arithmetic, loss_sum
from pytest_mcpbench.training.report import Evaluation, StepPoint
from pytest_mcpbench.training.state import optimizer_tensors, restore

_LOGIT_BYTES = 2 << 30
"""What the float32 logits of one forward pass may take at least; with their gradients it is some four times that."""

_LOGIT_SHARE = 32
"""On a GPU they may take this part of its memory: a pass of 64 rows took 1.5 times one of 32 (Gemma 3 270M)."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was summed on the device since it was last read: reading it waits for the device, so that is rare."""

    loss: torch.Tensor
    grad_norm: torch.Tensor
    tokens: int = 0


@dataclass(slots=True, kw_only=True)
class TrainingLoop:
    """One run over prepared parts: `model` may be wrapped for several processes, `network` is what it wraps."""

    config: MCPFineTuningConfig
    sets: Sets
    model: Any
    network: Any
    optimizer: Any
    head: CompletionHead
    evaluator: Evaluator
    accelerator: Any
    folder: RunFolder
    watcher: Watcher
    dtype: torch.dtype
    clock: Callable[[], float] = time.perf_counter
    course: Course = field(default_factory=Course)
    _started_s: float = 0.0
    _since_log: Tally | None = None
    _passes: Compute | None = None
    _since_evaluation: list[tuple[float, int]] = field(default_factory=list)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return -(-len(self.sets.train) // self.config.effective_batch_size)

    @property
    def total_steps(self) -> int:
        """Optimizer steps if nothing ends the run early."""
        return self.steps_per_epoch * self.config.num_train_epochs

    def resume(self) -> None:
        """Take up the course that the folder keeps."""
        tensors, state = self.folder.load()
        self.course = Course.of(state["course"])
        self._since_evaluation = [(loss, tokens) for loss, tokens in state["since_evaluation"]]
        restore(self.network, self.optimizer, tensors)

    def run(self) -> Course:
        """The whole course, from where it stands to its end. Raises TrainingError if the loss is no number."""
        # As if it had started earlier: a resumed run's clock goes on.
        self._started_s = self.clock() - self.course.seconds
        self._since_log = self._zero()
        self._passes = self._forward_backward
        self.network.train()
        steps = list(self._steps())
        if self._records and steps:
            self._passes = self._recorder([micro for _, plan in steps for micro in plan.micro_batches])
        for step, plan in steps:
            if self.course.ended:
                break
            self._take_step(step, plan)
            self.course.step, self.course.seconds = step, self.clock() - self._started_s
            self.watcher.step(step, self.total_steps)
            evaluates = evaluates_at(step, self.steps_per_epoch, self.config.evaluations_per_epoch)
            saves = evaluates or (self.config.save_steps and step % self.config.save_steps == 0)
            if saves or step % self.config.logging_steps == 0:
                self._log(step)
            if evaluates:
                self._evaluate(step)
            if saves:
                self._save()
        # A recorded pass keeps its memory on the device for as long as there is a way to it.
        self._passes = None
        self.course.ended = self.course.ended or "completed"
        self.course.seconds = self.clock() - self._started_s
        return self.course

    def _steps(self) -> Iterator[tuple[int, StepPlan]]:
        """The steps that are left, counted from 1, each with this process's part of it."""
        lengths = [len(row) for row in self.sets.train]
        completions = [len(row.completion) for row in self.sets.train]
        config = self.config
        split = Split(
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
            rows=config.per_device_train_batch_size,
            tokens=config.micro_batch_tokens,
            targets=max(1, _logit_bytes(self.accelerator.device) // (4 * self._vocabulary)),
        )
        step = 0
        for epoch in range(config.num_train_epochs):
            for rows in plan_epoch(lengths, config.effective_batch_size, config.seed, epoch):
                step += 1
                if step > self.course.step:
                    yield step, share_of_step(rows, lengths, completions, split)

    def _take_step(self, step: int, plan: StepPlan) -> None:
        """One optimizer step: the mean loss of all its completion tokens, over all processes."""
        # Dropout is drawn anew for each step, so that a resumed run draws what an unbroken one does.
        torch.manual_seed(self._step_seed(step))
        rate = learning_rate_at(step, self.total_steps, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        tally, passes = self._since_log, self._passes
        assert tally is not None
        assert passes is not None
        for index, micro in enumerate(plan.micro_batches):
            last = index == len(plan.micro_batches) - 1
            batch = self.head.collate([self.sets.train[row] for row in micro or (0,)], self.accelerator.device)
            # Processes average their gradients, where the step's loss is a sum.
            share = self.accelerator.num_processes / plan.tokens if micro else 0.0
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss = passes(batch, torch.full((), share, device=self.accelerator.device))
            if micro:
                tally.loss += loss
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        tally.grad_norm = torch.maximum(tally.grad_norm, whole(norm))
        tally.tokens += plan.tokens
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=not self._records)

    def _forward_backward(self, batch: Batch, scale: torch.Tensor) -> torch.Tensor:
        """The summed loss of the batch; its gradient, times `scale`, is added to the others."""
        with arithmetic(self.accelerator.device, self.dtype):
            loss = loss_sum(self.head.logits(self.model, batch), batch)
        self.accelerator.backward(loss * scale)
        return loss.detach()

    def _recorder(self, micro_batches: Sequence[Sequence[int]]) -> RecordedPasses:
        rows = self.sets.train
        largest = max(micro_batches, key=lambda micro: sum(len(rows[row].completion) for row in micro))
        recorder = RecordedPasses(compute=self._forward_backward)
        batch = self.head.collate([rows[row] for row in largest], self.accelerator.device)
        recorder.make_room(batch, torch.zeros((), device=self.accelerator.device))
        self.optimizer.zero_grad(set_to_none=False)
        return recorder

    @property
    def _records(self) -> bool:
        """Whether passes are recorded: what other processes or recomputation do in them cannot be."""
        alone = self.accelerator.num_processes == 1 and not self.config.gradient_checkpointing
        return self.config.cuda_graphs and alone and self.accelerator.device.type == "cuda"

    def _log(self, step: int) -> None:
        tally = self._since_log
        assert tally is not None
        if not tally.tokens:
            return
        total = self.accelerator.reduce(tally.loss, reduction="sum").item()
        self._since_evaluation.append((total, tally.tokens))
        point = StepPoint(
            step=step,
            epoch=step / self.steps_per_epoch,
            train_loss=total / tally.tokens,
            learning_rate=learning_rate_at(step, self.total_steps, self.config),
            grad_norm=tally.grad_norm.item(),
            elapsed_s=self.clock() - self._started_s,
        )
        self._since_log = self._zero()
        self.course.points.append(point)
        self.watcher.point(point)
        if not math.isfinite(point.train_loss):
            raise TrainingError(
                f"step {step}: the training loss is {point.train_loss}; lower learning_rate and restart"
            )

    def _evaluate(self, step: int) -> None:
        began = self.clock()
        sets, count = self.sets, self.sets.validation_n
        judged = self.evaluator.judge(sets.judged_cases, sets.judged)
        tokens = sum(len(row.completion) for row in sets.judged[:count])
        facts = Facts(
            step=step,
            epoch=step / self.steps_per_epoch,
            train_loss=self._mean_train_loss(),
            eval_loss=sum(judged.losses[:count]) / tokens,
            generated=judged.generated,
            seconds=self.clock() - began,
        )
        evaluation = evaluation_from(judged.scores[:count], judged.scores[count:], facts)
        self._since_evaluation.clear()
        self.course.evaluations.append(evaluation)
        self._judge_course(evaluation)

    def _judge_course(self, evaluation: Evaluation) -> None:
        """Keep the best adapter, and decide whether to go on."""
        course, patience = self.course, self.config.early_stopping_patience
        if evaluation.better_than(course.best):
            course.best, course.stale = evaluation, 0
            tensors = adapter_tensors(self.network)
            if self.accelerator.is_main_process:
                self.folder.save_best(tensors)
        else:
            course.stale += 1
        signs = indicators(course.points, course.evaluations)
        prune = self.watcher.evaluated(evaluation, newly_fired(signs, course.evaluations))
        flag = torch.tensor([float(prune)], device=self.accelerator.device)
        if self.accelerator.reduce(flag, reduction="sum").item():
            course.ended = "pruned"
        elif patience and course.stale >= patience and course.step < self.total_steps:
            course.ended = "early stop"

    def _save(self) -> None:
        tensors = optimizer_tensors(self.network, self.optimizer)
        if self.accelerator.is_main_process:
            state = {"course": self.course.to_json(), "since_evaluation": self._since_evaluation}
            self.folder.save(tensors, state)

    def _mean_train_loss(self) -> float:
        tokens = sum(count for _, count in self._since_evaluation)
        return sum(loss for loss, _ in self._since_evaluation) / tokens if tokens else math.nan

    @property
    def _vocabulary(self) -> int:
        return int(self.network.config.get_text_config().vocab_size)

    def _step_seed(self, step: int) -> int:
        return (self.config.seed * 1_000_003 + step) * 1_009 + int(self.accelerator.process_index)

    def _zero(self) -> Tally:
        device = self.accelerator.device
        return Tally(loss=torch.zeros((), device=device), grad_norm=torch.zeros((), device=device))


def _logit_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return _LOGIT_BYTES
    return max(_LOGIT_BYTES, torch.cuda.get_device_properties(device).total_memory // _LOGIT_SHARE)
