"""How optimisers say their working: from the gradient of one weight to its new value.

Notation: w the weight, g its gradient with penalties and after clipping, r the learning rate, t the
number of this update; m, s, v, u what the optimiser remembers, with 0 after the name before it.

Each row of ``UPDATES`` writes the lines of one optimiser. Those without a row (they look at whole
matrices, or at past steps) are named with the formula of their description.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shoal.arrays import Numbers, Tree, flatten
from shoal.explain.trace.expression import Expression, Name, call, number, symbol
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow

ONE = number(1.0)
Line = tuple[Name, Expression]
"""The name of a result and its formula."""


@dataclass(frozen=True)
class Weighed:
    """What an update starts from, for one weight.

    Attributes:
        w, g, r: the symbols; t: the number of the update.
        memory: what the optimiser remembers of this weight, by the name of optax's field.
        decays: whether weight decay acts on the weight.
    """

    w: Expression
    g: Expression
    r: Expression
    t: int
    memory: Mapping[str, float]
    decays: bool

    def old(self, name: str, field: str) -> Expression:
        """The symbol of a remembered number: 0 at first, and then not written out."""
        return symbol(f"{name}0", self.memory[field], f"{name}_{{0}}")

    def lines(self, *found: tuple[str, Expression], step: Expression) -> list[Line]:
        """The lines of what was computed on the way, then that of the new weight."""
        lines = [(Name(name, name), e) for name, e in found]
        return [*lines, (new_name(self.w), self.w - step)]


def new_name(w: Expression) -> Name:
    """The name of a weight after the update: w5+."""
    return Name(f"{w.name.text}+", f"{w.name.latex}^{{+}}")


def _known(name: str, e: Expression) -> Expression:
    """The symbol of what a line before gave."""
    return symbol(name, e.result())


def _sgd(o: Any, c: Weighed) -> list[Line]:
    return c.lines(step=c.r * c.g)


def _momentum(o: Any, c: Weighed) -> list[Line]:
    v = number(o.beta) * c.old("v", "trace") + c.g
    return c.lines(("v", v), step=c.r * _known("v", v))


def _nesterov(o: Any, c: Weighed) -> list[Line]:
    v = number(o.beta) * c.old("v", "trace") + c.g
    return c.lines(("v", v), step=c.r * (c.g + number(o.beta) * _known("v", v)))


def _ema(o: Any, c: Weighed) -> list[Line]:
    beta = number(o.beta)
    v = beta * c.old("v", "ema") + (ONE - beta) * c.g
    if not o.bias_correction:
        return c.lines(("v", v), step=c.r * _known("v", v))
    corrected = _known("v", v) / (ONE - beta**c.t)
    return c.lines(("v", v), ("v'", corrected), step=c.r * _known("v'", corrected))


def _adagrad(o: Any, c: Weighed) -> list[Line]:
    s = c.old("s", "sum_of_squares") + c.g**2
    root = call("sqrt", _known("s", s) + number(o.epsilon))
    return c.lines(("s", s), step=c.r * c.g / root)


def _rmsprop(o: Any, c: Weighed) -> list[Line]:
    rho, epsilon = number(o.rho), number(o.epsilon)
    s = rho * c.old("s", "nu") + (ONE - rho) * c.g**2
    if not o.centred:
        below = call("sqrt", _known("s", s)) + epsilon
        return c.lines(("s", s), step=c.r * c.g / below)
    m = rho * c.old("m", "mu") + (ONE - rho) * c.g
    below = call("sqrt", _known("s", s) - _known("m", m) ** 2) + epsilon
    return c.lines(("m", m), ("s", s), step=c.r * c.g / below)


def _adadelta(o: Any, c: Weighed) -> list[Line]:
    rho, epsilon = number(o.rho), number(o.epsilon)
    s = rho * c.old("s", "e_g") + (ONE - rho) * c.g**2
    above = call("sqrt", c.old("u", "e_x") + epsilon)
    d = c.g * above / call("sqrt", _known("s", s) + epsilon)
    return c.lines(("s", s), ("d", d), step=c.r * _known("d", d))


def _means(o: Any, c: Weighed) -> tuple[Expression, Expression]:
    """m and s of Adam."""
    b1, b2 = number(o.beta1), number(o.beta2)
    m = b1 * c.old("m", "mu") + (ONE - b1) * c.g
    return m, b2 * c.old("s", "nu") + (ONE - b2) * c.g**2


def _adam(o: Any, c: Weighed) -> list[Line]:
    m, s = _means(o, c)
    first = _known("m", m) / (ONE - number(o.beta1) ** c.t)
    second = _known("s", s) / (ONE - number(o.beta2) ** c.t)
    below = call("sqrt", _known("s'", second)) + number(o.epsilon)
    ratio = _known("m'", first) / below
    step = c.r * ratio
    decay = getattr(o, "weight_decay", 0.0)
    if decay and c.decays:
        step = c.r * (ratio + number(decay) * c.w)
    return c.lines(("m", m), ("s", s), ("m'", first), ("s'", second), step=step)


def _nadam(o: Any, c: Weighed) -> list[Line]:
    m, s = _means(o, c)
    b1 = number(o.beta1)
    ahead = b1 * _known("m", m) / (ONE - b1 ** (c.t + 1)) + (ONE - b1) * c.g / (ONE - b1**c.t)
    second = _known("s", s) / (ONE - number(o.beta2) ** c.t)
    below = call("sqrt", _known("s'", second)) + number(o.epsilon)
    step = c.r * _known("m'", ahead) / below
    return c.lines(("m", m), ("s", s), ("m'", ahead), ("s'", second), step=step)


def _adamax(o: Any, c: Weighed) -> list[Line]:
    m, _ = _means(o, c)
    size = call("abs", c.g) + number(o.epsilon)
    u = call("max", number(o.beta2) * c.old("u", "nu"), size)
    first = _known("m", m) / (ONE - number(o.beta1) ** c.t)
    step = c.r * _known("m'", first) / _known("u", u)
    return c.lines(("m", m), ("m'", first), ("u", u), step=step)


def _lion(o: Any, c: Weighed) -> list[Line]:
    b1 = number(o.beta1)
    d = call("sign", b1 * c.old("m", "mu") + (ONE - b1) * c.g)
    inside = _known("d", d)
    if o.weight_decay and c.decays:
        inside = inside + number(o.weight_decay) * c.w
    return c.lines(("d", d), step=c.r * inside)


UPDATES: dict[str, Callable[[Any, Weighed], list[Line]]] = {
    "GradientDescent": _sgd,
    "SGD": _sgd,
    "Momentum": _momentum,
    "Nesterov": _nesterov,
    "EMAMomentum": _ema,
    "AdaGrad": _adagrad,
    "RMSprop": _rmsprop,
    "AdaDelta": _adadelta,
    "Adam": _adam,
    "AdamW": _adam,
    "NAdam": _nadam,
    "AdaMax": _adamax,
    "Lion": _lion,
}
"""Kind of an optimiser -> the lines of its update. An optimiser without a row is named."""


@dataclass(frozen=True, eq=False)
class Changed:
    """One array of parameters and what the update did to it.

    Attributes:
        flow: the array with its gradient dE/dw.
        passed: g, the gradient that the optimiser was given.
        after: the new array.
        decays: whether penalties and weight decay act on it.
        memory: what the optimiser remembered of it before, by optax's field.
    """

    flow: Flow
    passed: Numbers
    after: Numbers
    decays: bool
    memory: Mapping[str, Numbers]


@dataclass(frozen=True, eq=False)
class Update:
    """One update of all weights.

    Attributes:
        recipe: with the optimiser, the penalties and the clipping.
        rate: r; count: t, the number of this update, from 1.
        m: of the objective; norm: of the gradient before clipping.
        weights: the arrays by their path, ``dense1.weight``.
    """

    recipe: Any
    rate: float
    count: int
    m: float
    norm: float
    weights: Mapping[str, Changed]

    @property
    def text(self) -> str:
        """The formula of the optimiser, from its description."""
        return " ".join(str(type(self.recipe.optimiser).__doc__).split("\n\n", 1)[0].split())

    def passes_on(self) -> bool:
        """Whether the optimiser is given dE/dw itself."""
        return not self.recipe.penalised and self.recipe.clip is None

    def lines(self, changed: Changed, i: Index) -> list[Line]:
        """From dE/dw to the new value of one weight; () where the optimiser has no row."""
        w, g = changed.flow.at(*i), changed.flow.slope(*i)
        found = []
        if not self.passes_on():
            given = self._given(changed, w, g)
            found.append((Name("g", "g"), given))
            g = symbol("g", changed.passed[i])
        write = UPDATES.get(self.recipe.optimiser.kind)
        if write is None:
            after = symbol("the rule above", changed.after[i], r"\text{the rule above}")
            return [*found, (new_name(w), after)]
        memory = {field: float(values[i]) for field, values in changed.memory.items()}
        rate = symbol("r", self.rate)
        start = Weighed(w, g, rate, self.count, memory, changed.decays)
        return found + write(self.recipe.optimiser, start)

    def _given(self, changed: Changed, w: Expression, g: Expression) -> Expression:
        """g: dE/dw with the penalties, then clipped."""
        recipe, m = self.recipe, number(self.m)
        if changed.decays and recipe.l2 is not None:
            g = g + number(recipe.l2) / m * w
        if changed.decays and recipe.l1 is not None:
            g = g + number(recipe.l1) / m * call("sign", w)
        clip = recipe.clip
        if clip is None:
            return g
        limit = number(clip.limit)
        if clip.kind == "ClipByValue":
            return call("clip", g, -limit, limit)
        return g * (limit / call("max", symbol("|g|", self.norm), limit))


def memory_of(state: Any) -> dict[str, Any]:
    """What an optimiser remembers by optax's field: trees of arrays, found in its state.

    Args:
        state: of optax, a nest of named tuples.
    """
    found: dict[str, Any] = {}
    if isinstance(state, tuple):
        for field, value in zip(getattr(state, "_fields", ()), state, strict=False):
            if isinstance(value, dict) and field not in found:
                found[field] = value
        for value in state:
            found = memory_of(value) | found
    return found


def flat_memory(state: Any) -> dict[str, dict[str, Any]]:
    """``memory_of``, each tree flat by the paths of its parameters."""
    trees: dict[str, Tree] = memory_of(state)
    return {field: flatten(tree) for field, tree in trees.items()}
