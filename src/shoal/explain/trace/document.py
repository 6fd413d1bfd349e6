"""The working as a document: sections of formulas, numbers and notes, before it is printed.

Section    a title and what stands under it
Rule       a formula of whole arrays, with their shapes
Working    one number: its formula, the formula with values, the result
Sample     an array that is too large to write out: a corner and its statistics
Note       a sentence
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import Expression, Name
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.table import writer
from shoal.explain.trace.writers.writer import Rule, shape_text

if TYPE_CHECKING:
    from shoal.explain.trace.trace import Trace

MOST_NUMBERS, FEW_NUMBERS = 12, 3
"""Arrays with more numbers are shown by a sample: in small networks, and in large ones."""

SMALL = 400
"""Numbers in all arrays of a small network."""

CORNER = (4, 6)
"""Rows and columns of a sample."""


class Working(NamedTuple):
    """One number: its name, its formula, the result. No formula for what was given."""

    name: Name
    formula: Expression | None
    result: float


class Sample(NamedTuple):
    """A large array by a corner and its statistics.

    Attributes:
        symbol: with d before it for a derivative.
        shape: of the array.
        corner: (rows, columns) of its last two axes, at the first place of the others.
        statistics: least, mean and largest number, and the Euclidean norm.
    """

    symbol: str
    shape: tuple[int, ...]
    corner: Numbers
    statistics: dict[str, float]


class Note(NamedTuple):
    """A sentence."""

    text: str


Item = Rule | Working | Sample | Note


class Section(NamedTuple):
    """A title and what stands under it; ``level`` 1 for a part, 2 for a layer within it."""

    title: str
    items: tuple[Item, ...]
    level: int = 2


# --- the whole document --------------------------------------------------------------------------


def sections(trace: "Trace", most: int) -> Iterator[Section]:
    """All sections in the order of the computation."""
    yield _head(trace)
    yield Section("Forward pass", (*_numbers(trace, trace.start, False, most),), 1)
    for step in trace.steps:
        yield Section(f"{step.name}: {step.text}", tuple(_forward(trace, step, most)))
    yield loss_section(trace, most=most)
    yield Section("Backward pass", tuple(_last(trace, most)), 1)
    for step in reversed(trace.steps):
        yield Section(f"{step.name}: {step.text}", tuple(_backward(trace, step, most)))
    if trace.update is not None:
        yield from _update(trace, most)


def _head(trace: "Trace") -> Section:
    recipe, rows = trace.recipe, trace.objective.z.shape[0]
    told = [
        f"{recipe.net!r}",
        f"{recipe.loss!r}, {recipe.optimiser!r}, {recipe.precision}",
        f"E is the mean loss of the {rows} examples." if rows > 1 else "E is its loss.",
        *(note[:1].upper() + note[1:] + "." for note in trace.notes),
    ]
    title = f"One step on {rows} example{'s' * (rows != 1)}, number by number"
    return Section(title, tuple(Note(line) for line in told), 1)


def _forward(trace: "Trace", step: Step, most: int) -> Iterator[Item]:
    wrote = writer(step)
    yield from wrote.rules(step)
    if step.weights:
        told = (f"{w.symbol} is {w.path} {shape_text(w.shape)}" for w in step.weights.values())
        yield Note(", ".join(told))
    inner = wrote.inner(step)
    for part in inner:
        if part.backward is not None or not part.flow.symbol.startswith(("pull", "turn")):
            yield from _cells(part.flow, part.forward, False, most)
    yield from _numbers(trace, step.y, False, most)


def _last(trace: "Trace", most: int) -> Iterator[Item]:
    yield Note("From the loss back to the input; dX is the derivative of E by X.")
    yield from _numbers(trace, trace.objective.z, True, most)


def _backward(trace: "Trace", step: Step, most: int) -> Iterator[Item]:
    wrote = writer(step)
    yield from wrote.back_rules(step)
    for part in reversed(wrote.inner(step)):
        if part.backward is not None:
            yield from _cells(part.flow, part.backward, True, most)
        elif part.flow.symbol.startswith(("pull", "turn")):
            yield from _cells(part.flow, part.forward, False, most)
    for flow in step.weights.values():
        yield from _numbers(trace, flow, True, most)
    for number, flow in enumerate(step.inputs):
        formula = lambda i, n=number: wrote.backward(step, n, i)  # noqa: E731
        yield from _cells(flow, formula, True, most)
        takers = trace.takers(flow.symbol)
        if len(takers) > 1 and takers[0] == (step, number):
            yield Note(f"{flow.symbol} goes several ways: their derivatives add up.")
            whole = next(f for f in trace._flows() if f.symbol == flow.symbol)
            yield from _numbers(trace, whole, True, most)


def _update(trace: "Trace", most: int) -> Iterator[Section]:
    update = trace.update
    assert update is not None
    about = [Note(f"{update.recipe.optimiser!r}: {update.text}")]
    about.append(Note(f"r = {update.rate:g}; update number {update.count}"))
    if not update.passes_on():
        about.append(Note(f"g is dE/dw with penalties, clipped; |g| before is {update.norm:.6g}"))
    yield Section("Update", tuple(about), 1)
    for path, changed in update.weights.items():
        flow, items = changed.flow, list[Item]()
        large = flow.value.size > most
        if large:
            items.append(sample(f"{flow.symbol}+", changed.after))
        for i in [next(flow.cells())] if large else flow.cells():
            items += update_workings(trace, flow.path, i)
        yield Section(path, tuple(items))


def update_workings(trace: "Trace", path: str, i: Index) -> list[Working]:
    """The lines of the update of one weight; the last result is the training's own."""
    assert trace.update is not None
    changed = trace.update.weights[path]
    *lines, last = trace.update.lines(changed, i)
    found = [Working(name, e, e.result()) for name, e in lines]
    return [*found, Working(last[0], last[1], float(changed.after[i]))]


