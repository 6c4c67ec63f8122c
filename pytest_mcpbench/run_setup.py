"""What a run is made of, before anything is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_mcpbench.core.plan import GenerationSettings
from pytest_mcpbench.core.target import Targets
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.models.base import LoadOptions, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run is made of, as the options say it. `models` are (label or None, SPEC) pairs.

    `cache` and `shared` are folders: for answers kept between runs, and for the processes of this run;
    `verify_batching` is how many cases are also answered alone, to compare; `compare` names the earlier run that this
    one is held against, which may be among the kept ones in the folder `runs`.
    """

    models: tuple[tuple[str | None, str], ...]
    base: str | None = None
    cases: tuple[Path, ...] = ()
    tools: Path | None = None
    load: LoadOptions
    settings: GenerationSettings
    targets: Targets
    gate: str = "point"
    iterations: int = 100
    duration_s: float = 60.0
    speed_tolerance: float = 0.1
    only_missed: bool = False
    verify_batching: int = 0
    compare: str | None = None
    runs: Path = Path()
    cache: Path | None = None
    shared: Path | None = None


def labelled(found: Sequence[tuple[str | None, Source]]) -> dict[str, Source]:
    """The sources by their labels, the user's or their own. Raises OptionError where two have one label."""
    sources: dict[str, Source] = {}
    for label, source in found:
        name = label or source.default_label
        if name in sources:
            raise OptionError(
                f"--mcp-model: two models are labelled {name!r} ({sources[name].spec} and {source.spec}); "
                f"name one yourself: --mcp-model=LABEL={source.spec}"
            )
        sources[name] = source
    return sources
