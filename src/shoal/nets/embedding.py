"""Embedding: a vector for each word of a vocabulary, and one for each position."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Shape, Tree, times
from shoal.describe import part, static
from shoal.errors import DataError, ShapeError
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.initialisers import Initialiser, Normal, initialiser
from shoal.nets.layer import Layer, Mode, Weight
from shoal.rules import Whole


class Embedding(Layer):
    """A learned vector for each of the codes 0, 1, ..., ``vocabulary`` - 1: (W,) -> (W, features).

    As the first layer it takes whole numbers, which are then not scaled.

    Args:
        vocabulary: how many codes there are, >= 1.
        features: length of each vector, >= 1.
        init: how the vectors, shape (vocabulary, features), are drawn; as in PyTorch from N(0, 1)
            by default. Weight decay does not act on them.
    """

    computes = "wide"  # bfloat16 holds whole numbers only up to 256
    scaling = "none"

    vocabulary: int = static(must=Whole(1))
    features: int = static(must=Whole(1))
    init: Initialiser = part(default=Normal(1.0), must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self, vocabulary: int, features: int, init: Initialiser | str = ...
        ) -> None: ...

    def check_inputs(self, inputs: Numbers) -> None:
        fits = (inputs >= 0) & (inputs < self.vocabulary) & (inputs == np.round(inputs))
        if not fits.all():
            wrong = inputs[~fits].flat[0]
            raise DataError(
                f"the inputs of {self!r}",
                required=f"whole numbers from 0 to {self.vocabulary - 1}",
                got=f"{wrong:g}",
                remedy="number the codes from 0, or enlarge the vocabulary",
            )

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if len(in_shape) != 1:
            raise ShapeError(
                repr(self),
                required="a sequence of codes (W,)",
                got=times(in_shape),
                remedy="put Flatten() before it",
            )
        return (*in_shape, self.features)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        shape = (self.vocabulary, self.features)
        return {"vectors": Weight(shape, self.init, self.vocabulary, self.features)}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        # A code outside of the vocabulary gives NaN, which stops the training.
        return jnp.take(parameters["vectors"], x.astype(jnp.int32), axis=0, mode="fill"), {}


class Positions(Layer):
    """x plus a learned vector for each position: tells attention where in a sequence it looks.

    Args:
        init: how the vectors, shape (W, C), are drawn. Weight decay does not act on them.
    """

    init: Initialiser = part(default=Normal(0.02), must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(self, init: Initialiser | str = ...) -> None: ...

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        sequence(self, in_shape)
        return in_shape

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        return {"vectors": Weight(in_shape, self.init, in_shape[0], in_shape[1])}

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return x + parameters["vectors"][None], {}


def sequence(layer: Layer, in_shape: Shape) -> tuple[int, int]:
    """Length W and channels C of a sequence.

    Raises:
        ShapeError: another shape.
    """
    if len(in_shape) != 2:
        raise ShapeError(
            repr(layer),
            required="a sequence (W, C)",
            got=times(in_shape),
            remedy="put Reshape((length, channels)) or Embedding(...) before it, or let a GRU or "
            "LSTM before it give them: return_sequences=True",
        )
    return in_shape[0], in_shape[1]
