"""Curves of a training: loss, metric and learning rate over epochs, as one picture.

The data first, the drawing second: ``curves_info`` gathers what is shown from records, and
``draw_curves`` draws it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.errors import DataError
from shoal.explain.drawing import new_figure, save
from shoal.train.run import Run

MOST_LABELS = 10
"""More runs than this are coloured by their order without a legend."""


class Curve(NamedTuple):
    """One line: a quantity of one member over the epochs.

    Attributes:
        label: the run's name; order: its place from 0 to 1 among the runs, for the colour.
        train, validation: (E,) values, NaN where there are none.
        best_epoch: marked, counted from 1; 0 for none.
    """

    label: str
    order: float
    train: Numbers
    validation: Numbers
    best_epoch: int


class Panel(NamedTuple):
    """One set of axes: a title, and whether its scale is logarithmic."""

    title: str
    log: bool
    curves: tuple[Curve, ...]


class CurvesInfo(NamedTuple):
    """Everything that the picture shows."""

    title: str
    panels: tuple[Panel, ...]


def curves_info(runs: Sequence[Run], title: str = "") -> CurvesInfo:
    """What a picture of runs shows: the loss, and the first metric that all of them have.

    Raises:
        DataError: no runs, or none that completed an epoch.
    """
    if not runs or all(run.record.epochs == 0 for run in runs):
        raise DataError(
            "curves",
            required="a run that completed an epoch",
            got=f"{len(runs)} runs",
            remedy="train for an epoch first",
        )
    names = [metric.name for metric in runs[0].metrics]
    shared = [n for n in names if all(f"train_{n}" in run.record for run in runs)]
    panels = [Panel("loss", True, _curves(runs, "loss"))]
    panels += [Panel(name.replace("_", " "), False, _curves(runs, name)) for name in shared[:1]]
    return CurvesInfo(title or runs[0].prepared.data.name, tuple(panels))


def _curves(runs: Sequence[Run], quantity: str) -> tuple[Curve, ...]:
    lines = []
    for number, run in enumerate(runs):
        train = run.record[f"train_{quantity}"]
        name = f"validation_{quantity}"
        validation = run.record[name] if name in run.record else np.full_like(train, np.nan)
        for k in range(run.record.members):
            order = number / max(1, len(runs) - 1)
            curve = Curve(run.recipe.name, order, train[:, k], validation[:, k], run.best_epochs[k])
            lines.append(curve)
    return tuple(lines)


def draw_curves(runs: Run | Sequence[Run], path: str | Path, title: str = "") -> Path:
    """Draw training (thin) and validation (thick) curves of one run or of many.

    Args:
        runs: one run, or several; their colours go from dark to light in their order.
        path: where to write the picture; .png, .svg or .pdf.
        title: above the picture; by default the name of the data.

    Raises:
        DataError: nothing to draw.
        FileError: the picture cannot be written.
    """
    info = curves_info([runs] if isinstance(runs, Run) else list(runs), title)
    figure = new_figure(5.2 * len(info.panels), 3.8)
    figure.suptitle(info.title)
    for number, panel in enumerate(info.panels):
        axes: Any = figure.add_subplot(1, len(info.panels), number + 1)
        _draw_panel(axes, panel)
    return save(figure, path)


def _draw_panel(axes: Any, panel: Panel) -> None:
    from matplotlib import colormaps

    few = len(panel.curves) <= MOST_LABELS
    for curve in panel.curves:
        colour = colormaps["viridis"](0.85 * curve.order)
        epochs = np.arange(1, len(curve.train) + 1)
        label = curve.label if len(panel.curves) > 1 else "validation"
        axes.plot(epochs, curve.train, color=colour, lw=0.8, alpha=0.6 if few else 0.2)
        axes.plot(epochs, curve.validation, color=colour, lw=1.8 if few else 1.0, label=label)
        if few and curve.best_epoch:
            best = curve.best_epoch
            axes.plot(best, curve.validation[best - 1], "o", ms=5, mfc="white", color=colour)
    axes.set_title(f"{panel.title} (thin: training, thick: validation)", fontsize=9)
    axes.set_xlabel("epoch")
    if panel.log:
        axes.set_yscale("log")
        axes.set_ylim(*_range(panel))
    axes.grid(alpha=0.3)
    _legend(axes, few)


def _range(panel: Panel) -> tuple[float, float]:
    """Where most of the points lie: a few runs that explode or vanish do not flatten the rest."""
    values = np.concatenate([np.append(c.train, c.validation) for c in panel.curves])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.1, 10.0
    low, high = np.quantile(values, (0.02, 0.98))
    return float(low) / 1.5, float(high) * 1.5


def _legend(axes: Any, few: bool) -> None:
    """Every line by its name, or the first and the last of many."""
    handles, labels = axes.get_legend_handles_labels()
    if not few:
        handles, labels = [handles[0], handles[-1]], [labels[0], labels[-1]]
        labels = [f"first: {labels[0]}", f"last: {labels[1]}"]
    axes.legend(handles, labels, fontsize=7 if few else 6)
