"""Trainings for an experiment: each variant with every seed, side by side on the same batches."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.explain.experiments.experiment import Size
from shoal.explain.experiments.picture import Line, Panel, line_over_seeds
from shoal.recipe import Recipe
from shoal.train.fit import fit_many
from shoal.train.run import Run
from shoal.train.settings import Settings

BATCHED = Settings(layout="batched")
"""One layout, because choosing one compiles both."""


class Trainings(NamedTuple):
    """The runs of each variant, one for each seed."""

    runs: Mapping[str, list[Run]]

    def curve(self, label: str, quantity: str) -> Numbers:
        """(E, n): a column of the record of a variant, one for each seed.

        After a member has stopped early its last number goes on; a member that never completed an
        epoch is NaN throughout.
        """
        found = [run.record[quantity][:, 0] for run in self.runs[label]]
        epochs = max(run.recipe.epochs for run in self.runs[label])
        return np.stack([_carried(column, epochs) for column in found], axis=1)

    def last(self, label: str, quantity: str) -> Numbers:
        """(n,): the last number of a column for each seed."""
        found: Numbers = self.curve(label, quantity)[-1]
        return found

    def best(self, label: str, quantity: str) -> Numbers:
        """(n,): the largest number of a column for each seed."""
        found: Numbers = self.curve(label, quantity).max(axis=0)
        return found

    def epochs_to(self, label: str, quantity: str, level: float) -> Numbers:
        """(n,): epochs until a column reaches a level from below, a fraction between two of them.

        Before the first epoch the quantity counts as 0. A training that never gets there counts as
        all its epochs.
        """
        curve = self.curve(label, quantity)
        return np.array([_crossing(column, level) for column in curve.T])

    def line(self, label: str, quantity: str, **look: Any) -> Line:
        """The curve of a variant over epochs; ``look`` as for ``line_over_seeds``."""
        curve = self.curve(label, quantity)
        return line_over_seeds(label, np.arange(1, len(curve) + 1), curve, **look)

    def losses(self, title: str, labels: Iterable[str]) -> Panel:
        """A panel with the training losses of some variants."""
        lines = (self.line(label, "train_loss", geometric=True) for label in labels)
        return Panel(title, "epoch", "cross-entropy", tuple(lines), log_y=True)


def train(variants: Mapping[str, Recipe], data: Data, size: Size) -> Trainings:
    """Train every variant with seeds 0, 1, ...; those of one signature share one program.

    Args:
        variants: recipes by label; their own seed is the first.
        data: what all of them learn.
        size: says how many seeds.
    """
    recipes = [
        recipe.replace(seed=recipe.seed + k, name=label)
        for label, recipe in variants.items()
        for k in range(size.seeds)
    ]
    runs = fit_many(recipes, data, show=False, settings=BATCHED)
    places = range(0, len(runs), size.seeds)
    groups = (runs[place : place + size.seeds] for place in places)
    return Trainings(dict(zip(variants, groups, strict=True)))


def lowest(values: Mapping[str, Numbers], prefix: str) -> str:
    """The label with the lowest mean over seeds among those that begin so: the best rate of one.

    One with a seed that is not a number comes last.

    >>> lowest({"a, 1": np.array([3.0]), "a, 2": np.array([2.0]), "b, 1": np.array([1.0])}, "a,")
    'a, 2'
    """
    labels = [label for label in values if label.startswith(prefix)]
    return min(labels, key=lambda label: float(np.nan_to_num(values[label].mean(), nan=np.inf)))


def _carried(column: Numbers, epochs: int) -> Numbers:
    """A column with its last finite number in the place of all after it."""
    full = np.full(epochs, np.nan)
    full[: len(column)] = column
    finite = np.flatnonzero(np.isfinite(full))
    if len(finite):
        full[finite[-1] + 1 :] = full[finite[-1]]
    return full


def _crossing(column: Numbers, level: float) -> float:
    """Where a curve that starts from 0 at 0 and has its first number at 1 reaches a level."""
    points = np.concatenate([[0.0], column])
    above = np.flatnonzero(points >= level)
    if not len(above):
        return float(len(column))
    after = int(above[0])
    before = points[after - 1]
    return after - 1 + float((level - before) / (points[after] - before))
