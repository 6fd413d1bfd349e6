"""Expressions: a formula as a value that can be printed with symbols, with numbers, and worked out.

    a = symbol("w5", 0.4) - number(0.5) * symbol("dE/dw5", 0.082167041)
    a.text()              w5 - 0.5 · dE/dw5
    a.values(9)           0.4 - 0.5 · 0.082167041
    a.result()            0.35891648

``result`` is computed from the numbers in the formula and from nothing else, so that comparing it
with the number of the training proves the formula. The operations are rows of a table.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

MOST_TERMS = 8
"""Longer sums are printed with their first terms, the last, and how many there are."""


class Style(NamedTuple):
    """How an expression is printed.

    Attributes:
        digits: decimals of numbers; None prints symbols.
        latex: whether for LaTeX.
        terms: of a sum that are printed.
    """

    digits: int | None = None
    latex: bool = False
    terms: int = MOST_TERMS


class Name(NamedTuple):
    """A symbol as plain text and as LaTeX."""

    text: str
    latex: str


NAMELESS = Name("", "")


@dataclass(frozen=True)
class Expression:
    """A constant, a symbol with its value, or an operation on expressions.

    Attributes:
        kind: "number", "symbol", or an operation of ``OPERATIONS``.
        value: of a number or a symbol.
        name: of a symbol.
        parts: what an operation works on.
    """

    kind: str
    value: float = 0.0
    name: Name = NAMELESS
    parts: tuple["Expression", ...] = ()

    def show(self, style: Style) -> str:
        """The expression in a style."""
        if self.kind == "number":
            return f"{self.value:.12g}"
        if self.kind == "symbol":
            if style.digits is not None:
                return decimal(self.value, style.digits)
            return self.name.latex if style.latex else self.name.text
        return OPERATIONS[self.kind].show(self, style)

    def text(self, terms: int = MOST_TERMS) -> str:
        """With symbols."""
        return self.show(Style(terms=terms))

    def values(self, digits: int, terms: int = MOST_TERMS) -> str:
        """With the values of its symbols in their place."""
        return self.show(Style(digits, terms=terms))

    def result(self) -> float:
        """What it comes to, computed from its numbers in float64."""
        if not self.parts:
            return self.value
        with np.errstate(all="ignore"):
            return float(OPERATIONS[self.kind].work(*(part.result() for part in self.parts)))

    def rank(self, style: Style) -> int:
        """How tightly it holds together: 0 a sum, 1 a product, 2 a power, 3 a single thing."""
        if self.parts:
            return OPERATIONS[self.kind].rank
        negative = self.value < 0 and (self.kind == "number" or style.digits is not None)
        return 0 if negative else 3

    def __add__(self, other: "Expression") -> "Expression":
        return total([self, other])

    def __sub__(self, other: "Expression") -> "Expression":
        return Expression("-", parts=(self, other))

    def __mul__(self, other: "Expression") -> "Expression":
        return product([self, other])

    def __truediv__(self, other: "Expression") -> "Expression":
        return Expression("/", parts=(self, other))

    def __pow__(self, power: int) -> "Expression":
        return Expression("^", parts=(self, number(power)))

    def __neg__(self) -> "Expression":
        return Expression("negative", parts=(self,))


def number(value: Any) -> Expression:
    """A constant, printed as it is in both forms."""
    return Expression("number", float(value))


def symbol(text: str, value: Any, latex: str | None = None) -> Expression:
    """A symbol with its value."""
    return Expression("symbol", float(value), Name(text, latex or text))


def total(terms: Sequence[Expression]) -> Expression:
    """The sum of terms; 0 for none. A sum among them is opened."""
    flat: list[Expression] = []
    for term in terms:
        flat += term.parts if term.kind == "+" else (term,)
    if not flat:
        return number(0.0)
    return flat[0] if len(flat) == 1 else Expression("+", parts=tuple(flat))


def product(factors: Sequence[Expression]) -> Expression:
    """The product of factors; a product among them is opened."""
    flat: list[Expression] = []
    for factor in factors:
        flat += factor.parts if factor.kind == "·" else (factor,)
    return flat[0] if len(flat) == 1 else Expression("·", parts=tuple(flat))


def call(function: str, *arguments: Expression) -> Expression:
    """A function of ``OPERATIONS`` at its arguments: ``call("exp", x)``."""
    return Expression(function, parts=arguments)


def exponentials(xs: Sequence[Expression]) -> list[Expression]:
    """e^x of each; where they would overflow, less the largest, which leaves their ratios."""
    largest = max(x.result() for x in xs)
    if abs(largest) > 300.0:
        xs = [x - number(largest) for x in xs]
    return [call("exp", x) for x in xs]


def log_sum(xs: Sequence[Expression]) -> Expression:
    """ln of the sum of e^x; where that would overflow, the largest x stands outside."""
    largest = max(x.result() for x in xs)
    found = call("ln", total(exponentials(xs)))
    return number(largest) + found if abs(largest) > 300.0 else found


def decimal(value: float, digits: int) -> str:
    """A number with at most so many decimals; where these say little, by a power of ten.

    >>> decimal(0.5932699921, 9), decimal(0.75, 9), decimal(1.5e-9, 9), decimal(-0.0, 3)
    ('0.593269992', '0.75', '1.5e-09', '0')
    """
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    if value != 0 and not 10.0 ** -max(2, digits - 3) <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.{max(1, digits - 1)}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text


# --- the operations ------------------------------------------------------------------------------


def _inside(part: Expression, style: Style, least: int) -> str:
    """A part, in brackets where it does not hold together tightly enough."""
    text = part.show(style)
    if part.rank(style) >= least:
        return text
    return rf"\left({text}\right)" if style.latex else f"({text})"


def _sum(e: Expression, style: Style) -> str:
    """Terms one after another; too many are left out, and counted."""
    parts, left_out = list(e.parts), len(e.parts) > style.terms
    if left_out:
        parts = [*parts[: style.terms - 1], parts[-1]]
    shown = [_inside(part, style, 1 if n else 0) for n, part in enumerate(parts)]
    if left_out:
        dots = r"\dots" if style.latex else "..."
        shown.insert(-1, dots)
        count = rf"\;[{len(e.parts)}\text{{ terms}}]" if style.latex else f" [{len(e.parts)} terms]"
        return " + ".join(shown) + count
    return " + ".join(shown)


def _product(e: Expression, style: Style) -> str:
    sign = r" \cdot " if style.latex else " · "
    return sign.join(_inside(part, style, 2 if n else 1) for n, part in enumerate(e.parts))


def _difference(e: Expression, style: Style) -> str:
    left, right = e.parts
    return f"{_inside(left, style, 0)} - {_inside(right, style, 1)}"


def _quotient(e: Expression, style: Style) -> str:
    above, below = e.parts
    if style.latex:
        return rf"\frac{{{above.show(style)}}}{{{below.show(style)}}}"
    return f"{_inside(above, style, 1)} / {_inside(below, style, 2)}"


def _power(e: Expression, style: Style) -> str:
    base, power = e.parts
    mark = {2.0: "²", 3.0: "³"}.get(power.value) if power.kind == "number" else None
    if mark and not style.latex:
        return _inside(base, style, 3) + mark
    shown = f"{{{power.show(style)}}}" if style.latex else _inside(power, style, 3)
    return f"{_inside(base, style, 3)}^{shown}"


def _negative(e: Expression, style: Style) -> str:
    return f"-{_inside(e.parts[0], style, 1)}"


def _called(text: str, latex: str) -> Callable[[Expression, Style], str]:
    """How a function is printed: its name and its arguments in brackets."""

    def show(e: Expression, style: Style) -> str:
        parts, left_out = list(e.parts), len(e.parts) > style.terms
        if left_out:
            parts = [*parts[: style.terms - 1], parts[-1]]
        shown = [part.show(style) for part in parts]
        if left_out:
            shown.insert(-1, r"\dots" if style.latex else "...")
        return (latex if style.latex else text).replace("@", ", ".join(shown))

    return show


class Operation(NamedTuple):
    """How an operation is printed, worked out, and how tightly it holds (see ``rank``)."""

    show: Callable[[Expression, Style], str]
    work: Callable[..., Any]
    rank: int = 3


def _function(name: str, work: Callable[..., Any], text: str = "", latex: str = "") -> Operation:
    plain = text or f"{name}(@)"
    return Operation(_called(plain, latex or rf"\operatorname{{{name}}}\left(@\right)"), work)


OPERATIONS = {
    "+": Operation(_sum, lambda *a: sum(a), 0),
    "-": Operation(_difference, lambda a, b: a - b, 0),
    "negative": Operation(_negative, lambda a: -a, 0),
    "·": Operation(_product, lambda *a: np.prod(a), 1),
    "/": Operation(_quotient, lambda a, b: np.float64(a) / b, 1),
    "^": Operation(_power, lambda a, b: np.float64(a) ** b, 2),
    "exp": _function("exp", np.exp, latex=r"e^{@}"),
    "ln": _function("ln", np.log, latex=r"\ln\left(@\right)"),
    "sqrt": _function("sqrt", np.sqrt, latex=r"\sqrt{@}"),
    "abs": _function("abs", np.abs, "|@|", r"\left|@\right|"),
    "sign": _function("sign", np.sign),
    "max": _function("max", lambda *a: max(a), latex=r"\max\left(@\right)"),
    "min": _function("min", lambda *a: min(a), latex=r"\min\left(@\right)"),
    "mean": _function("mean", lambda *a: sum(a) / len(a)),
    "tanh": _function("tanh", np.tanh, latex=r"\tanh\left(@\right)"),
    "cosh": _function("cosh", np.cosh, latex=r"\cosh\left(@\right)"),
    "sigmoid": _function("σ", lambda a: 1.0 / (1.0 + np.exp(-a)), latex=r"\sigma\left(@\right)"),
    "Phi": _function("Φ", lambda a: 0.5 * math.erfc(-a * math.sqrt(0.5)), latex=r"\Phi(@)"),
    "positive": _function("positive", lambda a: float(a > 0), "[@ > 0]", r"\left[@ > 0\right]"),
    "clip": _function("clip", lambda x, low, high: min(max(x, low), high)),
}  # fmt: skip
"""Operation -> how it is printed and worked out; a new function is a row here."""
