"""Writers of normalisations: mean, variance and x-hat, and the derivative through all three.

Numbers that share a mean are a group of n: a channel over the batch and space (BatchNorm), the
channels of a position (LayerNorm, RMSNorm), a group of channels over space (GroupNorm). With
r = sqrt(variance + epsilon), xhat = (x - mean) / r and dxhat = dy · scale,

    dx = (dxhat - pull / n - xhat · turn / n) / r,    pull = sum dxhat,  turn = sum dxhat · xhat

over the group. RMSNorm has the mean square in the place of the variance, and no mean and no pull.
BatchNorm while predicting takes running averages, so dx = dxhat / r.
"""

from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import Expression, call, number, symbol, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.writer import Inner, Rule, Shaped, Writer, constant, rule, slope


class Parts(NamedTuple):
    """The arrays inside a normalisation.

    Attributes:
        groups: (G, n) numbers of the cells of x, in reading order, group by group.
        of: shape of x, the group of each of its numbers.
        mean, spread: one for each group; spread is the variance, or the mean square.
        xhat: of the shape of x, with dxhat as its gradient.
        pull, turn: one for each group.
    """

    groups: Numbers
    of: Numbers
    mean: Flow
    spread: Flow
    xhat: Flow
    pull: Flow
    turn: Flow


