"""`mcpbench cache`: how much is kept of what models answered, and letting go of it."""

from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands.shared import new_app
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.models.cache import FILE, GenerationCache

app = new_app()

_DAY_S = 86_400.0

Folder = Annotated[Path, typer.Option(help="The folder of the cache.", metavar="FOLDER")]
KEPT = Path(".mcpbench/cache")
"""Where pytest keeps answers, from the folder that it was started in."""


@app.callback()
def about() -> None:
    """Show and prune the answers that are kept between runs."""


@app.command("info")
def info(path: Folder = KEPT) -> None:
    """Say how many answers are kept, and how much room they take."""
    cache = _existing(path)
    found = cache.info()
    typer.echo(f"{found.path}: {found.entries} answers, {found.size_bytes / 1e6:.1f} MB")
    _close(cache)


@app.command("prune")
def prune(
    path: Folder = KEPT,
    older_than: Annotated[
        float | None, typer.Option(help="Remove what is older.", min=0, metavar="DAYS", show_default=False)
    ] = None,
    keep: Annotated[
        int | None, typer.Option(help="Remove the oldest beyond so many.", min=0, metavar="N", show_default=False)
    ] = None,
) -> None:
    """Remove old answers; they are generated again when they are next asked for."""
    if older_than is None and keep is None:
        raise OptionError("mcpbench cache prune: say what to remove: --older-than DAYS, --keep N (0 removes all)")
    cache = _existing(path)
    max_age_s = None if older_than is None else older_than * _DAY_S
    removed = cache.prune(max_age_s=max_age_s, max_entries=keep)
    found = cache.info()
    before = removed + found.entries
    typer.echo(f"{found.path}: removed {removed} of {before} answers, {found.size_bytes / 1e6:.1f} MB are left")
    _close(cache)


def _existing(path: Path) -> GenerationCache:
    if not (path / FILE).is_file():
        raise OptionError(f"{path}: holds no kept answers ({FILE}); name the folder with --path")
    return GenerationCache(path)


def _close(cache: GenerationCache) -> None:
    cache.close()
    for problem in cache.problems:
        typer.echo(printable(problem), err=True)
