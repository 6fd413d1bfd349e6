"""Activations: functions applied to every number on its own, and softmax.

Each carries its gain, the factor by which weights before it are scaled so that the variance of the
signal is kept (see ``initialisers``).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import traced
from shoal.errors import ShapeError
from shoal.nets.layer import Layer, Mode
from shoal.rules import Number


class Activation(Layer, abstract=True):
    """The interface of an activation: it keeps the shape and has no parameters."""

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return in_shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return self.function(x), {}

    def function(self, x: Array) -> Array:
        """The activation of every number of ``x``, shape kept."""
        raise NotImplementedError


class ReLU(Activation):
    """max(x, 0). Its derivative at 0 is taken as 0, as everywhere in the field."""

    gain = math.sqrt(2.0)

    def function(self, x: Array) -> Array:
        return jax.nn.relu(x)


class LeakyReLU(Activation):
    """x for x > 0, slope · x otherwise.

    Args:
        slope: of the negative side, in [0, 1]; 0 is ReLU, 1 the identity.
    """

    slope: float = traced(default=0.01, must=Number(0.0, 1.0))

    @property
    def gain(self) -> Any:
        return (2.0 / (1.0 + self.slope**2)) ** 0.5

    def function(self, x: Array) -> Array:
        return jnp.where(x > 0, x, self.slope * x)


class Tanh(Activation):
    """(e^x - e^-x) / (e^x + e^-x), in (-1, 1)."""

    gain = 5.0 / 3.0

    def function(self, x: Array) -> Array:
        return jnp.tanh(x)


class Sigmoid(Activation):
    """1 / (1 + e^-x), in (0, 1)."""

    gain = 1.0

    def function(self, x: Array) -> Array:
        return jax.nn.sigmoid(x)


class Identity(Activation):
    """x itself: a place holder, and the head of a regression."""

    gain = 1.0

    def function(self, x: Array) -> Array:
        return x


class Softmax(Activation):
    """e^x_i / sum_j e^x_j over the last axis: probabilities that sum to 1."""

    gain = 1.0

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if not in_shape or in_shape[-1] < 2:
            raise ShapeError(
                repr(self),
                required="two or more values to share the probability among",
                got=times(in_shape),
                remedy="use Sigmoid() on a single unit",
            )
        return in_shape

    def function(self, x: Array) -> Array:
        return jax.nn.softmax(x, axis=-1)
