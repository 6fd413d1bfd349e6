"""Layers that only arrange numbers anew: Flatten, Reshape."""

from shoal.arrays import Array, Shape, Tree, size, times
from shoal.describe import static
from shoal.errors import ShapeError
from shoal.nets.layer import Layer, Mode
from shoal.rules import Many, Whole


class Flatten(Layer):
    """All numbers of an example in one row: (H, W, C) -> (H · W · C,)."""

    computes = "any"
    arranges = True
    zeros = "kept"

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return (size(in_shape),)

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return x.reshape(x.shape[0], -1), {}


class Reshape(Layer):
    """The numbers of an example, in reading order, in another shape: (H · W,) -> (H, W, 1).

    Args:
        shape: of one example, batch left out; as many numbers as come in.
    """

    computes = "any"
    arranges = True
    shape: tuple[int, ...] = static(must=Many(Whole(1), at_least=1))

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        if size(in_shape) != size(self.shape):
            raise ShapeError(
                repr(self),
                required=f"{size(self.shape)} numbers in each example",
                got=f"{times(in_shape)} = {size(in_shape)}",
                remedy="change the shape",
            )
        return self.shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return x.reshape(x.shape[0], *self.shape), {}
