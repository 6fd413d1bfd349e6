"""What a writer is: how one kind of layer says its working.

A writer answers for a step which formulas hold for its arrays (``rules``), which arrays lie between
input and output (``inner``), and for every single number its formula as an expression: an output
(``forward``), the derivative by an input (``backward``) and by a parameter (``gradient``).

The interface's own answers hold for any layer: an output is what the layer computes, a derivative
the chain rule with local derivatives by JAX,

    dE/dx_i = sum over outputs o of  dE/dy_o · dy_o/dx_i
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Shape, unflatten
from shoal.explain.trace.expression import Expression, number, symbol, total
from shoal.explain.trace.names import Index, latex_symbol
from shoal.explain.trace.step import Flow, Step

Formula = Callable[[Index], Expression]


class Rule(NamedTuple):
    """A formula of whole arrays, with their shapes, as text and as LaTeX."""

    text: str
    latex: str


class Inner(NamedTuple):
    """An array between input and output of a layer.

    Attributes:
        flow: the array, and the derivative of E by it where the writer gives one.
        forward: the formula of one of its numbers.
        backward: the formula of one derivative, or None.
    """

    flow: Flow
    forward: Formula
    backward: Formula | None = None


class Writer:
    """The interface of writers, with answers that hold for any layer."""

    def rules(self, s: Step) -> list[Rule]:
        """Forward formulas of whole arrays."""
        return [rule("{y} = " + s.text + " of {x}", y=s.y, x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        """Backward formulas of whole arrays."""
        found = [rule("{dx} = Σ {dy} · ∂y/∂x", dx=slope(s.x), dy=slope(s.y))]
        return found + [
            rule("{dw} = Σ {dy} · ∂y/∂w", dw=slope(w), dy=slope(s.y)) for w in s.weights.values()
        ]

    def inner(self, s: Step) -> list[Inner]:
        """Arrays between input and output, in the order in which they are computed."""
        return []

    def forward(self, s: Step, i: Index) -> Expression:
        """The formula of output i."""
        where = f"{s.layer.kind}({s.x.symbol}){list(i)}"
        return symbol(where, s.y.value[i])

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        """The formula of the derivative by number i of input ``part``."""
        return self._chain(s, s.inputs[part], None, i)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        """The formula of the derivative by number i of a parameter."""
        return self._chain(s, s.weights[name], name, i)

    def local(self, s: Step, i: Index) -> Expression | None:
        """For functions of every number on its own: dy_i/dx_i. None for other layers."""
        return None

    def _chain(self, s: Step, flow: Flow, name: str | None, i: Index) -> Expression:
        """The chain rule over all outputs that depend on a number."""
        local = local_derivatives(s, name, i)
        terms = []
        for o in np.argwhere(local != 0.0):
            cell = tuple(int(k) for k in o)
            above, below = s.y.names.of(s.y.symbol, cell), s.y.names.of(flow.symbol, i)
            latex = rf"\frac{{\partial {above.latex}}}{{\partial {below.latex}}}"
            there = symbol(f"d{above.text}/d{below.text}", local[cell], latex)
            terms.append(s.y.slope(*cell) * there)
        return total(terms)


def local_derivatives(s: Step, name: str | None, i: Index) -> Numbers:
    """dy/dx_i for every output, shape of y; by a parameter where it is named."""
    with s.precision():
        return _local_derivatives(s, name, i)


def _local_derivatives(s: Step, name: str | None, i: Index) -> Numbers:
    x = jnp.asarray(s.x.value)
    flat = {path: jnp.asarray(flow.value) for path, flow in s.weights.items()}
    like = _nest(s.weights)
    statistics = jax.tree.map(jnp.asarray, dict(s.statistics))

    def run(x: Array, flat: Any) -> Array:
        own = unflatten(like, flat)
        return s.layer.apply(own, statistics, x, s.mode)[0]

    def of(value: Array) -> Array:
        return run(value, flat) if name is None else run(x, flat | {name: value})

    y, pull = jax.vjp(of, x if name is None else flat[name])
    cells = jnp.arange(y.size)

    def one(o: Array) -> Array:
        seed = (cells == o).astype(y.dtype).reshape(y.shape)
        return pull(seed)[0][i]

    return np.asarray(jax.lax.map(one, cells)).reshape(y.shape)


def _nest(weights: Mapping[str, Flow]) -> Any:
    """The tree of parameters of a layer from its flat names."""
    tree: dict[str, Any] = {}
    for path in weights:
        *outer, last = path.split("/")
        here = tree
        for step in outer:
            here = here.setdefault(step, {})
        here[last] = 0
    return tree


# --- formulas of whole arrays --------------------------------------------------------------------


class Shaped(NamedTuple):
    """A symbol of an array and its shape."""

    text: str
    latex: str
    shape: Shape


def slope(flow: Flow) -> Shaped:
    """The derivative of E by an array, written dX."""
    latex = latex_symbol(flow.symbol)
    return Shaped(f"d{flow.symbol}", rf"\mathrm{{d}}{latex}", flow.shape)


class _Printed:
    """A shaped symbol as ``format`` prints it; the spec T transposes."""

    def __init__(self, shaped: Shaped, latex: bool) -> None:
        self.shaped, self.latex = shaped, latex

    def __format__(self, spec: str) -> str:
        turned = spec == "T"
        shape = self.shaped.shape[::-1] if turned else self.shaped.shape
        if self.latex:
            size = r" \times ".join(map(str, shape)) or "1"
            mark = r"^{\top}" if turned else ""
            return rf"\underset{{{size}}}{{{self.shaped.latex}{mark}}}"
        return f"{self.shaped.text}{'^T' if turned else ''} {shape_text(shape)}"


def shape_text(shape: Shape) -> str:
    """A shape in brackets, ``(32, 10)``; that of a vector ``(10)``."""
    return f"({', '.join(map(str, shape))})"


SIGNS = {"·": r"\cdot ", "⊙": r"\odot ", "Σ": r"\sum ", "∂": r"\partial ", "√": r"\surd "}


def rule(template: str, **arrays: Flow | Shaped) -> Rule:
    """A formula from a template with array names in braces, ``{W:T}`` for a transpose."""
    shaped = {
        name: a if isinstance(a, Shaped) else Shaped(a.symbol, latex_symbol(a.symbol), a.shape)
        for name, a in arrays.items()
    }
    text = template.format(**{name: _Printed(a, False) for name, a in shaped.items()})
    pieces = re.split(r"(\{[^}]*\})", template)
    latex = "".join(p if p.startswith("{") else _latex(p) for p in pieces)
    return Rule(text, latex.format(**{name: _Printed(a, True) for name, a in shaped.items()}))


def _latex(text: str) -> str:
    """The text between arrays for LaTeX: words upright, signs as commands; braces doubled."""
    worded = re.sub(r"[A-Za-z_]{2,}(?:[ ,]+[A-Za-z_]{2,})*", lambda m: _upright(m[0]), text)
    for sign, command in SIGNS.items():
        worded = worded.replace(sign, command)
    return worded.replace("{", "{{").replace("}", "}}")


def _upright(words: str) -> str:
    return rf"\text{{ {words} }}".replace("_", r"\_")


def constant(value: Any) -> Expression:
    """A number that a layer's description holds."""
    return number(float(value))
