"""The global model: a Gaussian process on the order of the values, and the point it hopes most of.

Values become normal scores, so that one diverged training counts as bad and not as a mountain.
The covariance is Matérn 5/2 with one length for each column, a different category at a fixed
distance, and noise; the lengths and the noise are the most likely of a few. Pending points count
with the value that the model predicts there, so that a batch spreads. The candidate of the lowest
mean - κ · deviation is tried; κ is drawn anew for every trial, which makes a batch a portfolio.

Notation: n points x (n, D), scores z (n,), candidates (m, D), lengths (D,).
Sources: Rasmussen and Williams 2006, chapters 2 and 5; Ginsbourger and others 2010 (believing the
prediction at pending points).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri

from shoal.tune.samplers.history import View
from shoal.tune.samplers.space import Floats

STANDS_ON = 72
"""The model stands on at most so many points: half of them the best, half the latest."""
LENGTHS = (0.2, 0.4, 0.8, 1.6)
"""Lengths for all columns that are tried, times √D."""
STRETCHES = (3.0,)
"""Factors that are then tried for the length of each column alone."""
NOISES = (1e-4, 1e-2, 0.1, 0.5)
"""Variances of noise that are tried; the scores have variance 1."""
CANDIDATES = 384
AROUND = 5
"""Half of the candidates are uniform, half around so many points of the lowest mean."""
CHANGES = 0.2
"""How often a candidate around a point has another category."""
EVEN = 0.2
"""Share of points whose categories are drawn evenly: none is given up by a few unlucky values."""
KAPPAS = (0.3, 2.0)
"""The range of κ, drawn uniformly. Less than that collapsed into one category on noisy losses."""


class Process(NamedTuple):
    """A fitted process: points (n, D), scores (n,), lengths (D,), noise."""

    x: Floats
    z: Floats
    lengths: Floats
    noise: float


def hopeful(view: View, rng: np.random.Generator, process: Process | None = None) -> Floats:
    """The next point, shape (D,), by a process that was fitted to this view, or one fitted now."""
    process = process or fitted(view)
    rows = np.concatenate([process.x, view.pending])
    factor = _factor(_covariance(rows, rows, process.lengths, view), process.noise)
    n = len(process.z)
    known = factor[:n, :n]
    across = _covariance(rows, rows[:n], process.lengths, view)
    weights = cho_solve((known, True), process.z)
    means = across @ weights
    points = _candidates(view, process.x, means[:n], rng)
    choice = view.space.choice
    if choice.any() and rng.random() < EVEN:
        points[:, choice] = view.space.spread(rng.random(view.space.size))[choice]
    near = _covariance(points, rows, process.lengths, view)
    reach = solve_triangular(factor, near.T, lower=True)
    deviation = np.sqrt(np.maximum(1.0 - (reach * reach).sum(axis=0), 1e-12))
    kappa = rng.uniform(*KAPPAS)
    return np.asarray(points[np.argmin(near[:, :n] @ weights - kappa * deviation)])


def fitted(view: View) -> Process:
    """The lengths and the noise of greatest likelihood among a few."""
    _, which, counts = np.unique(view.y, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]  # those of equals are their mean
    x, z = view.x, ndtri((ranks - 0.5) / len(view.y))
    if len(z) > STANDS_ON:
        best = np.argsort(z, kind="stable")[: STANDS_ON // 2]
        late = np.setdiff1d(np.arange(len(z)), best)[-STANDS_ON // 2 :]
        rows = np.sort(np.concatenate([best, late]))
        x, z = x[rows], z[rows]
    z = z - z.mean()
    d = view.space.size
    tries = [Process(x, z, np.full(d, a * np.sqrt(d)), NOISES[1]) for a in LENGTHS]
    found = min(tries, key=lambda p: _loss(p, view))
    found = min((found._replace(noise=v) for v in NOISES), key=lambda p: _loss(p, view))
    least = _loss(found, view)
    for k in range(min(d, 12)):
        for stretch in STRETCHES:
            lengths = found.lengths.copy()
            lengths[k] *= stretch
            other = found._replace(lengths=lengths)
            loss = _loss(other, view)
            if loss < least:
                found, least = other, loss
    return found


def _loss(p: Process, view: View) -> float:
    """Minus the logarithm of the likelihood, without constants."""
    factor = _factor(_covariance(p.x, p.x, p.lengths, view), p.noise)
    half = solve_triangular(factor, p.z, lower=True, check_finite=False)
    return float(0.5 * half @ half + np.log(np.diag(factor)).sum())


def _factor(k: Floats, noise: float) -> Floats:
    return np.asarray(cholesky(k + (noise + 1e-8) * np.eye(len(k)), lower=True, check_finite=False))


def _covariance(a: Floats, b: Floats, lengths: Floats, view: View) -> Floats:
    """Matérn 5/2 between points; two categories are 1/2 apart."""
    choice = view.space.choice
    p, q = a[:, ~choice] / lengths[~choice], b[:, ~choice] / lengths[~choice]
    squares = (p * p).sum(1)[:, None] + (q * q).sum(1) - 2.0 * p @ q.T
    for k in np.flatnonzero(choice):
        squares += (0.5 / lengths[k]) ** 2 * (a[:, k, None] != b[None, :, k])
    r = np.sqrt(5.0 * np.maximum(squares, 0.0))
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def _candidates(view: View, x: Floats, means: Floats, rng: np.random.Generator) -> Floats:
    """Uniform points, and points around the best known, at distances of all sizes."""
    d = view.space.size
    uniform = view.space.spread(rng.random((CANDIDATES, d)))
    half = CANDIDATES // 2
    best = np.argsort(means, kind="stable")[:AROUND]
    centres = x[best[rng.integers(len(best), size=half)]]
    width = 10.0 ** rng.uniform(-2.5, -0.5, (half, 1))
    moved = rng.random((half, d)) < max(0.5, 2.0 / d)
    near = centres + moved * width * rng.normal(size=(half, d))
    choice = view.space.choice
    other = rng.random((half, d)) < CHANGES
    kept = np.where(other, uniform[:half], centres)
    uniform[:half] = np.where(choice, kept, np.clip(near, 0.0, 1.0))
    return uniform
