"""Small generated data sets of two classes in the plane."""

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.data.fromarrays import arrays

SEED = 20260101


def moons(rows: int, noise: float = 0.15) -> Data:
    """Two half circles that reach into each other; no straight line divides them.

    Args:
        rows: N, half of them in each class.
        noise: standard deviation added to both coordinates.
    """
    labels, rng = np.arange(rows) % 2, np.random.default_rng(SEED)
    angle = np.pi * rng.random(rows)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    return _plane("moons", np.where(labels[:, None] == 0, upper, lower), labels, noise, rng)


def spirals(rows: int, turns: float, noise: float = 0.03) -> Data:
    """Two arms that wind around each other.

    Args:
        rows: N, half of them in each class.
        turns: of each arm.
        noise: standard deviation added to both coordinates.
    """
    labels, rng = np.arange(rows) % 2, np.random.default_rng(SEED)
    radius = np.sqrt(rng.random(rows))
    angle = 2.0 * np.pi * turns * radius + np.pi * labels
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _plane("spirals", points, labels, noise, rng)


def _plane(
    name: str, points: Numbers, labels: Numbers, noise: float, rng: np.random.Generator
) -> Data:
    noisy = points + noise * rng.normal(size=points.shape)
    return arrays(noisy, labels, task="classification", name=name)
