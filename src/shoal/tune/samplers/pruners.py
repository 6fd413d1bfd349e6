"""Pruners by name: which trials to stop early. All are Optuna's but the median of a pool."""

import math
import statistics
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from shoal.errors import RecipeError, did_you_mean
from shoal.tune.samplers.history import PerStudy, Reading


class PoolMedianPruner(BasePruner):
    """Stop what is worse than the median of all trials that came as far, finished or not.

    Optuna's own median waits for trials that are complete; of a pool whose trials run side by side
    the first are complete when all have been trained to their end. What is compared is, as there,
    the best value of the trial so far with the values of the others at the same step.

    Args:
        n_startup_trials: how many trials must have come as far, 1 or more.
        n_warmup_steps: nothing is stopped before this step.
    """

    def __init__(self, n_startup_trials: int = 5, n_warmup_steps: int = 0) -> None:
        for name, value in (
            ("n_startup_trials", n_startup_trials),
            ("n_warmup_steps", n_warmup_steps),
        ):
            if value < 0:
                raise ValueError(f"{name} is 0 or more")
        self.n_startup_trials, self.n_warmup_steps = n_startup_trials, n_warmup_steps
        self._reports: PerStudy[_Reports] = PerStudy()

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop a trial after its last report."""
        step = trial.last_step
        if step is None or step < self.n_warmup_steps:
            return False
        reached = self._reports.setdefault(study, _Reports()).at(step, study)
        own, others = _numbers(trial.intermediate_values.values()), _numbers(reached)
        if len(reached) < self.n_startup_trials or not own:
            return len(reached) >= self.n_startup_trials
        if not others:
            return False
        middle = statistics.median(others)
        if study.direction == StudyDirection.MAXIMIZE:
            return max(own) < middle
        return min(own) > middle


class _Reports:
    """What the trials of a study reported; those that have finished are read once."""

    def __init__(self) -> None:
        self._read = Reading()
        self._values: dict[int, list[float]] = {}
        self._turn = threading.Lock()

    def at(self, step: int, study: Study) -> list[float]:
        """The values at a step."""
        with self._turn:
            for trial in self._read.finished(study):
                for at, value in trial.intermediate_values.items():
                    self._values.setdefault(at, []).append(value)
            running = [trial.intermediate_values for trial in self._read.running]
            reached = self._values.get(step, [])
            return reached + [values[step] for values in running if step in values]


def _numbers(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _patient(patience: int = 5, **options: Any) -> BasePruner:
    """Stop only what has not improved for a while and is worse than the median."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # it has been there since 2.8
        return PatientPruner(PoolMedianPruner(), patience=patience, **options)


PRUNERS: dict[str, Callable[..., BasePruner]] = {
    "none": NopPruner,
    "median": PoolMedianPruner,
    "halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": _patient,
}


def pruner(name: str | BasePruner, **options: Any) -> BasePruner:
    """A pruner by its name.

    Args:
        name: "none", "median", "halving", "hyperband" or "patient"; a pruner is returned as it is.
        options: of Optuna's class of that name.

    >>> type(pruner("halving")).__name__
    'SuccessiveHalvingPruner'
    """
    if isinstance(name, BasePruner):
        return name
    if name not in PRUNERS:
        raise RecipeError(
            "pruner(name)",
            required="the name of a pruner",
            got=repr(name),
            remedy=did_you_mean(str(name), PRUNERS),
        )
    try:
        return PRUNERS[name](**options)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"pruner({name!r})",
            required="options that this pruner has",
            got=", ".join(f"{k}={v!r}" for k, v in options.items()),
            remedy=str(error),
        ) from error
