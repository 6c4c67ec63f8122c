"""What a person sees of a run: a bar with loss, accuracy and time left, or one line a minute where there is none."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pytest_mcpbench.training.report import Evaluation, Indicator, StepPoint

_LINE_EVERY_S = 60.0


class Silent:
    """Looks on and says nothing."""

    def step(self, step: int, total: int) -> None:
        """Nothing."""

    def point(self, point: StepPoint) -> None:
        """Nothing."""

    def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
        """Never ends the run."""
        return False


class Shown:
    """Shows a run on a console, to be used as a context manager. Evaluations and signs get lines of their own."""

    def __init__(self, console: Console, title: str = "training", clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._loss = self._accuracy = "-"
        self._began_s = self._spoke_s = clock()
        self._first: int | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]} · {task.fields[accuracy]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=None, loss="-", accuracy="-")

    def __enter__(self) -> "Shown":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def step(self, step: int, total: int) -> None:
        """Move the bar; where there is none, a line a minute."""
        if self._first is None:
            self._first = step - 1
            self._began_s = self._clock()
        self._bar.update(self._task, completed=step, total=total)
        now = self._clock()
        if not self._console.is_terminal and now - self._spoke_s >= _LINE_EVERY_S:
            self._spoke_s = now
            left = (now - self._began_s) / max(1, step - self._first) * (total - step)
            self._say(f"step {step}/{total}, loss {self._loss}, {self._accuracy}, {left:.0f} s left")

    def point(self, point: StepPoint) -> None:
        """Take the loss up."""
        self._loss = f"{point.train_loss:.4f}"
        self._bar.update(self._task, loss=self._loss)

    def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
        """A line for the evaluation and one for each new sign. Never ends the run."""
        self._accuracy = f"tool {evaluation.tool.percent}, parameters {evaluation.parameters.percent}"
        self._bar.update(self._task, accuracy=self._accuracy)
        losses = f"train loss {evaluation.train_loss:.4f}, eval loss {evaluation.eval_loss:.4f}"
        self._say(
            f"epoch {evaluation.epoch:.2f}: {losses}, perplexity {evaluation.eval_perplexity:.3f}, {self._accuracy} "
            f"of {evaluation.tool.n} rows ({evaluation.seconds:.0f} s, {evaluation.generated} written out)"
        )
        for sign in signs:
            self._say(f"  {sign.line()}")
        return False

    def _say(self, text: str) -> None:
        self._console.print(f"{self._title}: {text}", markup=False, highlight=False, soft_wrap=True)
