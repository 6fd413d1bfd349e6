"""Layers that disturb while training: Dropout, SpatialDropout, GaussianNoise."""

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import traced
from shoal.errors import ShapeError
from shoal.nets.layer import Layer, Mode
from shoal.rules import Number


class _Random(Layer, abstract=True):
    """The interface of layers that draw while training and pass everything while predicting."""

    computes = "any"  # in bfloat16 a rate would be rounded, and so would what is drawn for it

    @property
    def random(self) -> bool:
        return True

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return in_shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return (self.disturbed(x, mode) if mode.training else x), {}

    def disturbed(self, x: Array, mode: Mode) -> Array:
        """The output while training."""
        raise NotImplementedError


def drop(x: Array, rate: Array | float, shape: Shape, mode: Mode) -> Array:
    """Zeros with probability ``rate``, drawn in ``shape``; the rest divided by 1 - rate.

    The probability is rounded to a multiple of 2^-16.
    """
    keep = 1.0 - rate
    kept = mode.chances(shape) < jnp.round(jnp.asarray(keep) * 2**16).astype(jnp.uint32)
    return jnp.where(kept, x / jnp.asarray(keep, x.dtype), jnp.zeros_like(x))


class Dropout(_Random):
    """Inverted dropout: while training, each number is zeroed with probability ``rate``.

    The others are divided by the keep-probability 1 - rate, so that the expectation is kept and
    nothing changes at prediction (Srivastava et al. 2014, section 10).

    Args:
        rate: probability to drop, in [0, 1).
    """

    zeros = "kept"
    rate: float = traced(must=Number(0.0, 1.0, high_open=True))

    def disturbed(self, x: Array, mode: Mode) -> Array:
        return drop(x, self.rate, x.shape, mode)


class SpatialDropout(_Random):
    """Dropout of whole channels: neighbours in space say much the same (Tompson et al. 2015).

    Args:
        rate: probability to drop a channel, in [0, 1).
    """

    rate: float = traced(must=Number(0.0, 1.0, high_open=True))

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if len(in_shape) < 2:
            raise ShapeError(
                repr(self),
                required="channels over space, such as (W, C) or (H, W, C)",
                got=times(in_shape),
                remedy="use Dropout",
            )
        return in_shape

    def disturbed(self, x: Array, mode: Mode) -> Array:
        return drop(x, self.rate, (x.shape[0], *(1 for _ in x.shape[1:-1]), x.shape[-1]), mode)


class GaussianNoise(_Random):
    """x + noise drawn from N(0, std²) while training.

    Args:
        std: >= 0, in units of x.
    """

    zeros = "filled"
    std: float = traced(default=0.1, must=Number(0.0))

    def disturbed(self, x: Array, mode: Mode) -> Array:
        drawn = mode.draw(lambda k, s: jax.random.normal(k, s, x.dtype), x.shape)
        return x + jnp.asarray(self.std, x.dtype) * drawn
