"""Two moons: half circles that grip each other, the usual plane picture of two classes."""

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.data.fromarrays import arrays


def two_moons(rows: int = 400, noise: float = 0.12, seed: int = 0) -> Data:
    """Points on two half circles of radius 1, one turned over and moved by (1, ½), with noise.

    Args:
        rows: points, half of them on each.
        noise: standard deviation of what is added to each coordinate.
        seed: of angles and noise.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    angle = np.pi * rng.random(rows)
    x = np.where(labels, 1.0 - np.cos(angle), np.cos(angle))
    y = np.where(labels, 0.5 - np.sin(angle), np.sin(angle))
    points: Numbers = np.stack([x, y], axis=1) + noise * rng.normal(size=(rows, 2))
    return arrays(points, labels, task="classification", name="two moons")
