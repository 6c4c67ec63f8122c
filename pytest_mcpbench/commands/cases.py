"""`mcpbench cases`: check case files and import other case sets."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.core.dataset import CaseReader, cases_hash
from pytest_mcpbench.core.importers import case_row, import_cases
from pytest_mcpbench.errors import OptionError
from pytest_mcpbench.session import CODING_CASES, FIXTURES

SHOWN_REASONS = 10

app = typer.Typer(no_args_is_help=True, help="Check case files and import other case sets.")


@app.command("check")
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Case files or folders; none: the shipped set.")] = None,
) -> None:
    """Read cases as a run would, and say how many there are of each kind."""
    cases = CaseReader(shipped_tools=FIXTURES / "tools").read(paths or [CODING_CASES])
    counts = Counter(tool for case in cases for tool in sorted(case.expected_tools) or ["no tool"])
    typer.echo(f"{len(cases)} cases, hash {cases_hash(cases)[:12]}")
    for tool, count in sorted(counts.items()):
        typer.echo(f"  {tool:12} {count}")


@app.command("import")
def import_set(
    kind: Annotated[str, typer.Argument(help="bfcl, openai or xlam.")],
    source: Annotated[Path, typer.Argument(help="The set's folder, wheel or file.")],
    output: Annotated[Path, typer.Option(help="The .jsonl file to write.")],
) -> None:
    """Turn another project's case set into cases of ours; what cannot be turned is listed with its reason."""
    if output.exists():
        raise OptionError(f"{output}: exists already; choose another file or remove it")
    result = import_cases(kind, source)
    text = "".join(json.dumps(case_row(case), ensure_ascii=False) + "\n" for case in result.cases)
    part = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", errors="surrogatepass", newline="\n")
        part.replace(output)
    except OSError as error:
        raise OptionError(f"{output}: cannot be written: {error.strerror or error}; choose another file") from error
    typer.echo(f"{output}: {len(result.cases)} cases; {len(result.skipped)} skipped")
    reasons = Counter(skipped.reason for skipped in result.skipped)
    for reason, count in reasons.most_common(SHOWN_REASONS):
        typer.echo(f"  {count} x {reason}")
