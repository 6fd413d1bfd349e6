"""Trials: variants of a recipe, each trained with several seeds, side by side.

Recipes of one signature share a pool, and all of them see the same batches; seed r of one variant
starts from the same random numbers as seed r of another. So differences between variants are taken
pair by pair.

    V   variants        R   seeds        E   epochs
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit  # not scipy.stats, which takes half a second to load

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.nets import Conv
from shoal.recipe import Recipe
from shoal.train.job import Job, Keep
from shoal.train.member import Status
from shoal.train.progress import Progress
from shoal.train.run import Run
from shoal.train.settings import Settings

LEVEL = 0.95


class Trials(NamedTuple):
    """What trainings came to.

    Attributes:
        kept: (V, R) the loss of the weights that the recipe keeps, on validation where there is
            such a split, else in training; infinite where the training was not finite.
        metric: (V, R) the first metric beside it, NaN where there is none.
        train, watched: (V, R, E) the losses of every epoch, NaN after the last.
        finite: (V, R) whether no step was refused as not finite.
        name, metric_name: of ``kept`` and ``metric`` in a record.
    """

    kept: Numbers
    metric: Numbers
    train: Numbers
    watched: Numbers
    finite: Numbers
    name: str
    metric_name: str


def train(variants: Sequence[Recipe], data: Data, seeds: Sequence[int], line: Progress) -> Trials:
    """Train every variant with every seed, which is added to its own.

    Nothing is kept: no files, no weights, nothing that a later training would see.
    """
    recipes = [one.replace(seed=one.seed + seed) for one in variants for seed in seeds]
    job = Job(recipes, data, [1] * len(recipes), Settings(layout=_layout(recipes[0])))
    runs = job.train(Keep(None, float("inf"), 1), line)
    shape = (len(variants), len(seeds))
    return _trials(runs, shape)


def _layout(recipe: Recipe) -> str:
    """Networks of products of vectors are batched; for others the pool measures what is faster.

    Measuring compiles a second program, which for small networks takes longer than it saves.
    """
    spatial = any(isinstance(layer, Conv) for top in recipe.net.layers for layer in top.every())
    return "auto" if spatial else "batched"


def _trials(runs: list[Run], shape: tuple[int, int]) -> Trials:
    split = "validation" if "validation_loss" in runs[0].record else "train"
    name = f"{split}_loss"
    metrics = [n for n in runs[0].record if n.startswith(f"{split}_") and n != name]
    metric = metrics[0] if metrics else ""
    epochs = max(run.record.epochs for run in runs)
    finite = np.array([run.reasons[0] != Status.NOT_FINITE for run in runs])
    final = [run.final for run in runs]
    kept = np.array([found.get(name, np.nan) for found in final])
    kept = np.where(finite & np.isfinite(kept), kept, np.inf)
    beside = np.array([found.get(metric, np.nan) for found in final])
    return Trials(
        kept=kept.reshape(shape),
        metric=beside.reshape(shape),
        train=_curves(runs, "train_loss", epochs).reshape(*shape, epochs),
        watched=_curves(runs, name, epochs).reshape(*shape, epochs),
        finite=finite.reshape(shape),
        name=name,
        metric_name=metric,
    )


def _curves(runs: list[Run], name: str, epochs: int) -> Numbers:
    found = np.full((len(runs), epochs), np.nan)
    for k, run in enumerate(runs):
        values = run.record[name][:, 0] if name in run.record else np.empty(0)
        found[k, : len(values)] = values
    return found


def mean_and_half(values: Numbers, axis: int = -1) -> tuple[Numbers, Numbers]:
    """The mean along an axis and half the width of Student's 95 % interval; inf where one is.

    >>> [round(float(v), 4) for v in mean_and_half(np.array([1.0, 2.0, 3.0]))]
    [2.0, 2.4841]
    """
    n = values.shape[axis]
    infinite = ~np.isfinite(values).all(axis=axis)
    known = np.where(np.isfinite(values), values, 0.0)
    mean = known.mean(axis=axis)
    if n < 2:
        half = np.full(mean.shape, np.nan)
    else:
        half = stdtrit(n - 1, (1 + LEVEL) / 2) * known.std(axis=axis, ddof=1) / np.sqrt(n)
    return np.where(infinite, np.inf, mean), np.where(infinite, np.nan, half)


def short(recipe: Recipe, steps_of_an_epoch: int, steps: int, epochs: int | None) -> Recipe:
    """The recipe for as many epochs as make so many steps, never more than its own.

    Args:
        epochs: asked for; then these.
    """
    enough = max(2, -(-steps // steps_of_an_epoch))
    return recipe.replace(epochs=epochs or min(recipe.epochs, enough))
