"""Images: which numbers are a picture, and how arrays become tiles that can be shown."""

import math

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.errors import DataError

SMALLEST_SIDE = 8
"""Rows of 64, 81, 100, ... numbers are taken for square images."""


def image_shape(shape: Shape, wanted: Shape | None = None) -> Shape | None:
    """The shape (H, W) or (H, W, C), C being 1 or 3, in which an example is shown; None if none is.

    >>> image_shape((8, 8, 1)), image_shape((64,)), image_shape((13,))
    ((8, 8, 1), (8, 8), None)

    Args:
        shape: of one example.
        wanted: what the user says; () for no image.

    Raises:
        DataError: ``wanted`` is of another size.
    """
    if wanted == ():
        return None
    if wanted is not None:
        if math.prod(wanted) != math.prod(shape) or len(wanted) not in (2, 3):
            raise DataError(
                "image",
                required=f"a height and width (and channels) that make {math.prod(shape)} numbers",
                got=str(wanted),
                remedy="leave it out, or correct it",
            )
        return tuple(wanted)
    if len(shape) == 3:
        return shape if shape[-1] in (1, 3) else None
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    square = side >= SMALLEST_SIDE and side * side == math.prod(shape)
    return (side, side) if square else None


def as_tile(values: Numbers, shape: Shape) -> Numbers:
    """Numbers as an image (H, W), or (H, W, 3) scaled to [0, 1]."""
    tile = values.reshape(shape)
    if tile.ndim == 3 and tile.shape[-1] == 1:
        return tile[..., 0]
    if tile.ndim == 3:
        low, high = tile.min(), tile.max()
        return (tile - low) / (high - low if high > low else 1.0)
    return tile


def mosaic(tiles: Numbers, across: int, gap: int = 1) -> Numbers:
    """Tiles (n, h, w) in rows of ``across``, as one array with NaN between and after them."""
    n, h, w = tiles.shape
    down = -(-n // across)
    whole = np.full((down * (h + gap) - gap, across * (w + gap) - gap), np.nan)
    for i, tile in enumerate(tiles):
        top, left = (i // across) * (h + gap), (i % across) * (w + gap)
        whole[top : top + h, left : left + w] = tile
    return whole


def columns_for(tiles: Numbers, ratio: float = 2.0) -> int:
    """How many tiles (n, h, w, ...) go side by side: the whole is about ``ratio`` times as wide.

    >>> columns_for(np.zeros((64, 8, 8)), 1.2)
    8
    """
    count, height, width = tiles.shape[0], tiles.shape[1], tiles.shape[2]
    most = max(1, min(count, round(math.sqrt(count * ratio * height / width))))
    return -(-count // -(-count // most))  # as even as so many rows allow
