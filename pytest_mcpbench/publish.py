"""What a run is read in: an HTML page, markdown and JUnit, each made from its result alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pytest_mcpbench.core.curves import Curves, find_curves
from pytest_mcpbench.core.history import past_models
from pytest_mcpbench.core.junit import junit_of
from pytest_mcpbench.core.markdown import markdown_of
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.errors import MissingExtraError, ResultError
from pytest_mcpbench.html.page import Extras, write_report
from pytest_mcpbench.models.demo import adapter_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The files to write; None leaves one out. `runs` is the folder of earlier runs, `curves` adds training curves."""

    html: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None
    runs: Path | None = None
    curves: Mapping[str, Curves] | None = None


def publish(result: RunResult, outputs: Outputs) -> list[Path]:
    """The files, written. Raises ResultError for one that cannot be written, MissingExtraError as `need_report`."""
    written = []
    for path, text_of in ((outputs.markdown, markdown_of), (outputs.junit, junit_of)):
        if path is not None:
            _write(path, text_of(result))
            written.append(path)
    if outputs.html is not None:
        need_report()
        found = {label: curves_of(model.spec) for label, model in result.models.items()}
        curves = {label: known for label, known in found.items() if known is not None}
        past = past_models(outputs.runs) if outputs.runs else ()
        write_report(result, outputs.html, Extras(past=past, curves={**curves, **(outputs.curves or {})}))
        written.append(outputs.html)
    return written


def curves_of(spec: str) -> Curves | None:
    """The training curves of the model that a spec names, where its training report is at hand."""
    return find_curves(str(adapter_folder()) if spec == "demo:finetuned" else spec)


def need_report() -> None:
    """Raise MissingExtraError where the `report` extra is not installed."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"an HTML report needs {', '.join(missing)}: pip install 'pytest-mcpbench[report]'")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"{path}: cannot be written: {error.strerror or error}; name another file") from None
