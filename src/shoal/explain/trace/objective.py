"""How losses say their working: E from outputs and targets, and its derivative by each output.

Notation: z (B, T) outputs, t targets, L (B) the loss of each example, p the predictions where the
loss makes probabilities of the outputs. With weights w_b of the examples, m their sum,

    E = sum_b w_b L_b / m,        dE/dz[b,k] = w_b / m · dL_b/dz[b,k]

Losses that are sums over outputs have a row in ``SEPARATE``: the term of one output and its
derivative; the others one in ``TOGETHER``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import (
    Expression,
    Name,
    call,
    exponentials,
    log_sum,
    number,
    symbol,
    total,
)
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow

ONE, HALF, ZERO, TWO = number(1.0), number(0.5), number(0.0), number(2.0)
Pair = tuple[Expression, Expression]
Term = Callable[[Any, Expression, Expression], Pair]


@dataclass(frozen=True)
class Row:
    """One example before the loss: outputs, targets, predictions.

    Attributes:
        z: of each output; p: what the loss makes of it.
        t: a target for each output; one-hot where the target is a class.
        right: the number of the right class, or None.
    """

    z: Sequence[Expression]
    p: Sequence[Expression]
    t: Sequence[Expression]
    right: int | None


def _huber(loss: Any, z: Expression, t: Expression) -> Pair:
    e, delta = z - t, number(loss.delta)
    bent = call("clip", e, -delta, delta)
    if abs(e.result()) <= loss.delta:
        return HALF * e**2, e
    return delta * (call("abs", e) - HALF * delta), bent


def _log_cosh(loss: Any, z: Expression, t: Expression) -> Pair:
    e, size = z - t, call("abs", z - t)
    if abs(e.result()) < 300.0:
        return call("ln", call("cosh", e)), call("tanh", e)
    return size - call("ln", TWO), call("tanh", e)


def _quantile(loss: Any, z: Expression, t: Expression) -> Pair:
    q, e = number(loss.q), t - z
    above = e.result() > 0
    return call("max", q * e, (q - ONE) * e), -q if above else ONE - q


def _binary(loss: Any, z: Expression, t: Expression) -> Pair:
    stable = call("max", z, ZERO) - z * t + call("ln", ONE + call("exp", -call("abs", z)))
    return stable, call("sigmoid", z) - t


SEPARATE: dict[str, Term] = {
    "MeanSquaredError": lambda loss, z, t: ((z - t) ** 2, TWO * (z - t)),
    "HalfSquaredError": lambda loss, z, t: (HALF * (t - z) ** 2, -(t - z)),
    "MeanAbsoluteError": lambda loss, z, t: (call("abs", z - t), call("sign", z - t)),
    "Huber": _huber,
    "LogCosh": _log_cosh,
    "Quantile": _quantile,
    "Poisson": lambda loss, z, t: (call("exp", z) - t * z, call("exp", z) - t),
    "BinaryCrossEntropy": _binary,
}
"""Kind of a loss that adds up its outputs -> the term of one output, and its derivative."""

SUMS = ("HalfSquaredError",)
"""Those that are sums; the others are means over the outputs."""


def _cross_entropy(loss: Any, row: Row) -> tuple[Expression, list[Expression]]:
    c, right = len(row.z), row.right
    assert right is not None
    if loss.smoothing is None:
        value = log_sum(row.z) - row.z[right]
        return value, [p - t for p, t in zip(row.p, row.t, strict=True)]
    s = number(loss.smoothing)
    value = log_sum(row.z) - (ONE - s) * row.z[right] - s * total(row.z) / number(c)
    wanted = [(ONE - s) * t + s / number(c) for t in row.t]
    return value, [p - w for p, w in zip(row.p, wanted, strict=True)]


def _focal(loss: Any, row: Row) -> tuple[Expression, list[Expression]]:
    assert row.right is not None
    p, gamma = row.p[row.right], number(loss.gamma)
    # 1 - p as the sum of the other probabilities: p can be 1 to the last digit.
    rest = total([q for k, q in enumerate(row.p) if k != row.right])
    log_p = row.z[row.right] - log_sum(row.z)
    weight = Expression("^", parts=(rest, gamma))
    less = Expression("^", parts=(rest, gamma - ONE))
    factor = gamma * p * less * log_p - weight
    return -(weight * log_p), [factor * (t - q) for q, t in zip(row.p, row.t, strict=True)]


def _hinge(loss: Any, row: Row) -> tuple[Expression, list[Expression]]:
    right, c = row.right, number(len(row.z))
    assert right is not None
    margin = number(loss.margin)
    short = [call("max", ZERO, margin - row.z[right] + z) for z in row.z]
    others = [k for k in range(len(row.z)) if k != right]
    terms = [short[k] ** 2 if loss.squared else short[k] for k in others]
    pulls = {}
    for k in others:
        active = ONE if short[k].result() > 0 else ZERO
        pulls[k] = (TWO * short[k] if loss.squared else active) / c
    pulls[right] = -total([pulls[k] for k in others])
    return total(terms) / c, [pulls[k] for k in range(len(row.z))]


def _divergence(loss: Any, row: Row) -> tuple[Expression, list[Expression]]:
    logs = log_sum(row.z)
    terms = [
        t * (call("ln", t) - (z - logs))
        for z, t in zip(row.z, row.t, strict=True)
        if t.result() > 0
    ]
    shares = total(row.t)
    return total(terms), [p * shares - t for p, t in zip(row.p, row.t, strict=True)]


TOGETHER: dict[str, Callable[[Any, Row], tuple[Expression, list[Expression]]]] = {
    "CrossEntropy": _cross_entropy,
    "Focal": _focal,
    "Hinge": _hinge,
    "KLDivergence": _divergence,
}
"""Kind of a loss that looks at all outputs -> the loss of an example, its derivative by each."""


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a batch and everything that its formula needs.

    Attributes:
        loss: its description.
        z: the outputs (B, T), with dE/dz as their gradient.
        p: the predictions (B, T).
        targets: (B,) classes or (B, T) numbers.
        each: L (B,).
        weights: (B,) how much each example counts; m: their sum.
        value: E.
        own: dL_b/dz of the training code, (B, T), for losses that have no row here.
    """

    loss: Any
    z: Flow
    p: Flow
    targets: Flow
    each: Flow
    weights: Numbers
    m: float
    value: float
    own: Numbers

    def _row(self, b: int) -> Row:
        outputs = range(self.z.shape[1])
        right = int(self.targets.value[b]) if self.targets.value.ndim == 1 else None
        if right is None:
            t = [self.targets.at(b, k) for k in outputs]
        else:
            t = [number(float(k == right)) for k in outputs]
        z = [self.z.at(b, k) for k in outputs]
        return Row(z, [self.p.at(b, k) for k in outputs], t, right)

    @property
    def text(self) -> str:
        """The formula of the loss, from its description."""
        return str(type(self.loss).__doc__).split("\n", 1)[0].rstrip(".")

    def makes_probabilities(self) -> bool:
        """Whether predictions are softmax(z)."""
        return self.loss.kind in ("CrossEntropy", "Focal", "KLDivergence")

    def prediction(self, i: Index) -> Expression:
        """The formula of a probability."""
        b, k = i
        row = [self.z.at(b, c) for c in range(self.z.shape[1])]
        powers = exponentials(row)
        return powers[k] / total(powers)

    def terms(self, b: int) -> list[tuple[Name, Expression]]:
        """The named terms of the loss of an example that is a sum over outputs; else none."""
        if self.loss.kind not in SUMS:
            return []
        row, found = self._row(b), []
        for k, (z, t) in enumerate(zip(row.z, row.t, strict=True)):
            found.append((self._term_name(b, k), SEPARATE[self.loss.kind](self.loss, z, t)[0]))
        return found

    def _term_name(self, b: int, k: int) -> Name:
        own = self.z.names.special.get((self.z.symbol, (b, k)))
        if own is not None:
            unit = own.split("_", 1)[-1]
            return Name(f"E_{unit}", f"E_{{{unit}}}")
        return Name(f"E[{b},{k}]", f"E_{{{b},{k}}}")

    def example(self, b: int) -> Expression:
        """The formula of the loss of an example."""
        kind, row = self.loss.kind, self._row(b)
        if kind in SEPARATE:
            pairs = zip(row.z, row.t, strict=True)
            terms = [SEPARATE[kind](self.loss, z, t)[0] for z, t in pairs]
            if kind in SUMS:
                named = zip(self.terms(b), terms, strict=True)
                return total([Expression("symbol", t.result(), n) for (n, _), t in named])
            return total(terms) / number(len(terms)) if len(terms) > 1 else terms[0]
        if kind in TOGETHER:
            return TOGETHER[kind](self.loss, row)[0]
        return symbol(f"{self.loss!r}({self.z.symbol}[{b}], t[{b}])", self.each.value[b])

    def total(self) -> Expression:
        """The formula of E."""
        rows = range(len(self.weights))
        if len(self.weights) == 1:
            return self.each.at(0)
        if np.all(self.weights == 1.0):
            return total([self.each.at(b) for b in rows]) / number(self.m)
        terms = [number(self.weights[b]) * self.each.at(b) for b in rows]
        return total(terms) / number(self.m)

    def slope(self, i: Index) -> Expression:
        """The formula of dE/dz[b,k]."""
        b, k = i
        own = self._own_slope(b, k)
        share = self.weights[b] / self.m
        if share == 1.0:
            return own
        weighed = own if self.weights[b] == 1.0 else number(self.weights[b]) * own
        return weighed / number(self.m)

    def _own_slope(self, b: int, k: int) -> Expression:
        """The formula of dL_b/dz[b,k]."""
        kind, row = self.loss.kind, self._row(b)
        if kind in SEPARATE:
            own = SEPARATE[kind](self.loss, row.z[k], row.t[k])[1]
            means = kind not in SUMS and len(row.z) > 1
            return own / number(len(row.z)) if means else own
        if kind in TOGETHER:
            return TOGETHER[kind](self.loss, row)[1][k]
        name = self.z.names.of(self.z.symbol, (b, k))
        latex = rf"\frac{{\partial L_{{{b}}}}}{{\partial {name.latex}}}"
        return symbol(f"dL[{b}]/d{name.text}", self.own[b, k], latex)
