"""Writers of activations: functions of every number on its own, and softmax over a row.

Each row of ``POINTWISE`` gives f(x) and f'(x) as expressions of x and y = f(x), where y makes the
derivative shorter.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from shoal.explain.trace.expression import (
    Expression,
    call,
    exponentials,
    log_sum,
    number,
    symbol,
    total,
)
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.writer import Inner, Rule, Shaped, Writer, constant, rule, slope
from shoal.nets.rectifiers import SELU_ALPHA, SELU_SCALE

ONE, HALF, ZERO = number(1.0), number(0.5), number(0.0)
Pair = tuple[Expression, Expression]
Written = Callable[[Any, Expression, Expression], Pair]
"""From the layer, x and y to f(x) and f'(x)."""


def _sigma(x: Expression) -> Expression:
    return call("sigmoid", x)


def _softplus(x: Expression) -> Expression:
    """ln(1 + e^x), by the form that does not overflow where x is large."""
    if x.result() > 30.0:
        return x + call("ln", ONE + call("exp", -x))
    return call("ln", ONE + call("exp", x))


def _leaky(x: Expression, inclination: Expression) -> Pair:
    return (x, ONE) if x.result() > 0 else (inclination * x, inclination)


def _relu(layer: Any, x: Expression, y: Expression) -> Pair:
    return call("max", x, ZERO), call("positive", x)


def _exponential(x: Expression, y: Expression, alpha: Any, beside: Any = 1.0) -> Pair:
    """alpha (e^(x / beside) - 1) below 0."""
    if x.result() > 0:
        return x, ONE
    inner = x if beside == 1.0 else x / constant(beside)
    power = call("exp", inner)
    outer = constant(alpha)
    return outer * (power - ONE), power if alpha == beside else outer * power


def _selu(layer: Any, x: Expression, y: Expression) -> Pair:
    scale, alpha = number(SELU_SCALE), number(SELU_ALPHA)
    if x.result() > 0:
        return scale * x, scale
    return scale * alpha * (call("exp", x) - ONE), scale * alpha * call("exp", x)


def _swish(x: Expression, beta: Expression | None) -> Pair:
    """x σ(beta x), and σ + beta x σ (1 - σ)."""
    inner = x if beta is None else beta * x
    gate = _sigma(inner)
    return x * gate, gate + inner * gate * (ONE - gate)


def _gelu(layer: Any, x: Expression, y: Expression) -> Pair:
    if not layer.approximate:
        bell = call("exp", -(x**2) / number(2.0)) / call("sqrt", number(2.0 * math.pi))
        gate = call("Phi", x)
        return x * gate, gate + x * bell
    root, c = call("sqrt", number(2.0 / math.pi)), number(0.044715)
    t = call("tanh", root * (x + c * x**3))
    steep = root * (ONE + number(3.0) * c * x**2)
    return HALF * x * (ONE + t), HALF * (ONE + t) + HALF * x * (ONE - t**2) * steep


def _mish(layer: Any, x: Expression, y: Expression) -> Pair:
    t = call("tanh", _softplus(x))
    return x * t, t + x * (ONE - t**2) * _sigma(x)


def _hard_swish(layer: Any, x: Expression, y: Expression) -> Pair:
    gate = call("clip", x / number(6.0) + HALF, ZERO, ONE)
    if abs(x.result()) >= 3.0:
        return x * gate, ONE if x.result() > 0 else ZERO
    return x * gate, x / number(3.0) + HALF


def _softplus_of(layer: Any, x: Expression, y: Expression) -> Pair:
    if layer.beta == 1.0:
        return _softplus(x), _sigma(x)
    beta = constant(layer.beta)
    return _softplus(beta * x) / beta, _sigma(beta * x)


def _softsign(layer: Any, x: Expression, y: Expression) -> Pair:
    below = ONE + call("abs", x)
    return x / below, ONE / below**2


def _hard_sigmoid(layer: Any, x: Expression, y: Expression) -> Pair:
    rise, offset = constant(layer.slope), constant(layer.offset)
    inside = 0.0 < (rise * x + offset).result() < 1.0
    return call("clip", rise * x + offset, ZERO, ONE), rise if inside else ZERO


POINTWISE: dict[str, Written] = {
    "Identity": lambda layer, x, y: (x, ONE),
    "Sigmoid": lambda layer, x, y: (ONE / (ONE + call("exp", -x)), y * (ONE - y)),
    "Tanh": lambda layer, x, y: (call("tanh", x), ONE - y**2),
    "Softsign": _softsign,
    "HardSigmoid": _hard_sigmoid,
    "ReLU": _relu,
    "LeakyReLU": lambda layer, x, y: _leaky(x, constant(layer.slope)),
    "ELU": lambda layer, x, y: _exponential(x, y, layer.alpha),
    "CELU": lambda layer, x, y: _exponential(x, y, layer.alpha, layer.alpha),
    "SELU": _selu,
    "SiLU": lambda layer, x, y: _swish(x, None),
    "GELU": _gelu,
    "Mish": _mish,
    "HardSwish": _hard_swish,
    "Softplus": _softplus_of,
}
"""Kind of an activation -> its formula and its derivative."""


