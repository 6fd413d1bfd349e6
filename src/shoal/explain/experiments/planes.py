"""Marks on a plane: contours of a function, paths over them, fields of a decision, its points."""

from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers


class Contours(NamedTuple):
    """Lines along which a function is the same.

    Attributes:
        x: (X,) and y: (Y,) places.
        z: (Y, X) the function there.
        levels: where the lines are drawn.
        colour: not used; lines are grey.
    """

    x: Numbers
    y: Numbers
    z: Numbers
    levels: tuple[float, ...]
    colour: int | None = None


class Path(NamedTuple):
    """The way of a point, from a ring to a cross.

    Attributes:
        label: in the legend; "" for none.
        points: (T, 2) places, in order.
        colour: a place in ``COLOURS``; None for the place among the panel's marks.
    """

    label: str
    points: Numbers
    colour: int | None = None


class Field(NamedTuple):
    """How sure a network of two classes is, and the line where it changes its mind.

    Attributes:
        x: (X,) and y: (Y,) places.
        share: (Y, X) probability of the second class.
        colour: not used; blue is the first class and orange the second.
    """

    x: Numbers
    y: Numbers
    share: Numbers
    colour: int | None = None


class Points(NamedTuple):
    """Examples of two classes, or trials of two kinds.

    Attributes:
        points: (N, 2) places.
        classes: (N,) 0 or 1.
        names: of the classes in the legend; "" for none.
        colour: not used; colours are those of ``Field``.
    """

    points: Numbers
    classes: Numbers
    names: tuple[str, str] = ("", "")
    colour: int | None = None


CLASSES = ("#0072b2", "#d55e00")
"""Colours of the two classes."""


def draw_contours(axes: Any, mark: Contours, colour: str) -> None:
    """Grey lines."""
    axes.contour(mark.x, mark.y, mark.z, levels=mark.levels, colors="#999999", linewidths=0.7)


def draw_path(axes: Any, mark: Path, colour: str) -> None:
    """A line, a ring where it begins and a cross where it is now."""
    x, y = mark.points.T
    axes.plot(x, y, "-", lw=1.3, color=colour, label=mark.label or None, alpha=0.9)
    axes.plot(x[0], y[0], "o", ms=6, mfc="none", color=colour)
    axes.plot(x[-1], y[-1], "X", ms=5, color=colour)


def draw_field(axes: Any, mark: Field, colour: str) -> None:
    """Shades of the two classes, and the line between them."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("classes", [CLASSES[0], "white", CLASSES[1]])
    levels = np.linspace(0.0, 1.0, 11)
    axes.contourf(mark.x, mark.y, mark.share, levels=levels, cmap=shades, alpha=0.45)
    axes.contour(mark.x, mark.y, mark.share, levels=[0.5], colors="black", linewidths=1.3)


def draw_points(axes: Any, mark: Points, colour: str) -> None:
    """A dot for each example."""
    for number, (own, name) in enumerate(zip(CLASSES, mark.names, strict=True)):
        x, y = mark.points[mark.classes == number].T
        axes.plot(x, y, "o", ms=4, color=own, mec="white", mew=0.5, label=name or None)
