"""Training a case over seeds in one pool, and its score on test rows.

    classification   accuracy; chance is the share of the largest class of the test
    regression       R², not below -1; chance is 0
    honesty          2 · test - validation: what a leak harms is not the network but the figure that
                     is reported for it

A training that shoal refuses scores what chance scores.
"""

from dataclasses import dataclass

import numpy as np

from shoal.data.dataset import MULTILABEL, Data
from shoal.data.preparation import Prepared
from shoal.errors import ShoalError
from shoal.recipe import Recipe
from shoal.train.fit import fit_many
from shoal.train.run import Run
from shoal.train.settings import Settings

TOGETHER = Settings(layout="batched")
"""Small networks run fastest side by side; to measure it for each would cost a compilation."""

WORST = -1.0
"""The lowest R² that counts: a few rows far off should not decide a mean."""


@dataclass(frozen=True)
class Trained:
    """A recipe over seeds.

    Attributes:
        runs: one for each seed, () where it was refused; scores: on test rows.
        refusal: why it was refused, or "".
    """

    runs: tuple[Run, ...]
    scores: tuple[float, ...]
    refusal: str = ""


def train(
    recipe: Recipe,
    data: Data,
    seeds: int,
    first: int = 0,
    signals: bool = False,
    honest: bool = False,
) -> Trained:
    """A recipe over seeds first, first + 1, ... in one pool."""
    recipes = [recipe.replace(seed=first + k) for k in range(seeds)]
    try:
        runs = tuple(fit_many(recipes, data, show=False, signals=signals, settings=TOGETHER))
    except ShoalError as error:
        return Trained((), (chance(data),) * seeds, str(error))
    return Trained(runs, tuple(score(run, honest) for run in runs))


def score(run: Run, honest: bool = False) -> float:
    """The score of a run on its test rows."""
    tested = value(run, "test")
    return 2 * tested - value(run, "validation") if honest else tested


def value(run: Run, split: str) -> float:
    """Accuracy or R² on a split."""
    prepared: Prepared = run.prepared
    rows = getattr(prepared.parts, split)
    data, targets = prepared.data, prepared.data.targets[rows]
    try:
        found = run.model.predict(data.rows(rows))
    except ShoalError:
        return chance(data)
    if data.task == MULTILABEL:
        return float(np.mean(np.asarray(found) == targets))
    if data.classes:
        names = np.asarray(data.classes)
        return float(np.mean(np.asarray(found) == names[targets]))
    return r2(targets, np.asarray(found).reshape(targets.shape))


def r2(targets: np.ndarray, found: np.ndarray) -> float:
    """The mean R² of the columns that vary, at least ``WORST``."""
    varies = targets.std(axis=0) > 0
    with np.errstate(all="ignore"):
        wrong = ((targets - found) ** 2).mean(axis=0)[varies]
        values = 1 - wrong / targets.var(axis=0)[varies]
    values = np.where(np.isfinite(values), values, WORST)
    return float(np.maximum(values, WORST).mean())


def chance(data: Data) -> float:
    """The score of who does not look at the inputs."""
    if not data.classes:
        return 0.0
    assert data.parts is not None, "data of the benchmark is divided"
    if data.task == MULTILABEL:
        share = data.targets[data.parts == 2].mean(axis=0)
        return float(np.maximum(share, 1 - share).mean())
    counts = np.bincount(data.targets[data.parts == 2], minlength=len(data.classes))
    return float(counts.max() / counts.sum())
