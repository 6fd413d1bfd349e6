"""Pooling: one number for each window of cells, or for the whole of space.

MaxPool carries its own derivative. Where several cells of a window share the maximum, the gradient
goes to the first of them in reading order, as in PyTorch; the operation that JAX would use for this
(select-and-scatter) is an order of magnitude slower on a CPU than comparing cell by cell.
"""

import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array, Shape, Tree
from shoal.describe import static
from shoal.nets.conv import CELLS, PADDING
from shoal.nets.formulations import cells_of, taps, untap
from shoal.nets.layer import Layer, Mode, Window
from shoal.nets.shapes import Axis, Padding, space, windows
from shoal.rules import optional


class Pool(Layer, abstract=True):
    """The interface of a pool with a window. ``stride`` None means the size of the window."""

    window_size: int | tuple[int, ...] = static(default=2, must=CELLS)
    stride: int | tuple[int, ...] | None = static(default=None, must=optional(CELLS))
    padding: Padding = static(default="valid", must=PADDING)
    dilation: int | tuple[int, ...] = static(default=1, must=CELLS)

    def axes(self, in_shape: Shape, strict: bool = False) -> tuple[Axis, ...]:
        """The windows along each spatial axis.

        Raises:
            ShapeError: no spatial axes, or a window that does not fit.
        """
        spatial = _space(self, in_shape)
        stride = self.window_size if self.stride is None else self.stride
        size, dilation = self.window_size, self.dilation
        return windows(spatial, size, stride, self.padding, dilation, self, strict)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return (*(axis.out for axis in self.axes(in_shape, strict)), in_shape[-1])

    def window(self, in_shape: Shape) -> Window:
        axes = self.axes(in_shape)
        return Window(tuple(a.extent for a in axes), tuple(a.stride for a in axes))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return self.function(x, self.axes(x.shape[1:])), {}

    def function(self, x: Array, axes: tuple[Axis, ...]) -> Array:
        """The pool of ``x`` (B, *space, C) over resolved windows."""
        raise NotImplementedError


def _space(layer: Layer, in_shape: Shape) -> Shape:
    return space(layer, in_shape, "pool before Flatten(), or give the data a channel axis")


class MaxPool(Pool):
    """The largest number of each window, channel by channel.

    Args:
        window_size: cells, one number or one per spatial axis.
        stride: cells between windows; None for the size of the window.
        padding: "same", "valid" or cells on each side; padding never wins.
        dilation: cells between the taps of the window.
    """

    def function(self, x: Array, axes: tuple[Axis, ...]) -> Array:
        return _max_pool(x, axes)


class AvgPool(Pool):
    """The mean of each window, channel by channel, over the cells that are not padding.

    (Keras and TensorFlow count so; PyTorch by default counts the padding too.)

    Args:
        window_size: cells, one number or one per spatial axis.
        stride: cells between windows; None for the size of the window.
        padding: "same", "valid" or cells on each side.
        dilation: cells between the taps of the window.
    """

    def function(self, x: Array, axes: tuple[Axis, ...]) -> Array:
        total = reduce(jnp.add, taps(x, axes, 0.0))
        ones = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
        counts = reduce(jnp.add, taps(ones, axes, 0.0))
        return total * (1.0 / counts)  # the counts are constants, folded by the compiler


class GlobalAvgPool(Layer):
    """The mean over all of space: (H, W, C) -> (C,)."""

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        _space(self, in_shape)
        return (in_shape[-1],)

    def window(self, in_shape: Shape) -> Window:
        return Window(in_shape[:-1], (1,) * len(in_shape[:-1]))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return jnp.mean(x, axis=tuple(range(1, x.ndim - 1))), {}


class GlobalMaxPool(Layer):
    """The maximum over all of space: (H, W, C) -> (C,)."""

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        _space(self, in_shape)
        return (in_shape[-1],)

    def window(self, in_shape: Shape) -> Window:
        return Window(in_shape[:-1], (1,) * len(in_shape[:-1]))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return _global_max(x.reshape(x.shape[0], -1, x.shape[-1])), {}


