"""Scaling: bring every feature to a common range, (x - shift) / scale.

    standard    shift = mean, scale = standard deviation
    minmax      to [0, 1]: shift = min, scale = max - min
    symmetric   to [-1, 1]: shift = (min + max) / 2, scale = (max - min) / 2
    robust      shift = median, scale = distance between the quartiles: outliers do not count

Features are the last axis: columns of a table, channels of an image (its positions together). A
feature without spread keeps scale 1. Fitted on the training split alone.
"""

from collections.abc import Callable

import numpy as np

from shoal.arrays import Numbers

MOST_NUMBERS = 2**27
"""More numbers than this (1 GiB in float64) are not all read: every n-th row stands for n."""

Fit = Callable[[Numbers], tuple[Numbers, Numbers]]


def _standard(x: Numbers) -> tuple[Numbers, Numbers]:
    return x.mean(axis=0), x.std(axis=0)


def _minmax(x: Numbers) -> tuple[Numbers, Numbers]:
    low, high = x.min(axis=0), x.max(axis=0)
    return low, high - low


def _symmetric(x: Numbers) -> tuple[Numbers, Numbers]:
    low, high = x.min(axis=0), x.max(axis=0)
    return (low + high) / 2, (high - low) / 2


def _robust(x: Numbers) -> tuple[Numbers, Numbers]:
    first, median, third = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    return median, third - first


def _none(x: Numbers) -> tuple[Numbers, Numbers]:
    return np.zeros(x.shape[1]), np.ones(x.shape[1])


BY_NAME: dict[str, Fit] = {
    "standard": _standard,
    "minmax": _minmax,
    "symmetric": _symmetric,
    "robust": _robust,
    "none": _none,
}


def fit(x: Numbers, kind: str) -> tuple[Numbers, Numbers]:
    """Shift and scale of every feature, each (F,) float64, from rows ``x`` of shape (..., F).

    >>> fit(np.array([[0.0, 5.0], [10.0, 5.0]]), "minmax")
    (array([0., 5.]), array([10.,  1.]))
    """
    every = -(-x.size // MOST_NUMBERS)
    rows = np.asarray(x[::every], dtype=np.float64).reshape(-1, x.shape[-1])
    shift, scale = BY_NAME[kind](rows)
    # A spread that is only rounding counts as none.
    floor = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(shift), 1.0)
    return shift, np.where(scale > floor, scale, 1.0)
