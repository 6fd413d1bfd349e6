"""Pictures of a search: its history, the parameters side by side, one by one, and their weight.

What a picture shows is an Info of ``views`` first, and a drawing second.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.arrays import Numbers
from shoal.drawing import BLUE, GREY, ORANGE, plain_log
from shoal.errors import DataError, RecipeError, did_you_mean
from shoal.explain.page import page, short
from shoal.tune import states
from shoal.tune.views import (
    Axis,
    axes_info,
    contour_info,
    ends,
    history_info,
    importance_info,
    lineage_info,
)

if TYPE_CHECKING:
    from shoal.tune.study import Study

FAR = 30.0
"""Values beyond so many times the median are drawn at the upper edge."""

ABSENT_HEIGHT = -0.12
COLOURS = "viridis"
"""From low values, which are good, to high ones: dark is good in every picture."""

VALUE = "validation loss"
CROWDED = 36
"""Characters of labels beside one another on an axis from which on they are rotated."""

LEVELS = 16


def drawable(study: "Study") -> list[str]:
    """The kinds of pictures in which there is something to show."""
    needs: dict[str, Callable[[], Any]] = {
        "importance": lambda: importance_info(study),
        "contour": lambda: contour_info(study),
        "lineage": lambda: lineage_info(study),
    }
    found = []
    for kind in DRAWINGS:
        with suppress(DataError):
            needs.get(kind, bool)()
            found.append(kind)
    return found


def draw(study: "Study", path: str | Path, kind: str, parameters: Sequence[str] = ()) -> Path:
    """Draw one kind of picture; arguments and errors as for ``Study.draw``."""
    if kind not in DRAWINGS:
        raise RecipeError(
            "draw(kind)", required="a kind", got=repr(kind), remedy=did_you_mean(kind, DRAWINGS)
        )
    if parameters and kind != "contour":
        raise RecipeError(
            "draw(parameters)", required='kind="contour"', got=f"kind={kind!r}",
            remedy="leave parameters out",
        )  # fmt: skip
    if parameters:
        draw_contour(study, path, parameters)
    else:
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
        axes.set_ylabel(f"{VALUE}{_cut(info.values, top)}")
        axes.set_title(_title(study))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)


def _title(study: "Study") -> str:
    """How many trials there were, and what became of them."""
    trials = study.optuna.get_trials(deepcopy=False)
    return f"{len(trials)} trials on {study.data.name}: {states.tally(trials)}"


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
                _name_ticks(axes, axis.labels, CROWDED // 2)
            _value_axis(axes.yaxis, values)
            axes.set_xlabel(short(axis.name, 40))
            if number % columns == 0:
                axes.set_ylabel(VALUE)
            axes.grid(alpha=0.3)
        title = f"{VALUE} by parameter{_cut(info.values, top)}; later trials are darker"
        figure.suptitle(title, fontsize=10)


def draw_parallel(study: "Study", path: str | Path) -> None:
    """Every trial as a line over all parameters, coloured by its value, the best on top."""
    from matplotlib.cm import ScalarMappable

    info = axes_info(study)
    order = np.argsort(info.values)[::-1]
    top = _top(info.values)
    levels, norm = _levels(float(info.values.min()), top)
    colours = ScalarMappable(norm, COLOURS)
    shades = colours.to_rgba(np.minimum(info.values, top))
    lines = np.stack([_unit(axis) for axis in info.axes], axis=1)  # (n, P)
    with page(path, max(5.0, 1.9 * len(info.axes)), 4.4) as (figure, _):
        axes: Any = figure.add_subplot()
        for rank, trial in enumerate(order):
            wide = 0.6 + 1.6 * (rank >= 0.95 * len(order))
            axes.plot(lines[trial], color=shades[trial], lw=wide, alpha=0.8, marker=".", ms=3)
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
        _colour_bar(axes, colours, levels, f"{VALUE}{_cut(info.values, top)}")
        axes.set_title(f"each complete trial a line; dark: low {VALUE}")


def _unit(axis: Axis) -> Numbers:
    """Places between 0 and 1; below them where the parameter does not exist."""
    low, high = ends(axis)
    places = np.log(axis.places) if axis.log else axis.places
    unit = (places - low) / (high - low) if high > low else np.full(len(places), 0.5)
    return np.where(np.isnan(places), ABSENT_HEIGHT, unit)


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    if axis.labels:
        last = max(1, len(axis.labels) - 1)
        named = [(i / last, label) for i, label in enumerate(axis.labels)]
        return named if len(axis.labels) > 1 else [(0.5, axis.labels[0])]
    low, high = ends(axis)
    heights = (0.0, 0.5, 1.0) if high > low else (0.5,)
    raw = [low + height * (high - low) for height in heights]
    return [
        (height, f"{np.exp(value) if axis.log else value:.3g}")
        for height, value in zip(heights, raw, strict=True)
    ]


def draw_importance(study: "Study", path: str | Path) -> None:
    """How much of the variance of the values each parameter explains."""
    info = importance_info(study)
    with page(path, 7, 1.2 + 0.35 * len(info)) as (figure, _):
        axes: Any = figure.add_subplot()
        axes.barh([short(name, 40) for name in info], list(info.values()), color=BLUE)
        for row, value in enumerate(info.values()):
            axes.text(value, row, f" {value:.2f}", va="center", fontsize=8)
        axes.set_xlim(0, 1.12 * max(info.values()))
        axes.set_xlabel(f"share of the variance of the {VALUE} (PED-ANOVA)")


def draw_contour(study: "Study", path: str | Path, parameters: Sequence[str] = ()) -> None:
    """The value over two parameters: colours and lines between the trials, which are points."""
    info = contour_info(study, parameters)
    top = _top(info.values)
    surface = np.ma.masked_invalid(np.minimum(info.surface, top))
    levels, norm = _levels(float(info.values.min()), top)
    place = (info.grid_x, info.grid_y, surface)
    with page(path, 6.4, 4.8) as (figure, _):
        axes: Any = figure.add_subplot()
        if info.x.labels or info.y.labels:
            shown = axes.pcolormesh(*place, cmap=COLOURS, norm=norm)
        else:
            shown = axes.contourf(*place, levels, cmap=COLOURS, norm=norm)
            axes.contour(*place, levels, colors="white", linewidths=0.4)
        values, inside = np.minimum(info.values, top), info.values <= top
        axes.scatter(_spread(info.x), _spread(info.y), s=np.where(inside, 14, 8),
                     c=values, cmap=COLOURS, norm=norm, lw=0.5,
                     edgecolors=np.where(norm(values) < 0.6, "white", "black"))  # fmt: skip
        best = int(np.argmin(info.values))
        axes.plot(_spread(info.x)[best], _spread(info.y)[best], "*", ms=14, color=ORANGE,
                  mec="black", mew=0.6, label=f"best trial: {info.values[best]:.4g}")  # fmt: skip
        _place_axis(axes.xaxis, info.x)
        _place_axis(axes.yaxis, info.y)
        axes.set_xlabel(short(info.x.name, 40))
        axes.set_ylabel(short(info.y.name, 40))
        _colour_bar(axes, shown, levels, f"{VALUE}{_cut(info.values, top)}")
        count = f"{len(info.values)} complete trials"
        axes.set_title(f"{count} on {study.data.name}; dark: low {VALUE}")
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.14), frameon=False)


def _levels(low: float, high: float) -> tuple[Numbers, Any]:
    """Levels of contours and the scale of their colours: a logarithm where values are far apart."""
    from matplotlib.colors import LogNorm, Normalize

    high = high if high > low else low + 1e-12 + abs(low) * 1e-6
    if low > 0 and high / low > 5:
        return np.geomspace(low, high, LEVELS), LogNorm(low, high)
    return np.linspace(low, high, LEVELS), Normalize(low, high)


def _colour_bar(axes: Any, shown: Any, levels: Numbers, label: str) -> None:
    bar = axes.figure.colorbar(shown, ax=axes, label=label, ticks=levels[::3], format="%.3g")
    bar.minorticks_off()


def _spread(axis: Axis) -> Numbers:
    """Places; those of options apart from one another, by a fixed pattern."""
    if not axis.labels:
        return axis.places
    turns = np.arange(len(axis.places)) * 0.618034  # the golden ratio fills an interval evenly
    return axis.places + 0.6 * (turns % 1.0 - 0.5)


def _place_axis(axis: Any, shown: Axis) -> None:
    """Scale and labels of a parameter."""
    name = axis.axis_name
    if shown.labels and name == "x":
        _name_ticks(axis.axes, shown.labels, CROWDED)
    elif shown.labels:
        axis.axes.set_yticks(range(len(shown.labels)), shown.labels)
        axis.axes.set_ylim(-0.5, len(shown.labels) - 0.5)
    elif shown.log:
        getattr(axis.axes, f"set_{name}scale")("log")
        plain_log(axis)


def _name_ticks(axes: Any, labels: Sequence[str], most: int) -> None:
    """Options along the horizontal axis, rotated where they are more than so many characters."""
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    if sum(map(len, labels)) > most:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")


def draw_lineage(study: "Study", path: str | Path) -> None:
    """The values of a population over the epochs, the winner's on top."""
    info = lineage_info(study)
    count = len(info.names)
    with page(path, 7, 0.8 + 2.1 * count) as (figure, _):
        for place, axis in enumerate(info.axes):
            axes: Any = figure.add_subplot(count, 1, place + 1)
            for number, steps in zip(info.trials, info.steps, strict=True):
                line = steps[place]
                x, y = np.append(line[:, 0], info.epochs), np.append(line[:, 1], line[-1, 1])
                mine = number == info.trials[-1]
                axes.step(x, y, where="post", color=ORANGE if mine else GREY,
                          lw=2.2 if mine else 0.8, alpha=1.0 if mine else 0.45,
                          label=f"trial {number}, the winner" if mine else None)  # fmt: skip
            _place_axis(axes.yaxis, axis)
            axes.set_ylabel(short(axis.name, 30), fontsize=8)
            axes.set_xlim(0, info.epochs)
            axes.grid(alpha=0.3)
            if place == 0:
                axes.legend(fontsize=8, frameon=False)
                axes.set_title(f"{len(info.trials)} networks, each along its lineage", fontsize=10)
        axes.set_xlabel("epoch")


DRAWINGS: dict[str, Callable[["Study", str | Path], None]] = {
    "contour": draw_contour,
    "history": draw_history,
    "importance": draw_importance,
    "lineage": draw_lineage,
    "parallel": draw_parallel,
    "slice": draw_slice,
}
