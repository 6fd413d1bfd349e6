"""The grid of a space: the product of the values of its parameters."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from shoal.choosing import Parameter
from shoal.errors import RecipeError
from shoal.recipe import Recipe
from shoal.spaces import Choice, Int

GRID_POINTS = 5
"""Values of a ``Float`` without a step on a grid."""

MOST_GRID = 100_000


def grid(space: Recipe) -> list[dict[str, Any]]:
    """Every point of the grid of a space; what an option leaves out does not multiply.

    Raises:
        RecipeError: too many points.
    """
    columns = {parameter.name: _values(parameter) for parameter in space.parameters}
    size = math.prod(map(len, columns.values()))
    if size > MOST_GRID:
        raise RecipeError(
            'tune(sampler="grid")',
            required=f"at most {MOST_GRID:,} points",
            got=f"{size:,}",
            remedy="use fewer values, or another sampler",
        )
    return list(_different(space, columns))


def certain(trials: int | None, seconds: float | None) -> float:
    """How many trials there will be for sure."""
    if seconds is not None:
        return 0
    return math.inf if trials is None else trials


def mixed(
    every: list[dict[str, Any]], points: list[dict[str, Any]], most: float
) -> list[dict[str, Any]]:
    """A grid without some points; mixed where not all of it is tried, so that no corner is."""
    left = [point for point in every if point not in points] if points else every
    if len(left) + len(points) <= most:
        return left
    return [left[k] for k in np.random.default_rng(0).permutation(len(left))]


def _different(space: Recipe, columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """The points, by the places of their values in the columns, which are quick to compare."""
    conditions = {parameter.name: _places(space, parameter) for parameter in space.parameters}
    seen = set()
    for places in itertools.product(*(range(len(values)) for values in columns.values())):
        at = dict(zip(columns, places, strict=True))
        used = tuple(
            (name, place)
            for name, place in at.items()
            if all(any(at[n] == p for n, p in options) for options in conditions[name])
        )
        if used not in seen:
            seen.add(used)
            yield {name: columns[name][place] for name, place in used}


def _places(space: Recipe, parameter: Parameter) -> list[list[tuple[str, int]]]:
    """What a parameter depends on: of each list one choice must have taken one option."""
    return [
        [
            (choice.name, place)
            for choice in space.parameters
            if choice.path == path and isinstance(choice.leaf, Choice)
            for place, known in enumerate(choice.leaf.labels)
            if known == label
        ]
        for path, label in parameter.conditions
    ]


def _values(parameter: Parameter) -> list[Any]:
    leaf: Any = parameter.leaf
    if isinstance(leaf, Choice):
        return list(leaf.values)
    if isinstance(leaf, Int) and not leaf.log:
        return list(range(leaf.low, leaf.high + 1, leaf.step))
    if leaf.step is not None and not leaf.log:
        count = math.floor((leaf.high - leaf.low) / leaf.step + 1e-9) + 1
        return [min(leaf.low + i * leaf.step, leaf.high) for i in range(count)]
    parts = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
    if leaf.log:
        spread = [leaf.low * (leaf.high / leaf.low) ** part for part in parts]
    else:
        spread = [leaf.low + part * (leaf.high - leaf.low) for part in parts]
    if isinstance(leaf, Int):
        return sorted({round(value) for value in spread})
    return [min(max(value, leaf.low), leaf.high) for value in spread]
