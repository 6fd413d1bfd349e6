"""Step: what one layer did to the examples, forward and backward, as plain arrays.

A network becomes a list of steps in the order in which they run: a layer, or the join of branches.
Arrays keep the batch as axis 0: x (B, *in), y (B, *out).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.explain.trace.expression import Expression
from shoal.explain.trace.names import Index, Names
from shoal.nets import Layer, Mode


@dataclass(frozen=True, eq=False)
class Flow:
    """One array of the trace, with the derivative of E by each of its numbers.

    Attributes:
        symbol: ``Z1``.
        value: the array.
        gradient: of the same shape; None where none is taken.
        names: how its numbers are called.
        via: where several layers take the array, the one through which this gradient comes.
        path: of a parameter, its place in the tree, ``dense1.weight``; else "".
    """

    symbol: str
    value: Numbers
    gradient: Numbers | None
    names: Names
    via: str = ""
    path: str = ""

    @property
    def shape(self) -> Shape:
        """Of the array, the batch included."""
        return tuple(self.value.shape)

    def at(self, *index: int) -> Expression:
        """The symbol of one number."""
        name = self.names.of(self.symbol, index)
        return Expression("symbol", float(self.value[index]), name)

    def slope(self, *index: int) -> Expression:
        """The symbol of the derivative of E by one number."""
        assert self.gradient is not None
        name = self.names.slope(self.symbol, index, self.via)
        return Expression("symbol", float(self.gradient[index]), name)

    def cells(self) -> Iterator[Index]:
        """The indices of all its numbers, in reading order."""
        return iter(np.ndindex(*self.value.shape))


@dataclass(frozen=True, eq=False)
class Step:
    """One layer, or one join of branches.

    Attributes:
        name: its place in the network, ``residual1.dense1``.
        layer: its description; a join has that of the layer whose branches it joins.
        tag: the number in its symbols, ``1``.
        inputs: what goes in; one array but for joins.
        y: what comes out.
        weights: its parameters by their name within the layer, ``query/weight`` for nested ones.
        statistics: before the step.
        mode: how it is run: training or not, and the randomness.
        joins: whether it joins branches.
        worked: what writers computed from the rest, once (see ``once``).
    """

    name: str
    layer: Layer
    tag: str
    inputs: tuple[Flow, ...]
    y: Flow
    weights: Mapping[str, Flow]
    statistics: Mapping[str, Any]
    mode: Mode
    joins: bool = False
    worked: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def x(self) -> Flow:
        """What goes in."""
        return self.inputs[0]

    @property
    def text(self) -> str:
        """The layer as it is written; for a join, its kind."""
        if self.joins:
            return f"{self.layer.kind}: the {'branches side by side' if _beside(self) else 'sum'}"
        return repr(self.layer)

    def once(self, word: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, computed when it is first asked for."""
        if word not in self.worked:
            with self.precision():
                self.worked[word] = compute()
        return self.worked[word]

    def precision(self) -> Any:
        """A context in which JAX computes in the precision of the step."""
        return jax.enable_x64(self.y.value.dtype == np.float64)

    def flow(self, word: str, value: Any, gradient: Any = None) -> Flow:
        """An array inside the layer under a word and the number of the step: ``mean3``."""
        kept = None if gradient is None else np.asarray(gradient)
        return Flow(f"{word}{self.tag}", np.asarray(value), kept, self.y.names)


def _beside(step: Step) -> bool:
    return step.layer.kind == "Concat"
