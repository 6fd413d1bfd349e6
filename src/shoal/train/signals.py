"""Signals: what each layer did over the last batches of an epoch, as numbers about its health.

They are gathered in the last ``WINDOW`` steps of an epoch, from what these steps compute anyway
(see ``gathering``). For each layer, over all examples of these steps:

    activation_mean, activation_std   of its outputs
    dead                              share of its units whose output never varied
    saturated                         share of outputs within 5 % of the ends of a bounded range
    gradient_norm                     of its weights, in the last step
    update_ratio                      |update| / |weights| in the last step

and at the level "full" ``zeros``, the share of outputs that are 0, and ``weight_norm``. A unit is a
channel: an index of the last axis. ``dead`` and ``zeros`` are read behind activations,
``saturated`` behind those with two bounds, the norms where there are weights, and mean and spread
at every layer that does not only arrange numbers; at the level "basic" not at one whose outputs an
activation takes up at once. The columns are named ``dense1:gradient_norm``. Of the whole epoch:

    gradient_norm_max                 the greatest norm of the whole gradient
    batch_loss_std, batch_loss_max    of the mean losses of the batches
    clipped                           share of steps whose gradient was clipped, where any can be

(of the last steps only where single numbers of the gradient are clipped).

An epoch with few steps would spend much of its time looking. So at most ``SHARE`` of the steps are
looked at: short epochs are read every so many epochs, and more often in the beginning.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers
from shoal.recipe import Recipe
from shoal.train import gathering
from shoal.train.gathering import Layout
from shoal.train.member import ADDED, GREATEST, Member, Work

LEVELS = ("none", "basic", "full")
WINDOW = 4
SHARE = {"none": 0.0, "basic": 1 / 64, "full": 1 / 16}
"""Of the steps, how many are looked at in the long run, by level. A step that is looked at takes
between 1.2 and 1.8 times as long as another (bench/signals.py)."""

TINY = 1e-300
OF_STEPS = ("gradient_norm_max", "batch_loss_std", "batch_loss_max")


def every(work: Work) -> int:
    """Epochs from one reading to the next, in the long run; 0 for never."""
    if work.signals == "none":
        return 0
    steps = min(WINDOW, work.steps)
    return math.ceil(round(steps / (work.steps * SHARE[work.signals]), 6))


def looks(work: Work, first: int, count: int) -> Numbers:
    """(count,) int32: the step from which on each of some epochs is looked at; S for none.

    Every reading is of one epoch: of its last steps. Beside every E-th epoch, E being
    ``every(work)``, those that make 1, 2, 4, 8, ... epochs complete are read.

    Args:
        first: the first of the global epochs, counted from 0.
    """
    done = np.arange(first + 1, first + count + 1)
    period = every(work)
    early = done & (done - 1) == 0
    read = (early | (done % period == 0)) if period else np.zeros(count, bool)
    return np.where(read, max(0, work.steps - WINDOW), work.steps).astype(np.int32)


def names(recipe: Recipe, where: Layout) -> list[str]:
    """The columns of a record that are signals, in order."""
    layers = [f"{layer}:{what}" for what, found in _groups(recipe, where) for layer in found]
    return [*OF_STEPS, *["clipped"] * (recipe.clip is not None), *layers]


def _groups(recipe: Recipe, where: Layout) -> list[tuple[str, list[str]]]:
    """Each signal of layers, with the layers that have it."""
    taps = where.taps
    every_tap = [tap.name for tap in taps]
    return [
        ("activation_mean", every_tap),
        ("activation_std", every_tap),
        ("dead", [tap.name for tap in taps if tap.active]),
        ("saturated", [tap.name for tap in taps if tap.near is not None]),
        ("zeros", [tap.name for tap in taps if tap.zeros]),
        ("gradient_norm", where.layers),
        ("update_ratio", [] if recipe.optimiser.searches else where.layers),
        ("weight_norm", where.layers if where.full else []),
    ]


def raw(member: Member) -> Array:
    """What a compiled program gives of a member's signals: sums, from which people's are made."""
    return jnp.concatenate(
        [member.sums.numbers, member.seen.added, *jax.tree.leaves(member.seen.same)]
    )


def read(recipe: Recipe, where: Layout, found: Numbers, looked: Numbers) -> dict[str, Numbers]:
    """The signals, by the ``names`` of their columns.

    Args:
        where: where what was gathered lies.
        found: (K, E, n) what ``raw`` gave after each epoch.
        looked: (E,) bool, whether any step of the epoch was looked at; where not, the signals of
            layers are NaN.
    """
    last = found.shape[-1] - len(where.active)
    first = last - len(where.keys)
    wide = np.moveaxis(found, -1, 0)
    read = wide[first:, :, looked].astype(np.float64)
    added, same = read[: last - first], read[last - first :]
    with np.errstate(all="ignore"):
        signals = _of_steps(wide[:first], float(np.finfo(found.dtype).eps))
        layers = _of_layers(where, added, same)
        if recipe.clip is not None and not recipe.clip.by_norm:
            layers["clipped"] = added[1] / added[0]
    held_back = np.full((len(layers), *found.shape[:-1]), np.nan)
    for place, (name, values) in zip(held_back, layers.items(), strict=True):
        place[:, looked] = values
        signals[name] = place
    return {name: signals[name] for name in names(recipe, where)}


def held(history: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The columns of a member, with the last reading kept until the next; NaN before the first."""

    def filled(values: Numbers) -> Numbers:
        there = np.where(np.isnan(values), -1, np.arange(len(values)))
        last = np.maximum.accumulate(there) if len(there) else there
        return np.where(last >= 0, values[last], np.nan)

    read = {name for name in history if ":" in name or name == "clipped"}
    return {name: filled(a) if name in read else a for name, a in history.items()}