def folded(kind: str, array: Numbers, layer: Any) -> tuple[Numbers, tuple[int, ...]]:
    """An array as groups (G, n), and the shape of what there is one of for each group."""
    channels = array.shape[-1]
    if kind == "BatchNorm":
        return array.reshape(-1, channels).T, (channels,)
    if kind == "GroupNorm":
        rows, groups = array.shape[0], layer.groups
        parts = array.reshape(rows, -1, groups, channels // groups).swapaxes(1, 2)
        return parts.reshape(rows * groups, -1), (rows, groups)
    return array.reshape(-1, channels), array.shape[:-1]


class OfNorm(Writer):
    """scale · (x - mean) / sqrt(variance + epsilon) + offset."""

    centred = True
    spread = "variance"

    def running(self, s: Step) -> bool:
        """Whether mean and variance are those of the past, and not of these numbers."""
        return s.layer.kind == "BatchNorm" and not s.mode.training

    def parts(self, s: Step) -> Parts:
        """The arrays inside, computed once."""
        found: Parts = s.once("norm", lambda: self._parts(s))
        return found

    def _parts(self, s: Step) -> Parts:
        kind, layer, x = s.layer.kind, s.layer, s.x.value
        cells = np.arange(x.size).reshape(x.shape)
        groups, shape = folded(kind, cells, layer)
        values = x.reshape(-1)[groups]
        mean = values.mean(axis=1) if self.centred else np.zeros(len(groups), x.dtype)
        spread = ((values - mean[:, None]) ** 2).mean(axis=1)
        if self.running(s):
            mean, spread = s.statistics["mean"], s.statistics["variance"]
        root = np.sqrt(spread + float(layer.epsilon))  # type: ignore[attr-defined]
        of = np.empty(x.size, int)
        of[groups] = np.arange(len(groups))[:, None]
        of = of.reshape(x.shape)
        xhat = (x - mean[of]) / root[of]
        assert s.y.gradient is not None
        dxhat = s.y.gradient * s.weights["scale"].value
        grouped = dxhat.reshape(-1)[groups]
        pull, turn = grouped.sum(axis=1), (grouped * xhat.reshape(-1)[groups]).sum(axis=1)
        return Parts(
            groups,
            of,
            s.flow("mean", mean.reshape(shape)),
            s.flow(self.spread, spread.reshape(shape)),
            s.flow("xhat", xhat, dxhat),
            s.flow("pull", pull.reshape(shape)),
            s.flow("turn", turn.reshape(shape)),
        )

    def rules(self, s: Step) -> list[Rule]:
        p, scale = self.parts(s), s.weights["scale"]
        centre = " - {mean}" if self.centred else ""
        offset = {"offset": s.weights["offset"]} if "offset" in s.weights else {}
        arrays = {"x": s.x, "mean": p.mean, "spread": p.spread, "xhat": p.xhat}
        first = rule("{xhat} = ({x}" + centre + ") / √({spread} + epsilon)", **arrays)
        last = "{y} = {scale} · {xhat}" + (" + {offset}" if offset else "")
        return [first, rule(last, y=s.y, scale=scale, xhat=p.xhat, **offset)]

    def back_rules(self, s: Step) -> list[Rule]:
        p, dy = self.parts(s), slope(s.y)
        dxhat, r = slope(p.xhat), "√({spread} + epsilon)"
        found = [rule("{d} = {dy} · {scale}", d=dxhat, dy=dy, scale=s.weights["scale"])]
        pulls = "" if self.running(s) else " - {xhat} · {turn} / n"
        pulls = " - {pull} / n" + pulls if pulls and self.centred else pulls
        arrays: dict[str, Flow | Shaped] = {"dx": slope(s.x), "d": dxhat}
        arrays |= {"pull": p.pull, "turn": p.turn}
        template = "{dx} = ({d}" + pulls + f") / {r}"
        found.append(rule(template, xhat=p.xhat, spread=p.spread, **arrays))
        ds = slope(s.weights["scale"])
        found.append(rule("{ds} = sum of {dy} ⊙ {xhat}", ds=ds, dy=dy, xhat=p.xhat))
        if "offset" in s.weights:
            found.append(rule("{do} = sum of {dy}", do=slope(s.weights["offset"]), dy=dy))
        return found

    def _members(self, p: Parts, k: Index) -> list[Index]:
        """The cells of a group."""
        row = p.groups[np.ravel_multi_index(k, p.spread.shape)]
        return [tuple(int(n) for n in np.unravel_index(cell, p.of.shape)) for cell in row]

    def _group(self, p: Parts, i: Index) -> Index:
        """The group of a cell."""
        return tuple(int(n) for n in np.unravel_index(p.of[i], p.spread.shape))

    def _root(self, s: Step, k: Index) -> Expression:
        p, layer = self.parts(s), s.layer
        epsilon = constant(layer.epsilon)  # type: ignore[attr-defined]
        return call("sqrt", p.spread.at(*k) + epsilon)

    def inner(self, s: Step) -> list[Inner]:
        """Mean, variance, x-hat, and the two sums of the way back."""
        p = self.parts(s)
        found = [Inner(p.mean, lambda k: self._mean(s, k))] if self.centred else []
        found.append(Inner(p.spread, lambda k: self._spread(s, k)))
        found.append(Inner(p.xhat, lambda i: self._xhat(s, i), lambda i: self._dxhat(s, i)))
        if self.running(s):
            return found
        if self.centred:
            found.append(Inner(p.pull, lambda k: self._pull(p, k)))
        return [*found, Inner(p.turn, lambda k: self._turn(p, k))]

    def _mean(self, s: Step, k: Index) -> Expression:
        p = self.parts(s)
        if self.running(s):
            return symbol("running mean", p.mean.value[k])
        return total([s.x.at(*j) for j in self._members(p, k)]) / number(p.groups.shape[1])

    def _spread(self, s: Step, k: Index) -> Expression:
        p = self.parts(s)
        if self.running(s):
            return symbol("running variance", p.spread.value[k])
        cells = [s.x.at(*j) for j in self._members(p, k)]
        squares = [((x - p.mean.at(*k)) if self.centred else x) ** 2 for x in cells]
        return total(squares) / number(p.groups.shape[1])

    def _xhat(self, s: Step, i: Index) -> Expression:
        p, k = self.parts(s), self._group(self.parts(s), i)
        above = s.x.at(*i) - p.mean.at(*k) if self.centred else s.x.at(*i)
        return above / self._root(s, k)

    def _dxhat(self, s: Step, i: Index) -> Expression:
        return s.y.slope(*i) * s.weights["scale"].at(i[-1])

    def _pull(self, p: Parts, k: Index) -> Expression:
        return total([p.xhat.slope(*j) for j in self._members(p, k)])

    def _turn(self, p: Parts, k: Index) -> Expression:
        return total([p.xhat.slope(*j) * p.xhat.at(*j) for j in self._members(p, k)])

    def forward(self, s: Step, i: Index) -> Expression:
        scaled = s.weights["scale"].at(i[-1]) * self.parts(s).xhat.at(*i)
        return scaled + s.weights["offset"].at(i[-1]) if "offset" in s.weights else scaled

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        p, k = self.parts(s), self._group(self.parts(s), i)
        inside = p.xhat.slope(*i)
        if not self.running(s):
            n = number(p.groups.shape[1])
            if self.centred:
                inside = inside - p.pull.at(*k) / n
            inside = inside - p.xhat.at(*i) * p.turn.at(*k) / n
        return inside / self._root(s, k)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        cells = [c for c in s.y.cells() if c[-1] == i[0]]
        if name == "offset":
            return total([s.y.slope(*c) for c in cells])
        xhat = self.parts(s).xhat
        return total([s.y.slope(*c) * xhat.at(*c) for c in cells])


class OfRMSNorm(OfNorm):
    """scale · x / sqrt(mean of x² + epsilon)."""

    centred = False
    spread = "meansquare"
