"""What a person sees: header, progress, and the summary below pytest's own."""

import time
from collections.abc import Callable

import pytest

from pytest_mcpbench.core.gate import certifiable_notice
from pytest_mcpbench.core.report import Mood, result_lines
from pytest_mcpbench.core.result import RunResult
from pytest_mcpbench.models.engine import BatchReport
from pytest_mcpbench.session import WHOLE_LEVELS, BenchSession

_MARKUP: dict[Mood, dict[str, bool]] = {
    "plain": {},
    "good": {"green": True},
    "bad": {"red": True},
    "doubtful": {"yellow": True},
    "title": {"bold": True},
}
_QUIET_SECONDS = 60.0
"""Between two progress lines where the output is no terminal."""


class Progress:
    """A line that says how far a model's generation is, written around pytest's own output."""

    def __init__(self, reporter: pytest.TerminalReporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter = reporter
        self._clock = clock
        self._tty = reporter.isatty
        self._last_s = clock()

    def __call__(self, label: str, batch: BatchReport) -> None:
        """Show one batch; on a terminal the line is overwritten and goes when the last batch is done."""
        if self._reporter.verbosity < 0:
            return
        if self._tty:
            self._overwrite("" if batch.done == batch.total else progress_text(label, batch))
        elif self._clock() - self._last_s >= _QUIET_SECONDS:
            self._last_s = self._clock()
            self._reporter.ensure_newline()
            self._reporter.write_line(progress_text(label, batch))

    def _overwrite(self, text: str) -> None:
        self._reporter.ensure_newline()
        width = max(20, self._reporter._tw.fullwidth - 1)
        self._reporter.write(f"\r\x1b[K{text[:width]}" + ("\r" if text else ""), flush=True)


def progress_text(label: str, batch: BatchReport) -> str:
    """How far one model is: cases done, tokens a second, time left."""
    made = batch.done - batch.cached
    speed = f", {batch.output_tokens / batch.elapsed_s:,.0f} tokens/s" if batch.elapsed_s > 0 else ""
    left = f", {_duration((batch.total - batch.done) * batch.elapsed_s / made)} left" if made else ""
    failed = f", {batch.failed} failed" if batch.failed else ""
    return f"{label}: {batch.done} of {batch.total} answers{speed}{left}{failed}"


def header_lines(bench: BenchSession) -> list[str]:
    """What is measured, and a warning if the cases are too few to certify what is asked of them."""
    if not bench.labels:
        return []
    models = ", ".join(f"{label} ({bench.sources[label].spec})" for label in bench.labels)
    lines = [f"mcpbench: {len(bench.cases)} cases; {models}"]
    notice = certifiable_notice(len(bench.cases), bench.setup.targets) if bench.setup.gate == "certified" else None
    return [*lines, *([f"mcpbench: {notice}"] if notice else [])]


def write_result_lines(reporter: pytest.TerminalReporter, bench: BenchSession, result: RunResult) -> None:
    """Write levels, tiers, gates and misses below pytest's own output."""
    cases = f"{result.cases.n} case{'' if result.cases.n == 1 else 's'}"
    reporter.write_sep(
        "=", f"tool calling: {cases}, {len(result.models)} model{'' if len(result.models) == 1 else 's'}"
    )
    whole = bool(bench.levels_run & WHOLE_LEVELS)
    for line in result_lines(result, bench.setup.targets, whole=whole, verbose=reporter.verbosity > 0):
        reporter.write_line(line.text, **_MARKUP[line.mood])
    for label in bench.labels:
        if label in result.models and not bench.is_gated(label):
            reporter.write_line(f"{label}: measured, not gated")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
