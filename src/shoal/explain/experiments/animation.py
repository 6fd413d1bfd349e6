"""Paths that grow while one looks: a picture as a GIF.

Only panels with paths are shown. A frame shows every path up to one number of steps, which grows by
a factor from frame to frame, because some arrive in five steps and others in thousands.
"""

from pathlib import Path as File
from typing import Any

import numpy as np

from shoal.errors import FileError, RecipeError
from shoal.explain.drawing import new_figure
from shoal.explain.experiments.experiment import Experiment, Finding
from shoal.explain.experiments.picture import COLOURS, HEIGHT, WIDTH, Panel, draw_panel
from shoal.explain.experiments.planes import Path

FRAMES = 48
PER_SECOND = 10
HELD = 10
"""Frames for which the end stays."""


def check_animation(experiment: Experiment, path: str | File) -> None:
    """Whether an experiment can become an animation, asked before what takes long.

    Raises:
        RecipeError: its picture has no paths.
        FileError: another ending than .gif.
    """
    if not experiment.animated:
        raise RecipeError(
            f"an animation of {experiment.name}",
            required="an experiment whose picture has paths",
            got="one without",
            remedy="leave it out; input_scaling has paths",
        )
    if File(path).suffix.lower() != ".gif":
        raise FileError(
            f"an animation {path}",
            required="the ending .gif",
            got=repr(File(path).suffix),
            remedy="choose another path",
        )


def counts(longest: int, frames: int) -> tuple[int, ...]:
    """Steps shown in each frame, from 0 to all of them, growing by a factor.

    >>> counts(100, 6)
    (0, 1, 3, 10, 32, 100)
    """
    grown = np.geomspace(1, max(longest, 1), frames - 1).round().astype(int)
    return (0, *dict.fromkeys(grown.tolist()))


def animate(finding: Finding, path: str | File, frames: int = FRAMES) -> File:
    """Draw the paths of a finding's picture step by step into a GIF of about so many frames.

    Raises:
        RecipeError: the picture has no paths.
        FileError: another ending than .gif, or it cannot be written.
    """
    from matplotlib.animation import PillowWriter

    check_animation(finding.experiment, path)
    panels = [panel for panel in finding.picture.panels if _paths(panel)]
    longest = max(len(mark.points) - 1 for panel in panels for mark in _paths(panel))
    figure: Any = new_figure(WIDTH * len(panels), HEIGHT + 0.4)
    moving = [
        artists
        for number, panel in enumerate(panels)
        for artists in _still(figure.add_subplot(1, len(panels), number + 1), panel)
    ]
    writer: Any = PillowWriter(fps=PER_SECOND)
    try:
        File(path).parent.mkdir(parents=True, exist_ok=True)
        with writer.saving(figure, str(path), dpi=80):
            steps = counts(longest, frames)
            for shown in (*steps, *steps[-1:] * HELD):
                figure.suptitle(f"{finding.experiment.title}: after {shown:,} steps", fontsize=10)
                _move(moving, shown)
                writer.grab_frame()
                figure.set_layout_engine("none")  # the first frame has laid it out
    except OSError as error:
        raise FileError(
            f"writing {path}",
            required="a folder that can be written",
            got=str(error).split("\n", 1)[0],
            remedy="choose another path",
        ) from error
    return File(path)


def _paths(panel: Panel) -> list[Path]:
    return [mark for mark in panel.marks if isinstance(mark, Path)]


def _still(axes: Any, panel: Panel) -> list[tuple[Path, Any, Any]]:
    """Draw what does not move; of each path the line and the cross that will."""
    others = tuple(mark for mark in panel.marks if not isinstance(mark, Path))
    found = []
    for place, mark in enumerate(panel.marks):
        if isinstance(mark, Path):
            colour = COLOURS[(place if mark.colour is None else mark.colour) % len(COLOURS)]
            (line,) = axes.plot([], [], "-", lw=1.3, color=colour, label=mark.label, alpha=0.9)
            (cross,) = axes.plot([], [], "X", ms=6, color=colour)
            found.append((mark, line, cross))
    draw_panel(axes, panel._replace(marks=others))
    return found


def _move(moving: list[tuple[Path, Any, Any]], shown: int) -> None:
    for mark, line, cross in moving:
        way = mark.points[: shown + 1]
        line.set_data(*way.T)
        cross.set_data(*way[-1:].T)
