"""Integer arithmetic of windows that slide: output sizes, padding, receptive fields.

For one axis of size W, a window of F cells, dilation d, stride S and zero padding P on each side,
with the extent F' = d (F - 1) + 1,

    W2 = (W - F' + 2 P) / S + 1                (Dumoulin and Visin 2016, arXiv:1603.07285, rel. 6)

rounded down; with strict checking a quotient that is not whole is an error, because the last
columns would silently be ignored. Padding "valid" is P = 0; "same" pads until W2 = ceil(W / S), the
odd cell on the right (the convention of XLA and TensorFlow).
"""

from dataclasses import dataclass

from shoal.arrays import Shape, times
from shoal.errors import ShapeError

Padding = str | int | tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """A window along one axis, resolved against the size of its input.

    Attributes:
        size: cells of the input.
        kernel, stride, dilation: of the window, in cells.
        low, high: cells of padding before and after.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    low: int
    high: int

    @property
    def extent(self) -> int:
        """Cells from the first to the last tap of the window, both included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def room(self) -> int:
        """How far the window can move; negative when it does not fit at all."""
        return self.size + self.low + self.high - self.extent

    @property
    def out(self) -> int:
        """Cells of the output."""
        return self.room // self.stride + 1


def space(thing: object, in_shape: Shape, remedy: str) -> Shape:
    """The spatial axes of an input that has one to three of them, and channels.

    Raises:
        ShapeError: it has none, or more.
    """
    if len(in_shape) not in (2, 3, 4):
        raise ShapeError(
            repr(thing),
            required="a sequence (W, C), an image (H, W, C) or a volume (D, H, W, C), "
            "channels last",
            got=times(in_shape),
            remedy=remedy,
        )
    return in_shape[:-1]


def per_axis(value: int | tuple[int, ...], axes: int, thing: object, name: str) -> tuple[int, ...]:
    """One setting for every axis: a single number serves all of them.

    Raises:
        ShapeError: a tuple of another length than the input has axes.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ShapeError(
            repr(thing),
            required=f"{name} with {axes} numbers for an input of {axes} spatial axes",
            got=f"{name}={value}",
            remedy=f"give one number, or {axes}",
        )
    return value


def _amounts(padding: Padding, axis: int, size: int, extent: int, stride: int) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        return total // 2, total - total // 2
    amount = padding if isinstance(padding, int) else int(padding[axis])
    return amount, amount


def windows(
    spatial: Shape,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: Padding,
    dilation: int | tuple[int, ...],
    thing: object,
    strict: bool = False,
) -> tuple[Axis, ...]:
    """The windows of a layer along each spatial axis of its input.

    Args:
        spatial: sizes of the spatial axes, (W,) or (H, W).
        kernel, stride, dilation: cells, one number for all axes or one per axis, >= 1.
        padding: "same", "valid", or cells on each side, one number or one per axis.
        thing: the layer, for messages.
        strict: refuse an output size that is not a whole number.

    Raises:
        ShapeError: the window does not fit, settings of the wrong length, or not whole and strict.
    """
    axes = len(spatial)
    kernels = per_axis(kernel, axes, thing, "kernel")
    strides = per_axis(stride, axes, thing, "stride")
    dilations = per_axis(dilation, axes, thing, "dilation")
    if not isinstance(padding, str):
        padding = per_axis(padding, axes, thing, "padding")
    found = []
    for i, cells in enumerate(spatial):
        extent = dilations[i] * (kernels[i] - 1) + 1
        low, high = _amounts(padding, i, cells, extent, strides[i])
        found.append(Axis(cells, kernels[i], strides[i], dilations[i], low, high))
    _check_fit(found, spatial, thing)
    if strict:
        _check_whole(found, thing)
    return tuple(found)


def _check_fit(found: list[Axis], spatial: Shape, thing: object) -> None:
    if any(axis.room < 0 for axis in found):
        least = tuple(axis.extent - axis.low - axis.high for axis in found)
        raise ShapeError(
            repr(thing),
            required=f"an input of at least {times(least)}",
            got=times(spatial),
            remedy='use padding="same" or a smaller kernel',
        )


def _check_whole(found: list[Axis], thing: object) -> None:
    for axis in found:
        if axis.room % axis.stride:
            formula = f"({axis.size} - {axis.extent} + {axis.low + axis.high}) / {axis.stride} + 1"
            raise ShapeError(
                repr(thing),
                required="a whole number of steps over its input (strict checking)",
                got=f"{formula} = {axis.room / axis.stride + 1:g}",
                remedy="change stride, padding or kernel so that the division leaves no rest",
            )
