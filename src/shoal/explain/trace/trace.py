"""Trace: every number of one training step as plain data, and each of them by its name.

trace["w5"]                     a weight: the chain rule, the factors, the update
trace["dense1.weight[3,1]"]     the same by its place in the tree
trace["Z1[0,3]"]                a number of the forward pass; "dE/dZ1[0,3]" its derivative
trace["Z1"], trace["dense1"]    an array, a layer
trace["E"]                      the loss
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.errors import DataError, FileError, did_you_mean
from shoal.explain.trace import chains, document, html, markdown, plain, text
from shoal.explain.trace.document import Section, Working
from shoal.explain.trace.expression import total
from shoal.explain.trace.names import Index, index_text, parse
from shoal.explain.trace.objective import Objective
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.story import Story
from shoal.explain.trace.updates import Update
from shoal.explain.trace.writers.table import writer
from shoal.explain.trace.writers.writer import Formula, Inner
from shoal.files import write_atomically
from shoal.recipe import Recipe
from shoal.train.member import Member


@dataclass(frozen=True, eq=False)
class Trace:
    """One training step of one network on a few examples, number by number.

    Attributes:
        recipe: of the step.
        steps: the layers in the order in which they run; see ``Step``.
        objective: the loss.
        update: what the optimiser did; None where layers ran as in prediction.
        notes: what the reader should know.
        digits: decimals in texts.
        after: the network after the step, for ``explain(..., after=trace)``.
    """

    recipe: Recipe
    steps: tuple[Step, ...]
    objective: Objective
    update: Update | None
    notes: tuple[str, ...]
    digits: int
    after: Member

    @property
    def loss(self) -> float:
        """E, without penalties."""
        return self.objective.value

    @property
    def parameters(self) -> Any:
        """The parameters after the step, as a nest of arrays on the host."""
        import jax

        return jax.tree.map(np.asarray, self.after.parameters)

    def arrays(self) -> dict[str, Numbers]:
        """Every array by its symbol: A0, Z1, A1, ..., W1, and with d before it its derivative."""
        found: dict[str, Numbers] = {}
        for flow in self._flows():
            found.setdefault(flow.symbol, flow.value)
            if flow.gradient is not None:
                found.setdefault(f"d{flow.symbol}", flow.gradient)
        return found

    def _flows(self) -> Iterator[Flow]:
        """All arrays; those that join several ways come with their whole derivative."""
        yield self.start
        for step in self.steps:
            yield from step.weights.values()
            yield from (inner.flow for inner in writer(step).inner(step))
            yield step.y

    @property
    def start(self) -> Flow:
        """The input of the network with its whole derivative."""
        parts = self.takers(self.steps[0].x.symbol)
        first = parts[0][0].inputs[parts[0][1]]
        whole = np.sum([step.inputs[part].gradient for step, part in parts], axis=0)  # type: ignore[arg-type]
        return Flow(first.symbol, first.value, whole, first.names)

    def takers(self, symbol: str) -> list[tuple[Step, int]]:
        """The steps that an array goes into, each with the number of its input."""
        return [
            (step, number)
            for step in self.steps
            for number, flow in enumerate(step.inputs)
            if flow.symbol == symbol
        ]

    # --- single numbers --------------------------------------------------------------------------

    def formula(self, symbol: str) -> Formula | None:
        """The formulas of the numbers of an array; None for inputs and weights."""
        objective = self.objective
        if symbol == "p" and objective.makes_probabilities():
            return objective.prediction
        if symbol == "L":
            return lambda i: objective.example(i[0])
        for step in self.steps:
            if step.y.symbol == symbol:
                return lambda i, step=step: writer(step).forward(step, i)  # type: ignore[misc]
            inner = self._inner(step, symbol)
            if inner is not None:
                return inner.forward
        return None

    def slope_formula(self, symbol: str) -> Formula | None:
        """The formulas of the derivatives of E by the numbers of an array, or None."""
        if symbol == self.objective.z.symbol:
            return self.objective.slope
        for step in self.steps:
            for name, flow in step.weights.items():
                if flow.symbol == symbol:
                    return lambda i, s=step, n=name: writer(s).gradient(s, n, i)  # type: ignore[misc]
            inner = self._inner(step, symbol)
            if inner is not None:
                return inner.backward
        takers = self.takers(symbol)
        if len(takers) == 1:
            ((step, part),) = takers
            return lambda i: writer(step).backward(step, part, i)
        if takers:
            return lambda i: total([step.inputs[part].slope(*i) for step, part in takers])
        return None

    def _inner(self, step: Step, symbol: str) -> Inner | None:
        if not symbol.endswith(step.tag):
            return None
        found = (inner for inner in writer(step).inner(step) if inner.flow.symbol == symbol)
        return next(found, None)

    def flow(self, symbol: str) -> Flow | None:
        """The array of a symbol."""
        objective = self.objective
        own = {"t": objective.targets, "p": objective.p, "L": objective.each}
        return own.get(symbol) or next((f for f in self._flows() if f.symbol == symbol), None)

    def working(self, symbol: str, i: Index) -> Working:
        """One number of the forward pass."""
        flow = self.flow(symbol)
        assert flow is not None
        formula = self.formula(symbol)
        own = flow.at(*i)
        return Working(own.name, formula(i) if formula else None, own.value)

    def slope_working(self, symbol: str, i: Index) -> Working:
        """One number of the backward pass."""
        flow = self.flow(symbol)
        assert flow is not None
        assert flow.gradient is not None
        formula, own = self.slope_formula(symbol), flow.slope(*i)
        return Working(own.name, formula(i) if formula else None, own.value)

    def __getitem__(self, name: str) -> Story:
        """What a name stands for, with its working.

        Raises:
            DataError: an unknown name, or an index outside of the array.
        """
        return Story(tuple(self._sections(name.strip())), self.digits)

    def _sections(self, name: str) -> list[Section]:
        if name == "E":
            return [document.loss_section(self, everything=True)]
        if any(name in (step.name, step.name.split(".")[0]) for step in self.steps):
            return document.layer_sections(self, name)
        backward = name.startswith(("dE/d", "∂E/∂"))
        bare = name[4:] if backward else name
        cell = self.steps[0].y.names.cell(bare) or self.objective.targets.names.cell(bare)
        symbol, index = cell if cell is not None else self._place(bare)
        if not backward and symbol.startswith("d") and self.flow(symbol) is None:
            backward, symbol = True, symbol[1:]
        flow = self.flow(symbol)
        if flow is None:
            raise self._unknown(name)
        if index is None:
            return [document.array_section(self, flow, backward)]
        if len(index) != len(flow.shape) or any(
            not 0 <= k < n for k, n in zip(index, flow.shape, strict=True)
        ):
            raise DataError(
                name,
                required=f"an index within {flow.symbol} of shape {flow.shape}, counted from 0",
                got=index_text(index),
                remedy=f"write {flow.symbol}{index_text(tuple(0 for _ in flow.shape))}",
            )
        if flow.path:
            return chains.weight_sections(self, flow, index)
        if backward:
            return chains.slope_sections(self, flow, index)
        return [Section(f"{flow.at(*index).name.text}", (self.working(symbol, index),))]

    def _place(self, bare: str) -> tuple[str, Index | None]:
        """Symbol and index of a name; a place in the tree of parameters as its symbol."""
        word, index = parse(bare)
        place = word.replace("/", ".")
        for step in self.steps:
            for flow in step.weights.values():
                if place == flow.path:
                    return flow.symbol, index
        classic = {own.split("_")[0]: cell[0]
                   for cell, own in self.steps[0].y.names.special.items()
                   if own.startswith("b") and "_" in own}  # fmt: skip
        return classic.get(word, word), index

    def _unknown(self, name: str) -> DataError:
        known = [flow.symbol for flow in self._flows()]
        known += [flow.path for step in self.steps for flow in step.weights.values()]
        known += [step.name for step in self.steps]
        known += list(self.steps[0].y.names.special.values())
        return DataError(
            "a trace",
            required="the name of a number, an array or a layer",
            got=repr(name),
            remedy=did_you_mean(parse(name)[0], known),
        )

    # --- renderings ------------------------------------------------------------------------------

    def sections(self, numbers: int | None = None) -> tuple[Section, ...]:
        """The whole working, section by section.

        Args:
            numbers: arrays with at most so many are written out number by number; larger ones are
                shown by a corner, their statistics and one number. By default 12, and 3 in a
                network of more than 400 numbers.
        """
        if numbers is None:
            size = sum(array.size for array in self.arrays().values())
            numbers = document.MOST_NUMBERS if size <= document.SMALL else document.FEW_NUMBERS
        return tuple(document.sections(self, numbers))

    def __str__(self) -> str:
        return text.render(self.sections(), self.digits)

    def __repr__(self) -> str:
        rows = self.objective.z.shape[0]
        return f"Trace({self.recipe.net!r}, {rows} example{'s' * (rows != 1)}, E = {self.loss:g})"

    def text(self, numbers: int | None = None) -> str:
        """The working as plain text; ``numbers`` as for ``sections``."""
        return text.render(self.sections(numbers), self.digits)

    def markdown(self, numbers: int | None = None) -> str:
        """The working as Markdown with LaTeX between dollars."""
        return markdown.render(self.sections(numbers), self.digits)

    def html(self, numbers: int | None = None) -> str:
        """The working as one HTML page that needs nothing else; numbers open on a click."""
        return html.render(self.sections(numbers), self.digits)

    def to_json(self, numbers: int | None = None) -> str:
        """All arrays, and the formulas with values, as JSON."""
        return json.dumps(plain.values(self, self.sections(numbers)), allow_nan=False)

    def save(self, path: str | Path, numbers: int | None = None) -> Path:
        """Write the working; the ending says how: .html, .md, .json or .txt.

        Raises:
            FileError: another ending, or a file that cannot be written.
        """
        ways = {
            ".html": self.html, ".md": self.markdown, ".json": self.to_json, ".txt": self.text,
        }  # fmt: skip
        ending = Path(path).suffix.lower()
        if ending not in ways:
            raise FileError(
                f"writing {path}",
                required=f"an ending of {', '.join(ways)}",
                got=repr(ending),
                remedy="choose another name",
            )
        write_atomically(Path(path), ways[ending](numbers).encode())
        return Path(path)
