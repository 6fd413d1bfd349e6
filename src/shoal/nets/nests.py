"""Layers made of layers: Sequential, Residual, and a graph of named branches, Concat and Add."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree, times
from shoal.describe import assign, part, static
from shoal.errors import RecipeError, ShapeError
from shoal.nets import compose
from shoal.nets.conv import Conv
from shoal.nets.dense import Dense
from shoal.nets.layer import Inner, Layer, Mode
from shoal.rules import Many, OneOf, Text


class Nest(Layer, abstract=True):
    """The interface of a layer made of layers; a subclass says how they are run."""

    computes = "any"
    layers: tuple[Layer, ...] = part(must=compose.LAYERS)

    @property
    def random(self) -> bool:
        return any(layer.random for layer in self.layers)

    def entries(self) -> tuple[Layer, ...]:
        return compose.entries(self.layers, self.parallel)

    def every(self) -> Iterator[Layer]:
        yield self
        for layer in self.layers:
            yield from layer.every()

    def inside(self, in_shape: Shape) -> Sequence[Inner]:
        return compose.inside(self.layers, in_shape)

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        return compose.parameters(self.inside(in_shape))

    def statistics(self, in_shape: Shape) -> dict[str, Any]:
        return compose.statistics(self.inside(in_shape))

    def multiply_adds(self, in_shape: Shape) -> int:
        return compose.multiply_adds(self.inside(in_shape))


class Sequential(Nest):
    """Layers one after another, as one layer: ``Sequential(Dense(8), ReLU())``."""

    def __init__(self, *layers: Layer) -> None:
        assign(self, {"layers": layers})

    @property
    def arranges(self) -> bool:  # type: ignore[override]
        return all(layer.arranges for layer in self.layers)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return compose.shapes(self.layers, in_shape, strict)[-1]

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return compose.run(self.layers, parameters, statistics, x, mode)


class Residual(Nest):
    """y = F(x) + shortcut(x), F being layers one after another (He et al. 2016, arXiv:1512.03385).

    Args:
        layers: F, one layer or more.
        shortcut: "identity" adds x itself, so F must keep the shape; "projection" adds a linear map
            of x: a Dense without bias, or a Conv of kernel 1 and the stride that F takes.
    """

    shortcut: str = static(default="identity", must=OneOf(("identity", "projection")))

    def __init__(self, *layers: Layer, shortcut: str = "identity") -> None:
        assign(self, {"layers": layers, "shortcut": shortcut})

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        out = compose.shapes(self.layers, in_shape, strict)[-1]
        if self.shortcut == "identity" and out != in_shape:
            raise ShapeError(
                repr(self),
                required=f"layers that keep the shape {times(in_shape)}",
                got=times(out),
                remedy='use shortcut="projection"',
            )
        if self.shortcut == "projection":
            self.projection(in_shape, out)
        return out

    def projection(self, in_shape: Shape, out: Shape) -> Layer:
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
        weights = super().parameters(in_shape)
        if self.shortcut == "projection":
            projection = self.projection(in_shape, self.output_shape(in_shape))
            weights["shortcut"] = projection.parameters(in_shape)
        return weights

    def multiply_adds(self, in_shape: Shape) -> int:
        total = super().multiply_adds(in_shape)
        if self.shortcut == "projection":
            projection = self.projection(in_shape, self.output_shape(in_shape))
            total += projection.multiply_adds(in_shape)
        return total

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        y, after = compose.run(self.layers, parameters, statistics, x, mode)
        if self.shortcut == "projection":
            projection = self.projection(x.shape[1:], y.shape[1:])
            x, _ = compose.run_one(0, "shortcut", projection, parameters, {}, x, mode)
        return reduce(jnp.add, alike([y, x])), after


def alike(arrays: list[Array]) -> list[Array]:
    """Arrays in one precision, the widest of them."""
    widest = max((array.dtype for array in arrays), key=lambda dtype: dtype.itemsize)
    return [array.astype(widest) for array in arrays]


class _Branches(Nest, abstract=True):
    """The interface of named branches that see the same input and whose outputs are joined.

    Branches nest, so that any graph of splits and joins can be written: a shortcut is a branch
    ``Identity()``, a skip over several layers a branch beside their ``Sequential``.
    """

    parallel = True
    names: tuple[str, ...] = static(must=Many(Text(), at_least=2))

    def __init__(self, *unnamed: Layer, **branches: Layer) -> None:
        if unnamed:
            name = type(self).__name__
            raise RecipeError(
                f"{name}(branches)",
                required="a name for each branch",
                got=f"{len(unnamed)} without",
                remedy=f"write {name}(left={unnamed[0]!r}, right=...)",
            )
        assign(self, {"layers": tuple(branches.values()), "names": tuple(branches)})

    def check(self) -> None:
        if len(set(self.names)) != len(self.layers):
            raise RecipeError(
                f"{type(self).__name__}(branches)",
                required="a name of its own for each branch",
                got=f"{list(self.names)} for {len(self.layers)} layers",
                remedy=f"write {type(self).__name__}(left=..., right=...)",
            )

    def __repr__(self) -> str:
        pairs = zip(self.names, self.layers, strict=True)
        return f"{type(self).__name__}({', '.join(f'{n}={layer!r}' for n, layer in pairs)})"

    def inside(self, in_shape: Shape) -> Sequence[Inner]:
        pairs = zip(self.names, self.layers, strict=True)
        return [Inner(name, layer, in_shape) for name, layer in pairs]

    def _branch_shapes(self, in_shape: Shape, strict: bool) -> dict[str, Shape]:
        """The shape that each branch gives, by name."""
        found = {}
        for name, layer, shape in self.inside(in_shape):
            try:
                found[name] = layer.output_shape(shape, strict)
            except ShapeError as error:
                raise error.within(f"branch {name!r}") from None
        return found

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        found: list[Array] = []
        after: dict[str, Any] = {}
        for index, (name, layer) in enumerate(zip(self.names, self.layers, strict=True)):
            y, gathered = compose.run_one(index, name, layer, parameters, statistics, x, mode)
            found.append(y)
            after |= gathered
        return self.joined(alike(found)), after

    def joined(self, outputs: list[Array]) -> Array:
        """The outputs of the branches as one."""
        raise NotImplementedError


class Concat(_Branches):
    """The channels of its branches side by side: ``Concat(near=Conv(8, 3), far=Conv(8, 7))``.

    Args:
        branches: layers by name; each sees the input, and their outputs may differ only in the
            last axis.
    """

    if TYPE_CHECKING:  # type checkers see the fields otherwise

        def __init__(self, **branches: Layer) -> None: ...

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        found = self._branch_shapes(in_shape, strict)
        spaces = {shape[:-1] for shape in found.values()}
        if len(spaces) > 1 or () in found.values():
            raise ShapeError(
                "Concat",
                required="branches whose outputs differ only in their channels",
                got=", ".join(f"{name} {times(shape)}" for name, shape in found.items()),
                remedy='use padding="same" and equal strides in all branches',
            )
        return (*spaces.pop(), sum(shape[-1] for shape in found.values()))

    def joined(self, outputs: list[Array]) -> Array:
        return jnp.concatenate(outputs, axis=-1)


class Add(_Branches):
    """The sum of its branches: ``Add(main=Sequential(...), shortcut=Identity())``.

    Args:
        branches: layers by name; each sees the input, and all give the same shape.
    """

    if TYPE_CHECKING:  # type checkers see the fields otherwise

        def __init__(self, **branches: Layer) -> None: ...

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        found = self._branch_shapes(in_shape, strict)
        if len(set(found.values())) > 1:
            raise ShapeError(
                "Add",
                required="branches that give the same shape",
                got=", ".join(f"{name} {times(shape)}" for name, shape in found.items()),
                remedy="give them the same filters or units, and equal strides",
            )
        return next(iter(found.values()))

    def joined(self, outputs: list[Array]) -> Array:
        return reduce(jnp.add, outputs)