class OfPointwise(Writer):
    """y = f(x) for every number; dx = dy · f'(x)."""

    def _pair(self, s: Step, i: Index) -> Pair:
        return POINTWISE[s.layer.kind](s.layer, s.x.at(*i), s.y.at(*i))

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = " + function_name(s) + "({x})", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        template = "{dx} = {dy} ⊙ " + function_name(s) + "'({x})"
        return [rule(template, dx=slope(s.x), dy=slope(s.y), x=s.x)]

    def forward(self, s: Step, i: Index) -> Expression:
        return self._pair(s, i)[0]

    def local(self, s: Step, i: Index) -> Expression:
        """f'(x_i)."""
        return self._pair(s, i)[1]

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return s.y.slope(*i) * self.local(s, i)


def function_name(s: Step) -> str:
    """What an activation is called in a formula."""
    return "σ" if s.layer.kind == "Sigmoid" else s.layer.kind.lower()


class OfPReLU(OfPointwise):
    """A slope for each channel, or one for the layer, that is learned."""

    def _slope(self, s: Step, i: Index) -> Expression:
        flow = s.weights["slope"]
        return flow.at(i[-1] if flow.shape[0] > 1 else 0)

    def _pair(self, s: Step, i: Index) -> Pair:
        return _leaky(s.x.at(*i), self._slope(s, i))

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        """As ``Writer``: the numbers below 0 that the slope multiplies."""
        shared = s.weights["slope"].shape[0] == 1
        cells = [c for c in s.x.cells() if (shared or c[-1] == i[0]) and s.x.value[c] <= 0]
        return total([s.y.slope(*c) * s.x.at(*c) for c in cells])


class OfRReLU(OfPointwise):
    """A slope for each number, drawn while training."""

    def _slopes(self, s: Step) -> Any:
        # The slope of the negative side is what the layer makes of -1, turned round.
        def compute() -> Any:
            ones = jnp.ones(s.x.shape, s.x.value.dtype)
            return -s.layer.apply({}, {}, -ones, s.mode)[0]

        return s.once("slopes", compute)

    def inner(self, s: Step) -> list[Inner]:
        """The slopes."""
        flow = s.flow("slope", self._slopes(s))
        return [Inner(flow, lambda i: drawn(flow, i))]

    def _pair(self, s: Step, i: Index) -> Pair:
        return _leaky(s.x.at(*i), self.inner(s)[0].flow.at(*i))


def drawn(flow: Any, i: Index) -> Expression:
    """A number that was drawn: there is no formula for it."""
    return symbol("drawn", flow.value[i], r"\text{drawn}")


class OfSwish(OfPointwise):
    """beta is a number of the description, or learned."""

    def _beta(self, s: Step) -> Expression:
        return s.weights["beta"].at(0) if s.weights else constant(s.layer.beta)  # type: ignore[attr-defined]

    def _pair(self, s: Step, i: Index) -> Pair:
        return _swish(s.x.at(*i), self._beta(s))

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        """As ``Writer``: x² σ (1 - σ) over all numbers."""
        terms = []
        for cell in s.x.cells():
            x = s.x.at(*cell)
            gate = _sigma(self._beta(s) * x)
            terms.append(s.y.slope(*cell) * x**2 * gate * (ONE - gate))
        return total(terms)


class OfSoftmax(Writer):
    """e^x_i / sum e^x_j over the last axis."""

    def _row(self, s: Step, i: Index) -> list[Index]:
        return [(*i[:-1], c) for c in range(s.x.shape[-1])]

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = softmax({x}) over the last axis", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        arrays: dict[str, Flow | Shaped] = {"dx": slope(s.x), "y": s.y, "dy": slope(s.y)}
        return [rule("{dx} = {y} ⊙ ({dy} - sum over the row of {dy} ⊙ {y})", **arrays)]

    def forward(self, s: Step, i: Index) -> Expression:
        powers = exponentials([s.x.at(*c) for c in self._row(s, i)])
        return powers[i[-1]] / total(powers)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        pull = total([s.y.slope(*c) * s.y.at(*c) for c in self._row(s, i)])
        return s.y.at(*i) * (s.y.slope(*i) - pull)


class OfLogSoftmax(OfSoftmax):
    """x_i - ln sum e^x_j over the last axis."""

    def rules(self, s: Step) -> list[Rule]:
        return [rule("{y} = {x} - ln of the sum of e^x over the last axis", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        arrays: dict[str, Flow | Shaped] = {"dx": slope(s.x), "y": s.y, "dy": slope(s.y)}
        return [rule("{dx} = {dy} - e^({y}) ⊙ sum over the row of {dy}", **arrays)]

    def forward(self, s: Step, i: Index) -> Expression:
        return s.x.at(*i) - log_sum([s.x.at(*c) for c in self._row(s, i)])

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        pulls = total([s.y.slope(*c) for c in self._row(s, i)])
        return s.y.slope(*i) - call("exp", s.y.at(*i)) * pulls
