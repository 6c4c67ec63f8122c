"""Plots as SVG texts that take their colours from the page, so that they follow its light and dark."""

import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_mcpbench.core.curves import Curves
from pytest_mcpbench.core.history import PastModel
from pytest_mcpbench.core.run import ModelResult
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.core.trend import Trend
from pytest_mcpbench.errors import MissingExtraError

_INK, _LINE = "#010203", "#010204"
_SERIES = tuple(f"#0102{number:02x}" for number in range(16, 22))
_COLOURS = {_INK: "var(--ink-2)", _LINE: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)
}
_LETTERS = 24
_ALONE = {"--ink-2": "#57534b", "--line": "#ddd8cd"} | {
    f"--series-{number}": colour
    for number, colour in enumerate(("#6b6f76", "#1f5a96", "#b4540a", "#0d7a68", "#8a3d86", "#7a6a00"))
}
"""The page's colours by its names, for plots without a page."""


def size_plot(models: Mapping[str, ModelResult]) -> str | None:
    """Size against tool accuracy with its interval; None with fewer than two models that have both."""
    known = [
        (number, label, model)
        for number, (label, model) in enumerate(models.items())
        if model.size_bytes and model.summary.levels["level3"].interval
    ]
    largest = max((model.size_bytes or 0 for _, _, model in known), default=0) / 1e6
    if len(known) < 2 or largest < 1:
        return None
    with _figure("Size against tool accuracy", (6.4, 3.4)) as (axes, svg):
        for place, (number, label, model) in enumerate(sorted(known, key=lambda entry: entry[2].size_bytes or 0)):
            rate = model.summary.levels["level3"]
            assert rate.interval is not None
            assert rate.rate is not None
            assert model.size_bytes is not None
            x, y = model.size_bytes / 1e6, 100 * rate.rate
            spread = [[y - 100 * rate.interval[0]], [100 * rate.interval[1] - y]]
            axes.errorbar([x], [y], yerr=spread, fmt="o", color=_colour(number), capsize=3)
            # Away from the edge, and by turns above and below, so that neighbours' names keep apart.
            edge = x > 0.8 * largest
            beside: dict[str, Any] = {
                "xytext": (-7 if edge else 7, -12 if place % 2 else 5),
                "ha": "right" if edge else "left",
            }
            axes.annotate(printable(label, _LETTERS), (x, y), **beside, textcoords="offset points", color=_INK)
        axes.set_xlabel("size, MB")
        axes.set_ylabel("tool accuracy, %")
        axes.set_xlim(left=0)
        axes.margins(x=0.15)
    return svg()


def latency_plot(models: Mapping[str, ModelResult]) -> str | None:
    """The share of requests answered within a time, a line for each model whose times were kept; None without any."""
    samples = [(number, label, latency_samples_s(model)) for number, (label, model) in enumerate(models.items())]
    samples = [entry for entry in samples if len(entry[2]) > 1]
    if not samples:
        return None
    with _figure("Latency: share of requests answered within a time", (6.4, 3.4)) as (axes, svg):
        for number, label, times in samples:
            ordered = sorted(1000 * time for time in times)
            shares = [100 * (rank + 1) / len(ordered) for rank in range(len(ordered))]
            axes.step(ordered, shares, where="post", color=_colour(number), label=printable(label, _LETTERS))
        axes.set_xlabel("time of one request, ms")
        axes.set_ylabel("requests answered, %")
        axes.set_xlim(left=0)
        _legend(axes)
    return svg()


def history_plot(past: Sequence[PastModel], level: str = "level3") -> str | None:
    """The tool accuracy of each label over the kept runs of one case set; None with fewer than two runs."""
    by_label: dict[str, list[tuple[int, PastModel]]] = {}
    runs = {file: number for number, file in enumerate(dict.fromkeys(model.file for model in past), 1)}
    for model in past:
        if model.levels[level].interval is not None:
            by_label.setdefault(model.label, []).append((runs[model.file], model))
    if len(runs) < 2 or not by_label:
        return None
    with _figure("Tool accuracy over the last runs", (6.4, 3.2)) as (axes, svg):
        for number, (label, points) in enumerate(by_label.items()):
            x = [position for position, _ in points]
            rates = [model.levels[level] for _, model in points]
            axes.plot(x, [100 * (r.rate or 0) for r in rates], "o-", color=_colour(number), label=printable(label, 24))
            low, high = ([100 * r.interval[side] for r in rates if r.interval] for side in (0, 1))
            axes.fill_between(x, low, high, color=_colour(number), alpha=0.15, linewidth=0)
        axes.set_xlabel("run, oldest first")
        axes.set_ylabel("tool accuracy, %")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _legend(axes)
    return svg()


