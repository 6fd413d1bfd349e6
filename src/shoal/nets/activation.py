"""What an activation is: a function of every number on its own, and what is known about it.

Each carries its gain, the factor by which weights before it are scaled so that the variance of the
signal is kept (see ``initialisers``), and its facts, as they are with its default arguments.
"""

import math
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree
from shoal.nets.layer import Layer, Mode

ANY = (-math.inf, math.inf)
POSITIVE = (0.0, math.inf)


class Facts(NamedTuple):
    """What is known about an activation f, with its default arguments.

    Attributes:
        range: infimum and supremum of f.
        transcendentals: exponentials, logarithms, error functions and the like computed for each
            number: what it costs.
        monotone: f never falls.
        zero_centred: for x drawn from N(0, 1), the mean of f(x) is less than a quarter of its
            standard deviation away from 0.
        saturates: the sides on which f' goes to 0: "", "left", "right" or "both".
        identity_near_zero: f(x) / x goes to 1 when x goes to 0, from both sides.
        smooth: f' is continuous.
    """

    range: tuple[float, float]
    transcendentals: int = 0
    monotone: bool = True
    zero_centred: bool = False
    saturates: str = ""
    identity_near_zero: bool = False
    smooth: bool = True


class Activation(Layer, abstract=True):
    """The interface of an activation: it keeps the shape and, as a rule, has no parameters."""

    facts: ClassVar[Facts]
    zeros = "filled"

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return in_shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return self.function(x), {}

    def function(self, x: Array) -> Array:
        """The activation of every number of ``x``, shape kept; learned numbers at their start."""
        raise NotImplementedError

    def derivative(self, x: Array) -> Array:
        """f'(x) for every number of ``x``; for a softmax, dy_i / dx_i summed over its row."""
        return jax.jvp(self.function, (x,), (jnp.ones_like(x),))[1]
