"""A network that folds its input: each layer doubles the pieces, so depth multiplies them.

The zigzag of p folds on [0, 1] needs p units,

    z(x) = p relu(x) - 2p relu(x - 1/p) + 2p relu(x - 2/p) - ...

and maps each of p intervals onto all of [0, 1]; p = 2 is the tent map. Whatever the next layers do
with [0, 1] happens on each of the p intervals, mirrored in every second. With L such layers the
function has p^L pieces; one hidden layer with as many units, p L, has at most p L + 1 (Montúfar et
al. 2014, arXiv:1402.1869, section 3; Telgarsky 2015, arXiv:1509.08101). With n inputs each is
folded on its own: (p^n)^L regions of the unit cube.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers, Tree
from shoal.drawing import new_figure, save
from shoal.errors import RecipeError
from shoal.explain.regions.regions import Pieces, RegionsInfo, regions, regions_along
from shoal.nets import Net
from shoal.nets.zoo import mlp

GLYPH = np.array(
    [(2, 1), (3, 1), (3, 4), (6, 4), (6, 5), (3, 5), (3, 8), (7, 8), (7, 9), (2, 9)], float
) / 10.0  # fmt: skip
"""The letter F in the unit square: it shows which copies are mirrored."""


class FoldingInfo(NamedTuple):
    """A folding network, depth by depth.

    Attributes:
        folds: p, of each layer.
        lines: for 1, 2, ... layers, the pieces of the network of one input on [0, 1].
        planes: the same for two inputs, the regions of the unit square.
    """

    folds: int
    lines: tuple[Pieces, ...]
    planes: tuple[RegionsInfo, ...]


def folding_net(depth: int, inputs: int = 1, folds: int = 2) -> tuple[Net, Tree]:
    """A network of ReLUs that folds the unit cube, and its weights.

    Args:
        depth: hidden layers L, >= 1.
        inputs: n, each folded on its own, >= 1.
        folds: p of each layer, >= 2.

    Returns:
        the network, with p n units in each layer and n outputs in [0, 1], and its parameters.

    Raises:
        RecipeError: a number that is too small.

    >>> net, parameters = folding_net(3)
    >>> regions_along(net, parameters, [0.0], [1.0]).number
    8
    """
    for name, value, least in (("depth", depth, 1), ("inputs", inputs, 1), ("folds", folds, 2)):
        if value < least:
            raise RecipeError(
                f"folding_net({name})",
                required=f"a whole number >= {least}",
                got=str(value),
                remedy="enlarge it",
            )
    net = mlp([folds * inputs] * depth, inputs)
    each = np.eye(inputs)
    spread = np.kron(each, np.ones((folds, 1)))  # (p n, n): a copy of each input for each fold
    signs = np.array([1.0, *(2.0 * (-1) ** k for k in range(1, folds))])
    gather = folds * np.kron(each, signs[None, :])  # (n, p n): the zigzag of each input
    steps = np.tile(-np.arange(folds) / folds, inputs)
    weights = [spread, *[spread @ gather] * (depth - 1), gather]
    biases = [*[steps] * depth, np.zeros(inputs)]
    return net, {
        f"dense{number}": {"weight": weight, "bias": bias}
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1)
    }


def folding_info(depth: int = 4, folds: int = 2, planes: int = 3) -> FoldingInfo:
    """The pieces and regions of folding networks of 1, 2, ... layers.

    Args:
        depth: layers of the largest network of one input.
        folds: p of each layer.
        planes: layers of the largest network of two inputs.
    """
    lines = [folding_net(layers, 1, folds) for layers in range(1, depth + 1)]
    squares = [folding_net(layers, 2, folds) for layers in range(1, planes + 1)]
    unit = ((0.0, 1.0), (0.0, 1.0))
    return FoldingInfo(
        folds,
        tuple(regions_along(net, weights, [0.0], [1.0]) for net, weights in lines),
        tuple(regions(net, weights, unit) for net, weights in squares),
    )


def draw_folding(path: str | Path, depth: int = 4, folds: int = 2) -> Path:
    """Draw how layers fold a line and a square.

    Above, the function of one input by depth. Below, the regions of the unit square, each with the
    letter that it maps to the same place: copies in shaded regions are mirrored.

    Args:
        path: where to write the picture; .png, .svg or .pdf.
        depth: layers of the deepest network, >= 1; at most 3 are drawn for the square.
        folds: p of each layer, >= 2.

    Raises:
        RecipeError: a number that is too small, or a network with too many regions.
        FileError: the picture cannot be written.
    """
    planes = max(1, min(3, depth))
    info = folding_info(depth, folds, planes)
    columns = max(depth, planes)
    figure = new_figure(3.0 * columns, 6.4)
    figure.suptitle(f"Layers that fold: {folds} units for each input fold it {folds} times")
    for number, line in enumerate(info.lines, 1):
        axes: Any = figure.add_subplot(2, columns, number)
        axes.plot(line.t, line.values[:, 0], color="#1f4e79", lw=1.6)
        axes.set_title(
            f"{_layers(number)}, {folds * number} units: {line.number} pieces\n"
            f"(one hidden layer: at most {folds * number + 1})",
            fontsize=9,
        )
        axes.set_xlim(0, 1)
        axes.grid(alpha=0.3)
    for number, plane in enumerate(info.planes, 1):
        axes = figure.add_subplot(2, columns, columns + number)
        _draw_copies(axes, plane)
        units = 2 * folds * number
        axes.set_title(f"{_layers(number)}, {units} units: {plane.number} regions", fontsize=9)
    return save(figure, path)


def _layers(number: int) -> str:
    return f"{number} layer{'s' * (number > 1)}"


def _draw_copies(axes: Any, plane: RegionsInfo) -> None:
    """Each region with the letter that the network maps onto F."""
    from matplotlib.collections import PolyCollection

    mirrored = [np.linalg.det(region.weight) < 0 for region in plane.regions]
    squares = PolyCollection(
        [region.polygon for region in plane.regions],
        facecolors=["#dfe7ee" if m else "#ffffff" for m in mirrored],
        edgecolors="0.45",
        linewidths=0.6,
    )
    letters = PolyCollection(
        [_before(region.weight, region.bias) for region in plane.regions],
        facecolors=["#d1603d" if m else "#1f4e79" for m in mirrored],
    )
    axes.add_collection(squares)
    axes.add_collection(letters)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")


def _before(weight: Numbers, bias: Numbers) -> Numbers:
    """The points that an affine map takes to the letter, (V, 2)."""
    found: Numbers = np.linalg.solve(weight, (GLYPH - bias).T).T
    return found
