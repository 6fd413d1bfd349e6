"""How well ReLU networks approximate a function of one number, by width and depth.

Each width and depth is trained from several seeds, all seeds of one shape side by side in one pool.
The yardstick is a network that is written down, not trained: with one hidden layer of n units,

    y(x) = f(x_0) + sum_k (s_k - s_{k-1}) relu(x - x_k)        s_k slope from knot k to k + 1

runs through f at n + 1 evenly spaced knots. Its largest error is at most h² max|f''| / 8, h being
the distance of the knots (de Boor 1978, A practical guide to splines, chapter 3): it falls as n^-2.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers, Tree
from shoal.data.fromarrays import arrays
from shoal.data.preparation import Preparation
from shoal.data.splits import Split
from shoal.errors import DataError, RecipeError
from shoal.nets import Net
from shoal.nets.zoo import mlp
from shoal.optim import Adam, Cosine
from shoal.recipe import Recipe
from shoal.train.fit import fit_many
from shoal.train.run import Run

Function = Callable[[Numbers], Numbers]

FUNCTIONS: dict[str, Function] = {
    "sine": lambda x: np.sin(2.0 * np.pi * x),
    "square": lambda x: x**2,
    "runge": lambda x: 1.0 / (1.0 + 25.0 * (2.0 * x - 1.0) ** 2),
    "wiggle": lambda x: x * np.sin(6.0 * np.pi * x**2),
    "step": lambda x: np.where(x > 0.5, 1.0, 0.0),
}
"""Functions on [0, 1] by the name that the command line takes."""

DENSE = 2001


class Fit(NamedTuple):
    """One network beside the function.

    Attributes:
        width, depth: hidden layers; units: width times depth.
        y: (G,) its values on the grid of the info.
        largest, typical: the largest error on the grid, and the root of the mean square.
        spread: (seeds,) largest error of each seed; the one shown has the smallest mean square.
    """

    width: int
    depth: int
    y: Numbers
    largest: float
    typical: float
    spread: Numbers

    @property
    def units(self) -> int:
        """Hidden units in all."""
        return self.width * self.depth


class ApproximationInfo(NamedTuple):
    """What was approximated, and how well.

    Attributes:
        name: of the function.
        x, y: (G,) a dense grid, and the function on it.
        fits: the trained networks.
        interpolants: the networks that are written down, of the same numbers of units.
    """

    name: str
    x: Numbers
    y: Numbers
    fits: tuple[Fit, ...]
    interpolants: tuple[Fit, ...]


def interpolation_net(function: Function, units: int, low: float, high: float) -> tuple[Net, Tree]:
    """A network of one hidden layer that runs through a function at units + 1 knots.

    Args:
        function: f of an array (N,), element by element.
        units: n, >= 1.
        low, high: the interval of the knots.

    Returns:
        the network and its parameters, float64.

    Raises:
        RecipeError: no units. DataError: an empty interval, or values that are not finite.

    >>> net, parameters = interpolation_net(lambda x: x**2, 2, 0.0, 1.0)
    >>> parameters["dense2"]["weight"]
    array([[0.5, 1. ]])
    """
    if units < 1:
        raise RecipeError(
            "interpolation_net(units)", required="at least 1", got=str(units), remedy="enlarge it"
        )
    knots = _grid(low, high, units + 1)
    slopes = np.diff(_values(function, knots)) / np.diff(knots)
    return mlp([units], 1), {
        "dense1": {"weight": np.ones((units, 1)), "bias": -knots[:-1]},
        "dense2": {
            "weight": np.diff(slopes, prepend=0.0)[None, :],
            "bias": _values(function, knots[:1]),
        },
    }


def approximation(
    function: Function | str,
    low: float = 0.0,
    high: float = 1.0,
    *,
    widths: Sequence[int] = (2, 4, 8, 16),
    depths: Sequence[int] = (1, 2),
    seeds: int = 4,
    epochs: int = 300,
    rows: int = 256,
    rate: float = 0.02,
) -> ApproximationInfo:
    """Train networks of several widths and depths on a function of one number.

    Args:
        function: f of an array (N,), element by element, or a name of ``FUNCTIONS``.
        low, high: the interval.
        widths, depths: of the hidden layers; every pair is trained.
        seeds: networks of each shape, trained side by side; the best is kept.
        epochs: of training, with Adam and a cosine schedule.
        rows: points to train on, evenly spaced.
        rate: the learning rate at the start.

    Raises:
        RecipeError: an unknown name, or numbers that cannot be. DataError: an empty interval, or
            values that are not finite.
    """
    name = function if isinstance(function, str) else getattr(function, "__name__", "f")
    f = _named(function) if isinstance(function, str) else function
    if not widths or not depths or seeds < 1:
        raise RecipeError(
            "approximation",
            required="a width, a depth and a seed",
            got=f"widths={tuple(widths)}, depths={tuple(depths)}, seeds={seeds}",
            remedy="give at least one of each",
        )
    x = _grid(low, high, DENSE)
    y = _values(f, x)
    points = _grid(low, high, rows)
    data = arrays(points[:, None], _values(f, points)[:, None], task="regression", name=name)
    shapes = [(width, depth) for depth in depths for width in widths]
    base = Recipe(
        mlp([1], 1),
        loss="mse",
        optimiser=Adam(rate),
        schedule=Cosine(),
        epochs=epochs,
        preparation=Preparation(split=Split(validation=0.0)),
    )
    recipes = [
        base.replace(net=mlp([width] * depth, 1), seed=seed)
        for width, depth in shapes
        for seed in range(seeds)
    ]
    runs = fit_many(recipes, data, show=False)
    groups = [runs[start : start + seeds] for start in range(0, len(runs), seeds)]
    fits = [_best(*shape, group, x, y) for shape, group in zip(shapes, groups, strict=True)]
    counts = sorted({fit.units for fit in fits})
    return ApproximationInfo(
        name, x, y, tuple(fits), tuple(_interpolant(f, units, x, y) for units in counts)
    )


def _named(name: str) -> Function:
    from shoal.errors import did_you_mean

    if name not in FUNCTIONS:
        raise RecipeError(
            "approximation(function)",
            required="a function or the name of one",
            got=repr(name),
            remedy=did_you_mean(name, FUNCTIONS),
        )
    return FUNCTIONS[name]


def _grid(low: float, high: float, count: int) -> Numbers:
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(
            "the interval",
            required="low < high",
            got=f"{low:g} to {high:g}",
            remedy="give for instance 0 and 1",
        )
    return np.linspace(low, high, count)


def _values(function: Function, x: Numbers) -> Numbers:
    """The function of an array, checked."""
    y = np.asarray(function(x), np.float64)
    if y.shape != x.shape or not np.isfinite(y).all():
        raise DataError(
            "the function to approximate",
            required=f"a finite number for each of {len(x)} points",
            got=f"shape {y.shape}" if y.shape != x.shape else "values that are not finite",
            remedy="write it with numpy, element by element, and choose another interval",
        )
    return y


def _best(width: int, depth: int, runs: Sequence[Run], x: Numbers, y: Numbers) -> Fit:
    """The network with the smallest mean square error of several."""
    found = [np.asarray(run.model.predict(x[:, None]), np.float64) for run in runs]
    squares = [float(np.mean((values - y) ** 2)) for values in found]
    spread = np.array([np.abs(values - y).max() for values in found])
    best = int(np.argmin(squares))
    return Fit(width, depth, found[best], float(spread[best]), float(squares[best] ** 0.5), spread)


def _interpolant(function: Function, units: int, x: Numbers, y: Numbers) -> Fit:
    _, parameters = interpolation_net(function, units, x[0], x[-1])
    first, last = parameters["dense1"], parameters["dense2"]
    hidden = np.maximum(x[:, None] @ first["weight"].T + first["bias"], 0.0)
    values = (hidden @ last["weight"].T + last["bias"])[:, 0]
    error = values - y
    largest = float(np.abs(error).max())
    return Fit(units, 1, values, largest, float(np.mean(error**2) ** 0.5), np.array([largest]))
