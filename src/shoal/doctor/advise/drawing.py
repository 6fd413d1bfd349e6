"""Pictures of advice: their style, their axes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.drawing import STYLE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def drawn(path: str | Path, size: tuple[float, float], picture: Callable[["Figure"], None]) -> Path:
    """Draw on a figure of so many inches and write it. Matplotlib is imported here.

    Raises:
        FileError: another ending, or a file that cannot be written.
    """
    from matplotlib import rc_context

    with rc_context(STYLE | {"legend.fontsize": 8}):
        figure = new_figure(*size)
        picture(figure)
        return save(figure, path)


def bars(
    axes: "Axes", names: list[str], mean: Any, half: Any, marks: list[str], least: float
) -> None:
    """Means with their intervals, one line each from the top, coloured by ``marks``.

    Args:
        least: the lowest value there can be: no interval is drawn beyond it.
    """
    for place, (value, reach, colour) in enumerate(zip(mean, half, marks, strict=True)):
        ends = [[min(reach, max(value - least, 0.0))], [reach]]
        axes.errorbar(value, place, xerr=ends, fmt="o", color=colour, markersize=5, capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
