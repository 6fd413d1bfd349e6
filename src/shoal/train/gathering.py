"""Gathering: in some steps of an epoch, what the layers gave and how the weights moved, added up.

A step has the outputs of its layers and its gradient anyway. In the steps that are looked at these
are reduced to one number for each unit, and added to what was gathered before; in all others a
branch that is not taken costs next to nothing. Nothing here changes the training.

Notation: a unit is a channel, an index of the last axis. R rows of U numbers each are added up: for
every layer the sums over examples and positions of its outputs y, of y², of 1 where y lies near an
end of a bounded range; for every array of weights w with update u the sums of u² and w²; and one row
of single numbers. G rows keep the greatest y and the greatest -y of every unit.
"""

import math
from collections.abc import Sequence
from functools import reduce
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

NUMBERS = 2**15
"""Outputs of a layer that are read in a step, at the basic level: of so many of the first rows."""

LEAST_ROWS = 8
"""Rows that are read however large they are."""

WIDEST = 1024
NEAR = 0.05
"""Share of a bounded range, from each end, that counts as saturated."""


class Seen(NamedTuple):
    """What has been gathered; all zeros, and -inf, before anything.

    Attributes:
        added: (R, U) sums; greatest: (G, U).
    """

    added: Array
    greatest: Array


class Tap(NamedTuple):
    """A layer whose outputs are read.

    Attributes:
        index: of the layer, counted from 0; units: of its last axis; numbers: of one example.
        near: the two limits beyond which an output is near the ends of its range, or None.
        extremes: whether the least and the greatest output of each unit are kept.
        zeros: whether outputs that are exactly 0 are counted.
    """

    name: str
    index: int
    units: int
    numbers: int
    near: tuple[float, float] | None
    extremes: bool
    zeros: bool

    @property
    def sums(self) -> int:
        """How many rows of sums it has."""
        return 2 + (self.near is not None) + self.zeros


class Leaf(NamedTuple):
    """An array of weights: the layer that has it, and the width that its sums are gathered in."""

    layer: str
    width: int


class Layout(NamedTuple):
    """Where what is gathered lies.

    Attributes:
        taps: the layers that are read; layers: the names of those with weights.
        leaves: their arrays, in the order of the leaves of the parameters.
        rows, width, extremes: R, U and G.
    """

    taps: tuple[Tap, ...]
    layers: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    rows: int
    width: int
    extremes: int


def layout(recipe: Recipe, work: Work) -> Layout:
    """Where what is gathered of a network lies."""
    shapes, full = recipe.body.shapes(work.in_shape), work.signals == "full"
    taps = tuple(
        _tap(name, index, layer, shape, full)
        for index, ((name, layer), shape) in enumerate(
            zip(compose.named(recipe.body.layers), shapes[1:], strict=True)
        )
        if not layer.arranges
    )
    leaves = _leaves(recipe, work)
    layers = tuple(dict.fromkeys(leaf.layer for leaf in leaves))
    widths = [tap.units for tap in taps] + [leaf.width for leaf in leaves]
    rows = sum(tap.sums for tap in taps) + 2 * len(leaves) + 1
    width = max(*widths, 2 + len(taps) + len(layers))
    return Layout(taps, layers, leaves, rows, width, 2 * sum(tap.extremes for tap in taps))


def _tap(name: str, index: int, layer: Any, shape: tuple[int, ...], full: bool) -> Tap:
    active = isinstance(layer, Activation)
    near = None
    if active and layer.facts.saturates == "both" and all(map(math.isfinite, layer.facts.range)):
        low, high = layer.facts.range
        near = (low + NEAR * (high - low), high - NEAR * (high - low))
    units = shape[-1] if shape else 1
    return Tap(name, index, units, size(shape), near, active or full, active and full)


def _leaves(recipe: Recipe, work: Work) -> tuple[Leaf, ...]:
    weights = recipe.body.decays(work.in_shape)
    shapes = jax.eval_shape(
        lambda: recipe.body.init(jax.random.key(0), work.in_shape, np.dtype(work.dtype))[0]
    )
    found = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(shapes)[0]:
        last = leaf.shape[-1] if leaf.shape else 1
        width = next(w for w in range(min(last, WIDEST), 0, -1) if last % w == 0)
        found.append(Leaf(str(path[0].key), width))
    del weights
    return tuple(found)


def nothing(recipe: Recipe, work: Work) -> Seen | tuple[()]:
    """What has been gathered before anything; () where there are no signals."""
    if work.signals == "none":
        return ()
    found = layout(recipe, work)
    added = jnp.zeros((found.rows, found.width), work.dtype)
    return Seen(added, jnp.full((found.extremes, found.width), -jnp.inf, work.dtype))


