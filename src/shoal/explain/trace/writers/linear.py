"""Writers of sums of products: Dense, the convolutions, Embedding, Positions.

A convolution, its transpose and a depthwise one are the same relation between three arrays: a cell
p of the smaller array, a tap t of the kernel and the cell of the larger array

    q = stride · p + dilation · t - low

Conv reads q and writes p; ConvTranspose reads p and writes q. Groups of channels do not mix.
"""

from collections.abc import Iterator
from itertools import product as each
from typing import Any, NamedTuple

import numpy as np

from shoal.explain.trace.expression import Expression, number, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Step
from shoal.explain.trace.writers.writer import Rule, Writer, rule, slope
from shoal.nets import Conv, ConvTranspose, DepthwiseConv
from shoal.nets.shapes import Axis


class OfDense(Writer):
    """Z = X W^T + b."""

    def rules(self, s: Step) -> list[Rule]:
        if "bias" in s.weights:
            arrays = {"z": s.y, "x": s.x, "w": s.weights["weight"], "b": s.weights["bias"]}
            return [rule("{z} = {x} · {w:T} + {b}", **arrays)]
        return [rule("{z} = {x} · {w:T}", z=s.y, x=s.x, w=s.weights["weight"])]

    def back_rules(self, s: Step) -> list[Rule]:
        w, dz = s.weights["weight"], slope(s.y)
        found = [
            rule("{dw} = {dz:T} · {x}", dw=slope(w), dz=dz, x=s.x),
            rule("{dx} = {dz} · {w}", dx=slope(s.x), dz=dz, w=w),
        ]
        if "bias" in s.weights:
            found[1:1] = [rule("{db} = sum over rows of {dz}", db=slope(s.weights["bias"]), dz=dz)]
        return found

    def forward(self, s: Step, i: Index) -> Expression:
        b, u = i
        w = s.weights["weight"]
        terms = [w.at(u, d) * s.x.at(b, d) for d in range(w.shape[1])]
        return total([*terms, s.weights["bias"].at(u)] if "bias" in s.weights else terms)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        (b, d), w = i, s.weights["weight"]
        return total([s.y.slope(b, u) * w.at(u, d) for u in range(w.shape[0])])

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        rows, u = range(s.y.shape[0]), i[0]
        if name == "bias":
            return total([s.y.slope(b, u) for b in rows])
        return total([s.y.slope(b, u) * s.x.at(b, i[1]) for b in rows])


class Link(NamedTuple):
    """One product of a convolution: input cell, output cell, weight; without the batch."""

    x: Index
    y: Index
    w: Index


