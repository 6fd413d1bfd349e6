"""Names of samplers and pruners, and what they mean.

Every sampler is an ``optuna.samplers.BaseSampler`` and every pruner an ``optuna.pruners
.BasePruner``; objects of these classes are taken as they are.
"""

import importlib.util
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from shoal.choosing import Parameter
from shoal.errors import RecipeError, did_you_mean
from shoal.recipe import Recipe
from shoal.spaces import Choice, Int

GRID_POINTS = 5
"""Values of a ``Float`` without a step on a grid."""

MOST_GRID = 100_000


class Named(NamedTuple):
    """A sampler by name.

    Attributes:
        make: from a seed.
        adaptive: whether it learns from the trials before; others can be asked far ahead.
        needs: a module that has to be installed, "" for none.
    """

    make: Callable[[int], BaseSampler]
    adaptive: bool
    needs: str = ""


def _quasi_random(seed: int) -> BaseSampler:
    return optuna.samplers.QMCSampler(
        scramble=True,
        seed=seed,
        independent_sampler=optuna.samplers.RandomSampler(seed=seed),
        warn_asynchronous_seeding=False,
        warn_independent_sampling=False,
    )


BY_NAME: dict[str, Named] = {
    "tpe": Named(lambda seed: optuna.samplers.TPESampler(seed=seed), True),
    "random": Named(lambda seed: optuna.samplers.RandomSampler(seed=seed), False),
    "quasi-random": Named(_quasi_random, False),
    "cma-es": Named(lambda seed: optuna.samplers.CmaEsSampler(seed=seed), True, "cmaes"),
    "grid": Named(lambda seed: optuna.samplers.RandomSampler(seed=seed), False),
    "guess": Named(lambda seed: optuna.samplers.RandomSampler(seed=seed), False),
}
"""Samplers. "grid" tries the product of all values, "guess" the guesses; both then end."""

LISTED = ("grid", "guess")

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "patient": lambda: optuna.pruners.PatientPruner(optuna.pruners.MedianPruner(), patience=3),
}


def sampler(wanted: str | BaseSampler, seed: int) -> tuple[BaseSampler, bool]:
    """A sampler, and whether it learns from the trials before.

    Raises:
        RecipeError: an unknown name, or a module that is missing.
    """
    if isinstance(wanted, BaseSampler):
        return wanted, True
    if not isinstance(wanted, str) or wanted not in BY_NAME:
        raise _unknown("sampler", wanted, BY_NAME)
    named = BY_NAME[wanted]
    if named.needs and importlib.util.find_spec(named.needs) is None:
        raise RecipeError(
            f"tune(sampler={wanted!r})",
            required=f"the package {named.needs}",
            got="none installed",
            remedy=f"install it, or use another sampler: {', '.join(BY_NAME)}",
        )
    with _experimental():
        return named.make(seed), named.adaptive


def pruner(wanted: str | BasePruner | None) -> BasePruner:
    """A pruner.

    Raises:
        RecipeError: an unknown name.
    """
    if isinstance(wanted, BasePruner):
        return wanted
    name = "none" if wanted is None else wanted
    if not isinstance(name, str) or name not in PRUNERS:
        raise _unknown("pruner", wanted, PRUNERS)
    with _experimental():
        return PRUNERS[name]()


@contextmanager
def _experimental() -> Iterator[None]:
    """Optuna calls some of what it ships experimental, by a warning for each object."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _unknown(what: str, got: Any, known: Any) -> RecipeError:
    return RecipeError(
        f"tune({what})",
        required=f"the name of a {what}, or one of Optuna's",
        got=repr(got),
        remedy=did_you_mean(str(got), known),
    )


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
