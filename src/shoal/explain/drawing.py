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
