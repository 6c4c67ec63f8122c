"""The report: one HTML file that opens without a network, made from a run's result."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_mcpbench.core.comparison_lines import average_latency_s, flips, size_text
from pytest_mcpbench.core.curves import Curves
from pytest_mcpbench.core.diagnose import diagnose
from pytest_mcpbench.core.headline import headline_of
from pytest_mcpbench.core.history import PastModel
from pytest_mcpbench.core.quantized import claims_of
from pytest_mcpbench.core.remedy import remedies
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.speed_lines import speed_tables
from pytest_mcpbench.core.summary import show_percent
from pytest_mcpbench.core.text import visible
from pytest_mcpbench.errors import MissingExtraError, ResultError
from pytest_mcpbench.html import plots, view
from pytest_mcpbench.html.payload import pack

_FOLDER = Path(__file__).parent

FLIPS_LINKED = 12
"""How many flips are linked in the text; the explorer filters for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a report shows beside the run: earlier runs, the oldest first, and training curves by label."""

    past: Sequence[PastModel] = ()
    curves: Mapping[str, Curves] = field(default_factory=dict)


def render_report(result: RunResult, extras: Extras | None = None) -> str:
    """The whole page. Raises MissingExtraError where the `report` extra is not installed."""
    more = extras or Extras()
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    payload = pack(result)
    top = headline_of(result)
    because, more_reasons = view.because_of(top)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            result=result,
            top=top,
            diagnoses=_diagnoses(result, more),
            figures=_figures(result, more),
            payload=payload,
            script=script,
            script_hash=f"sha256-{digest}",
            style=(_FOLDER / "page.css").read_text(encoding="utf-8"),
            because=because,
            lower_targets=len({verdict.target for verdict in result.gates if verdict.gate == "level3"}) > 1,
            compared_with={comparison.after: comparison for comparison in result.comparisons},
            because_more=more_reasons,
        )
    )
    return page


def write_report(result: RunResult, path: Path, extras: Extras | None = None) -> None:
    """Write the page. Raises ResultError if the file cannot be written, MissingExtraError as `render_report`."""
    text = render_report(result, extras)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(
            f"{path}: the report cannot be written: {error.strerror or error}; name another file"
        ) from None


def _environment() -> Any:
    try:
        import jinja2  # noqa: PLC0415 (an extra)
    except ImportError:
        raise MissingExtraError("a report needs jinja2: pip install 'pytest-mcpbench[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        level_bars=view.level_bars,
        tool_bars=view.tool_bars,
        matrix_of=view.matrix_of,
        failures_of=view.failures_of,
        flips=flips,
        claims_of=claims_of,
        flips_linked=FLIPS_LINKED,
        skill_rows=view.skill_rows,
        gate_title=view.gate_title,
        share=view.share,
        latency_s=average_latency_s,
        size_text=size_text,
        timing_tables=_timing_tables,
    )
    environment.filters.update(visible=visible, percent=lambda rate: show_percent(rate.exact))
    return environment


def _diagnoses(result: RunResult, extras: Extras) -> list[Any]:
    """For each model with a miss: its diagnosis and what to change."""
    found = [(diagnose(result, label), model, extras.curves.get(label)) for label, model in result.models.items()]
    return [(diagnosis, remedies(diagnosis, model, curves)) for diagnosis, model, curves in found if diagnosis.misses]


def _figures(result: RunResult, extras: Extras) -> list[tuple[str, str, str]]:
    """Title, caption and SVG of each plot that there is data for."""
    drawn = [
        (
            "Latency",
            "How many requests were answered within a time. Further left is faster.",
            plots.latency_plot(result.models),
        ),
        (
            "Size against accuracy",
            "Further left is smaller, further up is better. Bars are 95 % intervals.",
            plots.size_plot(result.models),
        ),
        (
            "History",
            "The runs that are kept, the oldest first. Bands are 95 % intervals.",
            plots.history_plot([past for past in extras.past if past.cases == result.cases.hash]),
        ),
        *(
            (
                f"Training of {visible(label)}",
                "Loss and validation accuracy by step. The dashed line marks the checkpoint that was kept.",
                plots.training_plot(curves),
            )
            for label, curves in extras.curves.items()
        ),
    ]
    return [(title, caption, svg) for title, caption, svg in drawn if svg is not None]


def _timing_tables(result: RunResult) -> list[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """Title, columns and rows of what was timed; of times that something else measured, whatever plain numbers."""
    known = speed_tables(result.models)
    tables = [(table.title, list(table.columns), [(label, list(row)) for label, row in table.rows]) for table in known]
    done = {table.title.lower() for table in known}
    for section in (name for name in ("latency", "throughput") if name not in done):
        figures: dict[str, Mapping[str, str]] = {}
        for label, model in result.models.items():
            found: Mapping[str, object] = getattr(model, section) or {}
            figures[label] = {name: text for name, value in found.items() if (text := _number(value)) is not None}
        columns = list(dict.fromkeys(name for numbers in figures.values() for name in numbers))
        if columns:
            rows = [(label, [numbers.get(name, "-") for name in columns]) for label, numbers in figures.items()]
            tables.append((section.capitalize(), [name.replace("_", " ") for name in columns], rows))
    return tables


def _number(value: object) -> str | None:
    return f"{value:,.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else None
