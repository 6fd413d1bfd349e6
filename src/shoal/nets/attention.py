"""Multi-head self-attention: every position looks at every other and takes what fits.

Notation: x (B, W, C), heads h of d = C / heads channels each.

    q, k, v = x Wq^T + bq, x Wk^T + bk, x Wv^T + bv          split into heads, (B, h, W, d)
    a = softmax(q k^T / sqrt(d))                             (B, h, W, W), rows sum to 1
    y = (a v, heads side by side) Wo^T + bo                  (B, W, C)

Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
"""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree
from shoal.describe import part, static, traced
from shoal.errors import ShapeError
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.embedding import sequence
from shoal.nets.initialisers import Initialiser, Zeros, initialiser
from shoal.nets.layer import Layer, Mode, Weight, Window
from shoal.nets.noise import drop
from shoal.rules import Flag, Number, Whole, optional

PARTS = ("query", "key", "value", "output")


class SelfAttention(Layer):
    """Multi-head self-attention over a sequence (W, C), shape kept; formula in ``attention``.

    It does not know the order of the positions; put ``Positions()`` before it where that matters.

    Args:
        heads: that the channels are split into; must divide them.
        causal: let each position see only itself and those before it.
        dropout: rate at which weights of the attention are dropped while training, in [0, 1); None
            for none.
        bias: whether q, k, v and y have a bias.
        init: how the four matrices, (C, C) each, are drawn.
    """

    heads: int = static(must=Whole(1))
    causal: bool = static(default=False, must=Flag())
    dropout: float | None = traced(default=None, must=optional(Number(0.0, 1.0, high_open=True)))
    bias: bool = static(default=True, must=Flag())
    init: Initialiser = part(default="glorot_uniform", must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self,
            heads: int,
            causal: bool = ...,
            dropout: float | None = ...,
            bias: bool = ...,
            init: Initialiser | str = ...,
        ) -> None: ...

    @property
    def random(self) -> bool:
        return self.dropout is not None

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        _, channels = sequence(self, in_shape)
        if channels % self.heads:
            raise ShapeError(
                repr(self),
                required=f"channels that {self.heads} heads can share evenly",
                got=f"{channels} channels",
                remedy="change heads",
            )
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        _, c = sequence(self, in_shape)
        one = {"weight": Weight((c, c), self.init, c, c, True)}
        if self.bias:
            one["bias"] = Weight((c,), Zeros())
        return {part: dict(one) for part in PARTS}

    def multiply_adds(self, in_shape: Shape) -> int:
        length, channels = sequence(self, in_shape)
        return len(PARTS) * length * channels**2 + 2 * length**2 * channels

    def window(self, in_shape: Shape) -> Window:
        return Window((2 * in_shape[0],), (1,))  # every position sees all of them

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        q, k, v = (self._split(_linear(parameters[part], x)) for part in PARTS[:3])
        a = self.weights(q, k)
        if self.dropout is not None and mode.training:
            a = drop(a, self.dropout, a.shape, mode)
        y = jnp.moveaxis(a @ v, 1, 2).reshape(x.shape)
        return _linear(parameters["output"], y), {}

    def _split(self, x: Array) -> Array:
        """(B, W, C) as (B, heads, W, d)."""
        b, length, channels = x.shape
        return jnp.moveaxis(x.reshape(b, length, self.heads, channels // self.heads), 2, 1)

    def weights(self, q: Array, k: Array) -> Array:
        """How much each position takes from each other: (B, heads, W, W'), rows sum to 1.

        Args:
            q, k: (B, heads, W, d) of the positions that take, (B, heads, W', d) of those that give.
        """
        scores = (q @ jnp.swapaxes(k, -1, -2)) / math.sqrt(q.shape[-1])
        if scores.dtype == jnp.bfloat16:
            scores = scores.astype(jnp.float32)
        if self.causal:
            takes, gives = scores.shape[-2:]
            earlier = jnp.arange(gives)[None, :] <= jnp.arange(takes)[:, None]
            scores = jnp.where(earlier[None, None], scores, -jnp.inf)
        return jax.nn.softmax(scores, axis=-1).astype(q.dtype)


def _linear(parameters: Tree, x: Array) -> Array:
    y = x @ parameters["weight"].T
    return y + parameters["bias"][None, None, :] if "bias" in parameters else y