class Links:
    """The products of a convolution, from each of its three ends.

    Attributes:
        axes: windows along each spatial axis, from the larger array to the smaller.
        per_group: channels of the larger array, and of the smaller, in a group.
        turned: whether the larger array is the output.
    """

    def __init__(self, s: Step) -> None:
        layer: Any = s.layer
        in_shape, out_shape = s.x.shape[1:], s.y.shape[1:]
        if isinstance(layer, DepthwiseConv):
            layer = layer._conv(in_shape[-1])
        assert isinstance(layer, Conv | ConvTranspose)
        self.axes: tuple[Axis, ...] = layer._axes(in_shape)
        self.turned = isinstance(layer, ConvTranspose)
        large, small = in_shape[-1], out_shape[-1]
        if self.turned:
            large, small = small, large
        self.per_group = (large // layer.groups, small // layer.groups)
        self.taps = list(each(*(range(axis.kernel) for axis in self.axes)))

    def into(self, cell: Index, output: bool) -> Iterator[Link]:
        """The products that an output cell is the sum of, or that an input cell is a factor of."""
        if output == self.turned:
            yield from self._of_large(cell)
        else:
            yield from self._of_small(cell)

    def _of_small(self, cell: Index) -> Iterator[Link]:
        *p, channel = cell
        group = channel // self.per_group[1]
        for tap in self.taps:
            q = self._large(p, tap)
            if q is None:
                continue
            for own in range(self.per_group[0]):
                far = (*q, group * self.per_group[0] + own)
                yield self._link(far, cell, (*tap, own, channel))

    def _of_large(self, cell: Index) -> Iterator[Link]:
        *q, channel = cell
        group, own = divmod(channel, self.per_group[0])
        for tap in self.taps:
            p = self._small(q, tap)
            if p is None:
                continue
            for number_ in range(self.per_group[1]):
                near = group * self.per_group[1] + number_
                yield self._link(cell, (*p, near), (*tap, own, near))

    def of_weight(self, w: Index) -> Iterator[Link]:
        """The products that a weight is a factor of."""
        *tap, own, channel = w
        group = channel // self.per_group[1]
        for p in each(*(range(axis.out) for axis in self.axes)):
            q = self._large(list(p), tuple(tap))
            if q is not None:
                far = (*q, group * self.per_group[0] + own)
                yield self._link(far, (*p, channel), w)

    def _link(self, large: Index, small: Index, w: Index) -> Link:
        return Link(small, large, w) if self.turned else Link(large, small, w)

    def _large(self, p: list[int], tap: Index) -> Index | None:
        """q = stride p + dilation t - low, or None where that is padding."""
        found = []
        for axis, at, t in zip(self.axes, p, tap, strict=True):
            q = axis.stride * at + axis.dilation * t - axis.low
            if not 0 <= q < axis.size:
                return None
            found.append(q)
        return tuple(found)

    def _small(self, q: list[int], tap: Index) -> Index | None:
        """The p that reads q through a tap, or None."""
        found = []
        for axis, at, t in zip(self.axes, q, tap, strict=True):
            p, rest = divmod(at + axis.low - axis.dilation * t, axis.stride)
            if rest or not 0 <= p < axis.out:
                return None
            found.append(p)
        return tuple(found)


class OfConv(Writer):
    """One output cell is the sum over the window that it sees of input times weight."""

    def rules(self, s: Step) -> list[Rule]:
        w = s.weights["weight"]
        template = "{z} = sum over the taps of {w} and channels of x · w, x in {x}"
        if "bias" in s.weights:
            return [rule(template + " + {b}", z=s.y, w=w, x=s.x, b=s.weights["bias"])]
        return [rule(template, z=s.y, w=w, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        w, dz = s.weights["weight"], slope(s.y)
        found = [rule("{dw} = sum over rows and cells of {dz} · {x}", dw=slope(w), dz=dz, x=s.x)]
        if "bias" in s.weights:
            db = slope(s.weights["bias"])
            found.append(rule("{db} = sum over rows and cells of {dz}", db=db, dz=dz))
        template = "{dx} = sum over the outputs that see a cell of {dz} · {w}"
        return [*found, rule(template, dx=slope(s.x), dz=dz, w=w)]

    def forward(self, s: Step, i: Index) -> Expression:
        b, cell = i[0], i[1:]
        w = s.weights["weight"]
        terms = [s.x.at(b, *k.x) * w.at(*k.w) for k in Links(s).into(cell, True)]
        return total([*terms, s.weights["bias"].at(i[-1])] if "bias" in s.weights else terms)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        b, cell = i[0], i[1:]
        w = s.weights["weight"]
        return total([s.y.slope(b, *k.y) * w.at(*k.w) for k in Links(s).into(cell, False)])

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        rows = range(s.y.shape[0])
        if name == "bias":
            space = list(np.ndindex(*s.y.shape[1:-1]))
            return total([s.y.slope(b, *p, i[0]) for b in rows for p in space])
        links = list(Links(s).of_weight(i))
        return total([s.y.slope(b, *k.y) * s.x.at(b, *k.x) for b in rows for k in links])


class OfEmbedding(Writer):
    """The row of the table that a code names."""

    def rules(self, s: Step) -> list[Rule]:
        v = s.weights["vectors"]
        return [rule("{y} = the row of {v} for each code in {x}", y=s.y, v=v, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        dv, dy = slope(s.weights["vectors"]), slope(s.y)
        return [rule("{dv} = sum of {dy} where a code names the row", dv=dv, dy=dy)]

    def forward(self, s: Step, i: Index) -> Expression:
        b, w, f = i
        return s.weights["vectors"].at(int(s.x.value[b, w]), f)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        """As ``Writer``; a code has no derivative."""
        return number(0.0)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        code, f = i
        named = np.argwhere(s.x.value.astype(int) == code)
        return total([s.y.slope(int(b), int(w), f) for b, w in named])


class OfPositions(Writer):
    """x plus the vector of the position."""

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = {x} + {v}", y=s.y, x=s.x, v=s.weights["vectors"])]

    def back_rules(self, s: Step) -> list[Rule]:
        dv, dy = slope(s.weights["vectors"]), slope(s.y)
        first = rule("{dx} = {dy}", dx=slope(s.x), dy=dy)
        return [first, rule("{dv} = sum over rows of {dy}", dv=dv, dy=dy)]

    def forward(self, s: Step, i: Index) -> Expression:
        return s.x.at(*i) + s.weights["vectors"].at(*i[1:])

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return s.y.slope(*i)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        return total([s.y.slope(b, *i) for b in range(s.y.shape[0])])
