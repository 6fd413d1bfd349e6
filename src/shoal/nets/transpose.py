"""ConvTranspose: the convolution that enlarges."""

from fractions import Fraction
from typing import TYPE_CHECKING

from shoal.arrays import Array, Shape, Tree, size
from shoal.describe import part, static
from shoal.errors import ShapeError
from shoal.nets.conv import CELLS, PADDING
from shoal.nets.convolution import convolve_transposed
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.formulations import Plan
from shoal.nets.initialisers import Initialiser, initialiser
from shoal.nets.layer import Layer, Mode, Weight, Window
from shoal.nets.shapes import Axis, Padding, per_axis, space
from shoal.rules import Either, Flag, Many, Whole


class ConvTranspose(Layer):
    """Transposed convolution over one to three spatial axes, channels last.

    The derivative of a convolution by its input, as a layer: each cell of the input adds a kernel
    to the output, ``stride`` cells apart. For one axis of W cells, kernel F, dilation d, the output
    has

        S (W - 1) + d (F - 1) + 1 - 2 P + extra      cells

    (Dumoulin and Visin 2016, arXiv:1603.07285, relation 13). Also called deconvolution, which it is
    not.

    Args:
        filters: output channels O, >= 1.
        kernel: cells of the window, one number or one per spatial axis.
        stride: cells between the places of neighbouring inputs: the factor of enlargement.
        padding: "same" (output W · stride), "valid" (P = 0), or P cells cut off on each side.
        extra: cells added at the end of each axis, fewer than the stride or the dilation; needed
            where a convolution with that stride would round (``output_padding`` in PyTorch).
        dilation: cells between the taps of the window.
        groups: channels and filters are split into so many groups that do not mix.
        bias: whether each filter adds a number.
        init, bias_init: how the kernel, shape (*kernel, O / groups, C), and the bias are drawn.
    """

    filters: int = static(must=Whole(1))
    kernel: int | tuple[int, ...] = static(must=CELLS)
    stride: int | tuple[int, ...] = static(default=1, must=CELLS)
    padding: Padding = static(default="same", must=PADDING)
    extra: int | tuple[int, ...] = static(
        default=0, must=Either(Whole(0), Many(Whole(0), at_least=1, at_most=3))
    )
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
            extra: int | tuple[int, ...] = ...,
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
        if self.padding == "same" and self.extra != 0:
            raise ShapeError(
                repr(self),
                required='extra=0 with padding="same", which fixes the size',
                got=f"extra={self.extra}",
                remedy="give the padding in cells",
            )

    def _axes(self, in_shape: Shape) -> tuple[Axis, ...]:
        """The windows of the convolution that goes back, from the output to the input."""
        space(self, in_shape, "put Reshape((height, width, channels)) before it")
        if in_shape[-1] % self.groups:
            raise ShapeError(
                repr(self),
                required=f"channels that {self.groups} groups can share evenly",
                got=f"{in_shape[-1]} channels",
                remedy="change groups",
            )
        n = len(in_shape) - 1
        settings = (
            per_axis(self.kernel, n, self, "kernel"),
            per_axis(self.stride, n, self, "stride"),
            per_axis(self.dilation, n, self, "dilation"),
            per_axis(self.extra, n, self, "extra"),
        )
        return tuple(
            self._axis(i, n, in_shape[i], *(setting[i] for setting in settings)) for i in range(n)
        )

    def _axis(
        self, i: int, n: int, cells: int, kernel: int, stride: int, dilation: int, extra: int
    ) -> Axis:
        extent = dilation * (kernel - 1) + 1
        if extra >= max(stride, dilation, 2) and extra:
            raise ShapeError(
                repr(self),
                required="extra below its stride or its dilation",
                got=f"extra={extra} with stride {stride} and dilation {dilation}",
                remedy="make it smaller",
            )
        if self.padding == "same":
            # Where the kernel is smaller than the stride, the last cells stay empty.
            cut = max(extent - stride, 0)
            return Axis(cells * stride, kernel, stride, dilation, cut // 2, cut - cut // 2)
        cut_off = 0 if isinstance(self.padding, str) else self.padding
        padding = per_axis(cut_off, n, self, "padding")[i]
        out = stride * (cells - 1) + extent - 2 * padding + extra
        if out < 1:
            raise ShapeError(
                repr(self),
                required="an output of at least one cell",
                got=f"{out} cells from {cells}",
                remedy="cut off less: a smaller padding",
            )
        return Axis(out, kernel, stride, dilation, padding, padding)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return (*(axis.size for axis in self._axes(in_shape)), self.filters)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        axes, channels = self._axes(in_shape), in_shape[-1]
        kernel = tuple(axis.kernel for axis in axes)
        # Every output cell is reached by one in ``stride`` of the taps.
        reached = max(1, size(kernel) // size(tuple(axis.stride for axis in axes)))
        fans = (reached * channels // self.groups, size(kernel) * self.filters // self.groups)
        shape = (*kernel, self.filters // self.groups, channels)
        weights = {"weight": Weight(shape, self.init, *fans, True)}
        if self.bias:
            weights["bias"] = Weight((self.filters,), self.bias_init, *fans)
        return weights

    def multiply_adds(self, in_shape: Shape) -> int:
        return size(self.parameters(in_shape)["weight"].shape) * size(in_shape[:-1])

    def window(self, in_shape: Shape) -> Window:
        axes = self._axes(in_shape)
        extent = tuple(-(-axis.extent // axis.stride) for axis in axes)
        return Window(extent, tuple(Fraction(1, axis.stride) for axis in axes))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        plan = Plan(self._axes(x.shape[1:]), self.groups)
        y = convolve_transposed(x, parameters["weight"], plan)
        if self.bias:
            y = y + parameters["bias"].reshape((1,) * (y.ndim - 1) + (self.filters,))
        return y, {}
