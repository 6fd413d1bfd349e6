"""The page of the atlas: every activation with its derivative and its facts beneath."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.drawing import new_figure, save
from shoal.explain.atlas.atlas import ActivationInfo, activation_infos, facts_of
from shoal.nets import Activation

COLUMNS = 5
FEW = 3
"""So many are drawn larger."""
INK, SLOPE = "#1f4e79", "#d1603d"
SPAN = (-2.0, 3.4)
"""The values shown: the same height everywhere, so that slopes can be compared by eye."""
BELOW = (-4.2, 1.2)
"""For functions that are never positive."""


def draw_activations(
    path: str | Path,
    activations: Sequence[Activation | str] | None = None,
    measure: bool = True,
) -> Path:
    """Draw activations with their derivatives and facts on one page.

    Args:
        path: where to write the picture; .png, .svg or .pdf.
        activations: activations or their names; None for all. RReLU is drawn as the band between
            its bounds, PReLU, LeakyReLU, Swish and Softplus with several values of their number.
        measure: whether their cost here is measured, some 0.2 s for each.

    Raises:
        RecipeError: an unknown name.
        FileError: the picture cannot be written.
    """
    return draw_infos(activation_infos(activations, measure=measure), path)


def draw_infos(infos: Sequence[ActivationInfo], path: str | Path) -> Path:
    """Draw what ``activation_infos`` gave.

    Raises:
        FileError: the picture cannot be written.
    """
    columns = min(COLUMNS, len(infos))
    rows = -(-len(infos) // columns)
    width, height = (4.4, 5.2) if len(infos) <= FEW else (3.3, 4.3)
    figure = new_figure(width * columns, height * rows + 0.4)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.12, h_pad=0.12)
    figure.suptitle("f (solid) and its derivative f′ (dashed)", fontsize=12)
    for number, info in enumerate(infos):
        _panel(figure.add_subplot(rows, columns, number + 1), info, len(infos) <= FEW)
    return save(figure, path)


def _panel(axes: Any, info: ActivationInfo, large: bool) -> None:
    axes.axhline(0, color="0.75", lw=0.8)
    axes.axvline(0, color="0.75", lw=0.8)
    if info.band:
        low, high = info.band
        axes.fill_between(info.x, low.y, high.y, color=INK, alpha=0.25, lw=0, label="f drawn here")
        axes.fill_between(info.x, low.dy, high.dy, color=SLOPE, alpha=0.25, lw=0)
    for place, line in enumerate(info.lines):
        shade = 0.35 + 0.65 * (place + 1) / len(info.lines)
        _curve(axes, info.x, line.y, INK, "-", shade, line.label)
        _curve(axes, info.x, line.dy, SLOPE, "--", shade, "")
    if not info.lines:
        label = f"mean slope {info.dy[0]:.3g}" if info.band else ""
        _curve(axes, info.x, info.y, INK, "-", 1.0, label)
        _curve(axes, info.x, info.dy, SLOPE, "--", 1.0, "")
    axes.set_title(info.text, fontsize=11, fontweight="bold")
    axes.set_xlim(info.x[0], info.x[-1])
    axes.set_ylim(*(BELOW if info.facts.range[1] <= 0 else SPAN))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.2)
    if info.lines or info.band:
        axes.legend(fontsize=7, loc="upper left", frameon=False)
    caption = f"{fill(info.formula, 62)}\n{_caption(info)}" if large else _caption(info)
    axes.set_xlabel(caption, fontsize=8 if large else 7.5, loc="left", linespacing=1.45)


def _curve(
    axes: Any, x: Numbers, y: Numbers, colour: str, style: str, alpha: float, label: str
) -> None:
    """A line that is broken where the function jumps, as derivatives do at kinks."""
    steps = np.abs(np.diff(y))
    jumps = np.flatnonzero(steps > 20 * (np.median(steps) + 1e-3)) + 1
    axes.plot(
        np.insert(x, jumps, np.nan), np.insert(y, jumps, np.nan),
        style, color=colour, alpha=alpha, lw=1.8, label=label or "_",
    )  # fmt: skip


def _caption(info: ActivationInfo) -> str:
    """The facts in four lines."""
    said = facts_of(info)
    words = [
        "monotone" if info.facts.monotone else "not monotone",
        "zero-centred" if info.facts.zero_centred else "not zero-centred",
        "smooth" if info.facts.smooth else "with a kink",
    ]
    near = "f(x) ≈ x near 0" if info.facts.identity_near_zero else "f(x) ≉ x near 0"
    cost = f"exponentials: {said['exponentials']}"
    if info.cost:
        cost += f"; time {said['forward']}×, f′ {said['backward']}× ReLU's"
    sides = said["saturates"]
    flat = "never saturates" if sides == "no" else f"saturates {'on ' * (sides[0] == 'b')}{sides}"
    return f"range {said['range']}; {flat}\n{', '.join(words)}\n{near}\n{cost}"
