"""Initialisers: how the weights of a layer are drawn before training.

Notation: n_in (fan-in) and n_out (fan-out) are the numbers of inputs and outputs of one unit's
weights; for a convolution both carry the factor (cells of the kernel). The gain g makes up for what
the following activation does to the variance (He et al. 2015; ``torch.nn.init.calculate_gain``
lists the same numbers): 1 for linear and sigmoid, 5/3 for tanh, sqrt(2) for ReLU,
sqrt(2 / (1 + slope²)) for LeakyReLU.

    name         variance of a weight           source
    Glorot       2 g² / (n_in + n_out)          Glorot and Bengio 2010
    He           g² / n_in, g = sqrt(2)         He et al. 2015, arXiv:1502.01852
    LeCun        1 / n_in                       LeCun et al. 1998, Efficient BackProp
    Auto         g² / n_in                      g of the activation that follows the layer
    Orthogonal   g² / max(n_in, n_out)          Saxe et al. 2014, arXiv:1312.6120
"""

import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from shoal.arrays import Array, Shape
from shoal.describe import Description, by_name, static, traced, unchecked
from shoal.rules import Number, OneOf

POSITIVE = Number(0.0, low_open=True)
BLOCK = 128
"""Columns that are made orthonormal together, by products of matrices; then one by one."""

DISTRIBUTION = OneOf(("normal", "uniform"))


class Draw(NamedTuple):
    """What an initialiser needs to know: key, shape, fans, gain of what follows, precision."""

    key: Array
    shape: Shape
    fan_in: Any
    fan_out: Any
    gain: Any
    dtype: np.dtype


class Initialiser(Description, abstract=True):
    """The interface of an initialiser.

    Class attributes:
        elementwise: whether each weight is drawn by itself, so that the weights of an array are
            those of a longer flat one, in order; its fans may then be tracers.
    """

    elementwise: ClassVar[bool] = False

    def sample(self, draw: Draw) -> Array:
        """Weights of shape ``draw.shape``."""
        raise NotImplementedError


class Zeros(Initialiser):
    """All zeros; right for biases, wrong for weights: every unit then learns the same."""

    elementwise = True

    def sample(self, draw: Draw) -> Array:
        return jnp.zeros(draw.shape, draw.dtype)


class Constant(Initialiser):
    """All weights equal to ``value``."""

    elementwise = True
    value: float = traced(must=Number())

    @staticmethod
    def of(value: Any) -> "Constant":
        """A constant of another description's number, which in a program is a tracer."""
        return unchecked(Constant, value=value)

    def sample(self, draw: Draw) -> Array:
        return jnp.full(draw.shape, self.value, draw.dtype)


