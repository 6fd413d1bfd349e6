"""Layers made of layers: how a sequence is named, checked, drawn and run; Sequential and Residual.

Inside a sequence each layer is named by its kind and its number among that kind: ``dense1``,
``relu1``, ``dense2``. Parameters and statistics are dictionaries under these names, and hold only
the layers that have any.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import assign, part, static
from shoal.errors import ShapeError
from shoal.nets.conv import Conv
from shoal.nets.dense import Dense
from shoal.nets.layer import Layer, Mode
from shoal.rules import Is, Many, OneOf

LAYERS = Many(Is(Layer, "a layer"), at_least=1)


def named(layers: Sequence[Layer]) -> Iterator[tuple[str, Layer]]:
    """The layers with their names within the sequence."""
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        yield f"{layer.kind.lower()}{counts[layer.kind]}", layer


def shapes(layers: Sequence[Layer], in_shape: Shape, strict: bool = False) -> list[Shape]:
    """The shape of one example before the first layer and after each.

    Raises:
        ShapeError: naming the layer, what it needs, what reaches it and from which layer.
    """
    found = [in_shape]
    for position, layer in enumerate(layers):
        try:
            found.append(layer.output_shape(found[-1], strict))
        except ShapeError as error:
            before = f"layer {position} ({layers[position - 1]!r})" if position else "the input"
            raise ShapeError(
                f"layer {position + 1}: {error.thing}",
                required=error.required,
                got=f"{error.got} from {before}",
                remedy=error.remedy,
            ) from None
    return found


def collect(
    layers: Sequence[Layer], in_shape: Shape, question: Callable[[Layer, Shape], dict[str, Any]]
) -> dict[str, Any]:
    """The answers of the layers to a question about their input, by name, empty ones left out."""
    before = shapes(layers, in_shape)
    answers = {
        name: question(layer, shape)
        for (name, layer), shape in zip(named(layers), before, strict=False)
    }
    return {name: answer for name, answer in answers.items() if answer}


def multiply_adds(layers: Sequence[Layer], in_shape: Shape) -> int:
    """Multiplications followed by an addition of all layers, for one example forward."""
    before = shapes(layers, in_shape)
    return sum(layer.multiply_adds(s) for layer, s in zip(layers, before, strict=False))


def run(
    layers: Sequence[Layer], parameters: Tree, statistics: Tree, x: Array, mode: Mode
) -> tuple[Array, Tree]:
    """The output of the last layer and the statistics of all after it."""
    after = {}
    for index, (name, layer) in enumerate(named(layers)):
        inner = mode.enter(index) if layer.random else mode
        x, gathered = layer.apply(parameters.get(name, {}), statistics.get(name, {}), x, inner)
        if gathered:
            after[name] = gathered
    return x, after


class Sequential(Layer):
    """Layers one after another, as one layer: ``Sequential(Dense(8), ReLU())``."""

    layers: tuple[Layer, ...] = part(must=LAYERS)

    def __init__(self, *layers: Layer) -> None:
        assign(self, {"layers": layers})

    @property
    def random(self) -> bool:
        return any(layer.random for layer in self.layers)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return shapes(self.layers, in_shape, strict)[-1]

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        return collect(self.layers, in_shape, lambda layer, shape: layer.parameters(shape))

    def statistics(self, in_shape: Shape) -> dict[str, Any]:
        return collect(self.layers, in_shape, lambda layer, shape: layer.statistics(shape))

    def multiply_adds(self, in_shape: Shape) -> int:
        return multiply_adds(self.layers, in_shape)

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return run(self.layers, parameters, statistics, x, mode)


class Residual(Layer):
    """y = F(x) + shortcut(x), F being layers one after another (He et al. 2016, arXiv:1512.03385).

    Args:
        layers: F, one layer or more.
        shortcut: "identity" adds x itself, so F must keep the shape; "projection" adds a linear map
            of x: a Dense without bias, or a Conv of kernel 1 and the stride that F takes.
    """

    layers: tuple[Layer, ...] = part(must=LAYERS)
    shortcut: str = static(default="identity", must=OneOf(("identity", "projection")))

    def __init__(self, *layers: Layer, shortcut: str = "identity") -> None:
        assign(self, {"layers": layers, "shortcut": shortcut})

    @property
    def random(self) -> bool:
        return any(layer.random for layer in self.layers)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        out = shapes(self.layers, in_shape, strict)[-1]
        if self.shortcut == "identity" and out != in_shape:
            raise ShapeError(
                repr(self),
                required=f"layers that keep the shape {times(in_shape)}",
                got=times(out),
                remedy='use shortcut="projection"',
            )
        if self.shortcut == "projection":
            self._projection(in_shape, out)
        return out

    def _projection(self, in_shape: Shape, out: Shape) -> Layer:
        """The linear map from the shape of x to that of F(x)."""
        if len(in_shape) == 1 and len(out) == 1:
            return Dense(out[0], bias=False)
        if len(in_shape) == len(out):
            # With kernel 1 and "same" padding the output is ceil(W / S) cells.
            strides = tuple(
                max(1, round(w / w2)) for w, w2 in zip(in_shape[:-1], out[:-1], strict=True)
            )
            layer = Conv(out[-1], 1, stride=strides, bias=False)
            if layer.output_shape(in_shape) == out:
                return layer
        raise ShapeError(
            repr(self),
            required="layers whose output a linear shortcut can reach (same rank, a whole stride)",
            got=f"{times(out)} from {times(in_shape)}",
            remedy="change the strides of its layers",
        )

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        weights = collect(self.layers, in_shape, lambda layer, shape: layer.parameters(shape))
        if self.shortcut == "projection":
            projection = self._projection(in_shape, self.output_shape(in_shape))
            weights["shortcut"] = projection.parameters(in_shape)
        return weights

    def statistics(self, in_shape: Shape) -> dict[str, Any]:
        return collect(self.layers, in_shape, lambda layer, shape: layer.statistics(shape))

    def multiply_adds(self, in_shape: Shape) -> int:
        total = multiply_adds(self.layers, in_shape)
        if self.shortcut == "projection":
            projection = self._projection(in_shape, self.output_shape(in_shape))
            total += projection.multiply_adds(in_shape)
        return total

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        y, after = run(self.layers, parameters, statistics, x, mode)
        if self.shortcut == "projection":
            projection = self._projection(x.shape[1:], y.shape[1:])
            x, _ = projection.apply(parameters["shortcut"], {}, x, mode)
        return y + x, after