def loss_section(trace: "Trace", everything: bool = False, most: int = MOST_NUMBERS) -> Section:
    """The loss: each example, then E."""
    objective = trace.objective
    rows = range(len(objective.weights))
    items: list[Item] = [Note(f"{objective.loss!r}: {objective.text}.")]
    if objective.targets.value.size <= most:
        targets = objective.targets
        items += [
            Working(targets.at(*i).name, None, float(targets.value[i])) for i in targets.cells()
        ]
    if objective.makes_probabilities():
        items += _cells(objective.p, objective.prediction, False, most)
    for b in rows if len(rows) <= most else [0]:
        if objective.z.shape[1] <= most:
            items += [Working(name, e, e.result()) for name, e in objective.terms(b)]
        items.append(Working(objective.each.at(b).name, objective.example(b),
                             float(objective.each.value[b])))  # fmt: skip
    items.append(Working(Name("E", "E"), objective.total(), objective.value))
    if everything:  # asked for by its name: the number first
        items = [items[-1], *items[:-1]]
    return Section("Loss", tuple(items), 1)


def layer_sections(trace: "Trace", name: str, most: int = MOST_NUMBERS) -> list[Section]:
    """Forward, backward and update of a layer, or of all layers inside of one."""
    steps = [s for s in trace.steps if s.name == name or s.name.split(".")[0] == name]
    found = []
    for step in steps:
        title = f"{step.name}: {step.text}"
        found.append(Section(f"{title}, forward", tuple(_forward(trace, step, most))))
    for step in reversed(steps):
        title = f"{step.name}: {step.text}"
        found.append(Section(f"{title}, backward", tuple(_backward(trace, step, most))))
    paths = {flow.path for step in steps for flow in step.weights.values()}
    if trace.update is not None:
        found += [s for s in _update(trace, most) if s.title in paths]
    return found


def array_section(trace: "Trace", flow: Flow, backward: bool) -> Section:
    """One array: its numbers, or a sample of them."""
    title = f"{'d' if backward else ''}{flow.symbol} {shape_text(flow.shape)}"
    items = list(_numbers(trace, flow, backward or bool(flow.path), MOST_NUMBERS))
    if flow.path and not backward:
        items = [*_cells(flow, None, False, MOST_NUMBERS), *items]
    return Section(f"{title}{', ' + flow.path if flow.path else ''}", tuple(items))


def _numbers(trace: "Trace", flow: Flow, backward: bool, most: int) -> Iterator[Item]:
    """An array of the trace, number by number or by a sample."""
    formula = trace.slope_formula(flow.symbol) if backward else trace.formula(flow.symbol)
    yield from _cells(flow, formula, backward, most)


def _cells(flow: Flow, formula: Any, backward: bool, most: int) -> Iterator[Item]:
    if backward and flow.gradient is None:
        return
    values = flow.gradient if backward else flow.value
    assert values is not None
    large = values.size > most
    if large:
        yield sample(f"{'d' if backward else ''}{flow.symbol}", values)
    for i in [_telling(values)] if large else flow.cells():
        own = flow.slope(*i) if backward else flow.at(*i)
        if not large or formula is not None:
            yield Working(own.name, formula(i) if formula else None, own.value)


def _telling(values: Numbers) -> Index:
    """The first number that is not 0, to be worked out for a large array."""
    found = np.argwhere(values != 0.0)
    return tuple(int(k) for k in found[0]) if len(found) else (0,) * values.ndim


def sample(symbol: str, values: Numbers) -> Sample:
    """An array by a corner and its statistics."""
    flat = values.reshape(-1, values.shape[-1]) if values.ndim > 2 else np.atleast_2d(values)
    rows, columns = CORNER
    wide = values.astype(np.float64)
    statistics = {
        "least": float(wide.min()),
        "mean": float(wide.mean()),
        "largest": float(wide.max()),
        "norm": float(np.sqrt((wide**2).sum())),
    }
    return Sample(symbol, tuple(values.shape), flat[:rows, :columns], statistics)
