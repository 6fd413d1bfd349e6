"""Gradient clipping: what keeps one bad batch from throwing the weights away."""

from functools import reduce
from typing import ClassVar

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Tree
from shoal.describe import Description, traced
from shoal.rules import Number


class Clip(Description, abstract=True):
    """The interface of a clipping rule.

    Class attributes:
        by_norm: whether the norm alone decides whether a gradient is clipped.
    """

    by_norm: ClassVar[bool] = False

    def clip(self, gradient: Array, norm: Array) -> Array:
        """One array of the gradient, clipped; ``norm`` is that of the whole gradient."""
        raise NotImplementedError

    def clips(self, gradient: Tree, norm: Array) -> Array:
        """Whether the whole gradient, of this norm, would be changed at all."""
        raise NotImplementedError


class ClipByValue(Clip):
    """Each number of the gradient is cut to [-limit, limit].

    Args:
        limit: > 0.
    """

    limit: float = traced(must=Number(0.0, low_open=True))

    def clip(self, gradient: Array, norm: Array) -> Array:
        del norm
        return jnp.clip(gradient, -self.limit, self.limit)

    def clips(self, gradient: Tree, norm: Array) -> Array:
        """Whether any number lies beyond the limit."""
        beyond = [jnp.max(jnp.abs(leaf)) > self.limit for leaf in jax.tree.leaves(gradient)]
        return reduce(jnp.logical_or, beyond)


class ClipByNorm(Clip):
    """The whole gradient is scaled down when its Euclidean norm exceeds ``limit``.

    g <- g min(1, limit / |g|), Pascanu, Mikolov and Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        limit: > 0.
    """

    by_norm = True
    limit: float = traced(must=Number(0.0, low_open=True))

    def clips(self, gradient: Tree, norm: Array) -> Array:
        """Whether the norm exceeds the limit."""
        return norm > self.limit

    def clip(self, gradient: Array, norm: Array) -> Array:
        # max(|g|, limit) instead of |g|: the same, and never 0 / 0.
        return gradient * (self.limit / jnp.maximum(norm, self.limit))
