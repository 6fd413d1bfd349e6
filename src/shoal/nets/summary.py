"""The table of a network: what each layer gives, holds and costs, before anything runs.

The receptive field of a cell is the part of the input that it can see. Along one axis, with r the
field and j the distance in the input between neighbouring cells, a layer with a window of extent F'
and stride S gives  r <- r + (F' - 1) j  and  j <- j S  (Dumoulin and Visin 2016).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jax

from shoal.arrays import Shape, size, times
from shoal.nets import compose
from shoal.nets.layer import Layer, Weight

BYTES = 4  # of a number in float32


@dataclass(frozen=True)
class Row:
    """One layer of the table.

    Attributes:
        name: its name in the parameters (``dense1``).
        text: its description (``Dense(64)``).
        shape: of one output, batch left out.
        parameters: how many numbers training changes.
        multiply_adds: for one example forward.
        bytes: of the parameters and of one output, in float32.
        field: receptive field along each spatial axis, in cells; () where there is no space.
    """

    name: str
    text: str
    shape: Shape
    parameters: int
    multiply_adds: int
    bytes: int
    field: Shape


@dataclass(frozen=True)
class Summary:
    """The rows of a network and their sums. Print it to see the table."""

    in_shape: Shape
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def bytes(self) -> int:
        return sum(row.bytes for row in self.rows)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def summarise(layers: Sequence[Layer], in_shape: Shape, strict: bool = False) -> Summary:
    """The summary of layers one after another; the layers of a nest follow it, indented.

    Raises:
        ShapeError: a layer cannot take what reaches it.
    """
    compose.shapes(layers, in_shape, strict)
    field = jump = (1,) * len(in_shape[:-1])
    return Summary(in_shape, tuple(_rows(layers, in_shape, field, jump, in_shape[:-1], "")))


def _rows(
    layers: Sequence[Layer], in_shape: Shape, field: Shape, jump: Shape, space: Shape, indent: str
) -> Iterator[Row]:
    shapes = compose.shapes(layers, in_shape)
    steps = zip(compose.named(layers), shapes[:-1], shapes[1:], strict=True)
    for (name, layer), before, after in steps:
        inside: Sequence[Layer] = getattr(layer, "layers", ())
        start = field, jump
        if len(after) < len(before):
            field = space  # Flatten and global pools end space: what follows sees everything
        elif len(before) > 1:
            field, jump = _widen(layer, before, field, jump)
        seen = tuple(min(f, s) for f, s in zip(field, space, strict=True))
        # A nest counts what is its own (a projection); its layers count the rest.
        count = count_parameters(layer, before) - _inner(inside, before, count_parameters)
        cost = layer.multiply_adds(before) - compose.multiply_adds(inside, before)
        memory = BYTES * (count + size(after))
        text = f"{layer.kind}: {len(inside)} layers" if inside else repr(layer)
        yield Row(indent + name, text, after, count, cost, memory, seen)
        if inside:
            yield from _rows(inside, before, *start, space, indent + "  ")


def _inner(layers: Sequence[Layer], in_shape: Shape, count: Callable[[Layer, Shape], int]) -> int:
    shapes = compose.shapes(layers, in_shape)
    return sum(count(layer, shape) for layer, shape in zip(layers, shapes, strict=False))


def count_parameters(layer: Layer, in_shape: Shape) -> int:
    """How many numbers of a layer training changes."""
    weights = jax.tree.leaves(layer.parameters(in_shape), is_leaf=lambda w: isinstance(w, Weight))
    return sum(size(weight.shape) for weight in weights)


def _widen(layer: Layer, in_shape: Shape, field: Shape, jump: Shape) -> tuple[Shape, Shape]:
    inside = getattr(layer, "layers", None)
    if inside is not None:
        # A nest widens like its layers in turn; a shortcut never sees more than they do.
        shapes = compose.shapes(inside, in_shape)
        for inner, before in zip(inside, shapes[:-1], strict=True):
            field, jump = _widen(inner, before, field, jump)
        return field, jump
    window = layer.window(in_shape)
    if window is None:
        return field, jump
    wider = tuple(f + (e - 1) * j for f, e, j in zip(field, window.extent, jump, strict=True))
    return wider, tuple(j * s for j, s in zip(jump, window.stride, strict=True))


def _lines(summary: Summary) -> Iterator[str]:
    head = ("layer", "description", "output", "parameters", "multiply-adds", "bytes", "sees")
    table: list[tuple[str, ...]] = [head, ("input", "", times(summary.in_shape), "", "", "", "")]
    for row in summary.rows:
        numbers = [f"{n:,}" for n in (row.parameters, row.multiply_adds, row.bytes)]
        seen = times(row.field) if row.field else ""
        table.append((row.name, row.text, times(row.shape), *numbers, seen))
    sums = [f"{n:,}" for n in (summary.parameters, summary.multiply_adds, summary.bytes)]
    table.append(("total", "", "", *sums, ""))
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    rule = "  ".join("-" * width for width in widths)
    for number, line in enumerate(table):
        if number in (1, len(table) - 1):
            yield rule
        cells = [
            cell.rjust(width) if 3 <= column <= 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
