"""DepthwiseConv and SeparableConv: each channel on its own, then all of them cell by cell."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shoal.arrays import Array, Shape, Tree
from shoal.describe import part, static, unchecked
from shoal.nets import compose
from shoal.nets.conv import CELLS, PADDING, Conv
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.initialisers import Initialiser, initialiser
from shoal.nets.layer import Inner, Layer, Mode, Weight, Window
from shoal.nets.shapes import Padding
from shoal.rules import Flag, Whole


class DepthwiseConv(Layer):
    """Convolution of each channel on its own: ``Conv`` with as many groups as channels.

    Args:
        kernel: cells of the window, one number or one per spatial axis.
        stride, padding, dilation: as for ``Conv``.
        multiplier: filters for each channel, >= 1.
        bias: whether each filter adds a number.
        init, bias_init: how the kernel, shape (*kernel, 1, C · multiplier), and the bias are drawn.
    """

    kernel: int | tuple[int, ...] = static(must=CELLS)
    stride: int | tuple[int, ...] = static(default=1, must=CELLS)
    padding: Padding = static(default="same", must=PADDING)
    dilation: int | tuple[int, ...] = static(default=1, must=CELLS)
    multiplier: int = static(default=1, must=Whole(1))
    bias: bool = static(default=True, must=Flag())
    init: Initialiser = part(default="auto", must=AN_INITIALISER, converter=initialiser)
    bias_init: Initialiser = part(default="zeros", must=AN_INITIALISER, converter=initialiser)

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self,
            kernel: int | tuple[int, ...],
            stride: int | tuple[int, ...] = ...,
            padding: Padding = ...,
            dilation: int | tuple[int, ...] = ...,
            multiplier: int = ...,
            bias: bool = ...,
            init: Initialiser | str = ...,
            bias_init: Initialiser | str = ...,
        ) -> None: ...

    def _conv(self, channels: int) -> Conv:
        return unchecked(
            Conv,
            filters=channels * self.multiplier,
            groups=channels,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            bias=self.bias,
            init=self.init,
            bias_init=self.bias_init,
        )

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return self._conv(in_shape[-1] if in_shape else 1).output_shape(in_shape, strict)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        return self._conv(in_shape[-1]).parameters(in_shape)

    def multiply_adds(self, in_shape: Shape) -> int:
        return self._conv(in_shape[-1]).multiply_adds(in_shape)

    def window(self, in_shape: Shape) -> Window:
        return self._conv(in_shape[-1]).window(in_shape)

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return self._conv(x.shape[-1]).apply(parameters, statistics, x, mode)


class SeparableConv(Layer):
    """A ``DepthwiseConv`` without bias, then a ``Conv`` of kernel 1 that mixes the channels.

    With C channels, O filters and a kernel of F cells it takes F C + C O weights where ``Conv``
    takes F C O (Chollet 2017, arXiv:1610.02357; no activation between, as there and in Keras).

    Args:
        filters: output channels O, >= 1.
        kernel, stride, padding, dilation: of the depthwise part, as for ``Conv``.
        multiplier: filters for each channel between the two parts, >= 1.
        bias: whether each filter adds a number.
        init: how both kernels are drawn.
        bias_init: how the bias is drawn.
    """

    computes = "any"

    filters: int = static(must=Whole(1))
    kernel: int | tuple[int, ...] = static(must=CELLS)
    stride: int | tuple[int, ...] = static(default=1, must=CELLS)
    padding: Padding = static(default="same", must=PADDING)
    dilation: int | tuple[int, ...] = static(default=1, must=CELLS)
    multiplier: int = static(default=1, must=Whole(1))
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
            multiplier: int = ...,
            bias: bool = ...,
            init: Initialiser | str = ...,
            bias_init: Initialiser | str = ...,
        ) -> None: ...

    def _layers(self) -> tuple[Layer, Layer]:
        depthwise = unchecked(
            DepthwiseConv,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            multiplier=self.multiplier,
            bias=False,
            init=self.init,
        )
        pointwise = unchecked(
            Conv,
            filters=self.filters,
            kernel=1,
            bias=self.bias,
            init=self.init,
            bias_init=self.bias_init,
        )
        return depthwise, pointwise

    def inside(self, in_shape: Shape) -> Sequence[Inner]:
        depthwise, pointwise = self._layers()
        between = depthwise.output_shape(in_shape)
        return (
            Inner("depthwise", depthwise, in_shape),
            Inner("pointwise", pointwise, between),
        )

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return (*self._layers()[0].output_shape(in_shape, strict)[:-1], self.filters)

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        return compose.parameters(self.inside(in_shape))

    def multiply_adds(self, in_shape: Shape) -> int:
        return compose.multiply_adds(self.inside(in_shape))

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        for name, layer, _ in self.inside(x.shape[1:]):
            x, _ = compose.run_one(0, name, layer, parameters, {}, x, mode)
        return x, {}
