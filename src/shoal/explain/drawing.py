"""Figures: made without a display, and written as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from shoal.errors import FileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches. Matplotlib is imported here, not with shoal."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


PICTURES = (".png", ".svg", ".pdf")
"""Endings of pictures."""


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
        FileError: it cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise FileError(
            f"writing {path}",
            required="a folder that can be written and an ending .png, .svg or .pdf",
            got=str(error).split("\n", 1)[0],
            remedy="choose another path",
        ) from error
    return Path(path)
