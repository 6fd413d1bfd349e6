"""Paths that grow while one looks: a picture as a GIF.

Only panels with paths are shown. A frame shows every path up to one number of steps, which grows by
a factor from frame to frame, because some arrive in five steps and others in thousands.
"""

from pathlib import Path as File
from typing import Any

import numpy as np

from shoal.drawing import new_figure
from shoal.errors import FileError, RecipeError
from shoal.explain.experiments.experiment import Experiment, Finding
from shoal.explain.experiments.picture import COLOURS, HEIGHT, WIDTH, Mark, Panel, draw_panel
from shoal.explain.experiments.planes import Path

Moving = tuple[Path, Any, Any]
"""A path, its line and its cross."""

FRAMES = 48
PER_SECOND = 10
HELD, DPI = 10, 80
"""Frames for which the end stays; dots an inch."""


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
    figure, moving = _stage(panels)
    writer: Any = PillowWriter(fps=PER_SECOND)
    try:
        File(path).parent.mkdir(parents=True, exist_ok=True)
        with writer.saving(figure, str(path), dpi=DPI):
            steps = counts(longest, frames)
            for shown in (*steps, *steps[-1:] * HELD):
                figure.suptitle(f"{finding.experiment.title}: after {shown:,} steps", fontsize=10)
                _move(moving, shown)
                writer.grab_frame()
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


def _stage(panels: list[Panel]) -> tuple[Any, list[Moving]]:
    """A figure of what does not move, as one image, and of each path the artists that will.

    Axes, contours and words take most of the time to draw, so they are drawn once.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    still, figure = (_figure(len(panels)) for _ in range(2))
    axes = [still.add_subplot(1, len(panels), n + 1) for n in range(len(panels))]
    for own, panel in zip(axes, panels, strict=True):
        draw_panel(own, panel._replace(marks=tuple(map(_begun, panel.marks))))
    still.suptitle(" ", fontsize=10)
    canvas: Any = FigureCanvasAgg(still)
    canvas.draw()
    figure.set_layout_engine("none")
    figure.figimage(np.asarray(canvas.buffer_rgba()), zorder=-1)
    moving = []
    for own, panel in zip(axes, panels, strict=True):
        bare = figure.add_axes(own.get_position(), xlim=own.get_xlim(), ylim=own.get_ylim())
        bare.axis("off")
        for place, mark in enumerate(panel.marks):
            if isinstance(mark, Path):
                colour = COLOURS[(place if mark.colour is None else mark.colour) % len(COLOURS)]
                moving.append(
                    (
                        mark,
                        *bare.plot([], [], "-", lw=1.3, color=colour, alpha=0.9),
                        *bare.plot([], [], "X", ms=6, color=colour),
                    )
                )
    return figure, moving


def _figure(panels: int) -> Any:
    figure: Any = new_figure(WIDTH * panels, HEIGHT + 0.4)
    figure.set_dpi(DPI)
    return figure


def _begun(mark: Mark) -> Mark:
    """Of a path only the ring where it starts; any other mark as it is."""
    if not isinstance(mark, Path):
        return mark
    return mark._replace(points=np.stack([mark.points[0], np.full(2, np.nan)]))


def _move(moving: list[Moving], shown: int) -> None:
    for mark, line, cross in moving:
        way = mark.points[: shown + 1]
        line.set_data(*way.T)
        cross.set_data(*way[-1:].T)
