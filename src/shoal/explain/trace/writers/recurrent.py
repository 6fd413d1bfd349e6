"""Writers of recurrent layers: the gates of every position, and back through time.

Arrays are (B, W, U): example, position, unit; ``net`` (B, W, gates · U) goes into the gates.
The position before t in the order of the layer is t - 1, or t + 1 where it goes from the end to the
start. Formulas are those of ``shoal.nets.recurrent``; through time,

    dh_t = dY_t + what the next position takes back,    dW = sum dnet x,    dX = dnet W
"""

from abc import abstractmethod
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import Expression, call, number, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.writer import Inner, Rule, Writer, rule, slope

ONE = number(1.0)
Arrays = dict[str, Numbers]


class OfRecurrent(Writer):
    """The interface of recurrent writers: what they share is ``net`` and the four gradients."""

    words: tuple[str, ...] = ("net", "h")

    # --- arrays ----------------------------------------------------------------------------------

    def parts(self, s: Step) -> dict[str, Flow]:
        """The arrays inside by their word, with their derivatives, computed once."""

        def compute() -> dict[str, Flow]:
            order = self.order(s)
            values = self._forwards(s, order)
            slopes = self._backwards(s, order, values)
            return {word: s.flow(word, values[word], slopes[word]) for word in self.words}

        found: dict[str, Flow] = s.once("recurrent", compute)
        return found

    def order(self, s: Step) -> list[int]:
        """The positions in the order in which the layer goes."""
        positions = list(range(s.x.shape[1]))
        reverse = s.layer.reverse  # type: ignore[attr-defined]
        return positions[::-1] if reverse else positions

    def _units(self, s: Step) -> int:
        return int(s.layer.units)  # type: ignore[attr-defined]

    def _empty(self, s: Step) -> Arrays:
        shape, u = s.x.shape[:2], self._units(s)
        gates = s.weights["weight"].shape[0]
        return {
            word: np.zeros((*shape, gates if word == "net" else u), s.x.value.dtype)
            for word in self.words
        }

    def _forwards(self, s: Step, order: list[int]) -> Arrays:
        values = self._empty(s)
        inputs = s.x.value @ s.weights["weight"].value.T + self.bias(s)
        for n, t in enumerate(order):
            before = {word: values[word][:, order[n - 1]] if n else 0.0 * values[word][:, t]
                      for word in self.words}  # fmt: skip
            for word, value in self.at(s, inputs[:, t], before).items():
                values[word][:, t] = value
        return values

    def _backwards(self, s: Step, order: list[int], values: Arrays) -> Arrays:
        slopes = self._empty(s)
        assert s.y.gradient is not None
        for n in reversed(range(len(order))):
            t = order[n]
            here = {word: values[word][:, t] for word in self.words}
            before = {word: values[word][:, order[n - 1]] if n else 0.0 * here[word]
                      for word in self.words}  # fmt: skip
            dy = self._direct(s, t, last=n == len(order) - 1)
            taken: dict[str, Any] = {}
            if n + 1 < len(order):
                after = order[n + 1]
                following = {word: slopes[word][:, after] for word in self.words}
                there = {word: values[word][:, after] for word in self.words}
                taken = self.taken(s, there, following)
            for word, value in self.back_at(s, here, before, dy, taken).items():
                slopes[word][:, t] = value
        return slopes

    def _direct(self, s: Step, t: int, last: bool) -> Any:
        """What the output itself says about h_t."""
        assert s.y.gradient is not None
        if s.y.value.ndim == 3:
            return s.y.gradient[:, t]
        return s.y.gradient if last else np.zeros_like(s.y.gradient)

    def bias(self, s: Step) -> Numbers:
        """The bias of ``net``."""
        return s.weights["bias"].value

    @abstractmethod
    def at(self, s: Step, inputs: Numbers, before: Arrays) -> Arrays:
        """The arrays of one position from W x + b and those of the position before."""

    @abstractmethod
    def back_at(self, s: Step, here: Arrays, before: Arrays, dy: Any, taken: Arrays) -> Arrays:
        """The derivatives of one position; ``taken`` comes from the position after it."""

    @abstractmethod
    def taken(self, s: Step, there: Arrays, slopes: Arrays) -> Arrays:
        """What a position hands back to the one before: derivatives by its h (and c)."""

    # --- single numbers --------------------------------------------------------------------------

    def before(self, s: Step, word: str, i: Index) -> Expression:
        """A number of the position before, 0 before the first one."""
        b, t, u = i
        order = self.order(s)
        n = order.index(t)
        return self.parts(s)[word].at(b, order[n - 1], u) if n else number(0.0)

    def after(self, s: Step, t: int) -> int | None:
        """The position after t, None after the last one."""
        order = self.order(s)
        n = order.index(t)
        return order[n + 1] if n + 1 < len(order) else None

    def inputs(self, s: Step, i: Index) -> list[Expression]:
        """The terms of W x + b of number i of ``net``."""
        (b, t, j), w = i, s.weights["weight"]
        terms = [w.at(j, c) * s.x.at(b, t, c) for c in range(w.shape[1])]
        return [*terms, self.bias_at(s, j)]

    def bias_at(self, s: Step, j: int) -> Expression:
        """The bias of number j of ``net``."""
        return s.weights["bias"].at(j)

    def recurrent(self, s: Step, j: int, i: Index, word: str = "h") -> list[Expression]:
        """The terms of R h before position (b, t), row j of R."""
        b, t = i[:2]
        r = s.weights["recurrent_weight"]
        if self.order(s)[0] == t:
            return []
        return [r.at(j, u) * self.before(s, word, (b, t, u)) for u in range(r.shape[1])]

    def net(self, s: Step, i: Index) -> Expression:
        """The formula of what goes into a gate."""
        return total([*self.inputs(s, i), *self.recurrent(s, i[2], i)])

    def direct(self, s: Step, i: Index) -> list[Expression]:
        """The derivative that reaches h from the output itself."""
        b, t, u = i
        if s.y.value.ndim == 3:
            return [s.y.slope(b, t, u)]
        return [s.y.slope(b, u)] if self.after(s, t) is None else []

    def dh(self, s: Step, i: Index) -> Expression:
        """The derivative by h."""
        (b, t, u), p = i, self.parts(s)
        after, r = self.after(s, t), s.weights["recurrent_weight"]
        terms = self.direct(s, i)
        if after is not None:
            terms += [p["net"].slope(b, after, j) * r.at(j, u) for j in range(r.shape[0])]
        return total(terms)

    def forward(self, s: Step, i: Index) -> Expression:
        h = self.parts(s)["h"]
        return h.at(*i) if len(i) == 3 else h.at(i[0], self.order(s)[-1], i[1])

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        (b, t, c), w, net = i, s.weights["weight"], self.parts(s)["net"]
        return total([net.slope(b, t, j) * w.at(j, c) for j in range(w.shape[0])])

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        p, places = self.parts(s), list(np.ndindex(*s.x.shape[:2]))
        if name == "weight":
            return total([p["net"].slope(*at, i[0]) * s.x.at(*at, i[1]) for at in places])
        if name == "recurrent_weight":
            return self.recurrent_gradient(s, i)
        return total([p["net"].slope(*at, i[0]) for at in places])

    def recurrent_gradient(self, s: Step, i: Index) -> Expression:
        """The derivative by a number of R."""
        net = self.parts(s)["net"]
        return self.pairs(s, net, i[0], "h", i[1])

    def pairs(self, s: Step, slopes: Flow, j: int, word: str, u: int) -> Expression:
        """The sum over examples and positions of a derivative times a number before."""
        first = self.order(s)[0]
        places = [at for at in np.ndindex(*s.x.shape[:2]) if at[1] != first]
        return total([slopes.slope(*at, j) * self.before(s, word, (*at, u)) for at in places])

    # --- formulas of arrays ----------------------------------------------------------------------

    def rules(self, s: Step) -> list[Rule]:
        p, w = self.parts(s), s.weights
        template = "{net} = {x} · {w:T} + {b} + h before · {r:T}"
        arrays = {"net": p["net"], "x": s.x, "w": w["weight"], "b": w["bias"]}
        first = rule(template, r=w["recurrent_weight"], **arrays)
        which = "" if s.y.value.ndim == 3 else " at the last position"
        return [first, *self.gates(s), rule("{y} = {h}" + which, y=s.y, h=p["h"])]

    def gates(self, s: Step) -> list[Rule]:
        """The formulas from ``net`` to h."""
        p = self.parts(s)
        return [rule("{h} = tanh({net})", h=p["h"], net=p["net"])]

    def back_rules(self, s: Step) -> list[Rule]:
        p, w = self.parts(s), s.weights
        dnet = slope(p["net"])
        found = [
            rule(
                "{dh} = {dy} + what the position after hands back", dh=slope(p["h"]), dy=slope(s.y)
            ),
            rule("{dx} = {dnet} · {w}", dx=slope(s.x), dnet=dnet, w=w["weight"]),
        ]
        over = "{dw} = sum over rows and positions of {dnet} · "
        found.append(rule(over + "{x}", dw=slope(w["weight"]), dnet=dnet, x=s.x))
        dr = slope(w["recurrent_weight"])
        return [*found, rule(over + "h before", dw=dr, dnet=dnet)]

    def inner(self, s: Step) -> list[Inner]:
        """As ``Writer``: ``net``, the gates, h."""
        return [
            Inner(
                flow,
                lambda i, word=word: getattr(self, word)(s, i),  # type: ignore[misc]
                lambda i, word=word: getattr(self, f"d{word}")(s, i),  # type: ignore[misc]
            )
            for word, flow in self.parts(s).items()
        ]


class OfRNN(OfRecurrent):
    """h_t = tanh(net_t)."""

    def at(self, s: Step, inputs: Numbers, before: Arrays) -> Arrays:
        net = inputs + before["h"] @ s.weights["recurrent_weight"].value.T
        return {"net": net, "h": np.tanh(net)}

    def back_at(self, s: Step, here: Arrays, before: Arrays, dy: Any, taken: Arrays) -> Arrays:
        dh = dy + taken.get("h", 0.0)
        return {"h": dh, "net": dh * (1.0 - here["h"] ** 2)}

    def taken(self, s: Step, there: Arrays, slopes: Arrays) -> Arrays:
        return {"h": slopes["net"] @ s.weights["recurrent_weight"].value}

    def h(self, s: Step, i: Index) -> Expression:
        """The formula of the state."""
        return call("tanh", self.parts(s)["net"].at(*i))

    def dnet(self, s: Step, i: Index) -> Expression:
        """The derivative by what goes into tanh."""
        h = self.parts(s)["h"]
        return h.slope(*i) * (ONE - h.at(*i) ** 2)
