"""Layers that normalise: BatchNorm over the batch, the others over each example.

They compute  y = scale · (x - mean) / sqrt(variance + epsilon) + offset  and differ in what mean
and variance are taken over; RMSNorm leaves out mean and offset. ``scale`` and ``offset`` have one
number per channel (the last axis).
"""

import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import static, traced
from shoal.errors import ShapeError
from shoal.nets.initialisers import Constant, Zeros
from shoal.nets.layer import Layer, Mode, Statistic, Weight
from shoal.rules import Number, Whole


def _channels(layer: Layer, in_shape: Shape) -> int:
    if not in_shape:
        raise ShapeError(
            repr(layer),
            required="an input with channels",
            got=times(in_shape),
            remedy="normalise after a layer with units or filters",
        )
    return in_shape[-1]


def _scale_and_offset(channels: int) -> dict[str, Weight]:
    return {
        "scale": Weight((channels,), Constant(1.0)),
        "offset": Weight((channels,), Zeros()),
    }


def _per_channel(vector: Array, like: Array) -> Array:
    """A (C,) vector with the rank of ``like``, to be broadcast over its last axis."""
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)


class _Normalisation(Layer, abstract=True):
    """The interface of layers that keep the shape and scale and shift each channel."""

    computes = "wide"

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        _channels(self, in_shape)
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        return _scale_and_offset(_channels(self, in_shape))


class BatchNorm(_Normalisation):
    """Normalise each channel over the batch (and over space), Ioffe and Szegedy 2015.

    While training, mean and variance are those of the batch, rows of padding left out; for
    prediction they are running averages, updated by

        running <- (1 - momentum) · running + momentum · batch

    with the unbiased variance of the batch (divided by n - 1), as in PyTorch; Keras calls
    1 - momentum "momentum" and uses the biased one.

    Args:
        momentum: weight of the newest batch, in [0, 1].
        epsilon: added to the variance, > 0.
    """

    zeros = "kept"
    momentum: float = traced(default=0.1, must=Number(0.0, 1.0))
    epsilon: float = traced(default=1e-5, must=Number(0.0, low_open=True))

    def statistics(self, in_shape: Shape) -> dict[str, Statistic]:
        channels = (_channels(self, in_shape),)
        return {"mean": Statistic(channels, 0.0), "variance": Statistic(channels, 1.0)}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        if mode.training:
            mean, variance, count = _batch_moments(x, mode)
            unbiased = variance * (count / jnp.maximum(count - 1.0, 1.0))
            statistics = {
                "mean": statistics["mean"] + self.momentum * (mean - statistics["mean"]),
                "variance": statistics["variance"]
                + self.momentum * (unbiased - statistics["variance"]),
            }
        else:
            mean, variance = statistics["mean"], statistics["variance"]
        factor = parameters["scale"] * lax.rsqrt(variance + self.epsilon)
        shift = parameters["offset"] - mean * factor
        return x * _per_channel(factor, x) + _per_channel(shift, x), statistics


def _batch_moments(x: Array, mode: Mode) -> tuple[Array, Array, Array]:
    """Mean and biased variance per channel, shape (C,), and the number of values each is over."""
    axes = tuple(range(x.ndim - 1))
    rows = jnp.ones((x.shape[0],), x.dtype) if mode.mask is None else mode.mask.astype(x.dtype)
    count = mode.total(jnp.sum(rows)) * (x.size // (x.shape[0] * x.shape[-1]))

    def mean(values: Array) -> Array:
        if mode.mask is not None:
            values = values * rows.reshape((-1,) + (1,) * (x.ndim - 1))
        total: Array = mode.total(jnp.sum(values, axis=axes))
        return total / count

    first = mean(x)
    return first, mean((x - _per_channel(first, x)) ** 2), count


class LayerNorm(_Normalisation):
    """Normalise the channels of each example, position by position (Ba, Kiros and Hinton 2016).

    Mean and (biased) variance are taken over the last axis. Nothing depends on the batch.

    Args:
        epsilon: added to the variance, > 0.
    """

    zeros = "kept"
    epsilon: float = traced(default=1e-5, must=Number(0.0, low_open=True))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        centred = mode.real(x - mode.mean_of_units(x))
        variance = mode.mean_of_units(centred**2)
        normal = centred * lax.rsqrt(variance + self.epsilon)
        return normal * _per_channel(parameters["scale"], x) + _per_channel(
            parameters["offset"], x
        ), {}


class GroupNorm(_Normalisation):
    """Normalise groups of channels of each example, over all of space (Wu and He 2018).

    With one group this is the layer normalisation that some call by that name in convolutional
    networks, with as many groups as channels it is instance normalisation.

    Args:
        groups: that the channels are split into, in order; must divide them.
        epsilon: added to the variance, > 0.
    """

    groups: int = static(must=Whole(1))
    epsilon: float = traced(default=1e-5, must=Number(0.0, low_open=True))

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if _channels(self, in_shape) % self.groups:
            raise ShapeError(
                repr(self),
                required=f"channels that {self.groups} groups can share evenly",
                got=f"{in_shape[-1]} channels",
                remedy="change groups",
            )
        return in_shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        grouped = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)  # space, and the channels of a group
        mean = jnp.mean(grouped, axis=axes, keepdims=True)
        variance = jnp.mean((grouped - mean) ** 2, axis=axes, keepdims=True)
        normal = ((grouped - mean) * lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
        scale, offset = parameters["scale"], parameters["offset"]
        return normal * _per_channel(scale, x) + _per_channel(offset, x), {}


class RMSNorm(_Normalisation):
    """scale · x / sqrt(mean of x² + epsilon), over the channels of each position.

    Zhang and Sennrich 2019 (arXiv:1910.07467): LayerNorm without centring.

    Args:
        epsilon: added to the mean square, > 0.
    """

    zeros = "kept"
    epsilon: float = traced(default=1e-6, must=Number(0.0, low_open=True))

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        return {"scale": _scale_and_offset(_channels(self, in_shape))["scale"]}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        factor = lax.rsqrt(mode.mean_of_units(x**2) + self.epsilon)
        return x * factor * _per_channel(parameters["scale"], x), {}
