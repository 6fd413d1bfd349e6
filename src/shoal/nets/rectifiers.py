"""Activations that pass positive numbers and bend negative ones: ReLU and its kin."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree
from shoal.describe import static, traced
from shoal.errors import RecipeError
from shoal.nets.activation import ANY, POSITIVE, Activation, Facts
from shoal.nets.initialisers import Constant
from shoal.nets.layer import Mode, Weight
from shoal.rules import Flag, Number

ABOVE_ZERO = Number(0.0, low_open=True)

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
"""The fixed point for mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515, eq. 14)."""


def leaky_gain(slope: Any) -> Any:
    """sqrt(2 / (1 + slope²)), He et al. 2015, equation 15."""
    return (2.0 / (1.0 + slope**2)) ** 0.5


def leaky(x: Array, slope: Any) -> Array:
    """x for x > 0, slope · x otherwise."""
    return jnp.where(x > 0, x, slope * x)


def below(x: Array) -> Array:
    """min(x, 0), with derivative 1 at 0."""
    return jnp.where(x > 0, 0.0, x)


class ReLU(Activation):
    """max(x, 0). Its derivative at 0, where there is none, is taken as 0, as in PyTorch and JAX.

    (Some texts take 1 or ½. It matters only where inputs are exactly 0, as with zero weights.)
    """

    facts = Facts(POSITIVE, saturates="left", smooth=False)
    gain = math.sqrt(2.0)

    def function(self, x: Array) -> Array:
        return jax.nn.relu(x)


class LeakyReLU(Activation):
    """x for x > 0, slope · x otherwise (Maas et al. 2013); at 0 the derivative is ``slope``.

    Args:
        slope: of the negative side, in [0, 1]; 0 is ReLU, 1 the identity.
    """

    facts = Facts(ANY, smooth=False)
    slope: float = traced(default=0.01, must=Number(0.0, 1.0))

    @property
    def gain(self) -> Any:
        return leaky_gain(self.slope)

    def function(self, x: Array) -> Array:
        return leaky(x, self.slope)


class PReLU(Activation):
    """LeakyReLU whose slope is learned (He et al. 2015, arXiv:1502.01852).

    The slope is not shrunk by L2 or weight decay, which would pull it to ReLU (section 2.1 there).

    Args:
        start: of the slope, in [0, 1].
        per_channel: a slope for each channel, the last axis; or one for the layer.
    """

    facts = Facts(ANY, smooth=False)
    start: float = traced(default=0.25, must=Number(0.0, 1.0))
    per_channel: bool = static(default=True, must=Flag())

    @property
    def gain(self) -> Any:
        return leaky_gain(self.start)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        slopes = in_shape[-1] if self.per_channel and in_shape else 1
        return {"slope": Weight((slopes,), Constant.of(self.start))}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        slope = parameters["slope"].reshape((1,) * (x.ndim - 1) + (-1,))
        return leaky(x, slope), {}

    def function(self, x: Array) -> Array:
        return leaky(x, self.start)


class RReLU(Activation):
    """LeakyReLU whose slope is drawn anew for every number while training (Xu et al. 2015).

    Two forms are in use. The paper (arXiv:1505.00853) divides: x / a, with a drawn from U(3, 8),
    and at prediction by the mean of a, 5.5. PyTorch multiplies: slope · x, slope drawn from
    U(1/8, 1/3), and at prediction the mean slope. The default is PyTorch's; ``reciprocal=True``
    with 3 and 8 is the paper's.

    Args:
        lower, upper: bounds of the draw, > 0.
        reciprocal: whether what is drawn divides.
    """

    facts = Facts(ANY, smooth=False)
    lower: float = traced(default=1.0 / 8.0, must=ABOVE_ZERO)
    upper: float = traced(default=1.0 / 3.0, must=ABOVE_ZERO)
    reciprocal: bool = static(default=False, must=Flag())

    def check(self) -> None:
        bounds = (self.lower, self.upper)
        if all(isinstance(bound, float) for bound in bounds) and self.lower > self.upper:
            raise RecipeError(
                repr(self),
                required="lower <= upper",
                got=f"{self.lower:g} > {self.upper:g}",
                remedy="swap them",
            )

    @property
    def random(self) -> bool:
        return True

    @property
    def gain(self) -> Any:
        return leaky_gain(self._slope(0.5 * (self.lower + self.upper)))

    def _slope(self, drawn: Any) -> Any:
        return 1.0 / drawn if self.reciprocal else drawn

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        if not mode.training:
            return self.function(x), {}
        uniform = mode.draw(lambda key, shape: jax.random.uniform(key, shape, x.dtype), x.shape)
        return leaky(x, self._slope(self.lower + (self.upper - self.lower) * uniform)), {}

    def function(self, x: Array) -> Array:
        return leaky(x, self._slope(0.5 * (self.lower + self.upper)))


class ELU(Activation):
    """x for x > 0, alpha (e^x - 1) otherwise (Clevert et al. 2016, arXiv:1511.07289).

    Args:
        alpha: minus the value it saturates at, > 0. Only with 1 is the derivative continuous.
    """

    facts = Facts((-1.0, math.inf), 1, zero_centred=True, saturates="left", identity_near_zero=True)
    gain = 1.245198
    """1 / sqrt(E f(x)²) for x from N(0, 1) and alpha 1, as for all gains with that many digits."""

    alpha: float = traced(default=1.0, must=ABOVE_ZERO)

    def function(self, x: Array) -> Array:
        return jnp.where(x > 0, x, self.alpha * jnp.expm1(below(x)))


class SELU(Activation):
    """scale · ELU(alpha), constants that keep mean 0, variance 1 (Klambauer et al. 2017)."""

    facts = Facts(
        (-SELU_SCALE * SELU_ALPHA, math.inf), 1, zero_centred=True, saturates="left", smooth=False
    )
    gain = 1.0

    def function(self, x: Array) -> Array:
        return SELU_SCALE * jnp.where(x > 0, x, SELU_ALPHA * jnp.expm1(below(x)))


class CELU(Activation):
    """max(x, 0) + min(0, alpha (e^(x / alpha) - 1)): ELU, smooth for every alpha (Barron 2017).

    Args:
        alpha: minus the value it saturates at, > 0.
    """

    facts = Facts((-1.0, math.inf), 1, zero_centred=True, saturates="left", identity_near_zero=True)
    gain = 1.245198
    alpha: float = traced(default=1.0, must=ABOVE_ZERO)

    def function(self, x: Array) -> Array:
        return jnp.where(x > 0, x, self.alpha * jnp.expm1(below(x) / self.alpha))
