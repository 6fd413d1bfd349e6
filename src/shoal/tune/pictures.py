"""Pictures of a search: its history, the parameters side by side, one by one, and their weight.

What a picture shows is an Info first, which can be read and tested, and a drawing second.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from shoal.arrays import Numbers
from shoal.choosing import Parameter
from shoal.errors import DataError, RecipeError, did_you_mean
from shoal.explain.page import BLUE, GREY, ORANGE, page, plain_log, short
from shoal.spaces import Choice

if TYPE_CHECKING:
    from shoal.tune.study import Study

FAR = 30.0
"""Values beyond so many times the median are drawn at the upper edge."""

ABSENT_HEIGHT = -0.12
COLOURS = "viridis_r"


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
    failed = [number(t) for t in trials if t.state == TrialState.FAIL]
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
    labels = tuple(short(label, 24) for label in leaf.labels) if choice else ()
    return Axis(parameter.name, np.array(places, dtype=float), not choice and leaf.log, labels)


_ABSENT = object()


def draw(study: "Study", path: str | Path, kind: str) -> Path:
    """Draw one kind of picture; errors as for ``Study.draw``."""
    if kind not in DRAWINGS:
        raise RecipeError(
            "draw(kind)", required="a kind", got=repr(kind), remedy=did_you_mean(kind, DRAWINGS)
        )
    DRAWINGS[kind](study, path)
    return Path(path)


def draw_history(study: "Study", path: str | Path) -> None:
    """Every trial's value, and the best so far."""
    info = history_info(study)
    top = _top(info.values)
    values, best = np.minimum(info.values, top), np.minimum(info.best, top)
    with page(path, 7, 4) as (figure, _):
        axes: Any = figure.add_subplot()
        axes.scatter(info.numbers, values, s=14, color=BLUE, alpha=0.6, label="complete")
        if len(info.pruned):
            x, y = info.pruned.T
            axes.scatter(
                x, np.minimum(y, top), s=10, color=GREY, alpha=0.5, marker="x", label="pruned"
            )
        axes.step(info.numbers, best, color=ORANGE, where="post", label="best so far")
        if len(info.failed):
            at = axes.get_xaxis_transform()
            axes.plot(info.failed, np.full(len(info.failed), 0.98), "rv", ms=4, transform=at,
                      label="failed")  # fmt: skip
        _value_axis(axes.yaxis, np.minimum(np.append(info.values, info.pruned[:, 1]), top))
        axes.set_xlabel("trial")
        axes.set_ylabel(f"validation loss{_cut(info.values, top)}")
        axes.set_title(f"{len(info.values)} trials on {study.data.name}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)


def _cut(values: Numbers, top: float) -> str:
    return f" (above {top:.3g} at the edge)" if values.max() > top else ""


def _top(values: Numbers) -> float:
    """The highest value that is drawn where it is."""
    median = float(np.median(values))
    return float(min(values.max(), FAR * median)) if median > 0 else float(values.max())


def _value_axis(axis: Any, values: Numbers) -> None:
    """A logarithm where values are positive and far apart."""
    if values.min() > 0 and values.max() / values.min() > 5:
        axis.axes.set_yscale("log")
        plain_log(axis)


def draw_slice(study: "Study", path: str | Path) -> None:
    """One panel for each parameter: the value of each trial against it."""
    info = axes_info(study)
    columns = min(4, len(info.axes))
    rows = -(-len(info.axes) // columns)
    top = _top(info.values)
    values = np.minimum(info.values, top)
    with page(path, 3.2 * columns, 2.8 * rows) as (figure, _):
        for number, axis in enumerate(info.axes):
            axes: Any = figure.add_subplot(rows, columns, number + 1)
            order = np.arange(len(info.values))
            axes.scatter(axis.places, values, s=10, c=order, cmap="Blues", vmin=-len(order),
                         edgecolors="none")  # fmt: skip
            if axis.log:
                axes.set_xscale("log")
                plain_log(axes.xaxis)
                axes.tick_params(axis="x", which="both", rotation=30)
            if axis.labels:
                few = [short(label, 10) for label in axis.labels]
                axes.set_xticks(range(len(few)), few, rotation=30 if len(few) > 2 else 0)
                axes.set_xlim(-0.5, len(few) - 0.5)
            _value_axis(axes.yaxis, values)
            axes.set_xlabel(short(axis.name, 40))
            if number % columns == 0:
                axes.set_ylabel("validation loss")
            axes.grid(alpha=0.3)
        title = f"validation loss by parameter{_cut(info.values, top)}; later trials are darker"
        figure.suptitle(title, fontsize=10)


def draw_parallel(study: "Study", path: str | Path) -> None:
    """Every trial as a line over all parameters, the best dark and on top."""
    from matplotlib import colormaps

    info = axes_info(study)
    order = np.argsort(info.values)[::-1]
    shades = colormaps[COLOURS](np.linspace(0.0, 1.0, len(order)))
    lines = np.stack([_unit(axis) for axis in info.axes], axis=1)  # (n, P)
    with page(path, max(5.0, 1.9 * len(info.axes)), 4.4) as (figure, _):
        axes: Any = figure.add_subplot()
        for rank, trial in enumerate(order):
            wide = 0.6 + 1.6 * (rank >= 0.95 * len(order))
            axes.plot(lines[trial], color=shades[rank], lw=wide, alpha=0.8, marker=".", ms=3)
        for place, axis in enumerate(info.axes):
            axes.axvline(place, color=GREY, lw=0.8)
            absent = [(ABSENT_HEIGHT, "none")] * bool(np.isnan(axis.places).any())
            for height, text in [*_ticks(axis), *absent]:
                axes.text(place + 0.03, height, text, fontsize=7, va="center",
                          bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 0.5})  # fmt: skip
        names = [short(axis.name, 40).replace(").", ")\n.") for axis in info.axes]
        axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
        axes.set_yticks([])
        axes.set_xlim(-0.1, len(names) - 1 + 0.5)
        axes.spines["left"].set_visible(False)
        axes.set_title("each trial a line; dark: low validation loss")


def _unit(axis: Axis) -> Numbers:
    """Places between 0 and 1; below them where the parameter does not exist."""
    low, high = _ends(axis)
    places = np.log(axis.places) if axis.log else axis.places
    unit = (places - low) / (high - low) if high > low else np.full(len(places), 0.5)
    return np.where(np.isnan(places), ABSENT_HEIGHT, unit)


def _ends(axis: Axis) -> tuple[float, float]:
    if axis.labels:
        return 0.0, float(len(axis.labels) - 1)
    known = axis.places[~np.isnan(axis.places)]
    ends = np.array([known.min(), known.max()])
    low, high = np.log(ends) if axis.log else ends
    return float(low), float(high)


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    if axis.labels:
        last = max(1, len(axis.labels) - 1)
        named = [(i / last, label) for i, label in enumerate(axis.labels)]
        return named if len(axis.labels) > 1 else [(0.5, axis.labels[0])]
    low, high = _ends(axis)
    heights = (0.0, 0.5, 1.0) if high > low else (0.5,)
    raw = [low + height * (high - low) for height in heights]
    return [
        (height, f"{np.exp(value) if axis.log else value:.3g}")
        for height, value in zip(heights, raw, strict=True)
    ]


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


def draw_importance(study: "Study", path: str | Path) -> None:
    """How much of the variance of the values each parameter explains."""
    info = importance_info(study)
    with page(path, 7, 1.2 + 0.35 * len(info)) as (figure, _):
        axes: Any = figure.add_subplot()
        axes.barh([short(name, 40) for name in info], list(info.values()), color=BLUE)
        for row, value in enumerate(info.values()):
            axes.text(value, row, f" {value:.2f}", va="center", fontsize=8)
        axes.set_xlim(0, 1.12 * max(info.values()))
        axes.set_xlabel("share of the variance of the validation loss (PED-ANOVA)")


DRAWINGS: dict[str, Callable[["Study", str | Path], None]] = {
    "history": draw_history,
    "importance": draw_importance,
    "parallel": draw_parallel,
    "slice": draw_slice,
}
