"""Samplers by name: one table, ours and Optuna's."""

import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from shoal.errors import RecipeError, did_you_mean
from shoal.tune.samplers.auto import Auto
from shoal.tune.samplers.bobyqa import BOBYQA
from shoal.tune.samplers.guess import Guess
from shoal.tune.samplers.harmonica import Harmonica
from shoal.tune.samplers.lipo import LIPO, AdaLIPO, PureLIPO

Space = Mapping[str, BaseDistribution]
Maker = Callable[..., BaseSampler]


def sampler(name: str | BaseSampler, seed: int | None = None, **options: Any) -> BaseSampler:
    """A sampler by its name.

    Args:
        name: a name of BY_NAME; a sampler is returned as it is.
        seed: of its random numbers; None draws one.
        options: of the sampler: ``points`` of "guess", ``space`` of "grid", ...

    Raises:
        RecipeError: an unknown name, a package that is missing, options that do not fit.

    >>> type(sampler("lipo", seed=0)).__name__
    'LIPO'
    """
    if isinstance(name, BaseSampler):
        return name
    if name not in BY_NAME:
        raise RecipeError(
            "sampler(name)",
            required="the name of a sampler",
            got=repr(name),
            remedy=did_you_mean(str(name), BY_NAME),
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # by Optuna, for some of its own
            return BY_NAME[name](seed=seed, **options)
    except TypeError as error:
        raise RecipeError(
            f"sampler({name!r})",
            required="options that this sampler has",
            got=", ".join(f"{k}={v!r}" for k, v in options.items()) or "none",
            remedy=str(error),
        ) from error


def grid_values(distribution: BaseDistribution, cells: int) -> list[Any]:
    """The values of one parameter in a grid: all where they are counted, else ``cells`` of them."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is not None and not distribution.log:
        count = int((high - low) / step + 1e-9) + 1
        values = [low + i * step for i in range(count)]
    else:
        places = [0.5] if cells == 1 else [i / (cells - 1) for i in range(cells)]
        a, b = (math.log(low), math.log(high)) if distribution.log else (low, high)
        values = [a + p * (b - a) for p in places]
        values = [math.exp(v) for v in values] if distribution.log else values
    if isinstance(distribution, IntDistribution):
        return sorted({round(v) for v in values})
    return sorted({min(max(float(v), low), high) for v in values})


def _grid(seed: int | None = None, *, space: Space | None = None, cells: int = 5) -> BaseSampler:
    if not space:
        raise RecipeError(
            'sampler("grid")',
            required="the space beforehand",
            got=repr(space),
            remedy="give space={name: distribution}",
        )
    return GridSampler({name: grid_values(d, cells) for name, d in space.items()}, seed=seed)


def _guess(
    seed: int | None = None,
    *,
    points: Sequence[Mapping[str, Any]] = (),
    then: str | BaseSampler = "auto",
) -> BaseSampler:
    return Guess(points, sampler(then, seed))


def _needs(package: str, make: Maker, name: str) -> Maker:
    """A maker that says which package it lacks."""

    def made(seed: int | None = None, **options: Any) -> BaseSampler:
        if importlib.util.find_spec(package) is None:
            raise RecipeError(
                f"sampler({name!r})",
                required=f"the package {package}",
                got="none installed",
                remedy=f"pip install 'shoal[{name}]'",
            )
        return make(seed=seed, **options)

    return made


BY_NAME: dict[str, Maker] = {
    "auto": Auto,
    "guess": _guess,
    "grid": _grid,
    "random": RandomSampler,
    "quasi-random": partial(QMCSampler, scramble=True, warn_independent_sampling=False),
    "tpe": TPESampler,
    "cma-es": _needs("cmaes", partial(CmaEsSampler, warn_independent_sampling=False), "cma-es"),
    "gp": _needs("torch", GPSampler, "gp"),
    "lipo": LIPO,
    "pure-lipo": PureLIPO,
    "adalipo": AdaLIPO,
    "bobyqa": BOBYQA,
    "harmonica": Harmonica,
}
"""Name -> maker(seed=..., **options)."""
