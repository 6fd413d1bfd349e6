"""Smooth activations that let large numbers pass: x times a gate between 0 and 1, and softplus.

With sigma(x) = 1 / (1 + e^-x) and Phi the distribution of N(0, 1):

    Swish     x sigma(beta x)                  Ramachandran et al. 2017, arXiv:1710.05941
    SiLU      x sigma(x)                       Elfwing et al. 2018; Swish with beta 1
    GELU      x Phi(x)                         Hendrycks and Gimpel 2016, arXiv:1606.08415
    Mish      x tanh(softplus(x))              Misra 2019, arXiv:1908.08681
    HardSwish x clip(x / 6 + ½, 0, 1)          Howard et al. 2019, arXiv:1905.02244
    Softplus  (1 / beta) ln(1 + e^(beta x))    Dugas et al. 2000
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree, magnitude
from shoal.describe import static, traced
from shoal.nets.activation import POSITIVE, Activation, Facts
from shoal.nets.initialisers import Constant
from shoal.nets.layer import Mode, Weight
from shoal.rules import Flag, Number

ABOVE_ZERO = Number(0.0, low_open=True)


def between_0_and_1(x: Array) -> Array:
    """x cut to [0, 1], with derivative 0 at both ends; that of ``jnp.clip`` costs twice as much."""
    return jnp.where(x <= 0.0, 0.0, jnp.where(x >= 1.0, 1.0, x))


def swish(x: Array, beta: Any) -> Array:
    """x / (1 + e^(-beta x))."""
    return x * jax.nn.sigmoid(beta * x)


def softplus(x: Array) -> Array:
    """ln(1 + e^x), without the exponential of a large number.

    The logarithm is the natural one: only then is the derivative sigma(x), which the decimal
    logarithm that some texts print would divide by ln 10.
    """
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-magnitude(x)))


class SiLU(Activation):
    """x sigma(x), also called Swish-1."""

    facts = Facts((-0.2784645427610738, math.inf), 1, monotone=False, saturates="left")
    gain = 1.676532

    def function(self, x: Array) -> Array:
        return jax.nn.silu(x)


class Swish(Activation):
    """x sigma(beta x); from x / 2 with beta 0 to ReLU with beta infinite.

    Args:
        beta: >= 0; where it is learned, its start.
        learned: whether beta is trained, one for the layer.
    """

    facts = Facts((-0.2784645427610738, math.inf), 1, monotone=False, saturates="left")
    gain = 1.676532
    beta: float = traced(default=1.0, must=Number(0.0))
    learned: bool = static(default=False, must=Flag())

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        return {"beta": Weight((1,), Constant.of(self.beta))} if self.learned else {}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        if not self.learned:
            return self.function(x), {}
        return swish(x, parameters["beta"].reshape((1,) * x.ndim)), {}

    def function(self, x: Array) -> Array:
        return swish(x, self.beta)


ROOT = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715 * ROOT


@jax.custom_jvp
def gelu_by_tanh(x: Array) -> Array:
    """½ x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x³)."""
    return x * (0.5 + 0.5 * jnp.tanh(x * (ROOT + CUBIC * _bounded_square(x))))


def _bounded_square(x: Array) -> Array:
    """x², where it matters: tanh is 1 to the last digit long before 100; beyond, x² overflows."""
    return jnp.minimum(x * x, 1e4)


@gelu_by_tanh.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """f'(x) = ½ (1 + tanh u) + ½ x (1 - tanh² u) u'."""
    (x,), (dx,) = primals, tangents
    square = _bounded_square(x)
    t = jnp.tanh(x * (ROOT + CUBIC * square))
    half = 0.5 + 0.5 * t
    return x * half, dx * (half + x * ((ROOT + 3.0 * CUBIC * square) * half * (1.0 - t)))


class GELU(Activation):
    """x Phi(x), or its older approximation ½ x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))).

    They differ by at most 0.0005. PyTorch's default is the exact form, ``jax.nn``'s the other.

    Args:
        approximate: whether to use the form with tanh.
    """

    facts = Facts((-0.16997120747990369, math.inf), 1, monotone=False, saturates="left")
    gain = 1.533530
    approximate: bool = static(default=False, must=Flag())

    def function(self, x: Array) -> Array:
        if self.approximate:
            return gelu_by_tanh(x)
        return 0.5 * x * jax.lax.erfc(-x * math.sqrt(0.5))


class Mish(Activation):
    """x tanh(ln(1 + e^x))."""

    facts = Facts((-0.3088438, math.inf), 3, monotone=False, saturates="left")
    gain = 1.486848

    def function(self, x: Array) -> Array:
        return x * jnp.tanh(softplus(x))


class HardSwish(Activation):
    """x clip(x / 6 + ½, 0, 1): Swish from straight lines, without an exponential."""

    facts = Facts((-0.375, math.inf), monotone=False, saturates="left", smooth=False)
    gain = 1.736657

    def function(self, x: Array) -> Array:
        return x * between_0_and_1(x * (1.0 / 6.0) + 0.5)


class Softplus(Activation):
    """(1 / beta) ln(1 + e^(beta x)), a smooth ReLU; its derivative is sigma(beta x).

    Args:
        beta: sharpness, > 0.
    """

    facts = Facts(POSITIVE, 2, saturates="left")
    gain = 1.0
    beta: float = traced(default=1.0, must=ABOVE_ZERO)

    def function(self, x: Array) -> Array:
        return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-magnitude(self.beta * x))) / self.beta
