"""The grid of a space: the product of the values of its parameters."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

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


def _different(space: Recipe, columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    seen = set()
    for values in itertools.product(*columns.values()):
        point = dict(zip(columns, values, strict=True))
        used = {n: v for n, v in point.items() if _exists(space, point, n)}
        key = repr(used)
        if key not in seen:
            seen.add(key)
            yield used


def _exists(space: Recipe, point: dict[str, Any], name: str) -> bool:
    """Whether the options chosen at a point leave a parameter in place."""
    known = {parameter.name: parameter for parameter in space.parameters}
    for path, label in known[name].conditions:
        choices = [p for p in known.values() if p.path == path and isinstance(p.leaf, Choice)]
        if not any(p.leaf.labels[p.leaf.index(point[p.name])] == label for p in choices):
            return False
    return True


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
