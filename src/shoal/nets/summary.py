"""The table of a network: what each layer gives, holds and costs, before anything runs.

The receptive field of a cell is the part of the input that it can see. Along one axis, with r the
field and j the distance in the input between neighbouring cells, a layer with a window of extent F'
and stride S gives  r <- r + (F' - 1) j  and  j <- j S  (Dumoulin and Visin 2016).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import jax

from shoal.arrays import Shape, size, times
from shoal.nets import compose
from shoal.nets.layer import Inner, Layer, Weight

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
    start = Sight(*((1,) * len(in_shape[:-1]),) * 2)
    rows = _rows(compose.inside(layers, in_shape), start, in_shape[:-1], False, "")
    return Summary(in_shape, tuple(rows))


class Sight(NamedTuple):
    """What a cell sees along each spatial axis: field r and distance j of neighbours, in cells."""

    field: tuple[int | Fraction, ...]
    jump: tuple[int | Fraction, ...]


def _rows(
    inner: Sequence[Inner], sight: Sight, space: Shape, parallel: bool, indent: str
) -> Iterator[Row]:
    start = sight
    for name, layer, before in inner:
        after, inside = layer.output_shape(before), layer.inside(before)
        sight = start if parallel else sight
        reached, sight = sight, _widen(layer, before, sight, space)
        seen = tuple(min(math.ceil(f), s) for f, s in zip(sight.field, space, strict=True))
        # A nest counts what is its own (a projection); its layers count the rest.
        inner_count = sum(count_parameters(child.layer, child.in_shape) for child in inside)
        count = count_parameters(layer, before) - inner_count
        cost = layer.multiply_adds(before) - compose.multiply_adds(inside)
        memory = BYTES * (count + size(after))
        text = f"{layer.kind}: {len(inside)} layers" if inside else repr(layer)
        yield Row(indent + name, text, after, count, cost, memory, seen)
        yield from _rows(inside, reached, space, layer.parallel, indent + "  ")


def count_parameters(layer: Layer, in_shape: Shape) -> int:
    """How many numbers of a layer training changes."""
    weights = jax.tree.leaves(layer.parameters(in_shape), is_leaf=lambda w: isinstance(w, Weight))
    return sum(size(weight.shape) for weight in weights)


def _widen(layer: Layer, in_shape: Shape, sight: Sight, space: Shape) -> Sight:
    """What a cell of the layer's output sees, given what one of its input sees."""
    inside = layer.inside(in_shape)
    if inside and layer.parallel:
        found = [_widen(child.layer, child.in_shape, sight, space) for child in inside]
        return Sight(*(tuple(map(max, *sides)) for sides in zip(*found, strict=True)))
    if inside:
        # A shortcut past them never sees more than they do.
        for child in inside:
            sight = _widen(child.layer, child.in_shape, sight, space)
        return sight
    window = layer.window(in_shape)
    if window is not None and len(window.extent) == len(sight.field):
        steps = zip(sight.field, window.extent, sight.jump, strict=True)
        wider = tuple(f + (e - 1) * j for f, e, j in steps)
        return Sight(wider, tuple(j * s for j, s in zip(sight.jump, window.stride, strict=True)))
    if len(layer.output_shape(in_shape)) == len(in_shape) and window is None:
        return sight
    return sight._replace(field=space)  # space ends or is made anew: what follows sees everything


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
