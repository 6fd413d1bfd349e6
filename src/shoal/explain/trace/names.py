"""How the numbers of a trace are called.

Every array has a symbol, and every number in it the symbol with its index: ``Z1[0,3]`` is the third
output (counted from 0) of the first layer for example 0, ``dE/dZ1[0,3]`` its derivative. A layer
with weights gives Z, the activation after it A with the same number; A0 is the input.

    array     of one number               in LaTeX
    Z1        Z1[0,3]                     Z^{(1)}_{0,3}
    dZ1       dE/dZ1[0,3]                 \\frac{\\partial E}{\\partial Z^{(1)}_{0,3}}
    W1        W1[3,1]                     also by its place in the tree, dense1.weight[3,1]

``classic`` are the names of many courses, for one example in a small perceptron: inputs i1, i2;
hidden units h1, h2; outputs o1, o2; net_h1 and out_h1 before and after the activation; w1, w2, ...
in the order of layers and units; b1_h1 the bias of h1 in layer 1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoal.explain.trace.expression import Name
from shoal.nets import Dense, Layer
from shoal.nets.activation import Activation

Index = tuple[int, ...]
Cell = tuple[str, Index]
"""A symbol of an array, and the index of a number in it."""


def latex_symbol(text: str) -> str:
    """``Z1`` as Z^{(1)}; words are set upright."""
    found = re.fullmatch(r"([^\d]+?)_?(\d+)?", text)
    word, number = found.groups() if found else (text, None)
    shown = word if len(word) == 1 else rf"\mathrm{{{word}}}".replace("_", r"\_")
    return f"{shown}^{{({number})}}" if number else shown


@dataclass(frozen=True)
class Names:
    """Names of cells; those that ``special`` does not have are symbol and index.

    Attributes:
        special: own names of cells, such as ("W1", (0, 0)) -> "w1".
    """

    special: Mapping[Cell, str] = field(default_factory=dict)

    def of(self, symbol: str, index: Index, via: str = "") -> Name:
        """The name of a number."""
        del via
        own = self.special.get((symbol, index))
        if own is not None:
            return Name(own, _latex_word(own))
        place = ",".join(map(str, index))
        if not place:
            return Name(symbol, latex_symbol(symbol))
        return Name(f"{symbol}[{place}]", f"{latex_symbol(symbol)}_{{{place}}}")

    def slope(self, symbol: str, index: Index, via: str = "") -> Name:
        """The name of the derivative of E by a number; ``via`` where only part of it is meant."""
        name = self.of(symbol, index)
        part = f" via {via}" if via else ""
        tag = rf"\Big|_{{\text{{{via}}}}}" if via else ""
        latex = rf"\frac{{\partial E}}{{\partial {name.latex}}}{tag}"
        return Name(f"dE/d{name.text}{part}", latex)

    def cell(self, name: str) -> Cell | None:
        """The cell that has this own name."""
        return next((cell for cell, own in self.special.items() if own == name), None)


def _latex_word(own: str) -> str:
    """net_h1 as net_{h1}, w1 as w_{1}."""
    if "_" in own:
        word, below = own.split("_", 1)
        shown = word if len(word) == 1 else rf"\mathrm{{{word}}}"
        if word[-1:].isdigit():
            shown = f"{word[:-1]}_{word[-1]}"
            return f"{{{shown}}}^{{{below}}}"
        return f"{shown}_{{{below}}}"
    found = re.fullmatch(r"([a-z])(\d+)", own)
    return f"{found[1]}_{{{found[2]}}}" if found else rf"\mathrm{{{own}}}"


def index_text(index: Index) -> str:
    """An index as it is written after a name: ``[3,1]``."""
    return f"[{','.join(map(str, index))}]" if index else ""


def parse(text: str) -> tuple[str, Index | None]:
    """A name and an index from ``Z1[0,3]``; None where there is no index.

    >>> parse("dense1.weight[3, 1]"), parse("w5")
    (('dense1.weight', (3, 1)), ('w5', None))
    """
    found = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[([\d,\s]*)\])?\s*", text)
    if found is None:
        return text, None
    name, index = found.groups()
    if index is None:
        return name, None
    return name, tuple(int(part) for part in index.split(",") if part.strip())


def classic_possible(layers: Sequence[Layer], rows: int) -> bool:
    """Whether the classic names fit: one example, Dense layers and activations alone."""
    plain = all(isinstance(layer, Dense | Activation) for layer in layers)
    return rows == 1 and plain and any(isinstance(layer, Dense) for layer in layers)


def classic(steps: Sequence[Any]) -> Names:
    """The classic names for the layers of a perceptron.

    Args:
        steps: its drafts, each with ``layer``, ``x_symbol``, ``y_symbol``, ``tag`` and the shapes
            of input and output.
    """
    special: dict[Cell, str] = {}
    dense = [step for step in steps if isinstance(step.layer, Dense)]
    first = steps[0]
    for d in range(first.in_shape[0]):
        special[first.x_symbol, (0, d)] = f"i{d + 1}"
    units, weights, hidden = _units(dense), 0, dict[str, list[str]]()
    for number, step in enumerate(dense):
        own = units[number]
        hidden[step.tag] = own
        for u, unit in enumerate(own):
            special[f"b{step.tag}", (u,)] = f"b{number + 1}_{unit}"
            for d in range(step.in_shape[0]):
                weights += 1
                special[f"W{step.tag}", (u, d)] = f"w{weights}"
    for step in steps:
        word = "net" if isinstance(step.layer, Dense) else "out"
        for u, unit in enumerate(hidden.get(step.tag, ())):
            special[step.y_symbol, (0, u)] = f"{word}_{unit}"
    return Names(special)


def _units(dense: Sequence[Any]) -> list[list[str]]:
    """h1, h2, ... through the hidden layers, o1, o2, ... in the last one."""
    found, count = [], 0
    for number, step in enumerate(dense):
        last = number == len(dense) - 1
        start = 0 if last else count
        names = [f"{'o' if last else 'h'}{start + u + 1}" for u in range(step.layer.units)]
        count += 0 if last else step.layer.units
        found.append(names)
    return found