class Normal(Initialiser):
    """Normal with mean 0 and standard deviation ``std``."""

    elementwise = True
    std: float = traced(default=0.01, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        return self.std * jax.random.normal(draw.key, draw.shape, draw.dtype)


class Uniform(Initialiser):
    """Uniform in [-limit, limit)."""

    elementwise = True
    limit: float = traced(default=0.05, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        return self.limit * jax.random.uniform(draw.key, draw.shape, draw.dtype, -1.0, 1.0)


def _with_std(draw: Draw, std: Any, distribution: str) -> Array:
    if distribution == "normal":
        return std * jax.random.normal(draw.key, draw.shape, draw.dtype)
    # A uniform law on [-a, a] has the variance a² / 3.
    limit = std * math.sqrt(3.0)
    return limit * jax.random.uniform(draw.key, draw.shape, draw.dtype, -1.0, 1.0)


class Glorot(Initialiser):
    """Glorot, also called Xavier: variance 2 gain² / (n_in + n_out).

    Keeps the variance of signals forward and of gradients backward about equal for activations
    that are linear near 0.
    """

    elementwise = True
    distribution: str = static(default="uniform", must=DISTRIBUTION)
    gain: float = traced(default=1.0, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        std = self.gain * (2.0 / (draw.fan_in + draw.fan_out)) ** 0.5
        return _with_std(draw, std, self.distribution)


class He(Initialiser):
    """He, also called Kaiming: variance gain² / n_in with gain sqrt(2), for ReLU."""

    elementwise = True
    distribution: str = static(default="normal", must=DISTRIBUTION)
    gain: float = traced(default=math.sqrt(2.0), must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        return _with_std(draw, self.gain / draw.fan_in**0.5, self.distribution)


class LeCun(Initialiser):
    """LeCun: variance gain² / n_in with gain 1, for linear and self-normalising layers."""

    elementwise = True
    distribution: str = static(default="normal", must=DISTRIBUTION)
    gain: float = traced(default=1.0, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        return _with_std(draw, self.gain / draw.fan_in**0.5, self.distribution)


class Auto(Initialiser):
    """Variance gain² / n_in, the gain being that of the activation that follows the layer.

    He's initialiser before a ReLU, LeCun's before a sigmoid or at the end of a network; ``scale``
    multiplies the standard deviation.
    """

    elementwise = True
    scale: float = traced(default=1.0, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        return _with_std(draw, self.scale * draw.gain / draw.fan_in**0.5, "normal")


def orthonormal(tall: Array) -> Array:
    """Columns that are orthonormal and span what those of ``tall``, (n, m), n >= m, span.

    Gram and Schmidt, block after block, each twice, which is enough for the last digit (Giraud et
    al. 2005). This is the Q of a QR decomposition whose R has a positive diagonal, so that the law
    of normal columns is uniform over orthogonal matrices (Mezzadri 2007).

    LAPACK, which ``jnp.linalg.qr`` calls, is no choice here: of a stack of matrices it gives parts
    to the threads of XLA and waits for them in one of these, so that two devices of one processor,
    each with a stack, wait for each other for ever.
    """
    done = tall[:, :0]
    for start in range(0, tall.shape[1], BLOCK):
        part = tall[:, start : start + BLOCK]
        for _ in range(2):
            part = _orthonormal_block(part - done @ (done.T @ part))
        done = jnp.concatenate([done, part], axis=1)
    return done


def _orthonormal_block(tall: Array) -> Array:
    """Column after column."""
    places = jnp.arange(tall.shape[1])

    def column(j: Array, q: Array) -> Array:
        known, v = jnp.where(places < j, q, 0), q[:, j]
        v = v - known @ (known.T @ v)
        return q.at[:, j].set(v / jnp.sqrt(jnp.vdot(v, v)))

    found: Array = lax.fori_loop(0, tall.shape[1], column, tall)
    return found


class Orthogonal(Initialiser):
    """Rows (or columns) orthonormal times ``gain``; for a kernel, its cells and inputs are rows."""

    gain: float = traced(default=1.0, must=POSITIVE)

    def sample(self, draw: Draw) -> Array:
        columns = draw.shape[-1]
        rows = math.prod(draw.shape) // columns
        tall = jax.random.normal(draw.key, (max(rows, columns), min(rows, columns)), draw.dtype)
        q = orthonormal(tall)
        q = q if rows >= columns else q.T
        return self.gain * q.reshape(draw.shape)


BY_NAME: dict[str, Initialiser] = {
    "auto": Auto(),
    "zeros": Zeros(),
    "normal": Normal(),
    "uniform": Uniform(),
    "glorot_uniform": Glorot("uniform"),
    "glorot_normal": Glorot("normal"),
    "xavier_uniform": Glorot("uniform"),
    "xavier_normal": Glorot("normal"),
    "he_normal": He("normal"),
    "he_uniform": He("uniform"),
    "kaiming_normal": He("normal"),
    "kaiming_uniform": He("uniform"),
    "lecun_normal": LeCun("normal"),
    "lecun_uniform": LeCun("uniform"),
    "orthogonal": Orthogonal(),
}

initialiser = by_name(BY_NAME, "an initialiser")
