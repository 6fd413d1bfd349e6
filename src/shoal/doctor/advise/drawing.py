"""Pictures of advice: made without a display, written as files."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.errors import FileError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#2a6f97", "#d97706", "#3a7d44", "#6b7280"
ENDINGS = (".png", ".svg", ".pdf")

STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 12,
}


def check_picture(path: str | Path) -> None:
    """Whether a path can become a picture, asked before what takes long.

    Raises:
        FileError: another ending.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise FileError(
            f"a picture {path}",
            required=f"an ending {', '.join(ENDINGS)}",
            got=repr(Path(path).suffix),
            remedy="choose another path",
        )


def drawn(path: str | Path, size: tuple[float, float], picture: Callable[["Figure"], None]) -> Path:
    """Draw on a figure of so many inches and write it. Matplotlib is imported here.

    Raises:
        FileError: another ending, or a file that cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    check_picture(path)
    to = Path(path)
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        picture(figure)
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(to, dpi=120)
        except (OSError, ValueError) as error:
            raise FileError(
                f"writing {path}",
                required="a folder that can be written",
                got=str(error).split("\n", 1)[0],
                remedy="choose another path",
            ) from error
    return to


def plain_log(axis: Any) -> None:
    """A logarithmic axis whose ticks, at least two, are written plainly: 0.001, 0.01, 1000."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def bars(axes: "Axes", names: list[str], mean: Any, half: Any, marks: list[str]) -> None:
    """Means with their intervals, one line each from the top, coloured by ``marks``."""
    for place, (value, reach, colour) in enumerate(zip(mean, half, marks, strict=True)):
        axes.errorbar(value, place, xerr=reach, fmt="o", color=colour, markersize=5, capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
