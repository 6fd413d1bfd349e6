"""Weights as pictures: units that see an image as images, kernels of convolutions as small squares.

    Dense after an image     one tile of its shape for each unit
    Conv, 1 or 3 channels    one tile for each filter (colours for three channels)
    Conv, more channels      a row of tiles for each filter, one for each channel
    any other matrix         rows are outputs, columns inputs

Red is positive, blue negative, white zero; each layer has its own scale, symmetric about 0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.explain.language import Say
from shoal.explain.page import empty, page
from shoal.explain.pictures.images import as_tile, columns_for, image_shape, mosaic
from shoal.explain.pictures.layers import arrays_of, model_of
from shoal.nets import compose
from shoal.train.model import Model
from shoal.train.run import Run

MOST_TILES = 64
MOST_CHANNELS = 12
MOST_PANELS = 12
HANDS_ON = ("Flatten", "Dropout", "GaussianNoise", "Identity")
"""Layers that leave an image what it is, for the units that see it afterwards."""


class Tiles(NamedTuple):
    """The weights of one layer.

    Attributes:
        name: path of the array (``dense1/weight``); kind: "tiles", "colours" or "matrix".
        tiles: (n, h, w), (n, h, w, 3) in [0, 1] or, for a matrix, (outputs, inputs).
        across: tiles in a row, 0 to choose.
        total: how many there are; the first n of them are shown.
        limit: largest absolute weight.
    """

    name: str
    kind: str
    tiles: Numbers
    across: int
    total: int
    limit: float


class WeightsInfo(NamedTuple):
    """The layers with weights of one member."""

    name: str
    layers: tuple[Tiles, ...]


def weights_info(
    run: Run | Model, member: int = 0, image: tuple[int, ...] | None = None
) -> WeightsInfo:
    """The weights of a member as tiles; arguments and errors as for ``draw_weights``."""
    model = model_of(run)
    seen = _image_seen(model, image)
    found = []
    for path, array in arrays_of(model, member).items():
        if array.ndim >= 2:
            found.append(_tiles(path, array, seen.get(path.split("/")[0])))
    return WeightsInfo(model.recipe.name, tuple(found))


def _image_seen(model: Model, image: tuple[int, ...] | None) -> dict[str, Shape]:
    """The image that the first weights see, by the name of their layer."""
    in_shape = model.inputs.out_shape
    arrays = hasattr(model.inputs, "shape")
    shape = image_shape(in_shape, image) if arrays or image else None
    if shape is not None:
        for name, layer in compose.named(model.recipe.body.layers):
            if layer.kind not in HANDS_ON:
                return {name: shape}
    return {}


def _tiles(path: str, array: Numbers, image: Shape | None) -> Tiles:
    limit = float(np.abs(array).max(initial=0.0)) or 1.0
    if array.ndim == 2 and image is not None and array.shape[1] == np.prod(image):
        shown = [as_tile(row, image) for row in array[:MOST_TILES]]
        kind = "colours" if shown[0].ndim == 3 else "tiles"
        return Tiles(path, kind, np.stack(shown), 0, len(array), limit)
    if array.ndim == 4:
        return _kernels(path, array, limit)
    if array.ndim == 3:  # a convolution over a sequence: (cells, channels, filters)
        tiles = array.transpose(2, 1, 0)[:MOST_TILES]
        return Tiles(path, "tiles", tiles, 0, array.shape[2], limit)
    return Tiles(path, "matrix", array.reshape(len(array), -1), 0, len(array), limit)


def _kernels(path: str, array: Numbers, limit: float) -> Tiles:
    """Kernels (h, w, C, filters)."""
    channels, filters = array.shape[2:]
    if channels == 3:
        tiles = np.stack([as_tile(array[..., f], array.shape[:3]) for f in range(filters)])
        return Tiles(path, "colours", tiles[:MOST_TILES], 0, filters, limit)
    if channels == 1:
        tiles = array[:, :, 0].transpose(2, 0, 1)
        return Tiles(path, "tiles", tiles[:MOST_TILES], 0, filters, limit)
    kept = array[:, :, :MOST_CHANNELS, :MOST_CHANNELS].transpose(3, 2, 0, 1)
    tiles = kept.reshape(-1, *array.shape[:2])
    return Tiles(path, "tiles", tiles, kept.shape[1], channels * filters, limit)


def draw_weights(
    run: Run | Model,
    path: str | Path,
    *,
    member: int = 0,
    image: tuple[int, ...] | None = None,
    language: str = "en",
) -> Path:
    """Draw the weights of each layer: images, kernels or matrices.

    Args:
        run: a run or a model.
        path: of the picture; .png, .svg or .pdf.
        member: of an ensemble, counted from 0.
        image: (H, W) or (H, W, C) of the inputs, where they are flat; () for none. By default, rows
            of 64, 81, 100, ... numbers are taken for images.
        language: "en" or "zh".

    Raises:
        DataError: no such member, an image of another size.
        FileError: the picture cannot be written.
    """
    info = weights_info(run, member, image)
    layers = info.layers[:MOST_PANELS]
    across = min(3, max(1, len(layers)))
    down = -(-max(1, len(layers)) // across)
    with page(path, max(5.0, 4.2 * across), 3.6 * down + 0.4, language) as (figure, say):
        figure.suptitle(say("weights of {name}", name=info.name))
        for number, layer in enumerate(layers, 1):
            axes: Any = figure.add_subplot(down, across, number)
            _draw_layer(axes, layer, say)
    return Path(path)


def _draw_layer(axes: Any, layer: Tiles, say: Say) -> None:
    title = layer.name
    if len(layer.tiles) < layer.total:
        shown = say("{shown} of {total}", shown=len(layer.tiles), total=layer.total)
        title = f"{title} ({shown})"
    axes.set_title(title, fontsize=9)
    if layer.kind == "colours":
        empty(axes)
        axes.imshow(_colour_mosaic(layer.tiles), interpolation="nearest")
        return
    scale = {"cmap": "RdBu_r", "vmin": -layer.limit, "vmax": layer.limit}
    if layer.kind == "matrix":
        image = axes.imshow(layer.tiles, aspect="auto", interpolation="nearest", **scale)
        axes.set_xlabel(say("input"))
        axes.set_ylabel(say("output"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_locator().set_params(integer=True)
    else:
        empty(axes)
        across = layer.across or columns_for(layer.tiles, 1.2)
        image = axes.imshow(mosaic(layer.tiles, across), interpolation="nearest", **scale)
        if layer.across:
            axes.set_xlabel(say("channel"))
            axes.set_ylabel(say("filter"))
    axes.figure.colorbar(image, ax=axes, pad=0.02, shrink=0.8)


def _colour_mosaic(tiles: Numbers) -> Numbers:
    """Tiles (n, h, w, 3) as one image with white between them."""
    across = columns_for(tiles, 1.2)
    channels: Iterator[Numbers] = (mosaic(tiles[..., c], across) for c in range(3))
    return np.nan_to_num(np.stack(list(channels), axis=-1), nan=1.0)
