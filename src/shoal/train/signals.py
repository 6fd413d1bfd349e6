"""Signals: what each layer did over the last batches of an epoch, as numbers about its health.

They are gathered in the last ``WINDOW`` steps of an epoch, from what these steps compute anyway (see
``gathering``). For each layer, over all examples of these steps:

    activation_mean, activation_std   of its outputs
    dead                              share of its units whose output never varied
    saturated                         share of outputs within 5 % of the ends of a bounded range
    gradient_norm                     of its weights, root mean square over the steps
    update_ratio                      |update| / |weights|, root mean square over the steps

and, at the level "full", activation_min, activation_max, zeros (share of outputs that are 0) and
weight_norm. A unit is a channel: an index of the last axis. ``dead`` and ``zeros`` are read behind
activations and ``saturated`` behind those with two bounds; the norms where there are weights. The
columns of the record are named ``dense1:gradient_norm``.

An epoch with few steps would spend much of its time looking. So at most ``SHARE`` of the steps are
looked at: short epochs are read every so many epochs, and more often in the beginning.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from shoal.arrays import Array
from shoal.recipe import Recipe
from shoal.train import gathering
from shoal.train.gathering import Layout, Seen, Tap
from shoal.train.member import Member, Work

LEVELS = ("none", "basic", "full")
WINDOW = 4
SHARE = {"none": 0.0, "basic": 1 / 11, "full": 1 / 3}
"""Of the steps, how many are looked at in the long run, by level."""


def every(work: Work) -> int:
    """Epochs from one reading to the next, in the long run; 0 for never."""
    if work.signals == "none":
        return 0
    steps = min(WINDOW, work.steps)
    return max(1, round(steps / (work.steps * SHARE[work.signals])))


def first_look(work: Work, epoch: int) -> int:
    """The step of a global epoch, counted from 0, from which on it is looked at; S for none.

    Every reading is of one epoch: of its last steps. Beside the regular ones the global epochs 0,
    1, 3, 7, 15, ... are read.
    """
    period = every(work)
    early = (epoch + 1) & epoch == 0  # a power of two of epochs is then complete
    if period and (early or (epoch + 1) % period == 0):
        return max(0, work.steps - WINDOW)
    return work.steps


def names(recipe: Recipe, work: Work) -> list[str]:
    """The columns of a record, in order."""
    where = gathering.layout(recipe, work)
    return [f"{layer}:{signal}" for signal, layers in _groups(recipe, where) for layer in layers]


def _groups(recipe: Recipe, where: Layout) -> list[tuple[str, list[str]]]:
    """Each signal with the layers that have it."""
    taps, weighted = where.taps, list(where.layers)
    full = [tap.name for tap in taps if tap.zeros]
    groups = [
        ("activation_mean", [tap.name for tap in taps]),
        ("activation_std", [tap.name for tap in taps]),
        ("dead", [tap.name for tap in _active(taps)]),
        ("saturated", [tap.name for tap in taps if tap.near is not None]),
        ("gradient_norm", weighted),
        ("update_ratio", [] if recipe.optimiser.searches else weighted),
        ("zeros", full),
    ]
    return groups


def _active(taps: tuple[Tap, ...]) -> list[Tap]:
    return [tap for tap in taps if tap.extremes]


def read(recipe: Recipe, member: Member, looked: Array, work: Work) -> tuple[Array, Seen]:
    """The signals of an epoch, one for each of ``names``, and what is gathered for the next.

    Args:
        looked: whether any of its steps was looked at; all members share it.
    """
    count = len(names(recipe, work))
    nan = jnp.full(count, jnp.nan, work.dtype)
    empty = gathering.nothing(recipe, work)
    assert isinstance(empty, Seen) and isinstance(member.seen, Seen)
    seen = member.seen
    return lax.cond(
        looked,
        lambda: (_numbers(recipe, seen, gathering.layout(recipe, work)), empty),
        lambda: (nan, seen),
    )


def _numbers(recipe: Recipe, seen: Seen, where: Layout) -> Array:
    """What was gathered as signals."""
    totals = jnp.sum(seen.added, axis=1)
    singles = seen.added[-1]
    taps, layers = where.taps, where.layers
    steps = jnp.maximum(singles[0], 1.0)
    counts = jnp.maximum(singles[2 : 2 + len(taps)], 1.0)
    first = np.cumsum([0, *(tap.sums for tap in taps)])
    mean = totals[first[:-1]] / counts
    square = totals[first[:-1] + 1] / counts
    spread = jnp.sqrt(jnp.maximum(square - mean * mean, 0.0))
    near = np.array([i for i, tap in enumerate(taps) if tap.near is not None], int)
    squares = singles[2 + len(taps) : 2 + len(taps) + len(layers)]
    parts = [mean, spread, _dead(seen, taps), totals[first[near] + 2] / counts[near]]
    parts.append(jnp.sqrt(squares / steps))
    if not recipe.optimiser.searches:
        belongs = np.array([[leaf.layer == n for leaf in where.leaves] for n in layers])
        pairs = totals[first[-1] : -1].reshape(-1, 2)
        moved, weights = (jnp.where(belongs, pairs[:, i], 0.0).sum(axis=1) for i in (0, 1))
        parts.append(jnp.sqrt(moved / jnp.maximum(weights, jnp.finfo(moved.dtype).tiny)))
    zeros = np.array([i for i, tap in enumerate(taps) if tap.zeros], int)
    if zeros.size:
        offsets = np.array([taps[i].sums - 1 for i in zeros])
        parts.append(totals[first[zeros] + offsets] / counts[zeros])
    found = jnp.concatenate(parts)
    return jnp.where(jnp.isnan(found), jnp.finfo(found.dtype).max, found)


def _dead(seen: Seen, taps: tuple[Tap, ...]) -> Array:
    """Share of the units of each activation whose least output is their greatest."""
    units = np.array([tap.units for tap in _active(taps)], int)
    there = np.arange(seen.added.shape[1])[None, :] < units[:, None]
    same = (seen.greatest[0::2] == -seen.greatest[1::2]) & there
    return jnp.sum(same.astype(seen.added.dtype), axis=1) / jnp.maximum(
        jnp.asarray(units, seen.added.dtype), 1.0
    )
