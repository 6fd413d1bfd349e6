"""Activations with bounded values, softmax, and the identity."""

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, times
from shoal.describe import traced
from shoal.errors import ShapeError
from shoal.nets.activation import ANY, Activation, Facts
from shoal.nets.gates import between_0_and_1
from shoal.rules import Number


class Sigmoid(Activation):
    """1 / (1 + e^-x), in (0, 1)."""

    facts = Facts((0.0, 1.0), 1, saturates="both")
    gain = 1.0

    def function(self, x: Array) -> Array:
        return jax.nn.sigmoid(x)


class Tanh(Activation):
    """(e^x - e^-x) / (e^x + e^-x), in (-1, 1)."""

    facts = Facts((-1.0, 1.0), 1, zero_centred=True, saturates="both", identity_near_zero=True)
    gain = 5.0 / 3.0

    def function(self, x: Array) -> Array:
        return jnp.tanh(x)


class Softsign(Activation):
    """x / (1 + |x|), in (-1, 1): tanh with slow tails (Bergstra et al. 2009)."""

    facts = Facts((-1.0, 1.0), zero_centred=True, saturates="both", identity_near_zero=True)
    gain = 1.0

    def function(self, x: Array) -> Array:
        return x / (1.0 + jnp.abs(x))


class HardSigmoid(Activation):
    """clip(slope · x + offset, 0, 1).

    The default is that of PyTorch and of Keras 3, slope 1/6; ONNX and older Keras take 1/5.

    Args:
        slope: > 0.
        offset: the value at 0, in [0, 1].
    """

    facts = Facts((0.0, 1.0), saturates="both", smooth=False)
    gain = 1.0
    slope: float = traced(default=1.0 / 6.0, must=Number(0.0, low_open=True))
    offset: float = traced(default=0.5, must=Number(0.0, 1.0))

    def function(self, x: Array) -> Array:
        return between_0_and_1(self.slope * x + self.offset)


class Identity(Activation):
    """x itself: a place holder, and the head of a regression."""

    facts = Facts(ANY, zero_centred=True, identity_near_zero=True)
    gain = 1.0
    arranges = True

    def function(self, x: Array) -> Array:
        return x


class _OverClasses(Activation, abstract=True):
    """The interface of activations that look at all values of the last axis together."""

    computes = "wide"
    zeros = "unknown"
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


class Softmax(_OverClasses):
    """e^x_i / sum_j e^x_j over the last axis: probabilities that sum to 1."""

    facts = Facts((0.0, 1.0), 1, saturates="both")

    def function(self, x: Array) -> Array:
        return jax.nn.softmax(x, axis=-1)


class LogSoftmax(_OverClasses):
    """x_i - ln sum_j e^x_j over the last axis: logarithms of probabilities."""

    facts = Facts((-float("inf"), 0.0), 2, saturates="right")

    def function(self, x: Array) -> Array:
        return jax.nn.log_softmax(x, axis=-1)