def gather(
    seen: Seen,
    outputs: Sequence[Array],
    squares: Sequence[Array],
    weights: Tree,
    update: Tree,
    clipped: Array,
    recipe: Recipe,
    mode: Mode,
    work: Work,
) -> Seen:
    """What has been gathered after one more step.

    Args:
        outputs: of every layer, (B, *out); devices that share a batch add up what they see.
        squares: of the gradient, summed for each array of the weights.
        update: by which the weights move; {} where the optimiser searches.
        clipped: 1 where the gradient was, else 0.
    """
    where = layout(recipe, work)
    sums, counts, greatest = _of_outputs(where.taps, outputs, mode, work)
    if mode.devices is not None:
        sums, counts = mode.total((sums, counts))
        greatest = [lax.pmax(values, mode.devices) for values in greatest]
    sums += _of_weights(where.leaves, weights, update)
    singles = [jnp.ones_like(clipped), clipped, *counts, *_by_layer(where, squares)]
    sums.append(jnp.stack(singles))
    added = seen.added + _block(sums, where.width, 0.0)
    if not greatest:
        return Seen(added, seen.greatest)
    return Seen(added, jnp.maximum(seen.greatest, _block(greatest, where.width, -jnp.inf)))


def _by_layer(where: Layout, squares: Sequence[Array]) -> list[Array]:
    """The sums of the squares of the gradient of each layer."""
    pairs = list(zip(where.leaves, squares, strict=True))
    return [reduce(jnp.add, [s for leaf, s in pairs if leaf.layer == n]) for n in where.layers]


def _block(rows: list[Array], width: int, fill: float) -> Array:
    return jnp.stack([jnp.pad(r, (0, width - r.size), constant_values=fill) for r in rows])


def _of_outputs(
    taps: Sequence[Tap], outputs: Sequence[Array], mode: Mode, work: Work
) -> tuple[list[Array], list[Array], list[Array]]:
    """Rows of sums, how many numbers of each layer were read, and rows of extremes."""
    sums: list[Array] = []
    counts: list[Array] = []
    greatest: list[Array] = []
    for tap in taps:
        y, real = _read_rows(tap, outputs[tap.index], mode, work)
        kept = y if real is None else jnp.where(real, y, 0.0)
        parts = [kept, kept * kept]
        if tap.near is not None:
            parts.append(_ones((y < tap.near[0]) | (y > tap.near[1]), real, work))
        if tap.zeros:
            parts.append(_ones(y == 0.0, real, work))
        ends = []
        if tap.extremes:
            ends = [y, -y] if real is None else [jnp.where(real, a, -jnp.inf) for a in (y, -y)]
        found = _reduced(parts, ends)
        sums += found[: len(parts)]
        greatest += found[len(parts) :]
        whole = jnp.asarray(y.size, work.dtype)
        counts.append(whole if real is None else jnp.sum(real.astype(work.dtype)) * tap.units)
    return sums, counts, greatest


def _read_rows(tap: Tap, y: Array, mode: Mode, work: Work) -> tuple[Array, Array | None]:
    """The outputs that are read, (n, units), and which are of real examples: (n, 1), or None."""
    rows = y.shape[0]
    if work.signals == "basic":
        rows = min(rows, max(LEAST_ROWS, NUMBERS // tap.numbers))
    read = lax.stop_gradient(y[:rows]).astype(work.dtype).reshape(-1, tap.units)
    if mode.mask is None:
        return read, None
    return read, jnp.repeat(mode.mask[:rows], tap.numbers // tap.units)[:, None]


def _ones(condition: Array, real: Array | None, work: Work) -> Array:
    return (condition if real is None else condition & real).astype(work.dtype)


def _reduced(added: list[Array], greatest: list[Array]) -> list[Array]:
    """Sums and maxima over axis 0 of arrays of one shape, in one pass over them."""
    operands = (*added, *greatest)
    zero, low = (np.asarray(a, operands[0].dtype) for a in (0.0, -np.inf))
    starts = (zero,) * len(added) + (low,) * len(greatest)

    def both(a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
        n = len(added)
        sums = (x + y for x, y in zip(a[:n], b[:n], strict=True))
        return (*sums, *(jnp.maximum(x, y) for x, y in zip(a[n:], b[n:], strict=True)))

    return list(lax.reduce(operands, starts, both, (0,)))


def _of_weights(leaves: Sequence[Leaf], weights: Tree, update: Tree) -> list[Array]:
    """For each array of weights the sums of the squares of its update, and of itself."""
    values = jax.tree.leaves(weights)
    updates = jax.tree.leaves(update) or [jnp.zeros_like(w) for w in values]
    found: list[Array] = []
    for leaf, w, u in zip(leaves, values, updates, strict=True):
        w2, u2 = ((a * a).reshape(-1, leaf.width) for a in (w, u.astype(w.dtype)))
        found += _reduced([u2, w2], [])
    return found
