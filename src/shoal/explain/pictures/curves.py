"""Curves of a training: loss, metric and learning rate over epochs, as one picture.

The data first, the drawing second: ``curves_info`` gathers what is shown from records, and
``draw_curves`` draws it. Marked are the best epoch (a white dot), where a training stopped (a bar,
with the reason) and findings (numbered lines).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.drawing import ORANGE, plain_log
from shoal.errors import DataError
from shoal.explain.language import Say
from shoal.explain.page import page, short
from shoal.train.history import History
from shoal.train.run import Run

MOST_LABELS = 10
"""More runs than this are coloured by their order without a legend."""

MOST_STOPS = 4
"""With more curves than this the reasons for stopping are left out."""

Finding = tuple[int, str]
"""An epoch, counted from 1, and what was found there."""


class Curve(NamedTuple):
    """One line: a quantity of one member over the epochs.

    Attributes:
        label: the run's name; order: its place from 0 to 1 among the runs, for the colour.
        train, validation: (E,) values, NaN where there are none.
        best_epoch: marked, counted from 1; 0 for none.
        stop: the last epoch; reason: why it was the last.
    """

    label: str
    order: float
    train: Numbers
    validation: Numbers
    best_epoch: int
    stop: int = 0
    reason: str = ""


class Panel(NamedTuple):
    """One set of axes: a title, and whether its scale is logarithmic."""

    title: str
    log: bool
    curves: tuple[Curve, ...]


class CurvesInfo(NamedTuple):
    """Everything that the picture shows; findings in the order of their epochs."""

    title: str
    panels: tuple[Panel, ...]
    findings: tuple[Finding, ...] = ()


def curves_info(
    runs: Sequence[Run | History], title: str = "", findings: Sequence[Finding] = ()
) -> CurvesInfo:
    """What a picture of runs shows: loss, the first metric that all have, and learning rate.

    Args:
        runs: of one or several trainings.
        title: above the picture; by default the name of the data.
        findings: (epoch, text) to be marked.

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
    known = [History.of(run) for run in runs]
    shared = [n for n in known[0].metrics if all(f"train_{n}" in h.record for h in known)]
    panels = [Panel("loss", True, _curves(known, "train_loss", "validation_loss"))]
    panels += [
        Panel(name.replace("_", " "), False, _curves(known, f"train_{name}", f"validation_{name}"))
        for name in shared[:1]
    ]
    panels.append(Panel("learning rate", True, _curves(known, "learning_rate", "")))
    marked = tuple(sorted((int(epoch), str(text)) for epoch, text in findings))
    return CurvesInfo(title or known[0].data_name, tuple(panels), marked)


def _curves(runs: Sequence[History], first: str, second: str) -> tuple[Curve, ...]:
    lines = []
    for number, run in enumerate(runs):
        train = run.record[first] if first in run.record else _nothing(run)
        validation = run.record[second] if second in run.record else _nothing(run)
        order = number / max(1, len(runs) - 1)
        for k in range(run.record.members):
            best = run.best_epochs[k] if second else 0
            reason = run.reasons[k].sentence
            curve = Curve(run.name, order, train[:, k], validation[:, k], best)
            lines.append(curve._replace(stop=run.epochs[k], reason=reason))
    return tuple(lines)


def _nothing(run: History) -> Numbers:
    return np.full((run.record.epochs, run.record.members), np.nan)


def draw_curves(
    runs: Run | History | Sequence[Run | History],
    path: str | Path,
    title: str = "",
    *,
    findings: Sequence[Finding] = (),
    language: str = "en",
) -> Path:
    """Draw training (thin) and validation (thick) curves of one run or of many.

    Args:
        runs: one run, or several; their colours go from dark to light in their order.
        path: where to write the picture; .png, .svg or .pdf.
        title: above the picture; by default the name of the data.
        findings: (epoch, text) to be marked by numbered lines.
        language: "en" or "zh".

    Raises:
        DataError: nothing to draw.
        FileError: the picture cannot be written.
    """
    info = curves_info([runs] if isinstance(runs, Run | History) else runs, title, findings)
    height = 3.9 + 0.2 * len(info.findings)
    with page(path, 4.6 * len(info.panels), height, language) as (figure, say):
        figure.suptitle(info.title)
        for number, panel in enumerate(info.panels):
            axes: Any = figure.add_subplot(1, len(info.panels), number + 1)
            _draw_panel(axes, panel, say)
            _mark(axes, info.findings)
        if info.findings:
            figure.supxlabel(_footer(info.findings), fontsize=8, x=0.01, ha="left")
    return Path(path)


