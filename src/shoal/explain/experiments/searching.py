"""Grid against random search, where few of the hyperparameters matter.

Both search the same two: the logarithms of the learning rate and of the L2 penalty. A grid of 3 x 3
tries three rates, nine random trials try nine. Grids are shifted at random within their cells, so
that nothing hangs on where they happen to lie.
"""

from collections.abc import Sequence

import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.planes import Points
from shoal.explain.experiments.trainings import BATCHED
from shoal.nets import ReLU
from shoal.optim import SGD
from shoal.recipe import Recipe
from shoal.train.fit import fit_many
from shoal.train.member import Status

SIDE = 3
RATES = {"5 decades": (-4.0, 1.0), "10 decades": (-8.0, 2.0)}
"""Ranges of the decimal logarithm of the rate, by width; rates that do well span about 1.5."""

PENALTIES = (-6.0, -2.0)
EPOCHS = 10


def grid_or_random(size: Size) -> Result:
    """The best validation loss among nine trials, and after each number of random trials."""
    kinds = {"grid": grids(size.seeds), "random": draws(size.seeds)}
    tried = {(kind, width): settings(points, RATES[width])
             for width in RATES for kind, points in kinds.items()}  # fmt: skip
    losses = dict(zip(tried, log10(validation_losses([*tried.values()], size)), strict=True))
    best = {key: found.min(axis=1) for key, found in losses.items()}
    wide = [*RATES][-1]
    trials = np.arange(1, SIDE**2 + 1)
    return Result(
        ("search", "rates over",
         *columns("", "log10 of best validation loss", "different rates")[1:]),
        tuple((*key, *row("", best[key], _distinct(tried[key][..., 0]))[1:]) for key in tried),
        tuple(
            paired(f"with rates over {width} the best of nine random trials has a lower validation "
                   "loss than the best of a grid of nine by a factor of 10 to the",
                   best["grid", width], best["random", width])
            for width in RATES
        ),
        (
            Panel(f"trials of the first searches, {wide}", "log10 of rate", "log10 of L2",
                  (_both(*(tried[kind, wide][0] for kind in kinds)),)),
            Panel(f"all trials of all seeds, {wide}", "log10 of rate", "log10 of validation loss",
                  (_both(*(np.stack([tried[kind, wide][..., 0], losses[kind, wide]], axis=-1)
                           for kind in kinds)),)),
            Panel("best so far", "trials", "log10 of validation loss",
                  tuple(mark for colour, width in enumerate(RATES) for mark in (
                      line_over_seeds(f"random, {width}", trials, np.minimum.accumulate(
                          losses["random", width], axis=1).T, colour=colour),
                      line_over_seeds(f"grid of nine, {width}", trials, np.tile(
                          best["grid", width], (len(trials), 1)), colour=colour, dashed=True)))),
        ),
    )  # fmt: skip


def grids(count: int) -> Numbers:
    """(count, 9, 2): grids in the unit square, each shifted at random within its cells."""
    rng = np.random.default_rng(0)
    corners = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
    found: Numbers = (corners + rng.random((count, 1, 2))) / SIDE
    return found


def draws(count: int) -> Numbers:
    """(count, 9, 2): places drawn evenly in the unit square."""
    return np.random.default_rng(1).random((count, SIDE**2, 2))


def settings(points: Numbers, rates: tuple[float, float]) -> Numbers:
    """(..., 2): decimal logarithms of rate and penalty for places in the unit square."""
    low, high = np.array([rates, PENALTIES]).T
    found: Numbers = low + points * (high - low)
    return found


def validation_losses(tried: Sequence[Numbers], size: Size) -> Numbers:
    """(searches, n, trials): the validation loss at the end of every trial, trained as one pool.

    A trial that ends worse than guessing, or not finite, counts as guessing: ln 10.

    Args:
        tried: (n, trials, 2) for each search; its row k trains networks of seed k.
    """
    recipe = Recipe(perceptron(ReLU(), 1, 16, 10), "cross_entropy", epochs=size.count(EPOCHS, 2))
    recipes = [
        recipe.replace(optimiser=SGD(float(rate)), l2=float(penalty), seed=seed)
        for searches in tried
        for seed, trials in enumerate(10.0**searches)
        for rate, penalty in trials
    ]
    runs = fit_many(recipes, digits(), show=False, settings=BATCHED)
    last = np.array([run.record["validation_loss"][-1:, 0].sum() for run in runs])
    finite = np.array([run.reasons[0] is not Status.NOT_FINITE for run in runs])
    guessing = np.log(10.0)
    found = np.where(finite, np.minimum(last, guessing), guessing)
    return found.reshape(len(tried), *tried[0].shape[:2])


def _both(grid: Numbers, random: Numbers) -> Points:
    """Trials of both kinds, (..., 2) each, in their colours."""
    first, second = grid.reshape(-1, 2), random.reshape(-1, 2)
    kinds = np.repeat([0, 1], [len(first), len(second)])
    return Points(np.concatenate([first, second]), kinds, ("grid", "random"))


def _distinct(values: Numbers) -> Numbers:
    """(n,): how many different numbers each row, (n, trials), has."""
    return np.array([len(np.unique(own.round(12))) for own in values], float)


EXPERIMENTS = (
    Experiment(
        "grid_or_random",
        "Grid against random search",
        "where few of the hyperparameters matter, random trials find a better setting than a grid "
        "of as many",
        "Bergstra and Bengio 2012",
        "Rate and L2 penalty of a perceptron with 16 ReLUs on handwritten digits, 10 epochs of "
        "SGD: grids of 3 x 3, each shifted at random within its cells, against nine places drawn "
        "evenly, on logarithmic scales; rates over five decades, and over ten; one pool trains the "
        "trials of all seeds.",
        grid_or_random,
        seeds=40,
    ),
)
