"""How long training takes by the size of the batch, on the machine that runs it."""

import time

import numpy as np

from shoal.arrays import Numbers
from shoal.data.fromarrays import arrays
from shoal.data.preparation import Preparation
from shoal.data.splits import Split
from shoal.explain.experiments.comparison import compared, log10
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import BATCHED
from shoal.nets import ReLU
from shoal.optim import SGD
from shoal.recipe import Recipe
from shoal.train.pool import Pool

SIZES = (4, 16, 64, 256)
POWERS = (32, 128)
STEPS = 40
"""In an epoch, whatever the size of the batch, so that every batch is full."""


def powers_of_two(size: Size) -> Result:
    """Time per example of batches of 31, 32, 33 and of 127, 128, 129 rows."""
    powers = size.some(POWERS, least=1)
    rows = tuple(p + off for p in powers for off in (-1, 0, 1))
    cost = log10(microseconds(rows, size.seeds, size.count(8, least=2)))
    at = dict(zip(rows, cost, strict=True))
    rate = {n: 1e6 / 10 ** at[n] for n in rows}
    gain = {p: 0.5 * (at[p - 1] + at[p + 1]) - at[p] for p in powers}
    panels = [Panel(f"around {p}", "rows in a batch", "thousand examples a second",
                    (line_over_seeds("", np.array([p - 1, p, p + 1]),
                                     np.stack([rate[p + k] / 1e3 for k in (-1, 0, 1)])),))
              for p in powers]  # fmt: skip
    return Result(
        columns("rows in a batch", "log10 of microseconds for an example", "examples a second"),
        tuple(row(n, at[n], rate[n]) for n in rows),
        tuple(
            compared(
                f"batches of {p} rows are faster for an example than the mean of {p - 1} and "
                f"{p + 1} by a factor of 10 to the",
                gain[p],
            )
            for p in powers
        ),
        tuple(panels),
    )


def batch_speed(size: Size) -> Result:
    """Examples a second against the size of the batch."""
    rows = size.some((SIZES[0], SIZES[-1], *SIZES[1:-1]))
    rows = tuple(sorted(rows))
    cost = log10(microseconds(rows, size.seeds, size.count(8, least=2)))
    rate = 1e6 / 10**cost
    return Result(
        columns("rows in a batch", "log10 of microseconds for an example", "examples a second"),
        tuple(row(n, cost[k], rate[k]) for k, n in enumerate(rows)),
        (
            compared(
                f"an example in a batch of {rows[-1]} rows takes less time than in one of "
                f"{rows[0]} by a factor of 10 to the",
                cost[0] - cost[-1],
            ),
        ),
        (
            Panel("throughput of training", "rows in a batch", "examples a second",
                  (line_over_seeds("", np.array(rows), rate),), log_x=True, log_y=True),
        ),
    )  # fmt: skip


def microseconds(sizes: tuple[int, ...], repeats: int, epochs: int) -> Numbers:
    """(sizes, repeats): time of training for an example, compilation left out.

    The sizes take turns, so that whatever else the machine does meets all of them alike.

    Args:
        sizes: rows in a batch.
        repeats: how often each is timed.
        epochs: of ``STEPS`` steps that are timed at once.
    """
    pools = [_warm_pool(rows, epochs) for rows in sizes]
    found = np.empty((len(sizes), repeats))
    for repeat in range(repeats):
        for place, (pool, rows) in enumerate(zip(pools, sizes, strict=True)):
            began = time.perf_counter()
            pool.run(epochs)
            seconds = time.perf_counter() - began
            found[place, repeat] = 1e6 * seconds / (epochs * STEPS * rows)
    return found


def _warm_pool(rows: int, epochs: int) -> Pool:
    """A pool of one network that trains on batches of so many rows and has run once."""
    rng = np.random.default_rng(0)
    total = STEPS * rows
    data = arrays(rng.normal(size=(total, 64)), np.arange(total) % 10, task="classification")
    recipe = Recipe(
        perceptron(ReLU(), 2, 128, 10),
        loss="cross_entropy",
        optimiser=SGD(0.01),
        batch_size=rows,
        epochs=10**6,
        preparation=Preparation(split=Split(validation=0.0)),
    )
    pool = Pool(recipe, recipe.prepare(data), 1, BATCHED)
    pool.place({0: recipe})
    pool.run(epochs)
    return pool


EXPERIMENTS = (
    Experiment(
        "batch_speed",
        "Batch size and speed",
        "large batches train more examples a second than small ones",
        "texts on mini-batches and vectorised arithmetic",
        "Time of 40 steps times 8 epochs of one perceptron with two hidden layers of 128 ReLUs in "
        "a compiled program on this machine; compilation left out; sizes take turns.",
        batch_speed,
        seeds=9,
        over="repetitions",
    ),
    Experiment(
        "powers_of_two",
        "Batches whose size is a power of two",
        "a batch whose size is a power of two trains an example faster than its neighbours in size",
        "rules of thumb for the size of batches",
        "Time of 40 steps times 8 epochs of one perceptron with two hidden layers of 128 ReLUs in "
        "a compiled program on this machine; compilation left out; sizes take turns.",
        powers_of_two,
        seeds=15,
        over="repetitions",
    ),
)
