"""`mcpbench gate` and `monitor`: may it ship, and is it still as good where it is used."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pytest_mcpbench.commands.shared import load, new_app, show
from pytest_mcpbench.core.case import Json
from pytest_mcpbench.core.checklist import Facts, check_policy
from pytest_mcpbench.core.curves import Curves, read_curves
from pytest_mcpbench.core.dataset import CaseReader
from pytest_mcpbench.core.history import PastModel, last_passing, past_models
from pytest_mcpbench.core.junit import junit_problem
from pytest_mcpbench.core.pairs import records_of
from pytest_mcpbench.core.policy import Evidence, Policy, read_policy
from pytest_mcpbench.core.production import (
    ALERT_BELOW,
    METRICS,
    Alert,
    Log,
    Metric,
    Window,
    alerts,
    baseline_of,
    read_log,
    windows,
)
from pytest_mcpbench.core.run import RunResult
from pytest_mcpbench.core.summary import Rate
from pytest_mcpbench.core.text import printable
from pytest_mcpbench.errors import McpBenchError, OptionError
from pytest_mcpbench.publish import curves_of
from pytest_mcpbench.session import FIXTURES

app = new_app()

RUNS = Path(".mcpbench/runs")
"""Where pytest keeps every run, from the folder that it was started in."""

WINDOWS_SHOWN = 8
"""The most windows of each metric that are listed, the latest."""


@app.command("gate")
def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="The result of a run.")],
    policy: Annotated[
        Path | None, typer.Option(help="The policy; without one, the guide's limits.", metavar="FILE.toml")
    ] = None,
) -> None:
    """Hold a run against the release checklist; exit code 1 unless every point holds or is waived."""
    rules = read_policy(policy) if policy else Policy()
    result = load(run)
    checks = check_policy(result, rules, _facts(run, result, rules))
    for check in checks:
        show(check.line())
    failed = [check.name for check in checks if check.status == "FAIL"]
    show(f"must not ship: {', '.join(failed)}" if failed else f"may ship: {len(checks)} points hold")
    if failed:
        raise typer.Exit(1)


@app.command("monitor")
def monitor(
    log: Annotated[Path, typer.Argument(metavar="LOG.jsonl", help="A log of calls, one object a line.")],
    window: Annotated[int, typer.Option(help="How many entries a rate is taken over.", min=20, metavar="N")] = 100,
    below: Annotated[float, typer.Option(help="Alert below this rate.", min=0, max=1, metavar="RATE")] = ALERT_BELOW,
    fmt: Annotated[str, typer.Option("--format", help="The wire format of the calls.", metavar="NAME")] = "auto",
    baseline: Annotated[
        str | None, typer.Option(help="Centre the control limits on this run's model.", metavar="RUN.json[#LABEL]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, ready for a webhook.")] = False,
) -> None:
    """Watch a production log: rates, control limits, alerts (exit code 1), and the model to go back to.

    That model is looked for in the runs kept under .mcpbench/runs of this folder.
    """
    found = read_log(log, CaseReader(shipped_tools=FIXTURES / "tools"), fmt)
    shown = list(windows(found.entries, window, _baseline(baseline)))
    raised = alerts(shown, below)
    back = _rollback(found, past_models(RUNS)) if raised else None
    if as_json:
        typer.echo(json.dumps(_payload(found, shown, raised, back)))
    else:
        for line in _lines(found, shown, raised, back):
            show(line)
    if raised:
        raise typer.Exit(1)


def _facts(run: Path, result: RunResult, policy: Policy) -> Facts:
    where = policy.evidence
    reference = result.models.get(policy.reference)
    named = {
        name: Path(path)
        for name in ("export", "integration", "monitoring", "alerting")
        if (path := getattr(where, name)) is not None
    }
    rows, errors = _checked_data(where.data) if where.data else (None, ())
    return Facts(
        run_file=str(run),
        data_rows=rows,
        data_errors=errors,
        curves=_curves_or_none(where) if where.training else curves_of(reference.spec) if reference else None,
        past=past_models(Path(where.rollback)) if where.rollback else (),
        present={name: _is_there(path) for name, path in named.items()},
        problems={
            name: problem
            for name, path in named.items()
            if path.suffix == ".xml" and (problem := junit_problem(path)) is not None
        },
    )


def _curves_or_none(where: Evidence) -> Curves | None:
    """The training report's curves; None where it is missing or broken, which the checklist then says."""
    try:
        return read_curves(Path(where.training)) if where.training else None
    except McpBenchError:
        return None