def trend_plot(trends: Sequence[Trend]) -> str:
    """One metric of several models over their runs, oldest first; hollow points are runs unlike the latest.

    The SVG stands alone: its colours are written out.
    """
    runs = {run: place for place, run in enumerate(sorted({p.run for trend in trends for p in trend.points}), 1)}
    title = f"{trends[0].metric} over {len(runs)} runs"
    scale = 100 if trends[0].unit == "rate" else 1
    with _figure(title, (7.2, 3.4)) as (axes, svg):
        for number, trend in enumerate(trends):
            colour = _colour(number + 1)
            for point in trend.points:
                low, high = point.interval or (point.value, point.value)
                x, y = runs[point.run], scale * point.value
                spread = [[max(0, y - scale * low)], [max(0, scale * high - y)]]
                face = "none" if point.unlike else colour
                axes.errorbar([x], [y], yerr=spread, fmt="o", color=colour, capsize=3, markerfacecolor=face)
            alike = [(runs[point.run], scale * point.value) for point in trend.points if not point.unlike]
            axes.plot(*_columns(alike), "-", color=colour, linewidth=1, label=printable(trend.label, _LETTERS))
        axes.set_xlabel("run, oldest first; hollow: not like the latest")
        axes.set_ylabel(f"{trends[0].metric}, {'%' if trends[0].unit == 'rate' else trends[0].unit}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.08)
        _legend(axes)
    text = svg()
    for variable, colour in _ALONE.items():
        text = text.replace(f"var({variable})", colour)
    return text.replace("<svg", '<svg style="background: #fff"', 1)


def training_plot(curves: Curves) -> str | None:
    """Training and validation loss by step, and validation accuracies beside them; None without an evaluation."""
    if not curves.evaluations:
        return None
    with _figure("Training curves", (6.4, 3.2), columns=2) as (both, svg):
        losses, rates = both
        points = [(point.step, point.train_loss) for point in curves.points if point.train_loss is not None]
        losses.plot(*_columns(points), color=_colour(0), label="training", linewidth=1)
        held = [(point.step, point.eval_loss) for point in curves.evaluations if point.eval_loss is not None]
        losses.plot(*_columns(held), "o-", color=_colour(1), label="validation")
        losses.set_ylabel("loss, nats a token")
        for number, (name, part) in enumerate((("tool", "tool"), ("parameters", "parameters"))):
            known = [(p.step, 100 * getattr(p, part).rate) for p in curves.evaluations if getattr(p, part).n]
            rates.plot(*_columns(known), "o-", color=_colour(number + 2), label=name)
        rates.set_ylabel("validation accuracy, %")
        for axes in both:
            axes.axvline(curves.best_step, color=_LINE, linestyle="--", linewidth=1)
            axes.set_xlabel("step")
            _legend(axes)
    return svg()


def latency_samples_s(model: ModelResult) -> list[float]:
    """The times of single requests in seconds, where the result kept them."""
    for entry in ((model.latency or {}), (model.latency or {}).get("e2e_s")):
        if isinstance(entry, Mapping):
            found = next((entry[key] for key in ("samples_s", "samples") if key in entry), None)
            if isinstance(found, list):
                return [float(value) for value in found if isinstance(value, int | float)]
    return []


@contextmanager
def _figure(title: str, inches: tuple[float, float], columns: int = 1) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Axes to draw on (a list where there are several columns), and a function that gives the SVG afterwards."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra, and a second of loading)
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("a report needs matplotlib: pip install 'pytest-mcpbench[report]'") from None
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": title,
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": _INK,
        "axes.edgecolor": _LINE,
        "axes.labelcolor": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": _LINE,
        "grid.linewidth": 0.5,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "legend.frameon": False,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.subplots(1, columns)
        yield axes, lambda: _svg(figure, title, settings)


def _svg(figure: Any, title: str, settings: Any) -> str:
    import matplotlib as mpl  # noqa: PLC0415

    out = io.StringIO()
    with mpl.rc_context(settings):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg", f'<svg class="plot" role="img" aria-label="{title}"', 1)
    for colour, variable in _COLOURS.items():
        text = text.replace(colour, variable)
    return text


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _colour(number: int) -> str:
    return next(itertools.islice(itertools.cycle(_SERIES), number, None))


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
