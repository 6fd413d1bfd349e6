"""Generated data of the benchmark: what scikit-learn does not ship, from one seed each.

bars        8 x 8 grey images with a bar across, down or along one of the diagonals, and noise
tokens      12 positions of 4 numbers; the class is the place of the largest sum
counts      12 positions of 4 flags; the class says how often the first flag is set
"""

import numpy as np

from shoal.arrays import Numbers

SIDE, POSITIONS, CHANNELS = 8, 12, 4

Arrays = tuple[Numbers, Numbers]


def bars(rows: int, seed: int, noise: float = 0.9) -> Arrays:
    """Images (N, 8, 8, 1) and classes 0 to 3 of the direction of the bar."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 4, rows)
    place = random.integers(1, SIDE - 1, rows)
    i, j = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    shift = (place - SIDE // 2)[:, None, None]
    lines = [
        np.broadcast_to(i, (rows, SIDE, SIDE)) == place[:, None, None],
        np.broadcast_to(j, (rows, SIDE, SIDE)) == place[:, None, None],
        (i - j)[None] == shift,
        (i + j - SIDE + 1)[None] == shift,
    ]
    image = np.choose(classes[:, None, None], [line.astype(float) for line in lines])
    return (2 * image + noise * random.normal(size=image.shape))[..., None], classes


def tokens(rows: int, seed: int) -> Arrays:
    """Sequences (N, 12, 4) and the channel, 0 to 3, whose sum over positions is largest."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, POSITIONS, CHANNELS))
    classes = random.integers(0, CHANNELS, rows)
    x[np.arange(rows), :, classes] += 0.8
    return x, classes


def counts(rows: int, seed: int) -> Arrays:
    """Sequences (N, 12, 4) of flags and whether the first is set more often than the second."""
    random = np.random.default_rng(seed)
    x = (random.random((rows, POSITIONS, CHANNELS)) < 0.4).astype(float)
    more = x[:, :, 0].sum(1) - x[:, :, 1].sum(1)
    return x, (more > 0).astype(int)
