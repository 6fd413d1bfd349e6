"""What a loss is: how wrong an output is, one number for each example.

Notation: z, shape (B, C) or (B, T), are the outputs of the network; t the targets. Each loss gives
(B,) numbers; training takes their mean over the batch, weighted where examples have weights.
"""

import math
from typing import ClassVar

import jax.numpy as jnp

from shoal.arrays import Array, Numbers, Shape, size, times
from shoal.describe import Description
from shoal.errors import ShapeError

SMALLEST = 1e-30
"""Probabilities below this are taken for it where their logarithm is needed."""


class Loss(Description, abstract=True):
    """The interface of a loss.

    Class attributes:
        form: in which it takes targets: "index" (B,) whole numbers, "binary" (B, T)
            zeros and ones, or "values" (B, T) numbers (classes as one-hot rows).
        scales: whether it means the same when the targets of a regression are scaled.
        tasks: of "classification", "regression" and "multilabel".
        least: the lowest value that it can have; -inf where there is none, or none is known.
    """

    form: ClassVar[str] = "values"
    scales: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    least: ClassVar[float] = -math.inf

    @property
    def absorbs(self) -> str | None:
        """The kind of last activation that it undoes, or None."""
        return None

    def per_example(self, z: Array, t: Array) -> Array:
        """The loss of each example, shape (B,)."""
        raise NotImplementedError

    def predictions(self, z: Array) -> Array:
        """What the outputs mean: probabilities for cross-entropies, the outputs otherwise."""
        return z

    def outputs_for(self, predictions: Array) -> Array:
        """Outputs that mean these predictions: the inverse of ``predictions``."""
        return predictions

    def check_targets(self, targets: Numbers) -> None:
        """Whether it can take these values, (N, T), as targets.

        Raises:
            DataError: it cannot.
        """

    def check_output(self, out_shape: Shape, width: int) -> None:
        """Whether outputs of this shape fit targets of ``width`` classes or values.

        Raises:
            ShapeError: they do not.
        """
        if out_shape != (width,):
            raise ShapeError(
                f"a network for {self!r}",
                required=f"{width} output{'s' * (width != 1)}",
                got=times(out_shape) if out_shape else "a single number",
                remedy=ending(out_shape, width),
            )


def ending(out_shape: Shape, width: int) -> str:
    """How a network that gives ``out_shape`` comes to give ``width`` outputs."""
    if len(out_shape) < 2:
        return f"end it with Dense({width})"
    return "end it with Flatten()" + f" and Dense({width})" * (size(out_shape) != width)


def pick(z: Array, index: Array) -> Array:
    """z[b, index[b]] for every row b, shape (B,).

    Written as a comparison, not as a gather: gathers and their derivatives, scatters, are slow on
    CPUs, and the number of classes is small.
    """
    classes = jnp.arange(z.shape[-1], dtype=index.dtype)
    chosen = index[:, None] == classes[None, :]
    return jnp.sum(jnp.where(chosen, z, jnp.zeros_like(z)), axis=-1)
