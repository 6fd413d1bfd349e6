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
from shoal.tune.samplers.space import Floats

STANDS_ON = 300
"""The model stands on at most so many points: a third the best, the others evenly of all."""
FITTED_ON = 128
"""Lengths and noise are fitted on at most so many of the first points,"""
REFIT = 1.25
"""and again when there are so many times as many points as then."""
LENGTHS = (0.2, 0.4, 0.8, 1.6)
"""Lengths for all columns that are tried, times √D."""
STRETCHES = (3.0,)
"""Factors that are then tried for the length of each column alone."""
NOISES = (1e-4, 1e-2, 0.1, 0.5)
"""Variances of noise that are tried; the scores have variance 1."""
CANDIDATES = 768
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


class Process:
    """A Gaussian process on the scores of a history, and candidates judged by it.

    Args:
        view: the history; pending points do not count yet.
        rng: of the candidates.

    Attributes:
        prior: lengths and noise; points: the candidates, (m, D).
    """

    def __init__(self, view: View, rng: np.random.Generator) -> None:
        z = _scores(view.y)
        kept = _kept(view.y)
        self._choice = view.space.choice
        self._x, z = view.x[kept], z[kept] - z[kept].mean()
        self.prior = _fitted(view.x, view.y, self._choice)
        covariance = _covariance(self._x, self._x, self.prior.lengths, self._choice)
        self._factor = _factor(covariance, self.prior.noise)
        weights = cho_solve((self._factor, True), z)
        self.points = _candidates(view, self._x, covariance @ weights, rng)
        across = _covariance(self._x, self.points, self.prior.lengths, self._choice)
        self._means = weights @ across
        self._reach = self._solved(across)
        self._variances = 1.0 - (self._reach * self._reach).sum(axis=0)
        self._known: dict[bytes, _Pending] = {}

    def hopeful(self, view: View, rng: np.random.Generator) -> Floats:
        """The next point, shape (D,): pending points count with the value predicted there."""
        kappa = rng.uniform(*KAPPAS)
        bound = self._means - kappa * np.sqrt(np.maximum(self._left(view.pending), 1e-12))
        for point in view.pending:
            bound[self._known[point.tobytes()].same] = np.inf
        columns = np.flatnonzero(self._choice)
        if len(columns) and rng.random() < EVEN:
            k = rng.choice(columns)
            option = view.space.spread(rng.random(view.space.size))[k]
            other = self.points[:, k] != option
            bound = np.where(other, np.inf, bound) if not other.all() else bound
        return np.array(self.points[np.argmin(bound)])

    def _left(self, pending: Floats) -> Floats:
        """The variances of the candidates when the pending points (p, D) are measured; (m,)."""
        if not len(pending):
            return self._variances
        for point in pending:
            if point.tobytes() not in self._known:
                self._known[point.tobytes()] = self._seen(point)
        known = [self._known[point.tobytes()] for point in pending]
        reach = np.array([one.reach for one in known])
        among = _covariance(pending, pending, self.prior.lengths, self._choice)
        factor = _factor(among - reach @ reach.T, self.prior.noise)
        rows = np.array([one.row for one in known])
        taken = solve_triangular(factor, rows, lower=True, check_finite=False)
        return np.asarray(self._variances - (taken * taken).sum(axis=0))

    def _seen(self, point: Floats) -> "_Pending":
        lengths = self.prior.lengths
        half = self._solved(_covariance(self._x, point[None], lengths, self._choice))[:, 0]
        prior = _covariance(point[None], self.points, lengths, self._choice)[0]
        same = np.flatnonzero(np.abs(self.points - point).max(axis=1) < SAME)
        return _Pending(half, prior - half @ self._reach, same)

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


def _fitted(x: Floats, y: Floats, choice: Any) -> Prior:
    """The lengths and the noise of greatest likelihood among a few.

    They change little from one point to the next; so they are those of the first points, as many as
    the last power of ``REFIT``.
    """
    count = int(REFIT ** math.floor(math.log(len(y), REFIT) + 1e-9))
    rows = np.unique(np.linspace(0, count - 1, min(count, FITTED_ON)).astype(int))
    return _most_likely(x[rows].tobytes(), y[rows].tobytes(), x.shape[1], choice.tobytes())


@lru_cache(maxsize=8)
def _most_likely(x_bytes: bytes, y_bytes: bytes, d: int, choice_bytes: bytes) -> Prior:
    x, choice = np.frombuffer(x_bytes).reshape(-1, d), np.frombuffer(choice_bytes, dtype=bool)
    z = _scores(np.frombuffer(y_bytes))

    def loss(prior: Prior) -> float:
        """Minus the logarithm of the likelihood, without constants."""
        factor = _factor(_covariance(x, x, prior.lengths, choice), prior.noise)
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


def _covariance(a: Floats, b: Floats, lengths: Floats, choice: Any) -> Floats:
    """Matérn 5/2 between points; two categories are 1/2 apart."""
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
