"""Scoring: one number by which trainings with different losses can be compared.

A remedy may change the loss, so losses cannot judge it. What judges is a metric of the task, which
means the same for every recipe: accuracy for classes, R² for values (or the recipe's first metric),
and for equal accuracies the logarithmic loss. Quality is that metric with larger as better.

    floor    what it is without any learning: the commonest class, the mean of the targets
    simple   what a simple model reaches: kernel ridge regression with a Gaussian kernel on
             standardised inputs (Saunders, Gammerman and Vovk 1998). It needs no training and
             says how much there is to learn, whatever the network is.
"""

from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, REGRESSION
from shoal.data.preparation import Prepared, variance
from shoal.metrics import R2, Accuracy, LogLoss, Metric
from shoal.recipe import Recipe

LOWEST_R2 = -1.0
"""R² below this is taken for it: how much worse than a constant does not matter."""

MOST_ROWS = 700
"""Training rows of the simple model, every n-th where there are more: nine systems of that many
equations take a tenth of a second."""

WIDTHS = (0.1, 0.3, 1.0)
"""Of the kernel, in units of 1 / number of features."""

RIDGES = (1e-3, 1e-1, 3.0)


class Scale(NamedTuple):
    """The scale of qualities on a task.

    Attributes:
        metric: its name in the record, after "validation_"; sign: 1, or -1 where smaller is better.
        floor: without learning; simple: of the simple model, NaN where there is none.
        rows: of the validation split.
        exact: whether the quality is a share of rows, so that it comes in steps of 1 / rows.
    """

    metric: str
    sign: float
    floor: float
    simple: float
    rows: int
    exact: bool

    def quality(self, value: float) -> float:
        """A value of the metric as a quality; the floor where it is not a number."""
        if not np.isfinite(value):
            return self.floor
        return max(self.sign * value, LOWEST_R2) if self.metric == "r2" else self.sign * value

    @property
    def least(self) -> float:
        """The smallest difference that is not a few rows' luck: three rows."""
        return 3.0 / max(1, self.rows) if self.exact else 0.0


def metrics_of(recipe: Recipe, task: str) -> tuple[Metric, ...]:
    """The metric that judges, and what breaks ties."""
    main = recipe.metrics_for(task)[0] if recipe.metrics is not None else None
    usual: tuple[Metric, ...] = (R2(),) if task == REGRESSION else (Accuracy(), LogLoss())
    return usual if main is None else tuple(dict.fromkeys((main, *usual)))


def scale(prepared: Prepared, metrics: tuple[Metric, ...]) -> Scale:
    """The scale of qualities on prepared data."""
    main = metrics[0]
    rows = len(prepared.parts.validation)
    exact = isinstance(main, Accuracy)
    sign = 1.0 if main.greater_is_better else -1.0
    if not isinstance(main, Accuracy | R2):
        return Scale(main.name, sign, float("nan"), float("nan"), rows, exact)
    simple = simple_quality(prepared)
    return Scale(main.name, sign, floor(prepared), simple, rows, exact)


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
    """Accuracy or R² of the best of a few kernel ridge regressions on validation; NaN for none."""
    data, parts = prepared.data, prepared.parts
    train, held = parts.train[:: max(1, -(-len(parts.train) // MOST_ROWS))], parts.validation
    x, v = _standard(prepared, train, held)
    y = _targets(prepared, train)
    good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    if good.sum() < 2 or not np.isfinite(v).all():
        return float("nan")
    x, y = x[good], y[good]
    squares = _squares(x, x), _squares(v, x)
    found = [
        _judge(prepared, held, guess)
        for width in WIDTHS
        for guess in _ridges(squares, y, width / x.shape[1])
    ]
    return max(found) if data.task != REGRESSION else max(max(found), LOWEST_R2)


def _standard(prepared: Prepared, train: Numbers, held: Numbers) -> tuple[Numbers, Numbers]:
    """Encoded inputs, flat, brought to mean 0 and spread 1 of the finite training rows."""
    blocks = [prepared.inputs.encode(prepared.data.rows(rows)) for rows in (train, held)]
    x, v = (block.reshape(len(block), -1).astype(np.float64) for block in blocks)
    known = x[np.isfinite(x).all(axis=1)]
    if not len(known):
        return x, v
    spread = known.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    return (x - known.mean(axis=0)) / spread, (v - known.mean(axis=0)) / spread


def _targets(prepared: Prepared, rows: Numbers) -> Numbers:
    data = prepared.data
    if data.task == CLASSIFICATION:
        return np.eye(len(data.classes))[np.clip(data.targets[rows], 0, len(data.classes) - 1)]
    return data.targets[rows].astype(np.float64)


def _squares(a: Numbers, b: Numbers) -> Numbers:
    """Squared distances, (n, m)."""
    lengths = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :]
    found: Numbers = np.maximum(lengths - 2.0 * a @ b.T, 0.0)
    return found


def _ridges(squares: tuple[Numbers, Numbers], y: Numbers, gamma: float) -> list[Numbers]:
    """Predictions on validation for each ridge: K_v (K + ridge I)^-1 (y - mean) + mean."""
    kernel, across = (np.exp(-gamma * d) for d in squares)
    mean, one = y.mean(axis=0), np.eye(len(y))
    return [across @ np.linalg.solve(kernel + ridge * one, y - mean) + mean for ridge in RIDGES]


def _judge(prepared: Prepared, held: Numbers, guess: Numbers) -> float:
    data = prepared.data
    t = data.targets[held]
    if data.task == CLASSIFICATION:
        return float(np.mean(guess.argmax(axis=1) == t))
    if data.task == MULTILABEL:
        return float(np.mean((guess > 0.5) == (t > 0.5)))
    spread = variance(t, None)
    errors = ((guess - t) ** 2).mean(axis=0)
    return float(np.mean(1.0 - errors / np.where(spread > 0, spread, 1.0)))
