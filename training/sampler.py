"""Trials drawn by Optuna, with a storage that several processes share and a killed one comes back to."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pytest_mcpbench.core.case import Json
from pytest_mcpbench.errors import TrainingError
from pytest_mcpbench.training.course import Watcher
from pytest_mcpbench.training.progress import Silent
from pytest_mcpbench.training.report import Evaluation, Indicator, StepPoint
from pytest_mcpbench.training.study import key_of
from pytest_mcpbench.training.sweep import Sweep, Watch

STORAGE = "optuna.journal"
_WARM_UP_TRIALS = 3


def run_sampler(
    sweep: Sweep, values: Mapping[str, Sequence[Json]], sampler: str, trials: int, watch: Watch | None = None
) -> None:
    """Draw and run trials until the study has so many, together with all other processes on it.

    Numbers with a fraction are drawn between the lowest and the highest value, on a log scale where these are ten
    times apart; other settings among the values. A trial that is worse than the median of the others at the same
    evaluation is ended. A trial that was killed is lost. Raises TrainingError without optuna.
    """
    try:
        # Here, not above: only samplers need it.
        import optuna  # noqa: PLC0415
    except ImportError:
        raise TrainingError("sweep: --sampler needs optuna: pip install 'pytest-mcpbench[training]'") from None
    study = _open(optuna, sweep, sampler)
    complete, pruned = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED
    while len(study.get_trials(deepcopy=False, states=(complete, pruned))) < trials:
        trial = study.ask()
        settings = {name: _suggest(trial, name, options) for name, options in values.items()}
        key = key_of(settings)
        with sweep.study.claim(key) as mine:
            if not mine:  # the same draw, at work in another process
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            with watch(key) if watch else nullcontext(Silent()) as watcher:
                result = sweep.run(settings, _Pruner(trial, watcher))
        study.tell(trial, result.quality, state=pruned if result.ended == "pruned" else complete)


def _open(optuna: Any, sweep: Sweep, sampler: str) -> Any:
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(sweep.study.path / STORAGE))
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="sweep",
        storage=storage,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_UP_TRIALS),
        direction="maximize",
        load_if_exists=True,
    )
    # With one seed, all processes would draw the same, and a later one what an earlier one drew.
    seed = hash((sweep.config.seed, os.getpid(), len(study.get_trials(deepcopy=False)))) % 2**32
    study.sampler = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[sampler](seed=seed)
    return study


def _suggest(trial: Any, name: str, options: Sequence[Json]) -> Json:
    if not all(isinstance(option, float) for option in options) or len(options) < 2:
        return trial.suggest_categorical(name, list(options))
    low, high = min(options), max(options)
    return trial.suggest_float(name, low, high, log=low > 0 and high >= 10 * low)


class _Pruner:
    """Looks on for another, and ends a trial that the study finds hopeless."""

    def __init__(self, trial: Any, watcher: Watcher) -> None:
        self._trial = trial
        self._watcher = watcher

    def step(self, step: int, total: int) -> None:
        """Handed on."""
        self._watcher.step(step, total)

    def point(self, point: StepPoint) -> None:
        """Handed on."""
        self._watcher.point(point)

    def evaluated(self, evaluation: Evaluation, signs: Sequence[Indicator]) -> bool:
        """Whether the study has seen enough of this trial."""
        ended = self._watcher.evaluated(evaluation, signs)
        self._trial.report(evaluation.quality, evaluation.step)
        return bool(self._trial.should_prune()) or ended
