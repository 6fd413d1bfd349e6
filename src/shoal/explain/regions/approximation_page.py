"""The picture and the table of an approximation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.drawing import new_figure, save
from shoal.explain import tables
from shoal.explain.regions.approximation import ApproximationInfo

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = ("#1f4e79", "#d1603d", "#5b8c5a", "#8e6c8a")


def draw_approximation(info: ApproximationInfo, path: str | Path) -> Path:
    """Draw the networks of each depth beside the function, and the errors by units.

    Args:
        info: from ``approximation``.
        path: where to write the picture; .png, .svg or .pdf.

    Raises:
        FileError: the picture cannot be written.
    """
    depths = sorted({fit.depth for fit in info.fits})
    figure = new_figure(4.2 * (len(depths) + 1), 4.2)
    figure.suptitle(f"{info.name}: approximated by networks of ReLUs")
    for number, depth in enumerate(depths, 1):
        axes: Any = figure.add_subplot(1, len(depths) + 1, number)
        _draw_fits(axes, info, depth)
    _draw_errors(figure.add_subplot(1, len(depths) + 1, len(depths) + 1), info, depths)
    return save(figure, path)


def _draw_fits(axes: Any, info: ApproximationInfo, depth: int) -> None:
    from matplotlib import colormaps

    chosen = [fit for fit in info.fits if fit.depth == depth]
    axes.plot(info.x, info.y, color="0.6", lw=4, label="the function")
    for place, fit in enumerate(chosen):
        colour = colormaps["viridis"](0.85 * place / max(1, len(chosen) - 1))
        label = f"{fit.width} units: off by {fit.largest:.2g}"
        axes.plot(info.x, fit.y, lw=1.3, color=colour, label=label)
    axes.set_title(f"{depth} hidden layer{'s' * (depth > 1)}, trained", fontsize=10)
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)


def _draw_errors(axes: Any, info: ApproximationInfo, depths: list[int]) -> None:
    for place, depth in enumerate(depths):
        chosen = [fit for fit in info.fits if fit.depth == depth]
        units, colour = [fit.units for fit in chosen], COLOURS[place % len(COLOURS)]
        axes.plot(units, [f.largest for f in chosen], "o-", color=colour, label=f"{depth} deep")
        for fit in chosen:
            axes.plot([fit.units] * len(fit.spread), fit.spread, ".", ms=3, color=colour, alpha=0.5)
    known = info.interpolants
    axes.plot([k.units for k in known], [k.largest for k in known], "k--", lw=1,
              label="interpolation, written down")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("hidden units")
    axes.set_title("largest error (dots: every seed)", fontsize=10)
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)


def approximation_table(info: ApproximationInfo) -> "Table":
    """A row for each network: units, errors, and that of the interpolation with as many units."""
    reference = {known.units: known.largest for known in info.interpolants}
    rows = [
        (
            f"{fit.depth} x {fit.width}", f"{fit.units}", f"{fit.largest:.3g}",
            f"{fit.typical:.3g}", f"{fit.spread.max():.3g}", f"{reference[fit.units]:.3g}",
        )
        for fit in info.fits
    ]  # fmt: skip
    head = ("layers", "units", "largest error", "root mean square", "worst seed", "interpolation")
    return tables.table(f"{info.name}: errors of the best seed", head, rows)
