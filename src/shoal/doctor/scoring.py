"""Scoring: one number by which trainings with different losses can be compared.

A remedy may change the loss, so losses cannot judge it. What judges is a metric of the task, which
means the same for every recipe: accuracy for classes, R² for values (or the recipe's first metric),
and for equal accuracies the logarithmic loss. Quality is that metric with larger as better.

    floor    what it is without any learning: the commonest class, the mean of the targets
    simple   what a simple model reaches that needs no network (see ``baselines``): it says how much
             there is to learn, whatever the network is
"""

import math
from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import MULTILABEL, REGRESSION, Data
from shoal.data.preparation import Prepared
from shoal.doctor.baselines import baselines
from shoal.doctor.rows import Rows, rows_of
from shoal.errors import DataError
from shoal.metrics import R2, Accuracy, LogLoss, Metric
from shoal.recipe import Recipe

SEVERAL = R2(multioutput="variance_weighted")
"""What judges several targets: a mean of theirs would be that of the target that hardly varies."""

LOWEST_R2 = -1.0
"""R² below this is taken for it: how much worse than a constant does not matter."""


class Scale(NamedTuple):
    """The scale of qualities on a task.

    Attributes:
        metric: its name in the record, after "validation_"; sign: 1, or -1 where smaller is better.
        floor: without learning; simple: of the simple model, NaN where there is none.
        rows: of the validation split.
        exact: whether the quality is a share of rows, so that it comes in steps of 1 / rows.
        bounds: the lowest and the highest value there can be, as qualities.
        lowest: what lies below counts as this.
    """

    metric: str
    sign: float
    floor: float
    simple: float
    rows: int
    exact: bool
    bounds: tuple[float, float] = (-math.inf, math.inf)
    lowest: float = -math.inf

    def quality(self, value: float) -> float:
        """A value of the metric as a quality; the floor where it is not a number."""
        if not np.isfinite(value):
            return self.floor
        return max(self.sign * value, self.lowest)

    @property
    def least(self) -> float:
        """The smallest difference that is not a few rows' luck: three rows."""
        return 3.0 / max(1, self.rows) if self.exact else 0.0


def metrics_of(recipe: Recipe, data: Data) -> tuple[Metric, ...]:
    """The metric that judges, and what breaks ties."""
    main = recipe.metrics_for(data.task)[0] if recipe.metrics is not None else None
    usual: tuple[Metric, ...] = (Accuracy(), LogLoss())
    if data.task == REGRESSION:
        usual = (SEVERAL if np.ndim(data.targets) > 1 and data.targets.shape[1] > 1 else R2(),)
    return usual if main is None else tuple(dict.fromkeys((main, *usual)))


def scale(prepared: Prepared, metrics: tuple[Metric, ...]) -> Scale:
    """The scale of qualities on prepared data."""
    main = metrics[0]
    rows = len(prepared.parts.validation)
    exact = isinstance(main, Accuracy)
    sign = 1.0 if main.greater_is_better else -1.0
    low, high = sorted(sign * bound for bound in main.bounds)
    told = floor(prepared), simple_quality(prepared)
    if not isinstance(main, Accuracy | R2):
        told = float("nan"), float("nan")
    lowest = LOWEST_R2 if isinstance(main, R2) else -math.inf
    return Scale(main.name, sign, *told, rows, exact, (low, high), lowest)


def floor(prepared: Prepared) -> float:
    """The accuracy of the commonest class of the training split, or R² 0, on validation."""
    data, parts = prepared.data, prepared.parts
    if data.task == REGRESSION:
        return 0.0
    train, held = data.targets[parts.train], data.targets[parts.validation]
    if data.task == MULTILABEL:
        return float(np.mean(held == (train.mean(axis=0) > 0.5)))
    return float(np.mean(held == np.bincount(train[train >= 0]).argmax()))


def simple_quality(prepared: Prepared) -> float:
    """Accuracy or R² on validation of the best simple model; NaN where no such model can be."""
    try:
        rows = rows_of(prepared)
    except DataError:  # rows with NaN, which a remedy will leave out
        return float("nan")
    best = baselines(rows).best
    if best is None or not len(rows.t_validation):
        return float("nan")
    return max(_score(rows, best.validation), LOWEST_R2)


def _score(rows: Rows, found: Numbers) -> float:
    """What the metric gives for predictions of the validation rows."""
    t = rows.t_validation
    if t.ndim == 1:
        return float(np.mean(found.argmax(axis=-1) == t))
    if rows.task == MULTILABEL:
        return float(np.mean((found > 0.5) == (t > 0.5)))
    spread = float(t.var(axis=0).sum())
    return 1.0 - float(((found - t) ** 2).mean(axis=0).sum()) / (spread if spread > 0 else 1.0)
