"""The chain rule of one number: from E back to a weight, factor by factor.

For a weight of a Dense layer whose output goes into an activation, example by example,

    dE/dw5 = dE/dout_o1 · dout_o1/dnet_o1 · dnet_o1/dw5

and each factor with its own working. For other layers the derivatives by their outputs stand in the
place of the first two.
"""

from typing import TYPE_CHECKING

from shoal.explain.trace import document
from shoal.explain.trace.document import Note, Section, Working
from shoal.explain.trace.expression import Expression, Name, decimal, symbol, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.table import writer
from shoal.nets import Dense

if TYPE_CHECKING:
    from shoal.explain.trace.trace import Trace

MOST_FACTORS = 6
"""Derivatives in a sum whose own working is shown."""


def weight_sections(trace: "Trace", flow: Flow, i: Index) -> list[Section]:
    """A weight: the chain rule, its factors, the update."""
    step, name = _owner(trace, flow)
    own = flow.slope(*i)
    if isinstance(step.layer, Dense):
        formula, factors = _dense(trace, step, name, i)
    else:
        formula, factors = writer(step).gradient(step, name, i), []
        for part in _slopes(formula)[:MOST_FACTORS]:
            factors += _derivative(trace, step, part)
    title = f"{own.name.text.removeprefix('dE/d')}, {flow.path}{list(i)}"
    about = f"{flow.path} is a part of {step.text}; it is {decimal(flow.value[i], trace.digits)}."
    found = [Section(title, (Working(own.name, formula, own.value), Note(about)), 1)]
    if factors:
        found.append(Section("The factors", tuple(_once(factors))))
    if trace.update is not None:
        lines = document.update_workings(trace, flow.path, i)
        rule = Note(f"{trace.recipe.optimiser!r}: {trace.update.text}")
        found.append(Section("The update", (*lines, rule)))
    return found


def slope_sections(trace: "Trace", flow: Flow, i: Index) -> list[Section]:
    """A derivative by a number of the forward pass, and those that it is made of."""
    first = trace.slope_working(flow.symbol, i)
    found = [Section(first.name.text, (first,), 1)]
    factors: list[Working] = []
    for step, part in trace.takers(flow.symbol):
        formula = writer(step).backward(step, part, i)
        for inside in _slopes(formula)[:MOST_FACTORS]:
            factors += _derivative(trace, step, inside)
    return [*found, Section("Its parts", tuple(_once(factors)))] if factors else found


def _owner(trace: "Trace", flow: Flow) -> tuple[Step, str]:
    """The step that an array of parameters belongs to, and its name there."""
    return next(
        (step, name)
        for step in trace.steps
        for name, own in step.weights.items()
        if own.symbol == flow.symbol
    )


def _dense(trace: "Trace", step: Step, name: str, i: Index) -> tuple[Expression, list[Working]]:
    """The product of three factors for each example, and the working of each."""
    terms, factors = [], list[Working]()
    weight = step.weights[name].at(*i).name
    for b in range(step.y.shape[0]):
        cell = (b, i[0])
        above, local = _through(trace, step.y, cell)
        net = step.y.names.of(step.y.symbol, cell)
        last = step.x.at(b, i[1]) if name == "weight" else symbol("1", 1.0)
        latex = rf"\frac{{\partial {net.latex}}}{{\partial {weight.latex}}}"
        own = Name(f"d{net.text}/d{weight.text}", latex)
        by_weight = symbol(own.text, last.value, own.latex)
        terms.append(_product(above, local, by_weight))
        if b == 0:
            factors += _above(trace, step.y, cell)
            factors.append(Working(own, last, last.value))
    return total(terms), factors


def _product(above: Expression, local: Expression | None, last: Expression) -> Expression:
    return above * last if local is None else above * local * last


def _through(trace: "Trace", y: Flow, cell: Index) -> tuple[Expression, Expression | None]:
    """dE/dy, or, where y goes into an activation a alone, dE/da and da/dy."""
    takers = trace.takers(y.symbol)
    if len(takers) == 1:
        step, _ = takers[0]
        local = writer(step).local(step, cell)
        if local is not None:
            return step.y.slope(*cell), _local_symbol(step, cell, local)
    return y.slope(*cell), None


def _local_symbol(step: Step, cell: Index, local: Expression) -> Expression:
    above = step.y.names.of(step.y.symbol, cell)
    below = step.x.names.of(step.x.symbol, cell)
    latex = rf"\frac{{\partial {above.latex}}}{{\partial {below.latex}}}"
    return symbol(f"d{above.text}/d{below.text}", local.result(), latex)


def _above(trace: "Trace", y: Flow, cell: Index) -> list[Working]:
    """The working of dE/dy: through the activation after it, where there is one."""
    local = _through(trace, y, cell)[1]
    if local is None:
        return [trace.slope_working(y.symbol, cell)]
    step, _ = trace.takers(y.symbol)[0]
    formula = writer(step).local(step, cell)
    first = trace.slope_working(step.y.symbol, cell)
    assert formula is not None
    # What the derivative by the activation is made of, one layer further on.
    inside = first.formula
    deeper = [] if inside is None else _slopes(inside)[:MOST_FACTORS]
    found = [first, Working(local.name, formula, local.value)]
    for part in deeper:
        found += [w for w in _derivative(trace, step, part) if w.name != first.name]
    return found


def _slopes(e: Expression) -> list[Expression]:
    """The derivatives of E in a formula, in their order."""
    if e.kind == "symbol":
        return [e] if e.name.text.startswith("dE/d") else []
    return [slope for part in e.parts for slope in _slopes(part)]


def _derivative(trace: "Trace", step: Step, slope: Expression) -> list[Working]:
    """The working of a derivative that a formula of a step uses."""
    name = slope.name.text.removeprefix("dE/d").split(" via ")[0]
    cell = step.y.names.cell(name)
    symbol_, index = cell if cell is not None else trace._place(name)
    if index is None or trace.slope_formula(symbol_) is None:
        return []
    return [trace.slope_working(symbol_, index)]


def _once(workings: list[Working]) -> list[Working]:
    """Each working once, in order."""
    found: dict[str, Working] = {}
    for working in workings:
        found.setdefault(working.name.text, working)
    return list(found.values())
