"""Forward and backward through a network, layer by layer, by the training's own functions.

Every layer is run by ``compose.run_one``, as a training runs it: the same randomness, the same
precision. Its derivative is JAX's vector-Jacobian product of that call. So the numbers of a trace
are those of the training, and not a second implementation of them.

Notation: x (B, *in) goes into a layer, y (B, *out) comes out, dx and dy are the derivatives of E.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Shape, Tree, flatten
from shoal.explain.trace.names import Names
from shoal.explain.trace.step import Flow, Step
from shoal.nets import (
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Layer,
    Mode,
    Residual,
    SeparableConv,
    Sequential,
    compose,
)
from shoal.nets.activation import Activation
from shoal.nets.nests import alike

Back = Callable[[Array], Array]
"""From the derivative by what comes out to that by what goes in."""

LINEAR = (Dense, Conv, ConvTranspose, DepthwiseConv)
"""Layers whose output is called Z, and the activation after them A with the same number."""

WORDS = {
    "weight": "W", "bias": "b", "recurrent_weight": "R", "recurrent_bias": "c",
    "forget_bias": "bf",
    **{f"{part}/weight": f"W{part[0]}" for part in ("query", "key", "value", "output")},
    **{f"{part}/bias": f"b{part[0]}" for part in ("query", "key", "value", "output")},
}  # fmt: skip
"""Symbols of parameters; others are called by their own name."""


class Signal(NamedTuple):
    """An array on its way, and its symbol."""

    symbol: str
    value: Array


@dataclass
class Draft:
    """A step while it is being made: first forward, then backward."""

    name: str
    layer: Layer
    tag: str
    inputs: list[Signal]
    y: Signal
    parameters: Tree
    statistics: Tree
    mode: Mode
    joins: bool = False
    dx: list[Array] = field(default_factory=list)
    dy: Array | None = None
    gradient: Tree = None

    @property
    def x_symbol(self) -> str:
        """The symbol of what goes in."""
        return self.inputs[0].symbol

    @property
    def y_symbol(self) -> str:
        """The symbol of what comes out."""
        return self.y.symbol

    @property
    def in_shape(self) -> Shape:
        """The shape of one input."""
        return tuple(self.inputs[0].value.shape[1:])


class Place(NamedTuple):
    """Where a layer stands: its position and name among others, and the path to them."""

    number: int
    name: str
    path: str = ""

    @property
    def full(self) -> str:
        """The whole path of the layer."""
        return f"{self.path}.{self.name}" if self.path else self.name


@dataclass
class Passes:
    """The passes through a network; ``drafts`` are its steps in the order in which they run."""

    drafts: list[Draft] = field(default_factory=list)
    tags: int = 0

    def sequence(
        self,
        layers: Sequence[tuple[Place, Layer]],
        weights: Tree,
        statistics: Tree,
        x: Signal,
        mode: Mode,
    ) -> tuple[Signal, Back]:
        """Layers one after another."""
        backs: list[Back] = []
        for place, layer in layers:
            own, gathered = weights.get(place.name, {}), statistics.get(place.name, {})
            x, back = self.layer(place, layer, own, gathered, x, mode)
            backs.append(back)
        return x, lambda dy: reduce(lambda d, back: back(d), reversed(backs), dy)

    def layer(
        self, place: Place, layer: Layer, own: Tree, statistics: Tree, x: Signal, mode: Mode
    ) -> tuple[Signal, Back]:
        """One layer: a single step, or those of the layers that it is made of."""
        nest = NESTS.get(type(layer))
        if nest is None:
            return self.single(place, layer, own, statistics, x, mode)
        inner = mode.enter(place.number) if layer.random else mode
        return nest(self, place, layer, own, statistics, x, inner)

    def single(
        self, place: Place, layer: Layer, own: Tree, statistics: Tree, x: Signal, mode: Mode
    ) -> tuple[Signal, Back]:
        """A layer that is one step."""

        def run(own: Tree, x: Array) -> Array:
            held, kept = {place.name: own}, {place.name: statistics}
            return compose.run_one(place.number, place.name, layer, held, kept, x, mode)[0]

        value, pull = jax.vjp(run, own, x.value)
        tag = self._tag(layer, x)
        y = Signal(f"{'Z' if isinstance(layer, LINEAR) else 'A'}{tag}", value)
        inner = mode.enter(place.number) if layer.random else mode
        draft = Draft(place.full, layer, tag, [x], y, own, statistics, inner)
        self.drafts.append(draft)

        def back(dy: Array) -> Array:
            draft.gradient, dx = pull(dy)
            draft.dy, draft.dx = dy, [dx]
            return dx

        return y, back

    def join(
        self, place: Place, layer: Layer, parts: list[Signal], function: Any
    ) -> tuple[Signal, Callable[[Array], list[Array]]]:
        """Several arrays as one."""
        value, pull = jax.vjp(function, [part.value for part in parts])
        self.tags += 1
        y = Signal(f"A{self.tags}", value)
        draft = Draft(place.full, layer, str(self.tags), parts, y, {}, {}, Mode(False), joins=True)
        self.drafts.append(draft)

        def back(dy: Array) -> list[Array]:
            (draft.dx,), draft.dy = pull(dy), dy
            return draft.dx

        return y, back

    def _tag(self, layer: Layer, x: Signal) -> str:
        """An activation after Z1 gives A1; anything else has a number of its own."""
        last = self.drafts[-1] if self.drafts else None
        follows = last is not None and last.y.symbol == x.symbol and isinstance(last.layer, LINEAR)
        if isinstance(layer, Activation) and last is not None and follows:
            return last.tag
        self.tags += 1
        return str(self.tags)


# --- layers made of layers -----------------------------------------------------------------------


def places(path: str, layers: Sequence[Layer]) -> list[tuple[Place, Layer]]:
    """Layers with their places within a sequence."""
    named = enumerate(compose.named(layers))
    return [(Place(index, name, path), layer) for index, (name, layer) in named]


def _sequential(
    passes: Passes, place: Place, layer: Any, own: Tree, kept: Tree, x: Signal, mode: Mode
) -> tuple[Signal, Back]:
    return passes.sequence(places(place.full, layer.layers), own, kept, x, mode)


def _separable(
    passes: Passes, place: Place, layer: Any, own: Tree, kept: Tree, x: Signal, mode: Mode
) -> tuple[Signal, Back]:
    inner = [
        (Place(0, name, place.full), part) for name, part, _ in layer.inside(x.value.shape[1:])
    ]
    return passes.sequence(inner, own, {}, x, mode)


def _residual(
    passes: Passes, place: Place, layer: Any, own: Tree, kept: Tree, x: Signal, mode: Mode
) -> tuple[Signal, Back]:
    main, back = passes.sequence(places(place.full, layer.layers), own, kept, x, mode)
    short, back_short = x, None
    if layer.shortcut == "projection":
        projection = layer.projection(x.value.shape[1:], main.value.shape[1:])
        here = Place(0, "shortcut", place.full)
        short, back_short = passes.layer(here, projection, own["shortcut"], {}, x, mode)
    y, split = passes.join(place, layer, [main, short], lambda parts: reduce(jnp.add, alike(parts)))

    def whole(dy: Array) -> Array:
        d_main, d_short = split(dy)
        return back(d_main) + (d_short if back_short is None else back_short(d_short))

    return y, whole


def _branches(
    passes: Passes, place: Place, layer: Any, own: Tree, kept: Tree, x: Signal, mode: Mode
) -> tuple[Signal, Back]:
    found, backs = [], []
    for index, (name, branch) in enumerate(zip(layer.names, layer.layers, strict=True)):
        here = Place(index, name, place.full)
        y, back = passes.layer(here, branch, own.get(name, {}), kept.get(name, {}), x, mode)
        found.append(y)
        backs.append(back)
    y, split = passes.join(place, layer, found, lambda parts: layer.joined(alike(parts)))

    def whole(dy: Array) -> Array:
        return reduce(jnp.add, [back(part) for back, part in zip(backs, split(dy), strict=True)])

    return y, whole


NESTS: dict[type[Layer], Callable[..., tuple[Signal, Back]]] = {
    Sequential: _sequential,
    SeparableConv: _separable,
    Residual: _residual,
    Concat: _branches,
    Add: _branches,
}
"""Layers made of layers -> how these are run. Any other layer is a single step."""


# --- from drafts to steps ------------------------------------------------------------------------


def on_host(array: Any) -> Numbers:
    """An array as NumPy's, bfloat16 as float32."""
    narrow = jnp.asarray(array).dtype == jnp.bfloat16
    return np.asarray(array, np.float32) if narrow else np.asarray(array)


