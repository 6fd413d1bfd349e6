"""Lineage: the values of hyperparameters that a network was trained with, one after another.

In population based training a network inherits weights and goes on with other values. What it has
gone through, from its first step on, is its lineage; trained alone along it, it comes out the same.

    trial.user_attrs["lineage"]    [[epoch, {parameter: value}], ...]: from that epoch on
    trial.user_attrs["copies"]     [[epoch, trial], ...]: when its slot got a copy of whose network
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from shoal.data.dataset import Data
from shoal.errors import DamagedFileError
from shoal.files import read, write_atomically
from shoal.recipe import Recipe
from shoal.train.fit import as_data
from shoal.train.run import Run
from shoal.train.settings import Settings
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.planner import plan

VERSION = 1


@dataclass(frozen=True)
class Lineage:
    """The values of one network over its epochs.

    Attributes:
        epochs: at which values begin to hold, the first 0, ascending.
        values: {parameter: value} from each of them on.
        recipes: with these values, and the seed of the weights.
    """

    epochs: tuple[int, ...]
    values: tuple[Mapping[str, Any], ...]
    recipes: tuple[Recipe, ...]

    @staticmethod
    def of(space: Recipe, trial: FrozenTrial, seed: int) -> "Lineage":
        """The lineage of a trial; of one whose values never changed, a single step."""
        steps = trial.user_attrs.get("lineage", [[0, trial.params]])
        recipes = tuple(space.at(values).replace(seed=seed) for _, values in steps)
        return Lineage(
            tuple(int(epoch) for epoch, _ in steps),
            tuple(dict(values) for _, values in steps),
            recipes,
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe of the last step."""
        return self.recipes[-1]

    def seat(self, fold: int | None = None, keep: bool = False, seed: int | None = None) -> Seat:
        """A seat that goes through it, with its own seed or another."""
        first, *others = (
            recipe if seed is None else recipe.replace(seed=seed) for recipe in self.recipes
        )
        return Seat(first, fold, keep, dict(zip(self.epochs[1:], others, strict=True)))

    def fit(self, data: Data | tuple[Any, Any], *, settings: Settings | None = None) -> Run:
        """Train one network alone along it.

        Raises:
            RecipeError, ShapeError, DataError, DeviceError: as for ``fit``.
        """
        began = time.monotonic()
        chunk = reduce(math.gcd, self.epochs, int(self.recipe.epochs))
        known = as_data(data)
        executor = Executor(
            known, [], chunk, settings, plan(self.recipe, known, 1, None, settings), 0
        )
        executor.check(self.recipe)
        seat = self.seat(keep=True)
        executor.submit([seat])
        while not seat.done:
            executor.advance()
        outcomes = [seat.outcome] if seat.outcome is not None else []
        prepared = executor.prepared(self.recipe)
        return Run.of(outcomes, prepared, time.monotonic() - began, None)

    def save(self, path: str | Path) -> Path:
        """Write it as JSON.

        Raises:
            FileError: the file cannot be written.
        """
        steps = [
            {"epoch": epoch, "values": dict(values), "recipe": json.loads(recipe.to_json())}
            for epoch, values, recipe in zip(self.epochs, self.values, self.recipes, strict=True)
        ]
        text = json.dumps({"kind": "Lineage", "version": VERSION, "steps": steps}, indent=1)
        write_atomically(Path(path), text.encode())
        return Path(path)

    @staticmethod
    def load(path: str | Path) -> "Lineage":
        """The lineage that ``save`` wrote.

        Raises:
            FileError: it is not there, or damaged.
        """
        try:
            steps = json.loads(read(Path(path)))["steps"]
            return Lineage(
                tuple(int(step["epoch"]) for step in steps),
                tuple(dict(step["values"]) for step in steps),
                tuple(Recipe.from_json(json.dumps(step["recipe"])) for step in steps),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(
                f"the file {path}",
                required="a lineage as JSON",
                got=str(error).split("\n", 1)[0],
                remedy="write it again by Lineage.save",
            ) from error

    def __repr__(self) -> str:
        names = tuple(dict.fromkeys(name for values in self.values for name in values))
        rows = [("epoch", *names)]
        rows += [
            (str(epoch), *(_text(values.get(name)) for name in names))
            for epoch, values in zip(self.epochs, self.values, strict=True)
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ("  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in rows)
        return "\n".join(lines)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
