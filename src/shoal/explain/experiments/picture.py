"""The picture of an experiment: panels of lines or bars under its claim, and what was measured.

The data first, the drawing second: a ``Picture`` holds all numbers that are shown, and
``draw_picture`` draws it. A panel holds marks; each kind of mark has its own function in ``DRAW``.
"""

import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.drawing import new_figure, save
from shoal.explain.experiments.comparison import mean_interval
from shoal.explain.experiments.planes import (
    Contours,
    Field,
    Path,
    Points,
    draw_contours,
    draw_field,
    draw_path,
    draw_points,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933",
    "#882255", "#44aa99", "#332288", "#ddcc77", "#aa4499", "#117733", "#888888",
)  # fmt: skip
"""Colours that people with a colour vision deficiency tell apart (after Okabe and Ito 2008)."""

WIDTH, HEIGHT = 4.8, 3.9
"""Inches of a panel."""


class Line(NamedTuple):
    """A line with a band around it.

    Attributes:
        label: in the legend; "" for none.
        x, y: (X,) its points.
        low, high: (X,) of the band, or None.
        colour: a place in ``COLOURS``; None for the place among the panel's marks.
        dashed: how it is drawn.
    """

    label: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    colour: int | None = None
    dashed: bool = False


class Bars(NamedTuple):
    """Horizontal bars with intervals, the first at the top.

    Attributes:
        labels: one for each.
        values, low, high: (n,) each; infinite bounds are left out.
        colour: as for ``Line``.
    """

    labels: tuple[str, ...]
    values: Numbers
    low: Numbers
    high: Numbers
    colour: int | None = None


Mark = Line | Bars | Contours | Path | Field | Points


class Panel(NamedTuple):
    """One set of axes.

    Attributes:
        title, x, y: its words.
        marks: what is drawn.
        log_x, log_y: whether a scale is logarithmic.
        x_range, y_range: what is shown, or None for all.
    """

    title: str
    x: str
    y: str
    marks: tuple[Mark, ...]
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None

    @property
    def of_shares(self) -> bool:
        """Whether it shows shares, whose intervals are not drawn beyond 0 and 1."""
        return "share" in f"{self.title} {self.x} {self.y}"


class Picture(NamedTuple):
    """Everything that is shown: title and claim above the panels, the sentence below."""

    title: str
    claim: str
    sentence: str
    panels: tuple[Panel, ...]


def line_over_seeds(label: str, x: Any, values: Any, geometric: bool = False, **look: Any) -> Line:
    """The mean over seeds with its 95 % interval at every x.

    Args:
        label: in the legend.
        x: (X,) places.
        values: (X, n) a column for each seed.
        geometric: take mean and interval of logarithms, of numbers > 0: for a logarithmic scale.
        look: ``colour`` and ``dashed`` of the line.
    """
    numbers = np.asarray(values, np.float64)
    if geometric:
        numbers = np.log(np.maximum(numbers, np.finfo(np.float64).tiny))
    found = np.array([mean_interval(at) for at in numbers]).reshape(-1, 3)
    mean, low, high = (np.exp(found) if geometric else found).T
    return Line(label, np.asarray(x), mean, low, high, **look)


def bars_over_seeds(values: dict[str, Any], colour: int | None = None) -> Bars:
    """Means over seeds with their 95 % intervals, a bar for each label.

    Args:
        values: (n,) numbers for each label, one for each seed.
        colour: a place in ``COLOURS``.
    """
    mean, low, high = np.array([mean_interval(v) for v in values.values()]).T
    return Bars(tuple(values), mean, low, high, colour)


def draw_picture(picture: Picture, path: str | File) -> File:
    """Draw a picture; the ending of the path says how: .png, .svg or .pdf.

    Raises:
        FileError: it cannot be written.
    """
    return save(figure_of(picture), path)


def figure_of(picture: Picture) -> "Figure":
    """The figure of a picture."""
    count = len(picture.panels)
    width = WIDTH * max(count, 2)
    claim = _balanced(f"Claim: {picture.claim}.", int(width * 13))
    sentence = _balanced(picture.sentence, int(width * 13))
    text = 0.19 * (claim.count("\n") + sentence.count("\n"))
    figure = new_figure(width, HEIGHT + 0.8 + text)
    figure.suptitle(f"{picture.title}\n{claim}", fontsize=10)
    for number, panel in enumerate(picture.panels):
        axes: Any = figure.add_subplot(1, count, number + 1)
        draw_panel(axes, panel)
    figure.supxlabel(sentence, fontsize=9)
    return figure


def _balanced(text: str, most: int) -> str:
    """Text in lines of about the same length, none longer than so many characters."""
    lines = math.ceil(len(text) / most)
    width = min(most, math.ceil(len(text) / lines) + 8)
    return textwrap.fill(text, width, break_on_hyphens=False)


def draw_panel(axes: Any, panel: Panel) -> None:
    """One set of axes with its marks."""
    for place, mark in enumerate(panel.marks):
        colour = COLOURS[(place if mark.colour is None else mark.colour) % len(COLOURS)]
        DRAW[type(mark)](axes, _cut(mark) if panel.of_shares else mark, colour)
    axes.set_title(panel.title, fontsize=9)
    axes.set_xlabel(panel.x, fontsize=8)
    axes.set_ylabel(panel.y, fontsize=8)
    axes.tick_params(which="both", labelsize=7)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    if panel.x_range is not None:
        axes.set_xlim(*panel.x_range)
    if not panel.log_x and all(_counts(mark) for mark in panel.marks):
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7)


def _cut(mark: Mark) -> Mark:
    """A mark whose intervals end at 0 and 1; infinite bounds stay."""
    if not isinstance(mark, Line | Bars) or mark.low is None or mark.high is None:
        return mark
    low, high = (np.where(np.isfinite(v), np.clip(v, 0, 1), v) for v in (mark.low, mark.high))
    return mark._replace(low=low, high=high)


def _counts(mark: Mark) -> bool:
    """Whether the places on the horizontal axis are whole numbers: epochs, layers."""
    return isinstance(mark, Line) and np.issubdtype(mark.x.dtype, np.integer)


def _draw_line(axes: Any, line: Line, colour: str) -> None:
    style = "--" if line.dashed else "-"
    marker = "o" if len(line.x) <= 12 else ""
    label = line.label or None
    axes.plot(line.x, line.y, style, marker=marker, ms=3, lw=1.5, color=colour, label=label)
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.18, lw=0)


def _draw_bars(axes: Any, bars: Bars, colour: str) -> None:
    places = np.arange(len(bars.labels))
    below, above = _reach(bars.values, bars.low), _reach(bars.values, bars.high)
    axes.barh(places, bars.values, color=colour, alpha=0.75, xerr=(below, above), capsize=2)
    axes.set_yticks(places, bars.labels)
    axes.invert_yaxis()


def _reach(values: Numbers, bounds: Numbers) -> Sequence[float]:
    """How far each bound is from its value; 0 where there is none."""
    far = np.abs(values - bounds).tolist()
    return [reach if math.isfinite(reach) else 0.0 for reach in far]


DRAW: dict[type, Callable[[Any, Any, str], None]] = {
    Line: _draw_line,
    Bars: _draw_bars,
    Contours: draw_contours,
    Path: draw_path,
    Field: draw_field,
    Points: draw_points,
}
"""How each kind of mark is drawn: (axes, mark, colour)."""