def steps(drafts: Sequence[Draft], names: Names) -> tuple[Step, ...]:
    """The finished steps."""
    takers = Counter(signal.symbol for draft in drafts for signal in draft.inputs)
    return tuple(_step(draft, names, takers) for draft in drafts)


def _step(draft: Draft, names: Names, takers: Counter[str]) -> Step:
    inputs = tuple(
        Flow(
            part.symbol,
            on_host(part.value),
            on_host(dx),
            names,
            via=draft.name if takers[part.symbol] > 1 else "",
        )
        for part, dx in zip(draft.inputs, draft.dx, strict=True)
    )
    gradients = flatten(draft.gradient) if draft.gradient is not None else {}
    weights = {
        path: Flow(
            f"{WORDS.get(path, path.replace('/', '_'))}{draft.tag}",
            on_host(value),
            on_host(gradients[path]),
            names,
            path=f"{draft.name}.{path.replace('/', '.')}",
        )
        for path, value in flatten(draft.parameters).items()
    }
    y = Flow(draft.y.symbol, on_host(draft.y.value), on_host(draft.dy), names)
    statistics = jax.tree.map(on_host, draft.statistics)
    return Step(
        draft.name, draft.layer, draft.tag, inputs, y, weights, statistics, draft.mode, draft.joins
    )
