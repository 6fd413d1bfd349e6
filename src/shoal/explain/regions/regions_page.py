"""Pictures of linear regions: of a plane, and along a line."""

import colorsys
from pathlib import Path
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.drawing import new_figure, save
from shoal.errors import RecipeError
from shoal.explain.regions.regions import Pieces, RegionsInfo

LEVELS = 81
MOST_EDGES = 1500
"""Above so many regions their edges would hide them."""
CLASSES = ("#1f4e79", "#d1603d", "#5b8c5a", "#8e6c8a", "#c9a227")


def draw_regions(
    info: RegionsInfo, path: str | Path, *, output: int = 0, data: Data | None = None,
    title: str = "",
) -> Path:  # fmt: skip
    """Draw the regions of a plane beside the value of the network.

    Left, each region in a colour that says where its output rises: the hue is the direction of the
    gradient, the strength its length; pale where the output is flat. Right, the output itself with
    its zero line, which is exact: it is straight within each region.

    Args:
        info: from ``regions``.
        path: where to write the picture; .png, .svg or .pdf.
        output: which output; of two, the difference of second and first is drawn.
        data: points to draw over it.
        title: above the picture.

    Raises:
        RecipeError: no such output.
        FileError: the picture cannot be written.
    """
    (x0, x1), (y0, y1) = info.box
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(11.6, min(9.0, max(3.0, 5.0 * (y1 - y0) / (x1 - x0) + 1.0)))
    if title:
        figure.suptitle(title)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    gradients, biases = _one_output(info, output)
    _draw_regions(left, info, gradients)
    shown = _draw_value(right, info, gradients, biases)
    figure.colorbar(shown, ax=right, shrink=0.8, ticks=MaxNLocator(9))
    left.set_title(f"{info.text}; hue: where the output rises", fontsize=10)
    right.set_title("the output, and where it is 0", fontsize=10)
    for axes in (left, right):
        _frame(axes, info, data)
    return save(figure, path)


def _one_output(info: RegionsInfo, output: int) -> tuple[Numbers, Numbers]:
    """Gradient (R, 2) and constant (R,) of the output that is shown."""
    weight = np.stack([region.weight for region in info.regions])
    bias = np.stack([region.bias for region in info.regions])
    if weight.shape[1] == 2:
        return weight[:, 1] - weight[:, 0], bias[:, 1] - bias[:, 0]
    if not 0 <= output < weight.shape[1]:
        raise RecipeError(
            "draw_regions(output)",
            required=f"an output from 0 to {weight.shape[1] - 1}",
            got=str(output),
            remedy="choose another",
        )
    return weight[:, output], bias[:, output]


def _draw_regions(axes: Any, info: RegionsInfo, gradients: Numbers) -> None:
    from matplotlib.collections import PolyCollection

    lengths = np.hypot(*gradients.T)
    strength = lengths / max(float(np.quantile(lengths, 0.95)), 1e-300)
    angles = np.arctan2(gradients[:, 1], gradients[:, 0]) / (2 * np.pi) % 1.0
    colours = [
        colorsys.hsv_to_rgb(a, 0.08 + 0.37 * min(1.0, s), 0.95 - 0.05 * min(1.0, s))
        for a, s in zip(angles, strength, strict=True)
    ]
    edge = 0.6 if info.number <= MOST_EDGES else 0.0
    shapes = PolyCollection(
        [region.polygon for region in info.regions],
        facecolors=colours, edgecolors="white" if edge else colours, linewidths=edge or 0.1,
    )  # fmt: skip
    axes.add_collection(shapes)


def _draw_value(axes: Any, info: RegionsInfo, gradients: Numbers, biases: Numbers) -> Any:
    """The output by triangles, on which it is affine."""
    from matplotlib.tri import Triangulation

    corners = np.concatenate([region.polygon for region in info.regions])
    counts = [len(region.polygon) for region in info.regions]
    starts = np.cumsum([0, *counts[:-1]])
    owner = np.repeat(np.arange(info.number), counts)
    values = (gradients[owner] * corners).sum(axis=1) + biases[owner]
    fans = [
        (start, start + k, start + k + 1)
        for start, count in zip(starts, counts, strict=True)
        for k in range(1, count - 1)
    ]
    mesh = Triangulation(corners[:, 0], corners[:, 1], np.array(fans))
    # Far corners rise steeply: the colours are for the rest.
    limit = 1.5 * float(np.quantile(np.abs(values), 0.9)) or 1.0
    # Level sets of values, not blends of colours, which would not be those of the value between.
    levels = np.linspace(-limit, limit, LEVELS)
    shown = axes.tricontourf(mesh, values, levels=levels, cmap="RdBu_r", extend="both")
    shown.set_edgecolor("face")
    if values.min() < 0 < values.max():
        axes.tricontour(mesh, values, levels=[0.0], colors="black", linewidths=1.6)
    if info.number <= MOST_EDGES:
        for region in info.regions:
            around = np.concatenate([region.polygon, region.polygon[:1]])
            axes.plot(*around.T, color="black", lw=0.3, alpha=0.35)
    return shown


def _frame(axes: Any, info: RegionsInfo, data: Data | None) -> None:
    if data is not None:
        for code in range(len(data.classes)):
            x, y = data.inputs[data.targets == code].T
            axes.plot(x, y, "o", ms=2.6, color=CLASSES[code % len(CLASSES)], mec="white", mew=0.3)
    (x0, x1), (y0, y1) = info.box
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_aspect("equal")


def draw_regions_along(info: Pieces, path: str | Path, *, title: str = "") -> Path:
    """Draw the outputs along a line with their breakpoints, and which units are on beneath.

    Args:
        info: from ``regions_along``.
        path: where to write the picture; .png, .svg or .pdf.
        title: above the picture.

    Raises:
        FileError: the picture cannot be written.
    """
    figure = new_figure(8.4, 5.6)
    figure.suptitle(title or f"{info.number:,} straight pieces along a line")
    grid = figure.add_gridspec(2, 1, height_ratios=[3, 2])
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    for place, column in enumerate(info.values.T):
        colour = CLASSES[place % len(CLASSES)]
        upper.plot(info.t, column, "-", lw=1.4, color=colour, label=f"output {place}")
        if info.number <= 120:
            upper.plot(info.t, column, ".", ms=4, color=colour)
    if info.values.shape[1] > 1:
        upper.legend(fontsize=7, ncols=2)
    upper.grid(alpha=0.3)
    upper.set_ylabel("outputs")
    if info.patterns.size:
        rows = np.arange(info.patterns.shape[1] + 1)
        lower.pcolormesh(info.t, rows, info.patterns.T, cmap="Greys", vmin=0, rasterized=True)
    lower.set_ylabel("units, by the piece they are on", fontsize=8)
    lower.set_xlabel("t, from start (0) to stop (1)")
    lower.set_xlim(0, 1)
    return save(figure, path)
