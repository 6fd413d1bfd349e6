"""Harmonica: which choices matter, found by a sparse Fourier fit in stages; then a base search.

Each parameter is written in bits (±1): a category and a small whole number by their index, another
number by the quarter of its column. A stage takes uniform points and fits

    y ≈ Σ_S c_S Π_{b in S} b,    |S| <= 3,

by the lasso; the few largest terms name the bits that matter. All settings of those bits are tried
on the sparse polynomial, the best is kept for all later trials, and the next stage asks about the
rest. After the stages LIPO searches with the bits kept.

Source: Hazan, Klivans and Yuan, "Hyperparameter Optimization: A Spectral Approach", 2018: degree 3,
5 terms, 3 stages.
"""

from itertools import combinations, product
from typing import Any

import numpy as np

from shoal.tune.samplers.base import PointSampler, Proposal
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipo import LIPO
from shoal.tune.samplers.space import Column, Floats, Space

DEGREE = 3
TERMS = 5
STAGES = 3
PER_BIT = 4
"""Trials of a stage for each bit, within FEWEST and MOST."""
FEWEST, MOST = 16, 100
MOST_BITS = 24
"""Bits beyond these get no terms of degree 3: the fit stays within a second."""
PENALTY = 0.1
"""The lasso's penalty beside the least one that makes all terms zero."""
SWEEPS = 300

Kept = dict[int, int]
"""Bits that are decided: place of the bit -> -1 or 1."""


class Harmonica(PointSampler):
    """The spectral method, then LIPO."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """A uniform point with the decided bits kept; after the stages a step of LIPO with them."""
        stage, kept = decided(view)
        if stage < STAGES:
            point = view.space.spread(rng.random(view.space.size))
            return keep(point, kept, view.space), {"step": "harmonic", "stage": stage, "since": 0}
        point, note = LIPO(self.seed).propose(view, rng)
        return keep(point, kept, view.space), note


def decided(view: View) -> tuple[int, Kept]:
    """How many stages are over, and the bits that they decided."""
    kept: Kept = {}
    count = bits_of(view.space)
    for stage in range(STAGES):
        rows = [i for i, note in enumerate(view.notes) if view.real[i] and _stage(note) == stage]
        left = [b for b in range(count) if b not in kept]
        wanted = min(MOST, max(FEWEST, PER_BIT * len(left)))
        if len(rows) < wanted:
            return stage, kept
        rows = rows[:wanted]
        codes = encode(view.x[rows], view.space)
        kept |= best_bits(codes, view.y[rows], left)
        if not set(range(count)) - set(kept):
            break
    return STAGES, kept


def best_bits(codes: Floats, y: Floats, left: list[int]) -> Kept:
    """The setting of the important bits with the least value of the sparse polynomial.

    Args:
        codes: bits (n, B) of ±1; y: values (n,); left: bits that may have terms.
    """
    degree = DEGREE if len(left) <= MOST_BITS else 2
    sets = [s for d in range(1, degree + 1) for s in combinations(left, d)]
    if not sets:
        return {}
    features = np.stack([codes[:, s].prod(axis=1) for s in sets], axis=1)
    c = lasso(features, y - y.mean())
    order = np.argsort(-np.abs(c), kind="stable")[:TERMS]
    order = order[np.abs(c[order]) > 0]
    bits = sorted({b for t in order for b in sets[t]})
    best, found = np.inf, {}
    for setting in product((-1, 1), repeat=len(bits)):
        at = dict(zip(bits, setting, strict=True))
        value = sum(c[t] * np.prod([at[b] for b in sets[t]]) for t in order)
        if value < best:
            best, found = value, at
    return found


def lasso(a: Floats, y: Floats) -> Floats:
    """c of least ½|ac - y|²/n + λ|c|₁ with λ = PENALTY · λ_max, by accelerated proximal steps."""
    n = len(y)
    limit = PENALTY * float(np.abs(a.T @ y).max()) / n
    size = float(np.linalg.norm(a, 2)) ** 2 / n or 1.0
    c = z = np.zeros(a.shape[1])
    t = 1.0
    for _ in range(SWEEPS):
        step = z - a.T @ (a @ z - y) / n / size
        new = np.sign(step) * np.maximum(np.abs(step) - limit / size, 0.0)
        t_new = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        z = new + (t - 1.0) / t_new * (new - c)
        c, t = new, t_new
    return c


def bits_of(space: Space) -> int:
    """The number of bits B of a space."""
    return sum(_bits(column) for column in space.columns)


def encode(x: Floats, space: Space) -> Floats:
    """The bits ±1 of points (n, D); shape (n, B)."""
    out = []
    for k, column in enumerate(space.columns):
        cell = _cells(x[:, k], column)
        out += [2.0 * (cell >> b & 1) - 1.0 for b in range(_bits(column))]
    return np.stack(out, axis=1) if out else np.zeros((len(x), 0))


def keep(point: Floats, kept: Kept, space: Space) -> Floats:
    """The point with decided bits put in place; what has no such value keeps its own."""
    point, first = point.copy(), 0
    for k, column in enumerate(space.columns):
        bits = _bits(column)
        cell = old = int(_cells(point[k : k + 1], column)[0])
        for b in range(bits):
            if first + b in kept:
                cell = cell | 1 << b if kept[first + b] > 0 else cell & ~(1 << b)
        if cell != old:
            point[k] = _moved(float(point[k]), old, cell, column)
        first += bits
    return point


def _stage(note: Any) -> int | None:
    return note["stage"] if note is not None and note["step"] == "harmonic" else None


def _bits(column: Column) -> int:
    """Bits of a column: of its index up to 4 numbers or any categories, else of its quarter."""
    if column.choice or 0 < column.count <= 4:
        return max(column.count - 1, 0).bit_length()
    return 2


def _cells(u: Floats, column: Column) -> Any:
    """The index or quarter of numbers of a column."""
    if column.choice:
        return u.astype(int)
    cells = column.count if 0 < column.count <= 4 else 4
    return np.minimum((u * cells).astype(int), cells - 1)


def _moved(u: float, old: int, new: int, column: Column) -> float:
    """The number moved to another cell; codes that no category has wrap around."""
    if column.choice:
        return float(new % column.count)
    cells = column.count if 0 < column.count <= 4 else 4
    return u + (new % cells - old) / cells
