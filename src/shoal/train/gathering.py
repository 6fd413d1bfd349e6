"""Gathering: in some steps of an epoch, what the layers gave and how the weights moved, added up.

A step has the outputs of its layers and its gradient anyway. In the steps that are looked at these
are reduced to a few numbers, and added to what was gathered before; in all others a branch that is
not taken costs next to nothing. Nothing here changes the training.

Notation: a unit is a channel, an index of the last axis. R numbers are added up: for every layer
the sums over examples and positions of its outputs y, of y², of 1 where y lies near an end of a
bounded range, and how many they are; for every array of weights w with gradient g and update u the
sums of g², u² and w² in the last step; of steps, and of steps that were clipped. For G units in all
the greatest y and the greatest -y are kept.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from shoal.arrays import Array, Tree, size
from shoal.nets import Mode, compose
from shoal.nets.activation import Activation
from shoal.recipe import Recipe
from shoal.train.member import Work

NUMBERS = {"basic": 2**15, "full": 2**17}
"""Outputs of a layer that are read in a step, by level: those of the first rows, up to so many."""

LEAST_ROWS = 8
"""Rows that are read however large they are."""

NEAR = 0.05
"""Share of a bounded range, from each end, that counts as saturated."""


class Seen(NamedTuple):
    """What has been gathered since the first step that was looked at in an epoch.

    Attributes:
        added: (R,) sums; greatest: (2, G) extremes of units.
        same: (A,) for each activation, how many of its units have never varied. Both are () where
            there is no activation: arrays without numbers lose their place on several devices.
    """

    added: Array
    greatest: Array | tuple[()]
    same: Array | tuple[()]


class Tap(NamedTuple):
    """A layer whose outputs are read.

    Attributes:
        place: of the layer, counted from 0; units: of its last axis; numbers: of one example.
        near: the two limits beyond which an output is near the ends of its range, or None.
        active: whether it is an activation: then the extremes of each unit are kept.
        zeros: whether outputs that are exactly 0 are counted.
    """

    name: str
    place: int
    units: int
    numbers: int
    near: tuple[float, float] | None
    active: bool
    zeros: bool

    @property
    def sums(self) -> tuple[str, ...]:
        """What is added up of it."""
        some = ["near"] * (self.near is not None) + ["zeros"] * self.zeros
        return ("count", "sum", "square", *some)


class Layout(NamedTuple):
    """Where what is gathered lies.

    Attributes:
        taps: the layers that are read; leaves: for each array of weights the name of its layer.
        keys: what each of the R sums is: ("steps", ""), ("relu1", "square"), (0, "update"), ...
        full: whether the level is "full".
    """

    taps: tuple[Tap, ...]
    leaves: tuple[str, ...]
    keys: tuple[tuple[str | int, str], ...]
    full: bool

    @property
    def layers(self) -> list[str]:
        """The names of the layers with weights."""
        return list(dict.fromkeys(self.leaves))

    @property
    def active(self) -> list[Tap]:
        """The activations, whose units have their extremes kept."""
        return [tap for tap in self.taps if tap.active]


OF_WEIGHTS = ("gradient", "update", "weights")


def layout(recipe: Recipe, work: Work) -> Layout:
    """Where what is gathered of a network lies."""
    shapes, full = recipe.body.shapes(work.in_shape), work.signals == "full"
    taps = tuple(
        _tap(name, index, layer, shape, full)
        for index, ((name, layer), shape) in enumerate(
            zip(compose.named(recipe.body.layers), shapes[1:], strict=True)
        )
        if not layer.arranges and (full or not hidden(recipe, index))
    )
    leaves = _leaves(recipe, work)
    keys: list[tuple[str | int, str]] = [("steps", ""), ("clipped", "")]
    keys += [(tap.name, what) for tap in taps for what in tap.sums]
    keys += [(number, what) for number in range(len(leaves)) for what in OF_WEIGHTS]
    return Layout(taps, leaves, tuple(keys), full)


def hidden(recipe: Recipe, index: int) -> bool:
    """Whether an activation follows a layer that is none.

    What it gives is then a part of the activation, and kept nowhere: to read it would cost an
    operation in every step.
    """
    layers = recipe.body.layers
    following = layers[index + 1] if index + 1 < len(layers) else None
    return isinstance(following, Activation) and not isinstance(layers[index], Activation)


def _tap(name: str, index: int, layer: Any, shape: tuple[int, ...], full: bool) -> Tap:
    active = isinstance(layer, Activation)
    near = None
    if active and layer.facts.saturates == "both" and all(map(math.isfinite, layer.facts.range)):
        low, high = layer.facts.range
        near = (low + NEAR * (high - low), high - NEAR * (high - low))
    units = shape[-1] if shape else 1
    return Tap(name, index, units, size(shape), near, active, active and full)


def _leaves(recipe: Recipe, work: Work) -> tuple[str, ...]:
    weights = recipe.body.decays(work.in_shape)  # a tree like the parameters
    return tuple(str(path[0].key) for path, _ in jax.tree_util.tree_leaves_with_path(weights))


def nothing(recipe: Recipe, work: Work) -> Seen | tuple[()]:
    """What has been gathered before anything; () where there are no signals."""
    if work.signals == "none":
        return ()
    found = layout(recipe, work)
    units = sum(tap.units for tap in found.active)
    added = jnp.zeros(len(found.keys), work.dtype)
    if not found.active:
        return Seen(added, (), ())
    greatest = jnp.zeros((2, units), work.dtype)
    return Seen(added, greatest, jnp.zeros(len(found.active), work.dtype))


def gather(
    seen: Seen,
    outputs: Sequence[Array],
    trees: Callable[[], tuple[Tree, Tree, Tree]],
    clipped: Array,
    first: Array,
    last: Array,
    recipe: Recipe,
    mode: Mode,
    work: Work,
) -> Seen:
    """What has been gathered after one more step.

    Args:
        outputs: of every layer, (B, *out); devices that share a batch add up what they see.
        trees: the gradient, the update and the weights; asked for in the last step.
        clipped: 1 where the gradient was, else 0.
        first: whether this is the first step that is looked at; what was before is forgotten.
        last: whether it is the last one of the epoch.
    """
    where = layout(recipe, work)
    sums: list[Array] = []
    greatest: list[Array] = []
    for tap in where.taps:
        y, real = _read_rows(tap, outputs[tap.place], mode, work)
        sums.append(_summed(tap, y, real, work))
        if tap.active:
            ends = [y, -y] if real is None else [jnp.where(real, a, -jnp.inf) for a in (y, -y)]
            greatest.append(jnp.stack([jnp.max(end, axis=0) for end in ends]))
    if mode.devices is not None:
        sums = mode.total(sums)
        greatest = [lax.pmax(values, mode.devices) for values in greatest]
    nothing_yet = jnp.zeros(len(OF_WEIGHTS) * len(where.leaves), work.dtype)
    sums.append(lax.cond(last, lambda: _of_weights(trees(), work), lambda: nothing_yet))
    added = jnp.concatenate([jnp.stack([jnp.ones_like(clipped), clipped]), *sums])
    added = jnp.where(first, 0.0, seen.added) + added
    if isinstance(seen.greatest, tuple):
        return Seen(added, (), ())
    before = jnp.where(first, -jnp.inf, seen.greatest)
    most = jnp.maximum(before, jnp.concatenate(greatest, axis=1))
    return Seen(added, most, _same(most, [tap.units for tap in where.active]))


def _of_weights(trees: tuple[Tree, Tree, Tree], work: Work) -> Array:
    """For each array of weights the sums of squares of its gradient, its update and itself."""
    sums = []
    for parts in zip(*map(jax.tree.leaves, trees), strict=True):
        wide = [part.astype(work.dtype) for part in parts]
        sums.append(_sums([part * part for part in wide]))
    return jnp.concatenate(sums)


def _same(greatest: Array, units: Sequence[int]) -> Array:
    """How many units of each activation have a greatest output that is their least."""
    same = (greatest[0] == -greatest[1]).astype(greatest.dtype)
    ends = np.cumsum(units)
    return jnp.stack([jnp.sum(same[b - n : b]) for n, b in zip(units, ends, strict=True)])


def _read_rows(tap: Tap, y: Array, mode: Mode, work: Work) -> tuple[Array, Array | None]:
    """The outputs that are read, (n, units), and which are of real examples: (n, 1), or None."""
    rows = min(y.shape[0], max(LEAST_ROWS, NUMBERS[work.signals] // tap.numbers))
    read = lax.stop_gradient(y[:rows]).astype(work.dtype).reshape(-1, tap.units)
    if mode.mask is None:
        return read, None
    return read, jnp.repeat(mode.mask[:rows], tap.numbers // tap.units)[:, None]


def _summed(tap: Tap, y: Array, real: Array | None, work: Work) -> Array:
    """The sums of a tap, in the order of its ``sums``."""
    kept = y if real is None else jnp.where(real, y, 0.0)
    parts = [kept, kept * kept]
    wanted = [] if tap.near is None else [(y < tap.near[0]) | (y > tap.near[1])]
    wanted += [y == 0.0] * tap.zeros
    for condition in wanted:
        parts.append((condition if real is None else condition & real).astype(work.dtype))
    count = jnp.full(1, y.size, work.dtype)
    if real is not None:
        count = jnp.sum(real.astype(work.dtype), keepdims=True)[0] * tap.units
    return jnp.concatenate([count, _sums(parts)])


def _sums(arrays: Sequence[Array]) -> Array:
    """The sum of each of several arrays of one shape; together, which takes fewer operations."""
    return jnp.sum(jnp.stack([array.reshape(-1) for array in arrays]), axis=1)
