"""How each metric of a model went over the kept runs; runs that are not like the latest are marked, none averaged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_mcpbench.core.alike import forbids, remarks
from pytest_mcpbench.core.history import PastModel
from pytest_mcpbench.core.latency import Times, percentile_bound
from pytest_mcpbench.core.level import LEVELS
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.errors import OptionError

_SIDE = 0.975
"""The confidence of each end of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One metric of one model of one run. `interval` is its 95 % interval, None where there is none to give.

    `text` says it in words, with what it has to be read beside. `unlike` says what differs from the latest run so
    that the two do not compare, `notes` what differs beside that; both are empty for a run like the latest.
    """

    run: str
    created: str
    value: float
    interval: tuple[float, float] | None
    n: int
    text: str
    unlike: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The points of one metric of the models with one label, the oldest first."""

    label: str
    metric: str
    unit: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a trend can be of. `of` gives value, interval, n and words; None where a run does not have it.

    `timed` says that it depends on the machine.
    """

    unit: str
    of: Callable[[PastModel], tuple[float, tuple[float, float] | None, int, str] | None]
    timed: bool = False


def metric_names() -> tuple[str, ...]:
    """The metrics that a trend can be of."""
    return tuple(METRICS)


def check_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once. Raises OptionError for one that is no metric."""
    for name in names:
        if name not in METRICS:
            raise OptionError(f"--metric: there is no metric {printable(name)!r} (metrics: {', '.join(METRICS)})")
    return tuple(dict.fromkeys(names))


def trends(past: Sequence[PastModel], metrics: Sequence[str], label: str | None = None) -> tuple[Trend, ...]:
    """The trend of each of the metrics for each label, or for one, where a run has it. `past` is the oldest first."""
    by_label: dict[str, list[PastModel]] = {}
    for model in past:
        if label in (None, model.label):
            by_label.setdefault(model.label, []).append(model)
    found = [_trend(name, metric, models) for name, models in by_label.items() for metric in metrics]
    return tuple(trend for trend in found if trend.points)


def trend_lines(found: Sequence[Trend]) -> Iterator[str]:
    """A line for each point below one for each trend; an exclamation mark stands before runs unlike the latest."""
    width = max((len(point.run) for trend in found for point in trend.points), default=0)
    for trend in found:
        alike = sum(not point.unlike for point in trend.points)
        runs = f"{len(trend.points)} run{'' if len(trend.points) == 1 else 's'}"
        apart = "" if alike == len(trend.points) else f", {alike} of them like the latest"
        yield f"{trend.label} {trend.metric}: {runs}{apart}"
        for point in trend.points:
            differs = "; ".join((*point.unlike, *point.notes))
            mark = "!" if point.unlike else " "
            yield f"  {mark} {point.run:{width}}  {point.text}{f'  [{differs}]' if differs else ''}"


def _trend(label: str, name: str, models: Sequence[PastModel]) -> Trend:
    metric = METRICS[name]
    known = [(model, found) for model in models if (found := metric.of(model)) is not None]
    points = []
    for model, (value, interval, n, text) in known:
        unlike, notes = _differences(model, known[-1][0], metric)
        points.append(
            Point(
                run=model.file.removesuffix(".json"),
                created=model.created,
                value=value,
                interval=interval,
                n=n,
                text=text,
                unlike=unlike,
                notes=notes,
            )
        )
    return Trend(label=label, metric=name, unit=metric.unit, points=tuple(points))


def _differences(model: PastModel, latest: PastModel, metric: Metric) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What makes a run unlike the latest, and what is only to be noted."""
    unlike = ["other cases"] if model.cases != latest.cases and not metric.timed else []
    if metric.timed and _timed_cases(model) != _timed_cases(latest):
        unlike.append("other requests were timed")
    then, now = model.asked, latest.asked
    if then is None or now is None:
        return tuple(unlike), ()
    if refused := forbids(then, now):
        unlike.append(refused)
    if metric.timed and then.machine != now.machine:
        unlike.append(f"machine {then.machine}, the latest on {now.machine}")
    return tuple(unlike), remarks(then, now)


def _timed_cases(model: PastModel) -> tuple[str, ...]:
    timed = (model.latency, model.throughput)
    return tuple(f"{found.cases} {found.device} {found.threads}" for found in timed if found is not None)


def _level(name: str) -> Metric:
    def of(model: PastModel) -> tuple[float, tuple[float, float] | None, int, str] | None:
        rate = model.levels.get(name)
        return None if rate is None or rate.rate is None else (rate.rate, rate.interval, rate.n, rate.describe())

    return Metric(unit="rate", of=of)


def _times(kind: str, pick: Callable[[PastModel], Times | None]) -> Metric:
    def of(model: PastModel) -> tuple[float, tuple[float, float] | None, int, str] | None:
        times = pick(model)
        if times is None or times.p50 is None or model.latency is None:
            return None
        samples = times.samples_s
        low = percentile_bound([-sample for sample in samples], 0.5, _SIDE)
        high = percentile_bound(samples, 0.5, _SIDE)
        interval = None if low is None or high is None else (-1000 * low, 1000 * high)
        spread = "" if interval is None else f"95 % interval {interval[0]:,.1f} to {interval[1]:,.1f}, "
        tokens = (
            f"{model.latency.prompt_tokens:.0f} prompt tokens, {model.latency.cached_prompt_tokens:.0f} of them held "
            f"when warm, {model.latency.output_tokens:.0f} written"
        )
        text = f"median {1000 * times.p50:,.1f} ms ({spread}{len(samples)} {kind}; {tokens})"
        return 1000 * times.p50, interval, len(samples), text

    return Metric(unit="ms", of=of, timed=True)


def _rate_per_s(name: str, words: str) -> Metric:
    def of(model: PastModel) -> tuple[float, tuple[float, float] | None, int, str] | None:
        rates = model.throughput.asked if model.throughput is not None else None
        if rates is None:
            return None
        value = float(getattr(rates, name))
        return (
            value,
            None,
            rates.n,
            f"{value:,.2f} {words} a second ({rates.n} requests, batches of {rates.batch_size})",
        )

    return Metric(unit="1/s", of=of, timed=True)


def _size(model: PastModel) -> tuple[float, tuple[float, float] | None, int, str] | None:
    if not model.size_bytes:
        return None
    return model.size_bytes / 1e6, None, 1, f"{model.size_bytes / 1e6:,.1f} MB"


METRICS: Mapping[str, Metric] = {
    **{level.name: _level(level.name) for level in LEVELS},
    "latency": _times("requests", lambda model: model.latency.e2e_s if model.latency else None),
    "ttft_cold": _times("requests", lambda model: model.latency.ttft_cold_s if model.latency else None),
    "ttft_warm": _times("requests", lambda model: model.latency.ttft_warm_s if model.latency else None),
    "tpot": _times("answers", lambda model: model.latency.tpot_s if model.latency else None),
    "requests_per_s": _rate_per_s("requests_per_s", "requests"),
    "tokens_per_s": _rate_per_s("tokens_per_s", "tokens"),
    "correct_per_s": _rate_per_s("correct_per_s", "right calls"),
    "size": Metric(unit="MB", of=_size),
}
"""The metrics by name."""

DEFAULT_METRICS = ("level3", "level4", "latency", "requests_per_s")
