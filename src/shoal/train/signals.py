"""Signals: what each layer did over the last batches of an epoch, as numbers about its health.

They are gathered in the last ``WINDOW`` steps of an epoch, from what these steps compute anyway
(see ``gathering``). For each layer, over all examples of these steps:

    activation_mean, activation_std   of its outputs
    dead                              share of its units whose output never varied
    saturated                         share of outputs within 5 % of the ends of a bounded range
    gradient_norm                     of its weights, root mean square over the steps
    update_ratio                      |update| / |weights|, root mean square over the steps

and, at the level "full", zeros (share of outputs that are 0) and weight_norm. A unit is a channel:
an index of the last axis. ``dead`` and ``zeros`` are read behind activations and ``saturated``
behind those with two bounds; the norms where there are weights. The columns of the record are named
``dense1:gradient_norm``.

An epoch with few steps would spend much of its time looking. So at most ``SHARE`` of the steps are
looked at: short epochs are read every so many epochs, and more often in the beginning.
"""

import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers
from shoal.recipe import Recipe
from shoal.train import gathering
from shoal.train.gathering import Layout
from shoal.train.member import ADDED, GREATEST, Member, Work

LEVELS = ("none", "basic", "full")
WINDOW = 4
SHARE = {"none": 0.0, "basic": 1 / 11, "full": 1 / 3}
"""Of the steps, how many are looked at in the long run, by level."""


TINY = 1e-300


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
    """The columns of a record that are signals, in order."""
    if work.signals == "none":
        return []
    where = gathering.layout(recipe, work)
    layers = [f"{layer}:{what}" for what, found in _groups(recipe, where) for layer in found]
    return ["gradient_norm_max", "batch_loss_std", "batch_loss_max"] + (
        ["clipped"] * (recipe.clip is not None) + layers
    )


def _groups(recipe: Recipe, where: Layout) -> list[tuple[str, list[str]]]:
    """Each signal of layers, with the layers that have it."""
    taps, full = where.taps, any(tap.zeros for tap in where.taps)
    every_tap = [tap.name for tap in taps]
    return [
        ("activation_mean", every_tap),
        ("activation_std", every_tap),
        ("dead", [tap.name for tap in taps if tap.active]),
        ("saturated", [tap.name for tap in taps if tap.near is not None]),
        ("zeros", [tap.name for tap in taps if tap.zeros]),
        ("gradient_norm", where.layers),
        ("update_ratio", [] if recipe.optimiser.searches else where.layers),
        ("weight_norm", where.layers if full else []),
    ]


def raw(member: Member) -> Array:
    """What a compiled program gives of a member's signals: sums, from which people's are made."""
    return jnp.concatenate([member.sums.numbers, member.seen.added, member.seen.same])


def read(recipe: Recipe, work: Work, found: Numbers, looked: Numbers) -> dict[str, Numbers]:
    """The signals, by the ``names`` of their columns.

    Args:
        found: (..., E, n) what ``raw`` gave after each epoch.
        looked: (E,) bool, whether any step of the epoch was looked at; where not, the signals of
            layers are NaN.
    """
    where = gathering.layout(recipe, work)
    parts = np.split(found.astype(np.float64), _ends(where, found.shape[-1]), axis=-1)
    numbers, added, same = (np.moveaxis(part, -1, 0) for part in parts)
    sums = dict(zip(ADDED, numbers, strict=False)) | dict(zip(GREATEST, numbers[-2:], strict=True))
    with np.errstate(all="ignore"):
        signals = _of_steps(sums) | _of_layers(recipe, where, added, same)
    if recipe.clip is not None and not recipe.clip.by_norm:
        signals["clipped"] = added[1] / added[0]
    of_steps = {"gradient_norm_max", "batch_loss_std", "batch_loss_max"}
    wanted = names(recipe, work)
    return {n: signals[n] if n in of_steps else _where(looked, signals[n]) for n in wanted}


def _ends(where: Layout, size: int) -> list[int]:
    """Where the sums of steps, and then those that were gathered, end."""
    last = size - len(where.active)
    return [last - len(where.keys), last]


def _of_steps(sums: dict[str, Numbers]) -> dict[str, Numbers]:
    mean = sums["batch_loss"] / sums["steps"]
    square = sums["batch_loss_square"] / sums["steps"]
    return {
        "gradient_norm_max": sums["greatest_norm"],
        "batch_loss_std": np.sqrt(np.maximum(square - mean**2, 0.0)),
        "batch_loss_max": sums["greatest_loss"],
        "clipped": sums["clipped"] / sums["steps"],
    }


def _of_layers(recipe: Recipe, where: Layout, added: Numbers, same: Numbers) -> dict[str, Numbers]:
    """Every signal of every layer from its sums."""
    sums: dict[tuple[str, str], Numbers] = {}
    for (key, what), values in zip(where.keys, added, strict=True):
        name = where.leaves[key] if isinstance(key, int) else key
        sums[name, what] = sums.get((name, what), 0.0) + values
    steps, found = added[0], {}
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
        found[f"{name}:gradient_norm"] = np.sqrt(gradient / steps)
        found[f"{name}:update_ratio"] = np.sqrt(update / np.maximum(weights, TINY))
        found[f"{name}:weight_norm"] = np.sqrt(weights / steps)
    return {name: _finite(values) for name, values in found.items()}


def _finite(values: Numbers) -> Numbers:
    """Numbers that overflowed as the largest there is: NaN is left to what was not read."""
    return np.where(np.isposinf(values), np.finfo(values.dtype).max, values)


def _where(looked: Numbers, values: Numbers) -> Numbers:
    return np.where(looked, values, np.nan)