# --- the maximum and its derivative --------------------------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: Array, axes: tuple[Axis, ...]) -> Array:
    return reduce(jnp.maximum, taps(x, axes, -jnp.inf))


def _max_pool_forward(x: Array, axes: tuple[Axis, ...]) -> tuple[Array, Array]:
    return _max_and_winner(x, axes)


def _max_pool_backward(axes: tuple[Axis, ...], winner: Array, dy: Array) -> tuple[Array]:
    side_by_side = all(
        a.stride == a.kernel and a.dilation == 1 and a.low == 0 and a.high == 0 for a in axes
    )
    return (_spread_tiles(winner, dy, axes) if side_by_side else _spread_taps(winner, dy, axes),)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


@jax.custom_vjp
def _global_max(x: Array) -> Array:
    """The maximum of x (B, cells, C) over its cells, (B, C).

    JAX would find the cells that hold it by comparing x with the result once more; where the
    compiler computes x anew for that, rounded otherwise, it finds none and divides by zero.
    """
    return jnp.max(x, axis=1)


def _global_max_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    cells = jnp.arange(x.shape[1], dtype=jnp.int32)
    winner = jnp.argmax(x, axis=1).astype(jnp.int32)
    return jnp.max(x, axis=1), (winner, cells)


def _global_max_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array]:
    winner, cells = saved
    won = winner[:, None, :] == cells[None, :, None]
    return (jnp.where(won, dy[:, None, :], jnp.zeros((), dy.dtype)),)


_global_max.defvjp(_global_max_forward, _global_max_backward)


def _max_and_winner(x: Array, axes: tuple[Axis, ...]) -> tuple[Array, Array]:
    """The maximum of each window, and the number, in reading order, of the first cell that has it.

    The number is all that the derivative needs: a byte for every output instead of every input.
    Both come from one pass: to look for the maximum afterwards would find no cell that equals it
    where the compiler computes x anew, rounded otherwise.
    """
    cells = math.prod(a.kernel for a in axes)
    number = jnp.int8 if cells <= 127 else jnp.int32
    best, *others = taps(x, axes, -jnp.inf)
    winner = jnp.zeros(best.shape, number)
    for cell, part in enumerate(others, 1):
        winner = jnp.where(part > best, number(cell), winner)
        best = jnp.maximum(best, part)
    return best, winner


def _spread_tiles(winner: Array, dy: Array, axes: tuple[Axis, ...]) -> Array:
    """Gradient of windows that lie side by side: each cell compares its number with the winner."""
    n = len(axes)
    kernel = [a.kernel for a in axes]
    inner = tuple(range(2, 2 * n + 1, 2))
    # (1, 1, h, 1, w, 1): the cells of a window as axes of their own, beside (B, H', h, W', w, C).
    cells = jnp.arange(math.prod(kernel), dtype=winner.dtype).reshape(kernel)
    cells = jnp.expand_dims(cells, (0, *range(1, 2 * n, 2), 2 * n + 1))
    zero = jnp.zeros((), dy.dtype)
    won = jnp.expand_dims(winner, inner) == cells
    gradient = jnp.where(won, jnp.expand_dims(dy, inner), zero)
    covered = gradient.reshape(dy.shape[0], *(a.out * a.kernel for a in axes), dy.shape[-1])
    rest = [(0, a.size - a.out * a.kernel, 0) for a in axes]
    return lax.pad(covered, zero, [(0, 0, 0), *rest, (0, 0, 0)])


def _spread_taps(winner: Array, dy: Array, axes: tuple[Axis, ...]) -> Array:
    """Gradient of windows that overlap or reach over the edge: one spread copy for each cell."""
    zero = jnp.zeros((), dy.dtype)
    copies = [
        untap(jnp.where(winner == number, dy, zero), cell, axes)
        for number, cell in enumerate(cells_of(axes))
    ]
    return reduce(jnp.add, copies)