def _draw_panel(axes: Any, panel: Panel, say: Say) -> None:
    few = len(panel.curves) <= MOST_LABELS
    several = len({curve.label for curve in panel.curves}) > 1
    for curve in panel.curves:
        _draw_curve(axes, curve, few, short(curve.label, 40) if several else "", say)
    axes.set_title(_heading(panel, say), fontsize=9)
    axes.set_xlabel(say("epoch"))
    axes.xaxis.get_major_locator().set_params(integer=True)
    if all(len(curve.train) == 1 for curve in panel.curves):
        axes.set_xticks([1])
    if panel.log:
        axes.set_yscale("log")
        axes.set_ylim(*_range(panel))
        plain_log(axes.yaxis)
    axes.grid(alpha=0.3)
    if len(panel.curves) <= MOST_STOPS and panel.title == "loss":
        _mark_stops(axes, panel.curves, say)
    if panel.title != "learning rate":
        _legend(axes, few, say)


def _draw_curve(axes: Any, curve: Curve, few: bool, label: str, say: Say) -> None:
    from matplotlib import colormaps

    colour = colormaps["viridis"](0.85 * curve.order)
    epochs = np.arange(1, len(curve.train) + 1)
    marker = "." if len(epochs) == 1 else None
    thin, pale = (0.8, 0.6) if np.isfinite(curve.validation).any() else (1.4, 1.0)
    axes.plot(epochs, curve.train, color=colour, lw=thin, alpha=pale if few else 0.2, marker=marker)
    width = 1.8 if few else 1.0
    axes.plot(epochs, curve.validation, color=colour, lw=width, label=label or None, marker=marker)
    if few and curve.best_epoch:
        best = curve.best_epoch
        axes.plot(best, curve.validation[best - 1], "o", ms=5, mfc="white", color=colour,
                  label=None if label else say("best epoch"))  # fmt: skip


def _heading(panel: Panel, say: Say) -> str:
    quantity = say(panel.title)
    if panel.title == "learning rate":
        return quantity
    validated = any(np.isfinite(curve.validation).any() for curve in panel.curves)
    kind = "(thin: training, thick: validation)" if validated else "(thin: training)"
    return say("{quantity} " + kind, quantity=quantity)


def _mark_stops(axes: Any, curves: Sequence[Curve], say: Say) -> None:
    """A short bar at the last epoch of each curve, and the reason below the axis."""
    from matplotlib import colormaps

    for curve in curves:
        if curve.stop:
            colour = colormaps["viridis"](0.85 * curve.order)
            axes.axvline(curve.stop, ymax=0.06, color=colour, lw=2)
    reasons = dict.fromkeys((curve.stop, curve.reason) for curve in curves if curve.stop)
    lines = [f"{say('stopped')}, {say('epoch')} {stop}: {say(why)}" for stop, why in reasons]
    axes.set_xlabel("\n".join([say("epoch"), *lines]), fontsize=8)


def _mark(axes: Any, findings: Sequence[Finding]) -> None:
    for number, (epoch, _) in enumerate(findings, 1):
        axes.axvline(epoch, color=ORANGE, lw=1, ls="--", alpha=0.8)
        axes.text(epoch, 1.0, str(number), transform=axes.get_xaxis_transform(), fontsize=7,
                  color="white", ha="center", va="top",
                  bbox={"boxstyle": "round,pad=0.2", "fc": ORANGE, "ec": "none"})  # fmt: skip


def _footer(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{n}. ({epoch}) {text}" for n, (epoch, text) in enumerate(findings, 1))


def _range(panel: Panel) -> tuple[float, float]:
    """Where most of the points lie: a few runs that explode or vanish do not flatten the rest."""
    values = np.concatenate([np.append(c.train, c.validation) for c in panel.curves])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.1, 10.0
    low, high = np.quantile(values, (0.02, 0.98))
    return float(low) / 1.5, float(high) * 1.5


def _legend(axes: Any, few: bool, say: Say) -> None:
    """Every line by its name, or the first and the last of many."""
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(reversed(labels), reversed(handles), strict=True))
    labels, handles = list(reversed(unique)), list(reversed(unique.values()))
    if not labels:
        return
    if not few and len(labels) > 2:
        handles = [handles[0], handles[-1]]
        labels = [say("first: {name}", name=labels[0]), say("last: {name}", name=labels[-1])]
    axes.legend(handles, labels, fontsize=7 if few else 6, loc="best")