def _of_steps(numbers: Numbers, epsilon: float) -> dict[str, Numbers]:
    """The signals of whole epochs, from what ``Sums`` holds, one row for each of its numbers."""
    sums = dict(zip(ADDED, numbers, strict=False)) | dict(zip(GREATEST, numbers[-2:], strict=True))
    steps = sums["steps"].astype(np.float64)
    mean, square = sums["batch_loss"] / steps, sums["batch_loss_square"] / steps
    variance = square - mean**2
    # What rounding of the two sums can make of nothing is nothing.
    variance[variance <= 8 * epsilon * square] = 0.0
    return {
        "gradient_norm_max": sums["greatest_norm"],
        "batch_loss_std": np.sqrt(variance),
        "batch_loss_max": sums["greatest_loss"],
        "clipped": sums["clipped"] / steps,
    }


def _of_layers(where: Layout, added: Numbers, same: Numbers) -> dict[str, Numbers]:
    """Every signal of every layer from its sums."""
    sums: dict[tuple[str, str], Numbers] = {}
    for (key, what), values in zip(where.keys, added, strict=True):
        name = where.leaves[key] if isinstance(key, int) else key
        sums[name, what] = sums.get((name, what), 0.0) + values
    found = {}
    for tap in where.taps:
        count = sums[tap.name, "count"]
        mean = sums[tap.name, "sum"] / count
        found[f"{tap.name}:activation_mean"] = mean
        spread = np.sqrt(np.maximum(sums[tap.name, "square"] / count - mean**2, 0.0))
        found[f"{tap.name}:activation_std"] = spread
        for signal, what in (("saturated", "near"), ("zeros", "zeros")):
            if (tap.name, what) in sums:
                found[f"{tap.name}:{signal}"] = sums[tap.name, what] / count
    for tap, values in zip(where.active, same, strict=True):
        found[f"{tap.name}:dead"] = values / tap.units
    for name in where.layers:
        gradient, update, weights = (sums[name, what] for what in gathering.OF_WEIGHTS)
        found[f"{name}:gradient_norm"] = np.sqrt(gradient)
        found[f"{name}:update_ratio"] = np.sqrt(update / np.maximum(weights, TINY))
        found[f"{name}:weight_norm"] = np.sqrt(weights)
    return {name: _finite(values) for name, values in found.items()}


def _finite(values: Numbers) -> Numbers:
    """Numbers that overflowed as the largest there is: NaN is left to what was not read."""
    return np.where(np.isposinf(values), np.finfo(values.dtype).max, values)
