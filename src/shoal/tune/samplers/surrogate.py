"""The global model: a Gaussian process on the order of the values, and the point it hopes most of.

Values become normal scores, so that one diverged training counts as bad and not as a mountain.
The covariance is Matérn 5/2 with one length for each column, a different category at a fixed
distance, and noise; the lengths and the noise are the most likely of a few. Pending points count
with the value that the model predicts there, so that a batch spreads. The candidate of the lowest
mean - κ · deviation is tried; κ is drawn anew for every trial, which makes a batch a portfolio.

Notation: n points x (n, D), scores z (n,), m candidates (m, D), p pending (p, D), lengths (D,).
Sources: Rasmussen and Williams 2006, chapters 2 and 5; Ginsbourger and others 2010 (believing the
prediction at pending points).
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri

from shoal.tune.samplers.history import View
from shoal.tune.samplers.space import Floats, Space

STANDS_ON = 150
"""The model stands on at most so many points: a third the best, the others evenly of all."""
FITTED_ON, FEW = 96, 16
"""Lengths and noise are fitted on at most so many of the first trials, and at least on so many,"""
REFIT = 1.25
"""and again when there are so many times as many trials as then."""
LENGTHS = (0.2, 0.4, 0.8, 1.6)
"""Lengths for all columns that are tried, times √D."""
STRETCHES = (3.0,)
"""Factors that are then tried for the length of each column alone."""
NOISES = (1e-4, 1e-2, 0.1, 0.5)
"""Variances of noise that are tried; the scores have variance 1."""
CANDIDATES = 1024
AROUND = 5
"""Half of the candidates are uniform, half around so many points of the lowest mean."""
CHANGES = 0.2
"""How often a candidate around a point has another category."""
EVEN = 0.2
"""Share of points of which an option is drawn evenly: a few unlucky values give up none."""
SAME = 1e-6
"""A candidate that is as near to a pending point is not asked for again."""
KAPPAS = (0.3, 2.0)
"""The range of κ, drawn uniformly. Less than that collapsed into one category on noisy losses."""
SURE = 128
"""With more results than so many κ shrinks like the deviation of a mean."""


class Process:
    """A Gaussian process on the scores of a history, and candidates judged by it.

    Args:
        view: the history; pending points do not count yet.
        rng: of the candidates.

    Attributes:
        prior: lengths and noise; points: the candidates, (m, D).
    """

    def __init__(self, view: View, rng: np.random.Generator) -> None:
        z, kept = _scores(view.y), _kept(view.y)
        z, self.prior = z[kept] - z[kept].mean(), _fitted(view)
        self._options = _options(view.space)
        self._x = self._placed(view.x[kept])
        covariance = _covariance(self._x, self._x)
        factor = _factor(covariance, self.prior.noise)
        weights = cho_solve((factor, True), z, check_finite=False)
        self.points = _candidates(view, view.x[kept], covariance @ weights, rng)
        # To compare candidates single precision is enough, and twice as fast.
        self._factor, self._x = factor.astype(np.float32), self._x.astype(np.float32)
        self._places = self._placed(self.points).astype(np.float32)
        across = _covariance(self._x, self._places)
        self._means = weights.astype(np.float32) @ across
        self._reach = self._solved(across)
        self._variances = 1.0 - (self._reach * self._reach).sum(axis=0)
        self._known: dict[bytes, _Pending] = {}

    def hopeful(self, view: View, rng: np.random.Generator) -> Floats:
        """The next point, shape (D,): pending points count with the value predicted there."""
        kappa = rng.uniform(*KAPPAS) * min(1.0, math.sqrt(SURE / len(view.y)))
        bound = self._means - kappa * np.sqrt(np.maximum(self._left(view.pending), 1e-12))
        for point in view.pending:
            bound[self._known[point.tobytes()].same] = np.inf
        columns = np.flatnonzero(view.space.choice)
        if len(columns) and rng.random() < EVEN:
            k = int(rng.choice(columns))
            option = view.space.spread(rng.random(view.space.size))[k]
            other = self.points[:, k] != option
            bound = np.where(other, np.inf, bound) if not other.all() else bound
        return np.array(self.points[np.argmin(bound)])

    def _left(self, pending: Floats) -> Floats:
        """The variances of the candidates when the pending points (p, D) are measured; (m,)."""
        if not len(pending):
            return self._variances
        self._look(np.array([p for p in pending if p.tobytes() not in self._known]))
        known = [self._known[point.tobytes()] for point in pending]
        reach = np.array([one.reach for one in known])
        places = self._placed(pending)
        among = _covariance(places, places) - reach @ reach.T
        factor = _factor(among, self.prior.noise).astype(np.float32)
        rows = np.array([one.row for one in known])
        taken = solve_triangular(factor, rows, lower=True, check_finite=False)
        return np.asarray(self._variances - np.einsum("pm,pm->m", taken, taken))

    def _look(self, points: Floats) -> None:
        """Keep what is asked about pending points (p, D) again and again."""
        if not len(points):
            return
        places = self._placed(points).astype(np.float32)
        reach = self._solved(_covariance(self._x, places)).T
        rows = _covariance(places, self._places) - reach @ self._reach
        for point, one, row in zip(points, reach, rows, strict=True):
            same = np.flatnonzero(np.abs(self.points - point).max(axis=1) < SAME)
            self._known[point.tobytes()] = _Pending(one, row, same)

    def _placed(self, points: Floats) -> Floats:
        return _placed(points, self.prior.lengths, self._options)

    def _solved(self, right: Floats) -> Floats:
        found: Floats = solve_triangular(self._factor, right, lower=True, check_finite=False)
        return found


class _Pending(NamedTuple):
    """Of a pending point: half-solved covariances (n,), posterior ones (m,), equal candidates."""

    reach: Floats
    row: Floats
    same: Any


class Prior(NamedTuple):
    """What is fitted: lengths (D,), and the variance of the noise."""

    lengths: Floats
    noise: float


def _scores(y: Floats) -> Floats:
    """Normal scores of values; equals share theirs."""
    _, which, counts = np.unique(y, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return np.asarray(ndtri((ranks - 0.5) / len(y)))


def _kept(y: Floats) -> Any:
    """The rows that a model stands on: the best, and the others thinned out evenly."""
    if len(y) <= STANDS_ON:
        return np.arange(len(y))
    order = np.argsort(y, kind="stable")
    best, rest = order[: STANDS_ON // 3], np.sort(order[STANDS_ON // 3 :])
    places = np.linspace(0, len(rest) - 1, STANDS_ON - len(best)).astype(int)
    return np.sort(np.concatenate([best, rest[places]]))


def _fitted(view: View) -> Prior:
    """The lengths and the noise of greatest likelihood among a few.

    They change little from one point to the next; so they are those of the first trials, up to a
    power of ``REFIT`` some way before the latest that has finished, where nearly all have.
    """
    last = REFIT ** math.floor(math.log(1 + view.numbers.max(), REFIT) - 1)
    count = max(int((view.numbers < last).sum()), min(FEW, len(view.y)))
    rows = np.unique(np.linspace(0, count - 1, min(count, FITTED_ON)).astype(int))
    return _most_likely(view.x[rows].tobytes(), view.y[rows].tobytes(), _options(view.space))


@lru_cache(maxsize=8)
def _most_likely(x_bytes: bytes, y_bytes: bytes, options: tuple[int, ...]) -> Prior:
    d = len(options)
    x, z = np.frombuffer(x_bytes).reshape(-1, d), _scores(np.frombuffer(y_bytes))

    def loss(prior: Prior) -> float:
        """Minus the logarithm of the likelihood, without constants."""
        places = _placed(x, prior.lengths, options)
        factor = _factor(_covariance(places, places), prior.noise)
        half = solve_triangular(factor, z, lower=True, check_finite=False)
        return float(0.5 * half @ half + np.log(np.diag(factor)).sum())

    found = min((Prior(np.full(d, a * np.sqrt(d)), NOISES[1]) for a in LENGTHS), key=loss)
    found = min((found._replace(noise=v) for v in NOISES), key=loss)
    least = loss(found)
    for k in range(min(d, 12)):
        for stretch in STRETCHES:
            lengths = found.lengths.copy()
            lengths[k] *= stretch
            other = found._replace(lengths=lengths)
            if (value := loss(other)) < least:
                found, least = other, value
    return found


def _factor(k: Floats, noise: float) -> Floats:
    return np.asarray(cholesky(k + (noise + 1e-8) * np.eye(len(k)), lower=True, check_finite=False))


def _placed(points: Floats, lengths: Floats, options: tuple[int, ...]) -> Floats:
    """Points (n, D) where distances count: columns over their lengths, options 1/2 apart."""
    choice = np.array(options) > 0
    blocks = [points[:, ~choice] / lengths[~choice]]
    for k in np.flatnonzero(choice):
        chosen = np.eye(options[k])[points[:, k].astype(int)]
        blocks.append(chosen * (0.5 / np.sqrt(2.0) / lengths[k]))
    return np.concatenate(blocks, axis=1)


def _options(space: Space) -> tuple[int, ...]:
    """How many options each column has; 0 for numbers."""
    return tuple(column.count if column.choice else 0 for column in space.columns)


def _covariance(p: Any, q: Any) -> Any:
    """Matérn 5/2 between placed points, in their precision."""
    squares = p @ (-2.0 * q.T)
    squares += (p * p).sum(axis=1)[:, None]
    squares += (q * q).sum(axis=1)
    np.maximum(squares, 0.0, out=squares)
    squares *= 5.0
    r = np.sqrt(squares)
    squares /= 3.0
    squares += r
    squares += 1.0
    np.negative(r, out=r)
    squares *= np.exp(r, out=r)
    return squares


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
