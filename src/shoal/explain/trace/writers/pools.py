"""Writers of pools: which cell of a window was chosen, or how many are averaged."""

from itertools import product as each
from typing import Any

import numpy as np

from shoal.explain.trace.expression import Expression, call, number, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Step
from shoal.explain.trace.writers.writer import Rule, Writer, rule, slope
from shoal.nets.pooling import Pool


def window(s: Step, o: Index) -> list[Index]:
    """The input cells that output cell o = (b, *p, c) sees, in reading order, padding left out."""
    b, *p, c = o
    if not isinstance(s.layer, Pool):  # a global pool sees all of space
        return [(b, *cell, c) for cell in np.ndindex(*s.x.shape[1:-1])]
    axes = s.layer.axes(s.x.shape[1:])
    ranges = []
    for axis, at in zip(axes, p, strict=True):
        taps = (axis.stride * at + axis.dilation * t - axis.low for t in range(axis.kernel))
        ranges.append([q for q in taps if 0 <= q < axis.size])
    return [(b, *cell, c) for cell in each(*ranges)]


def seen_by(s: Step, i: Index) -> list[Index]:
    """The output cells whose window holds input cell i = (b, *q, c)."""
    b, *q, c = i
    if not isinstance(s.layer, Pool):
        return [(b, c)]
    ranges = []
    for axis, at in zip(s.layer.axes(s.x.shape[1:]), q, strict=True):
        places = (
            divmod(at + axis.low - axis.dilation * t, axis.stride) for t in range(axis.kernel)
        )
        ranges.append(sorted({p for p, rest in places if not rest and 0 <= p < axis.out}))
    return [(b, *p, c) for p in each(*ranges)]


class OfMax(Writer):
    """The largest number of the window; its derivative goes to the first cell that holds it."""

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = the largest number of each window of {x}", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        return [rule("{dx} = {dy} where a cell was chosen, else 0", dx=slope(s.x), dy=slope(s.y))]

    def chosen(self, s: Step, o: Index) -> Index:
        """The cell that gave output o."""
        return max(window(s, o), key=lambda cell: s.x.value[cell])  # the first of equals

    def forward(self, s: Step, i: Index) -> Expression:
        return call("max", *(s.x.at(*cell) for cell in window(s, i)))

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return total([s.y.slope(*o) for o in seen_by(s, i) if self.chosen(s, o) == i])


class OfMean(Writer):
    """The mean of the window."""

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = the mean of each window of {x}", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        template = "{dx} = sum over the windows that see a cell of {dy} / cells of the window"
        return [rule(template, dx=slope(s.x), dy=slope(s.y))]

    def forward(self, s: Step, i: Index) -> Expression:
        cells = window(s, i)
        return total([s.x.at(*cell) for cell in cells]) / number(len(cells))

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        seen = seen_by(s, i)
        return total([s.y.slope(*o) / number(len(window(s, o))) for o in seen])


class OfReshape(Writer):
    """The same numbers in reading order in another shape."""

    def _moved(self, i: Index, shape: tuple[int, ...], to: tuple[int, ...]) -> Index:
        flat: Any = np.ravel_multi_index(i, shape)
        return tuple(int(k) for k in np.unravel_index(flat, to))

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = {x} in reading order", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        return [rule("{dx} = {dy} in reading order", dx=slope(s.x), dy=slope(s.y))]

    def forward(self, s: Step, i: Index) -> Expression:
        return s.x.at(*self._moved(i, s.y.shape, s.x.shape))

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return s.y.slope(*self._moved(i, s.x.shape, s.y.shape))
