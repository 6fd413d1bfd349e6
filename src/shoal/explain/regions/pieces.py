"""How a network of straight pieces acts on cells: layer by layer, each cut where a unit bends.

A layer is affine while predicting (Dense, Conv, batch-norm, mean pools, dropout), or bends at
thresholds (ReLU and its kin, hard sigmoid), or takes the largest of a window (max pools), or is
made of such layers. What a cell carries after a layer is exact: on the cell the network so far is
one affine map.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Shape, Tree, size
from shoal.errors import RecipeError
from shoal.explain.regions import cells
from shoal.explain.regions.cells import Cells
from shoal.nets import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    Mode,
    Positions,
    PReLU,
    ReLU,
    Reshape,
    Residual,
    RReLU,
    SeparableConv,
    Sequential,
    SpatialDropout,
    compose,
)

AFFINE = (
    Dense, Conv, ConvTranspose, DepthwiseConv, SeparableConv, BatchNorm, AvgPool, GlobalAvgPool,
    Flatten, Reshape, Positions, Identity, Dropout, SpatialDropout, GaussianNoise,
)  # fmt: skip

THRESHOLDS: dict[type[Layer], Callable[[Any], tuple[float, ...]]] = {
    ReLU: lambda _: (0.0,),
    LeakyReLU: lambda _: (0.0,),
    PReLU: lambda _: (0.0,),
    RReLU: lambda _: (0.0,),
    HardSigmoid: lambda layer: (-layer.offset / layer.slope, (1.0 - layer.offset) / layer.slope),
}
"""Where the activations bend, in rising order."""

PREDICTING = Mode(training=False)
ROWS = 256
"""Points that one call of a layer takes, so that one program serves all numbers of cells."""


class Walk:
    """One way through a network, from its input to its output.

    Args:
        most: regions after which it stops.
    """

    def __init__(self, most: int) -> None:
        self.most = most

    def through(
        self, layers: Sequence[Layer], parameters: Tree, statistics: Tree, now: Cells
    ) -> Cells:
        """The cells after layers one after another."""
        for name, layer in compose.named(layers):
            now = self.layer(layer, parameters.get(name, {}), statistics.get(name, {}), now)
        return now

    def layer(self, layer: Layer, parameters: Tree, statistics: Tree, now: Cells) -> Cells:
        """The cells after one layer.

        Raises:
            RecipeError: a layer that is not made of straight pieces, or too many cells.
        """
        if isinstance(layer, AFFINE):
            return _affine(layer, parameters, statistics, now)
        if isinstance(layer, Sequential):
            return self.through(layer.layers, parameters, statistics, now)
        if isinstance(layer, Residual):
            return self._residual(layer, parameters, statistics, now)
        if isinstance(layer, Concat | Add):
            return self._branches(layer, parameters, statistics, now)
        if isinstance(layer, MaxPool | GlobalMaxPool):
            return self._within(_largest(layer, now))
        kind = next((kind for kind in THRESHOLDS if isinstance(layer, kind)), None)
        if kind is None:
            raise RecipeError(
                repr(layer),
                required="a layer made of straight pieces, such as Dense, Conv, ReLU, LeakyReLU, "
                "PReLU or MaxPool",
                got=f"a {layer.kind}",
                remedy="leave it out where it is the last, or use a ReLU",
            )
        return self._within(_bent(layer, THRESHOLDS[kind](layer), parameters, now))

    def _within(self, now: Cells) -> Cells:
        if len(now.corners) > self.most:
            raise RecipeError(
                "the linear regions",
                required=f"at most {self.most:,}",
                got=f"{len(now.corners):,} before the last layer",
                remedy="take a smaller box or network, or raise most=...",
            )
        return now

    def _residual(self, layer: Residual, parameters: Tree, statistics: Tree, now: Cells) -> Cells:
        in_shape = now.frames[-1].shape[2:]
        now = self.through(layer.layers, parameters, statistics, now.push())
        *rest, kept, ahead = now.frames
        if layer.shortcut == "projection":
            shortcut = layer.projection(in_shape, ahead.shape[2:])
            kept = _apply(shortcut, parameters["shortcut"], {}, kept)
        return now._replace(frames=(*rest, kept + ahead))

    def _branches(
        self, layer: Concat | Add, parameters: Tree, statistics: Tree, now: Cells
    ) -> Cells:
        """Each branch cuts the cells further, and with them what the branches before it gave."""
        below = len(now.frames) - 1
        for name, branch in zip(layer.names, layer.layers, strict=True):
            # The input stays at its place in the stack; what branches gave lies above it.
            now = now._replace(frames=(*now.frames, now.frames[below]))
            now = self.layer(branch, parameters.get(name, {}), statistics.get(name, {}), now)
        found = now.frames[below + 1 :]
        joined = sum(found[1:], found[0]) if isinstance(layer, Add) else np.concatenate(found, -1)
        return now._replace(frames=(*now.frames[:below], joined))


def _affine(layer: Layer, parameters: Tree, statistics: Tree, now: Cells) -> Cells:
    *rest, frame = now.frames
    return now._replace(frames=(*rest, _apply(layer, parameters, statistics, frame)))


def _apply(layer: Layer, parameters: Tree, statistics: Tree, frame: Numbers) -> Numbers:
    """An affine layer of every point of frames (R, 1 + d, *shape)."""
    rows = frame.reshape(-1, *frame.shape[2:])
    parts = []
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        padded = np.zeros((ROWS, *rows.shape[1:]))
        padded[: len(part)] = part
        y = _run(layer, parameters, statistics, jnp.asarray(padded))
        parts.append(np.asarray(y)[: len(part)])
    found = np.concatenate(parts)
    return found.reshape(*frame.shape[:2], *found.shape[1:])


@jax.jit
def _run(layer: Layer, parameters: Tree, statistics: Tree, x: Array) -> Array:
    """A layer while predicting, compiled once for each kind and shape."""
    y, _ = layer.apply(parameters, statistics, x, PREDICTING)
    return y


def _bent(layer: Layer, thresholds: tuple[float, ...], parameters: Tree, now: Cells) -> Cells:
    """Cells cut where a unit passes a threshold, and the piece of each unit on each of them."""
    frame = now.frames[-1]
    shape = frame.shape[2:]
    units = frame.reshape(*frame.shape[:2], -1)
    lines = np.concatenate([units - bound for bound in thresholds], axis=-1)
    now = now.split([_cut(c, line) for c, line in zip(now.corners, lines, strict=True)])
    # (R, U): how many thresholds the value at the centre has passed.
    centres = now.at_centres()
    piece = sum((centres > bound).astype(np.int8) for bound in thresholds)
    slopes, offsets = _straight(layer, thresholds, parameters, shape)
    column = np.arange(size(shape))
    *rest, frame = now.frames
    units = frame.reshape(*frame.shape[:2], -1)
    after = slopes[piece, column][:, None] * units + offsets[piece, column][:, None]
    return now._replace(
        frames=(*rest, after.reshape(frame.shape)),
        patterns=(*now.patterns, np.asarray(piece, np.int8)),
    )


def _cut(corners: Numbers, lines: Numbers) -> list[Numbers]:
    """A cell cut along the lines that cross it."""
    values = cells.weights(corners) @ lines
    edge = cells.TOLERANCE * np.abs(lines).max(axis=0)
    return cells.cut(corners, lines[:, (values.max(0) > edge) & (values.min(0) < -edge)])


def _straight(
    layer: Layer, thresholds: tuple[float, ...], parameters: Tree, shape: Shape
) -> tuple[Numbers, Numbers]:
    """Slope and offset of each unit on each piece, (P, U) each, from two points on the piece."""
    ends = np.array([thresholds[0] - 2.0, *thresholds, thresholds[-1] + 2.0])
    first = (2.0 * ends[:-1] + ends[1:]) / 3.0
    second = (ends[:-1] + 2.0 * ends[1:]) / 3.0
    x = np.concatenate([first, second]).reshape(-1, *(1,) * len(shape)) * np.ones((1, *shape))
    y = np.asarray(_run(layer, parameters, {}, jnp.asarray(x)))
    low, high = y.reshape(2, len(first), -1)
    slopes = (high - low) / (second - first)[:, None]
    return slopes, low - slopes * first[:, None]


def _largest(layer: MaxPool | GlobalMaxPool, now: Cells) -> Cells:
    """Cells cut where another cell of a window becomes the largest."""
    windows = _windows(layer, now.frames[-1].shape[2:])
    frame = now.frames[-1]
    units = frame.reshape(*frame.shape[:2], -1)
    now = now.split(
        [_cut_windows(c, unit, windows) for c, unit in zip(now.corners, units, strict=True)]
    )
    winner = now.at_centres()[:, windows].argmax(axis=-1)  # (R, O)
    *rest, frame = now.frames
    chosen = windows[np.arange(len(windows)), winner]  # (R, O), places in the flat input
    units = frame.reshape(*frame.shape[:2], -1)
    after = np.take_along_axis(units, chosen[:, None, :], axis=-1)
    out = layer.output_shape(frame.shape[2:])
    return now._replace(
        frames=(*rest, after.reshape(*after.shape[:2], *out)),
        patterns=(*now.patterns, winner.astype(np.int32)),
    )


def _cut_windows(corners: Numbers, units: Numbers, windows: Numbers) -> list[Numbers]:
    parts = [corners]
    values = (cells.weights(corners) @ units)[:, windows]  # (V, O, taps)
    best = values.mean(axis=0).argmax(axis=-1)
    lead = np.take_along_axis(values, best[None, :, None], -1)[..., 0]
    scale = cells.TOLERANCE * np.abs(units).max()
    for window in windows[(values.max(axis=-1) > lead + scale).any(axis=0)]:
        lines = units[:, window]
        parts = [piece for part in parts for piece in cells.cut_by_largest(part, lines)]
    return parts


def _windows(layer: MaxPool | GlobalMaxPool, in_shape: Shape) -> Numbers:
    """The places in the flat input that each output sees, (O, taps); padding repeats a place."""
    places = np.arange(size(in_shape)).reshape(in_shape)
    if isinstance(layer, GlobalMaxPool):
        return places.reshape(-1, in_shape[-1]).T
    axes = layer.axes(in_shape)
    padded = np.pad(places, [*((a.low, a.high) for a in axes), (0, 0)], constant_values=-1)
    taps = []
    for offset in np.ndindex(*(axis.kernel for axis in axes)):
        reach = [
            slice(o * a.dilation, o * a.dilation + (a.out - 1) * a.stride + 1, a.stride)
            for o, a in zip(offset, axes, strict=True)
        ]
        taps.append(padded[tuple(reach)].ravel())
    found = np.stack(taps, axis=-1)
    some = found.max(axis=-1, keepdims=True)
    return np.where(found < 0, some, found)
