"""Sweeps: the same data with many settings, one trial after the other, in as many processes as are started."""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pytest_mcpbench.core.case import Case, Json
from pytest_mcpbench.core.curves import REPORT_FILE
from pytest_mcpbench.core.gate import tier_of
from pytest_mcpbench.core.plan import GenerationSettings, plan
from pytest_mcpbench.core.score import score
from pytest_mcpbench.core.summary import Summary, summarize
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.models.engine import generate
from pytest_mcpbench.models.load import LoadOptions, load_model, resolve
from pytest_mcpbench.training.base import BaseModel, look_at, open_base
from pytest_mcpbench.training.config import MCPFineTuningConfig, parse_setting, with_settings
from pytest_mcpbench.training.course import Watcher
from pytest_mcpbench.training.finetune import RunOptions, run_finetuning
from pytest_mcpbench.training.folder import WORK
from pytest_mcpbench.training.machine import processes_started
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import TrainingReport, read_report, write_text
from pytest_mcpbench.training.rows import TrainingData
from pytest_mcpbench.training.study import FINAL, Study, key_of
from pytest_mcpbench.training.table import TrialResult, recommend, result_of

Settings = Mapping[str, Json]
Watch = Callable[[str], AbstractContextManager[Watcher]]
"""Gives each trial, by its key, someone who looks on for as long as the trial lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What every trial has in common: settings, data, the folder, and the base model, loaded once."""

    config: MCPFineTuningConfig
    data: TrainingData
    study: Study
    base: BaseModel

    def run(self, settings: Settings, watcher: Watcher) -> TrialResult:
        """The result of one trial, trained now or found finished in its folder."""
        key = key_of(settings)
        folder = self.study.folder(key)
        if (folder / REPORT_FILE).is_file() and not (folder / WORK).exists():
            report: TrainingReport = read_report(folder)
        else:
            config = with_settings(self.config, settings)
            report = run_finetuning(config, self.data, folder, RunOptions(base=self.base, watcher=watcher))
        result = result_of(key, settings, folder, report)
        self.study.add(result)
        return result


def open_sweep(config: MCPFineTuningConfig, data: TrainingData, folder: Path, *, base_name: str | None = None) -> Sweep:
    """A sweep in that folder, new or continued. Raises TrainingError where it cannot be."""
    if processes_started() > 1:
        raise TrainingError("sweep: runs a trial in one process; start the same command once for each GPU instead")
    source = look_at(config.model_name)
    identity = hashlib.sha256(f"{config.fingerprint} {data.fingerprint}".encode()).hexdigest()
    study = Study(path=folder, identity=identity)
    study.open()
    return Sweep(config=config, data=data, study=study, base=open_base(source, base_name))


def grid_values(grid: Sequence[tuple[str, Sequence[str]]]) -> dict[str, list[Json]]:
    """The values of each setting of a grid. Raises ConfigError for a setting or a value that is none."""
    return {name: [parse_setting(name, text) for text in texts] for name, texts in grid}


def combinations(values: Mapping[str, Sequence[Json]]) -> list[dict[str, Json]]:
    """Every combination of the values, the last setting varying fastest."""
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def run_grid(sweep: Sweep, grid: Sequence[Settings], watch: Watch | None = None) -> int:
    """How many trials are left to other processes after this one has done what it could.

    Each process takes the first trial that is neither done nor taken. All settings are checked before the first.
    """
    for settings in grid:
        with_settings(sweep.config, settings)
    for settings in grid:
        key = key_of(settings)
        with sweep.study.claim(key) as mine:
            if mine and key not in {result.key for result in sweep.study.results()}:
                with watch(key) if watch else nullcontext(Silent()) as watcher:
                    sweep.run(settings, watcher)
    done = {result.key for result in sweep.study.results()}
    return sum(key_of(settings) not in done for settings in grid)


def score_final(sweep: Sweep, cases: Sequence[Case]) -> Summary:
    """How the recommended trial's adapter does on cases that no trial has seen. Once for a study.

    Raises TrainingError if there is no finished trial, or the cases were touched before.
    """
    chosen = recommend(sweep.study.results())
    if chosen is None:
        raise TrainingError(f"{sweep.study.path}: no trial is finished, so none can be scored")
    path = sweep.study.path / FINAL
    if path.is_file():
        raise TrainingError(f"{path}: the final cases were scored before; choosing by them again would fit the choice")
    source = resolve(str(sweep.study.folder(chosen.key)), base=str(sweep.base.folder))
    model = load_model(source, LoadOptions(fmt=sweep.config.format))
    requests = plan(cases)
    settings = GenerationSettings(max_new_tokens=sweep.config.max_new_tokens)
    answers = {
        request.key: answer
        for request, answer in generate(model, [*requests.values()], settings, cache=None, on_batch=None)
    }
    scores = []
    for case in cases:
        answer = answers[requests[case.id].key]
        scores.append(score(case, model.style.fmt.parse(answer.text, case.tools), answer.finish_reason))
    model.close()
    summary = summarize(scores)
    tier = tier_of(summary).tier
    levels = {name: {"n": rate.n, "correct": rate.correct} for name, rate in summary.levels.items()}
    write_text(path, json.dumps({"trial": chosen.key, "tier": tier and tier.name, "levels": levels}, indent=1) + "\n")
    return summary
