"""Views: what the pictures of a search show, as numbers that can be read and tested."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from shoal.arrays import Numbers
from shoal.choosing import Parameter
from shoal.errors import DataError, RecipeError, did_you_mean
from shoal.spaces import Choice
from shoal.tune import states
from shoal.tune.labels import short_labels

if TYPE_CHECKING:
    from shoal.tune.study import Study

GRID = 48
"""Points of a contour picture along a number."""

NEAR = 0.08
"""Width of the kernel of a contour picture, as a share of an axis."""

FAR_AWAY = 2.5
"""Widths from the nearest trial beyond which a contour picture stays empty."""


class HistoryInfo(NamedTuple):
    """The values in the order of the trials.

    Attributes:
        numbers: (n,) of the trials that came to their end; values: (n,); best: (n,) the lowest so
            far; pruned: (p, 2) number and last value; failed: (f,) numbers.
    """

    numbers: Numbers
    values: Numbers
    best: Numbers
    pruned: Numbers
    failed: Numbers


class Axis(NamedTuple):
    """One parameter in numbers.

    Attributes:
        name: of the parameter; places: (n,) where each complete trial lies, NaN where the parameter
            does not exist in it; log: whether ratios count; labels: of the places 0, 1, ... for a
            choice, () for numbers.
    """

    name: str
    places: Numbers
    log: bool
    labels: tuple[str, ...]


class AxesInfo(NamedTuple):
    """Every parameter that complete trials have, and their values, (n,)."""

    axes: tuple[Axis, ...]
    values: Numbers


def _complete(study: "Study") -> list[FrozenTrial]:
    return study.optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def history_info(study: "Study") -> HistoryInfo:
    """What the picture of the history shows."""
    trials = study.optuna.get_trials(deepcopy=False)

    def number(trial: FrozenTrial) -> int:
        return int(trial.user_attrs["trial"])

    complete = sorted(_complete(study), key=number)
    values = np.array([trial.value for trial in complete], dtype=float)
    pruned = [
        (number(t), t.value) for t in trials if t.state == TrialState.PRUNED and t.value is not None
    ]
    failed = [number(t) for t in trials if states.failed(t)]
    return HistoryInfo(
        np.array([number(trial) for trial in complete]),
        values,
        np.minimum.accumulate(values),
        np.array(pruned, dtype=float).reshape(-1, 2),
        np.array(failed, dtype=int),
    )


def axes_info(study: "Study") -> AxesInfo:
    """What the pictures of the parameters show."""
    complete = _complete(study)
    every = (_axis(parameter, complete) for parameter in study.space.parameters)
    axes = tuple(axis for axis in every if not np.isnan(axis.places).all())
    return AxesInfo(axes, np.array([trial.value for trial in complete], dtype=float))


def _axis(parameter: Parameter, trials: list[FrozenTrial]) -> Axis:
    leaf: Any = parameter.leaf
    found = [trial.params.get(parameter.name, _ABSENT) for trial in trials]
    choice = isinstance(leaf, Choice)
    places = [np.nan if v is _ABSENT else leaf.index(v) if choice else v for v in found]
    labels = short_labels(leaf) if choice else ()
    return Axis(parameter.name, np.array(places, dtype=float), not choice and leaf.log, labels)


_ABSENT = object()


def importance_info(study: "Study") -> dict[str, float]:
    """The importances, lowest first.

    Raises:
        DataError: too few trials, or all alike.
    """
    found: Mapping[str, float] = study.importance()
    if not found:
        raise DataError(
            "importance",
            required="two complete trials of different value",
            got="fewer",
            remedy="search longer",
        )
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


class ContourInfo(NamedTuple):
    """The value over two parameters.

    At each point of a grid stands the mean of the values of the trials, weighted by a Gaussian of
    their distance, NaN far from all of them. Options of a choice are not near to one another.

    Attributes:
        x, y: the parameters, as they are in ``AxesInfo``, of the trials that have both.
        values: (n,) of these trials.
        grid_x: (G,), grid_y: (H,) places; surface: (H, G) values there.
    """

    x: Axis
    y: Axis
    values: Numbers
    grid_x: Numbers
    grid_y: Numbers
    surface: Numbers


def contour_info(study: "Study", parameters: Sequence[str] = ()) -> ContourInfo:
    """What the contour picture shows.

    Args:
        parameters: two names; none for the two most important.

    Raises:
        RecipeError: unknown names, or not two of them.
        DataError: no two parameters that complete trials have together.
    """
    info = axes_info(study)
    axes = {axis.name: axis for axis in info.axes}
    names = list(parameters) or _most_important(study, list(axes))
    for name in names:
        if name not in axes:
            raise RecipeError(
                f"the parameter {name!r}",
                required="one that complete trials have",
                got="none of that name",
                remedy=did_you_mean(name, axes),
            )
    if parameters and len(set(names)) != 2:
        raise RecipeError(
            "draw(parameters)", required="two names", got=repr(list(parameters)),
            remedy="give two, or none for the two most important",
        )  # fmt: skip
    both = np.zeros(0, dtype=bool)
    if len(names) == 2:
        both = ~np.isnan(axes[names[0]].places) & ~np.isnan(axes[names[1]].places)
    if not both.any():
        raise DataError(
            "a contour picture",
            required="two parameters that trials have together",
            got=", ".join(names) or "none",
            remedy="name two others: parameters=(name, name)",
        )
    x, y = (axes[name]._replace(places=axes[name].places[both]) for name in names)
    return _surface(x, y, info.values[both])


def _most_important(study: "Study", known: list[str]) -> list[str]:
    """Two names: by importance, then in the order of the space."""
    found = sorted(study.importance().items(), key=lambda pair: -pair[1])
    return list(dict.fromkeys([name for name, _ in found if name in known] + known))[:2]


def _surface(x: Axis, y: Axis, values: Numbers) -> ContourInfo:
    grids = [_grid(axis) for axis in (x, y)]
    # (points, trials) squared distances in widths of the kernel, one for each axis
    across, up = (_distances(axis, grid) for axis, grid in zip((x, y), grids, strict=True))
    square = up[:, None, :] + across[None, :, :]
    nearest = square.min(axis=-1)
    weights = np.exp(-0.5 * (square - np.where(np.isfinite(nearest), nearest, 0.0)[..., None]))
    surface = (weights @ values) / np.maximum(weights.sum(axis=-1), 1e-300)
    surface = np.where(nearest <= FAR_AWAY**2, surface, np.nan)
    return ContourInfo(x, y, values, grids[0], grids[1], surface)


def _grid(axis: Axis) -> Numbers:
    if axis.labels:
        return np.arange(len(axis.labels), dtype=float)
    low, high = ends(axis)
    places = np.linspace(low, high, GRID)
    return np.exp(places) if axis.log else places


def _distances(axis: Axis, grid: Numbers) -> Numbers:
    if axis.labels:
        return np.where(grid[:, None] == axis.places[None, :], 0.0, np.inf)
    low, high = ends(axis)
    change: Any = np.log if axis.log else np.asarray
    apart = (change(grid)[:, None] - change(axis.places)[None, :]) / max(high - low, 1e-300)
    return (apart / NEAR) ** 2


def ends(axis: Axis) -> tuple[float, float]:
    """The lowest and the highest place, their logarithms where ratios count."""
    if axis.labels:
        return 0.0, float(len(axis.labels) - 1)
    known = axis.places[~np.isnan(axis.places)]
    both = np.array([known.min(), known.max()])
    low, high = np.log(both) if axis.log else both
    return float(low), float(high)


class LineageInfo(NamedTuple):
    """What the networks of a population were trained with.

    Attributes:
        names: of the parameters; epochs: E, of the training.
        trials: (T,) numbers, the winner last.
        steps: of each trial, of each parameter (e, 2) epochs and places; as in ``Axis``.
        axes: of the parameters, for their scales and labels.
    """

    names: tuple[str, ...]
    epochs: int
    trials: tuple[int, ...]
    steps: tuple[tuple[Numbers, ...], ...]
    axes: tuple[Axis, ...]


def lineage_info(study: "Study") -> LineageInfo:
    """What the picture of lineages shows.

    Raises:
        DataError: the study has no lineages.
    """
    known = {t.user_attrs["trial"]: t for t in _complete(study) if "lineage" in t.user_attrs}
    if not known:
        raise DataError(
            "a picture of lineages",
            required="a population",
            got="trials with the same values from their first step on",
            remedy='search with sampler="pbt"',
        )
    winner = study.candidates[0].number
    order = [number for number in known if number != winner] + [winner]
    axes = axes_info(study).axes
    leaves: dict[str, Any] = {p.name: p.leaf for p in study.space.parameters}

    def steps(number: int, axis: Axis) -> Numbers:
        leaf = leaves[axis.name]
        found = known[number].user_attrs["lineage"]
        return np.array(
            [(e, leaf.index(v[axis.name]) if axis.labels else v[axis.name]) for e, v in found],
            dtype=float,
        )

    return LineageInfo(
        tuple(axis.name for axis in axes),
        max(max(trial.user_attrs["epochs"]) for trial in known.values()),
        tuple(order),
        tuple(tuple(steps(number, axis) for axis in axes) for number in order),
        axes,
    )
