"""Dense: every unit sees every input."""

from typing import TYPE_CHECKING

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import part, static
from shoal.errors import ShapeError
from shoal.nets.initialisers import Initialiser, initialiser
from shoal.nets.layer import Layer, Mode, Weight
from shoal.rules import Flag, Is, Whole

AN_INITIALISER = Is(Initialiser, "an initialiser or the name of one")


class Dense(Layer):
    """Every unit sees every input: y = x W + b.

    Args:
        units: outputs U, >= 1.
        bias: whether to add b.
        init: how W, shape (D, U), is drawn; an ``Initialiser`` or its name.
        bias_init: how b, shape (U,), is drawn.
    """

    units: int = static(must=Whole(1))
    bias: bool = static(default=True, must=Flag())
    init: Initialiser = part(default="auto", must=AN_INITIALISER, converter=initialiser)
    bias_init: Initialiser = part(default="zeros", must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self,
            units: int,
            bias: bool = ...,
            init: Initialiser | str = ...,
            bias_init: Initialiser | str = ...,
        ) -> None: ...

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if len(in_shape) != 1:
            raise ShapeError(
                repr(self),
                required="a flat input",
                got=times(in_shape),
                remedy="put Flatten() or a global pool before it",
            )
        return (self.units,)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        (features,) = in_shape
        weights = {"weight": Weight((self.units, features), self.init, features, self.units, True)}
        if self.bias:
            weights["bias"] = Weight((self.units,), self.bias_init, features, self.units)
        return weights

    def multiply_adds(self, in_shape: Shape) -> int:
        return in_shape[0] * self.units

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        y = x @ parameters["weight"].T  # (B, D) @ (D, U)
        return (y + parameters["bias"][None, :] if self.bias else y), {}
