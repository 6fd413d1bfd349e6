"""Conv: one layer for sequences (W, C), images (H, W, C) and volumes (D, H, W, C)."""

from typing import TYPE_CHECKING

from shoal.arrays import Array, Shape, Tree, size
from shoal.describe import part, static
from shoal.errors import ShapeError
from shoal.nets.convolution import convolve
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.formulations import Plan
from shoal.nets.initialisers import Initialiser, initialiser
from shoal.nets.layer import Layer, Mode, Weight, Window
from shoal.nets.shapes import Axis, Padding, space, windows
from shoal.rules import Either, Flag, Many, OneOf, Whole

CELLS = Either(Whole(1), Many(Whole(1), at_least=1, at_most=3))
PADDING = Either(OneOf(("same", "valid")), Whole(0), Many(Whole(0), at_least=1, at_most=3))


class Conv(Layer):
    """Convolution over one to three spatial axes, channels last.

    Args:
        filters: output channels O, any number >= 1.
        kernel: cells of the window, one number or one per spatial axis.
        stride: cells between windows.
        padding: "same" (output ceil(W / stride)), "valid" (none), or cells on each side.
        dilation: cells between the taps of the window.
        groups: channels and filters are split into so many groups that do not mix; C groups make
            a depthwise convolution.
        bias: whether each filter adds a number.
        init, bias_init: how the kernel, shape (*kernel, C / groups, O), and the bias are drawn.
    """

    filters: int = static(must=Whole(1))
    kernel: int | tuple[int, ...] = static(must=CELLS)
    stride: int | tuple[int, ...] = static(default=1, must=CELLS)
    padding: Padding = static(default="same", must=PADDING)
    dilation: int | tuple[int, ...] = static(default=1, must=CELLS)
    groups: int = static(default=1, must=Whole(1))
    bias: bool = static(default=True, must=Flag())
    init: Initialiser = part(default="auto", must=AN_INITIALISER, converter=initialiser)
    bias_init: Initialiser = part(default="zeros", must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self,
            filters: int,
            kernel: int | tuple[int, ...],
            stride: int | tuple[int, ...] = ...,
            padding: Padding = ...,
            dilation: int | tuple[int, ...] = ...,
            groups: int = ...,
            bias: bool = ...,
            init: Initialiser | str = ...,
            bias_init: Initialiser | str = ...,
        ) -> None: ...

    def check(self) -> None:
        if self.filters % self.groups:
            raise ShapeError(
                repr(self),
                required="filters that its groups can share evenly",
                got=f"{self.filters} filters for {self.groups} groups",
                remedy="make filters a multiple of groups",
            )

    def _axes(self, in_shape: Shape, strict: bool = False) -> tuple[Axis, ...]:
        spatial = space(self, in_shape, "give the data that shape, a channel axis of 1 included")
        if in_shape[-1] % self.groups:
            raise ShapeError(
                repr(self),
                required=f"channels that {self.groups} groups can share evenly",
                got=f"{in_shape[-1]} channels",
                remedy="change groups",
            )
        return windows(spatial, self.kernel, self.stride, self.padding, self.dilation, self, strict)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return (*(axis.out for axis in self._axes(in_shape, strict)), self.filters)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        kernel = tuple(axis.kernel for axis in self._axes(in_shape))
        channels = in_shape[-1] // self.groups
        cells = size(kernel)
        fans = (cells * channels, cells * self.filters // self.groups)
        weights = {"weight": Weight((*kernel, channels, self.filters), self.init, *fans, True)}
        if self.bias:
            weights["bias"] = Weight((self.filters,), self.bias_init, *fans)
        return weights

    def multiply_adds(self, in_shape: Shape) -> int:
        per_position = size(self.parameters(in_shape)["weight"].shape)
        return per_position * size(self.output_shape(in_shape)[:-1])

    def window(self, in_shape: Shape) -> Window:
        axes = self._axes(in_shape)
        return Window(tuple(a.extent for a in axes), tuple(a.stride for a in axes))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        y = convolve(x, parameters["weight"], Plan(self._axes(x.shape[1:]), self.groups))
        if self.bias:
            y = y + parameters["bias"].reshape((1,) * (y.ndim - 1) + (self.filters,))
        return y, {}