def _checked_data(path: str) -> tuple[int, tuple[str, ...]]:
    """How many rows the data holds, and what is wrong with them."""
    # Here, not above: only this point of the checklist needs the training package.
    from pytest_mcpbench.training.data_check import check_data  # noqa: PLC0415

    try:
        report = check_data([Path(path)])
    except McpBenchError as error:
        return 0, (str(error),)
    return report.rows, report.errors


def _is_there(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def _baseline(spec: str | None) -> dict[Metric, Rate] | None:
    """The rates of the model that `RUN.json#LABEL` names; without a label the run must have one model."""
    if spec is None:
        return None
    path, _, label = spec.partition("#") if not Path(spec).exists() else (spec, "", "")
    result = load(Path(path))
    if not label and len(result.models) == 1:
        label = next(iter(result.models))
    if label not in result.models:
        raise OptionError(f"--baseline: name one of {path}'s models: {path}#LABEL ({', '.join(result.models)})")
    return baseline_of(records_of(result, label))


def _rollback(log: Log, past: Sequence[PastModel]) -> PastModel | None:
    """The latest other model that passed its gates in a run before the one in production's, or else in that run.

    That is the log's last `model`, by fingerprint or label; without one, the latest that passed.
    """
    named = log.entries[-1].model
    current = next((p for p in reversed(past) if named in (p.fingerprint, p.label)), None) or last_passing(past)
    if current is None:
        return None
    before = past[: next(number for number, p in enumerate(past) if p.file == current.file)]
    beside = [p for p in past if p.file == current.file]
    return last_passing(before, skip=current.fingerprint) or last_passing(beside, skip=current.fingerprint)


def _lines(log: Log, shown: Sequence[Window], raised: Sequence[Alert], back: PastModel | None) -> list[str]:
    lines = [f"{len(log.entries)} entries, {len(log.unreadable)} lines could not be read"]
    lines += [f"  {place}" for place in log.unreadable[:3]]
    for metric in METRICS:
        of_metric = [window for window in shown if window.metric == metric]
        latest = of_metric[-WINDOWS_SHOWN:]
        if len(latest) < len(of_metric):
            lines.append(f"  {metric}: {len(of_metric) - len(latest)} earlier windows")
        lines += [f"{'! ' if window.out_of_control else '  '}{window.describe()}" for window in latest]
    lines += [alert.line() for alert in raised]
    return [*lines, _back_line(back) if raised else "no alert"]


def _back_line(back: PastModel | None) -> str:
    if back is None:
        return "no earlier model that passed its gates is known; run this where .mcpbench/runs keeps the runs"
    known = f"which passed its gates on {back.created}, fingerprint {back.fingerprint[:12]}"
    return f"roll back to {back.label} ({back.spec}), {known}"


def _payload(log: Log, shown: Sequence[Window], raised: Sequence[Alert], back: PastModel | None) -> Json:
    latest = {window.metric: window for window in shown}
    said = [printable(text, 300) for text in (*(alert.line() for alert in raised), _back_line(back))]
    return {
        "schema": "mcpbench.monitor/1",
        "alert": bool(raised),
        "text": "; ".join(said) if raised else "mcpbench monitor: no alert",
        "entries": len(log.entries),
        "unreadable": len(log.unreadable),
        "metrics": {
            metric: {
                "n": window.rate.n,
                "correct": window.rate.correct,
                "rate": window.rate.rate,
                "interval": window.rate.interval,
                "limits": None if window.low is None else [window.low, window.high],
                "out_of_control": window.out_of_control,
            }
            for metric, window in latest.items()
        },
        "alerts": [{"metric": alert.window.metric, "reason": alert.reason} for alert in raised],
        "roll_back_to": None
        if back is None
        else {"label": back.label, "spec": back.spec, "fingerprint": back.fingerprint, "run": back.file},
    }
