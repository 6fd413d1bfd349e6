"""Cost: what share of the time of a training its signals take, found by timing.

The same compiled program trains throw-away members, in turn with readings in every epoch and with
none; what a reading takes, spread over the epochs from one to the next, is the cost. What carrying
the sums of the steps takes is not seen here; ``bench/signals.py`` compares with a program without.
"""

import statistics
import time
from collections.abc import Sequence

import jax

from shoal.data.preparation import Prepared
from shoal.recipe import Recipe
from shoal.train import signals
from shoal.train.feed import Resident
from shoal.train.pool import Pool
from shoal.train.settings import Settings
from shoal.train.slots import even

EPOCHS = 8
"""That are timed at once."""

LEAST_TURNS = 3
FOREVER = 10**9


def signals_cost(
    recipes: Sequence[Recipe], prepared: Prepared, level: str, seconds: float
) -> float | None:
    """The share of the time of a training that reading its signals takes.

    Args:
        recipes: of one signature, trained side by side.
        prepared: the data.
        level: of the signals, "basic" or "full".
        seconds: that measuring may take, roughly.

    Returns:
        a share, 0.01 for one percent; None for streamed data, or where the time does not suffice.
    """
    began = time.perf_counter()
    endless = [_endless(recipe) for recipe in recipes]
    slots = even(len(recipes), len(jax.devices()))
    pool = Pool(endless[0], prepared, slots, Settings(signals=level))
    if not isinstance(pool.feed, Resident):
        return None
    pool.place(dict(enumerate(endless)))
    pool.run(1)
    once = pool.seconds(EPOCHS, looking=False)
    if 2 * LEAST_TURNS * once > seconds:
        return None
    times: dict[bool, list[float]] = {False: [], True: []}
    while time.perf_counter() - began < seconds or len(times[True]) < LEAST_TURNS:
        for looking in times:
            times[looking].append(pool.seconds(EPOCHS, looking))
    with_, without = (statistics.median(times[looking]) for looking in (True, False))
    return max(0.0, with_ / without - 1.0) / signals.every(pool.work)


def _endless(recipe: Recipe) -> Recipe:
    """A recipe of the same signature that does not stop."""
    rule, calm = recipe.early_stopping, recipe.convergence
    return recipe.replace(
        epochs=FOREVER,
        early_stopping=None if rule is None else rule.replace(patience=FOREVER),
        convergence=None if calm is None else calm.replace(epochs=FOREVER),
    )
