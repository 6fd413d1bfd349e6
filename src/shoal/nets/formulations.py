"""Formulations of convolution: the same sums, arranged for different shapes.

    y[b, p, o] = sum over taps t, channels c of  x[b, stride p + dilation t - low, c] w[t, c, o]

Arrays are channels last: x (B, *space, C), w (*kernel, C / groups, O), y (B, *space', O). A tap is
one cell of the kernel.

    plain      the operation of the compiler, in the one layout for which it is fast on CPUs
    taps       a sum over taps of shifted copies times the weights of the tap
    patches    all taps side by side in one matrix (B · space', taps · C), and one product
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array
from shoal.nets.shapes import Axis


class Plan(NamedTuple):
    """The static part of a convolution: the windows along each spatial axis, and the groups."""

    axes: tuple[Axis, ...]
    groups: int

    @property
    def cells(self) -> int:
        """Taps of the kernel."""
        return math.prod(axis.kernel for axis in self.axes)


def live(plan: Plan) -> tuple[Plan, tuple[slice, ...]]:
    """The plan without the cells that meet only padding, and where the others are in the kernel.

    Of a 3x3 kernel over a single cell with padding 1 only the middle one reads anything.
    """
    axes, kept = [], []
    for axis in plan.axes:
        last = (axis.out - 1) * axis.stride
        reads = [
            k
            for k in range(axis.kernel)
            if any(
                0 <= p + axis.dilation * k - axis.low < axis.size
                for p in range(0, last + 1, axis.stride)
            )
        ] or [0]
        first, cells = reads[0], reads[-1] - reads[0] + 1
        low = axis.low - axis.dilation * first
        high = last + axis.dilation * (cells - 1) + 1 - axis.size - low
        axes.append(replace(axis, kernel=cells, low=low, high=high))
        kept.append(slice(first, first + cells))
    return plan._replace(axes=tuple(axes)), tuple(kept)


def cells_of(axes: Sequence[Axis]) -> list[tuple[int, ...]]:
    """The positions of the cells of a window, in reading order."""
    return list(product(*(range(axis.kernel) for axis in axes)))


def taps(x: Array, axes: Sequence[Axis], fill: float) -> list[Array]:
    """For every cell of the window, the part of ``x`` that it touches, (B, *space', C).

    ``x`` is (B, *space, C); cells outside of it hold ``fill``.
    """
    edges = [(axis.low, max(axis.high, 0), 0) for axis in axes]
    padded = lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    found = []
    for cell in cells_of(axes):
        slices = [slice(None)]
        for position, axis in zip(cell, axes, strict=True):
            start = position * axis.dilation
            slices.append(slice(start, start + (axis.out - 1) * axis.stride + 1, axis.stride))
        found.append(padded[tuple(slices)])
    return found


def untap(part: Array, cell: tuple[int, ...], axes: Sequence[Axis]) -> Array:
    """The transpose of one tap: (B, *space', C) put back where the cell read, (B, *space, C)."""
    edges = []
    for position, axis in zip(cell, axes, strict=True):
        low = position * axis.dilation - axis.low
        length = (axis.out - 1) * axis.stride + 1
        edges.append((low, axis.size - length - low, axis.stride - 1))
    return lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


# --- forward -------------------------------------------------------------------------------------


def dimension_numbers(axes: int) -> tuple[str, str, str]:
    """The layout for which XLA has fast code on CPUs."""
    space = "DHW"[-axes:]
    return f"N{space}C", f"{space}IO", f"N{space}C"


def plain(x: Array, w: Array, plan: Plan) -> Array:
    """The convolution as the compiler's own operation."""
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=[axis.stride for axis in plan.axes],
        padding=[(axis.low, axis.high) for axis in plan.axes],
        rhs_dilation=[axis.dilation for axis in plan.axes],
        dimension_numbers=dimension_numbers(len(plan.axes)),
        feature_group_count=plan.groups,
    )


def by_taps(x: Array, w: Array, plan: Plan) -> Array:
    """A sum over taps; with one channel per group the compiler fuses it into one pass."""
    kernels = [w[cell] for cell in cells_of(plan.axes)]
    parts = taps(x, plan.axes, 0.0)
    return reduce(
        jnp.add,
        [_grouped_product(p, k, plan.groups) for p, k in zip(parts, kernels, strict=True)],
    )


def _grouped_product(x: Array, w: Array, groups: int) -> Array:
    """x (B, *space, C) times w (C / groups, O), each group of channels on its own."""
    channels, filters = w.shape
    if channels == 1:
        # One channel per group: filter o reads channel o // (O / groups).
        repeated = x if filters == groups else jnp.repeat(x, filters // groups, axis=-1)
        return repeated * w.reshape((1,) * (x.ndim - 1) + (filters,))
    grouped = x.reshape(*x.shape[:-1], groups, channels)
    kernels = w.reshape(channels, groups, filters // groups)
    return jnp.einsum("...gc,cgo->...go", grouped, kernels).reshape(*x.shape[:-1], filters)


def patches(x: Array, plan: Plan) -> Array:
    """The taps of every output side by side, (B · space', taps · C)."""
    # The barrier keeps what makes x out of the copies below, where it would run once per tap.
    joined = jnp.concatenate(taps(lax.optimization_barrier(x), plan.axes, 0.0), axis=-1)
    return joined.reshape(-1, joined.shape[-1])


def by_patches(x: Array, w: Array, plan: Plan) -> Array:
    """One product of all patches with all kernels."""
    y = patches(x, plan) @ w.reshape(-1, w.shape[-1])
    return y.reshape(x.shape[0], *(axis.out for axis in plan.axes), w.shape[-1])


# --- derivative by the input ---------------------------------------------------------------------


def input_gradient(dy: Array, w: Array, plan: Plan) -> Array:
    """dx: dy, spread by the stride, convolved with the kernel turned around."""
    space = range(len(plan.axes))
    turned = jnp.swapaxes(jnp.flip(w, tuple(space)), -1, -2)  # (*kernel, O, C)
    padding = []
    for axis in plan.axes:
        before = axis.extent - 1 - axis.low
        spread = (axis.out - 1) * axis.stride + 1
        padding.append((before, axis.size + axis.extent - 1 - spread - before))
    return lax.conv_general_dilated(
        dy,
        turned,
        window_strides=[1 for _ in space],
        padding=padding,
        lhs_dilation=[axis.stride for axis in plan.axes],
        rhs_dilation=[axis.dilation for axis in plan.axes],
        dimension_numbers=dimension_numbers(len(plan.axes)),
    )


def untaps(x: Array, w: Array, plan: Plan) -> Array:
    """The same with groups, as a sum over taps: x (B, *space', C), w (*kernel, O / groups, C)."""
    parts = []
    for cell in cells_of(plan.axes):
        outputs, channels = w[cell].shape
        grouped = x.reshape(*x.shape[:-1], plan.groups, channels // plan.groups)
        kernel = w[cell].reshape(outputs, plan.groups, channels // plan.groups)
        spread = jnp.einsum("...gc,ogc->...go", grouped, kernel)
        flat = spread.reshape(*x.shape[:-1], plan.groups * outputs)
        parts.append(untap(flat, cell, plan.axes))
    return reduce(jnp.add, parts)


def input_by_taps(dy: Array, w: Array, plan: Plan) -> Array:
    """dx: what every patch gets by one product, each tap put back where it was read."""
    channels, filters = w.shape[-2:]
    shares = dy.reshape(-1, filters) @ w.reshape(-1, filters).T
    shares = shares.reshape(*dy.shape[:-1], plan.cells, channels)
    cells = enumerate(cells_of(plan.axes))
    return reduce(jnp.add, [untap(shares[..., i, :], cell, plan.axes) for i, cell in cells])


# --- derivative by the kernel --------------------------------------------------------------------


def kernel_gradient(x: Array, dy: Array, plan: Plan) -> Array:
    """dw: channels play the batch, the batch plays the channels, dy is the kernel."""
    n = len(plan.axes)
    space = tuple(range(1, n + 1))
    images = x.transpose((n + 1, *space, 0))  # (C, *space, B)
    kernel = dy.transpose((*space, 0, n + 1))  # (*space', B, O)
    padding = []
    for axis in plan.axes:
        spread = (axis.out - 1) * axis.stride + 1
        padding.append((axis.low, axis.extent - 1 + spread - axis.size - axis.low))
    dw = lax.conv_general_dilated(
        images,
        kernel,
        window_strides=[axis.dilation for axis in plan.axes],
        padding=padding,
        rhs_dilation=[axis.stride for axis in plan.axes],
        dimension_numbers=dimension_numbers(n),
    )  # (C, *kernel, O)
    return dw.transpose((*space, 0, n + 1))


def kernel_by_patches(x: Array, dy: Array, plan: Plan) -> Array:
    """dw as one product of all patches with dy."""
    dw = patches(x, plan).T @ dy.reshape(-1, dy.shape[-1])
    return dw.reshape(*(axis.kernel for axis in plan.axes), x.shape[-1], dy.shape[-1])
