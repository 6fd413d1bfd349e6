"""Drawing: figures without a display, written as files that are whole or absent."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.errors import FileError
from shoal.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#2a6f97", "#d97706", "#3a7d44", "#6b7280"

STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.titlesize": 12,
}
"""Settings of matplotlib. Texts are shown as they are: a ``$`` in a name starts no formula."""

PICTURES = (".png", ".svg", ".pdf")
"""Endings of pictures."""


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches. Matplotlib is imported here, not with shoal."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def check_picture(path: str | Path) -> None:
    """Whether a path can become a picture, asked before what takes long.

    Raises:
        FileError: another ending.
    """
    if Path(path).suffix.lower() not in PICTURES:
        raise FileError(
            f"a picture {path}",
            required=f"an ending {', '.join(PICTURES)}",
            got=repr(Path(path).suffix),
            remedy="choose another path",
        )


def save(figure: "Figure", path: str | Path) -> Path:
    """Write a figure; the ending says how: .png, .svg or .pdf.

    Raises:
        FileError: another ending, or a file that cannot be written.
    """
    check_picture(path)
    to, written = Path(path), io.BytesIO()
    figure.savefig(written, format=to.suffix[1:].lower(), dpi=120)
    write_atomically(to, written.getvalue())
    return to


def plain_log(axis: Any) -> None:
    """Numbers on a logarithmic axis without formulas: 0.01, 100, 1e-05."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain(minor_thresholds=(1.0, 0.4)))
