"""The local model: a regularised quadratic around the best point, minimised in a trust region.

With s = (x - c) / r, the displacement from the centre c in radii, the model is

    m(s) = a + g's + ½ s'Hs

and has few data: often fewer than its (D+1)(D+2)/2 numbers. Powell's answer is the H of least
Frobenius norm that interpolates (NEWUOA, 2006). Ours is its smooth relative: the posterior mean of
a Gaussian process with the covariance A + L s·t + ½ (s·t)², whose samples are exactly such
quadratics with independent entries of H. Noise enters twice: v, the same for all points, and the
remainder of Taylor's formula, which grows as the cube of the distance, so that far points count
little. Both are those of greatest likelihood among a few pairs, one Cholesky factor for each.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from shoal.tune.samplers.space import Floats

LEVEL = 1e2
"""A and L: prior variance of value and slope; large beside the curvature's 1, so nearly free."""
PRIORS = (
    (1e-14, 1e-10), (1e-12, 1e-8), (1e-10, 1e-6), (1e-10, 1e-4), (1e-10, 1e-2),
    (1e-4, 1e-4), (1e-2, 1e-4), (1.0, 1e-4),
)  # fmt: skip
"""Variances of noise and of the cubic remainder at distance 1, where the curvature's is 1."""

SWEEPS = 3
"""Rounds over the columns where the box has cut the ball's solution."""


@dataclass(frozen=True)
class Quadratic:
    """A fitted model in radii around the centre: value a, slope g (D,), curvature H (D, D)."""

    a: float
    g: Floats
    h: Floats
    noise: float

    def __call__(self, s: Floats) -> Floats:
        """The model at displacements s of shape (..., D)."""
        return self.a + s @ self.g + 0.5 * np.einsum("...i,ij,...j->...", s, self.h, s)


class Fit(NamedTuple):
    """A model with its curvatures: values (D,) along the columns of vectors (D, D)."""

    model: Quadratic
    curvatures: Floats
    doubts: Floats
    vectors: Floats


def fit(s: Floats, y: Floats) -> Quadratic:
    """The model of displacements s (n, D), in radii, and values y (n,)."""
    return _fit(s, y)[0]


def fit_with_doubts(s: Floats, y: Floats) -> Fit:
    """The model, and its curvatures along their directions with standard deviations."""
    model, factor, variance = _fit(s, y)
    values, vectors = np.linalg.eigh(model.h)
    reach = solve_triangular(factor, (s @ vectors) ** 2, lower=True, check_finite=False)
    doubts = np.sqrt(variance * np.maximum(2.0 - (reach * reach).sum(axis=0), 0.0))
    return Fit(model, values, doubts, vectors)


def _fit(s: Floats, y: Floats) -> tuple[Quadratic, Floats, float]:
    """The model, the Cholesky factor of its covariance, and the variance of its prior."""
    dots = s @ s.T
    prior = LEVEL + LEVEL * dots + 0.5 * dots**2
    best, found = np.inf, None
    cubes = np.sum(s * s, axis=1) ** 3
    n = len(y)
    for noise, remainder in PRIORS:
        k = prior + np.diag(remainder * cubes + noise)
        try:
            factor = cholesky(k, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            continue
        weights = cho_solve((factor, True), y, check_finite=False)
        variance = max(float(y @ weights), 1e-300) / n
        loss = n * np.log(variance) + 2 * np.log(np.diag(factor)).sum()
        if loss < best:
            best, found = loss, (weights, noise, factor, variance)
    if found is None:
        flat = Quadratic(float(y.min()), np.zeros(s.shape[1]), np.zeros((s.shape[1],) * 2), 0.0)
        return flat, np.diag(np.sqrt(np.diag(prior))), 1.0
    weights, noise, factor, variance = found
    model = Quadratic(
        LEVEL * float(weights.sum()),
        LEVEL * weights @ s,
        (s * weights[:, None]).T @ s,
        noise,
    )
    return model, factor, variance


def minimise(model: Quadratic, low: Floats, high: Floats, metric: Floats | None = None) -> Floats:
    """A minimiser of the model where |metric s| <= 1, cut with the box [low, high]; shape (D,).

    The ball's problem is solved exactly by the eigenvectors of H; columns that leave the box are
    put on its side and the others solved again, at most D times; then columns are improved one by
    one.
    """
    d = len(low)
    s = np.zeros(d)
    free = high > low
    clamped = False
    b = np.eye(d) if metric is None else metric.T @ metric
    for _ in range(d):
        if not free.any():
            break
        s[free] = _in_ellipsoid(model, b, s, free)
        out = (s < low) | (s > high)
        if not out.any():
            break
        clamped = True
        s = np.clip(s, low, high)
        size = float(s @ b @ s)
        if size > 1.0:
            s /= np.sqrt(size)
        free &= ~out
    if not clamped:
        return s
    ends = [_by_columns(model, b, end, low, high) for end in (s, np.zeros(d))]
    return min(ends, key=lambda end: float(model(end)))


def _in_ellipsoid(model: Quadratic, b: Floats, s: Floats, free: Any) -> Floats:
    """The free columns that minimise the model where s'Bs <= 1, the others kept."""
    h, within = model.h[np.ix_(free, free)], b[np.ix_(free, free)]
    across = b[np.ix_(free, ~free)] @ s[~free]
    middle = -np.linalg.solve(within, across)
    left = 1.0 - s[~free] @ b[np.ix_(~free, ~free)] @ s[~free] - middle @ across
    root = np.linalg.inv(np.linalg.cholesky(within)).T
    g = model.g[free] + model.h[np.ix_(free, ~free)] @ s[~free] + h @ middle
    u = _in_ball(root.T @ g, root.T @ h @ root, max(float(left), 0.0) ** 0.5)
    return middle + root @ u


def _by_columns(model: Quadratic, b: Floats, s: Floats, low: Floats, high: Floats) -> Floats:
    """The point improved one column at a time within box and ellipsoid."""
    s = s.copy()
    for k in [*range(len(s))] * SWEEPS:
        rest = b[k] @ s - b[k, k] * s[k]
        others = float(s @ b @ s) - 2.0 * rest * s[k] - b[k, k] * s[k] ** 2
        reach = max((rest / b[k, k]) ** 2 + (1.0 - others) / b[k, k], 0.0) ** 0.5
        middle = -rest / b[k, k]
        lo, hi = max(low[k], middle - reach), min(high[k], middle + reach)
        if lo > hi:
            continue
        curvature = model.h[k, k]
        slope = model.g[k] + model.h[k] @ s - curvature * s[k]
        tries = [lo, hi, min(max(-slope / curvature, lo), hi)] if curvature > 0 else [lo, hi]
        s[k] = min(tries, key=lambda t: slope * t + 0.5 * curvature * t * t)
    return s


def _in_ball(g: Floats, h: Floats, radius: float) -> Floats:
    """The minimiser of g's + ½ s'Hs with |s| <= radius (Moré and Sorensen, by eigenvectors)."""
    if radius <= 0.0:
        return np.zeros(len(g))
    values, vectors = np.linalg.eigh(h)
    b = vectors.T @ g
    size = float(np.abs(b).max()) + 1e-300
    if values[0] > 1e-12 * max(abs(values[-1]), 1e-300):
        s = -b / values
        if s @ s <= radius**2:
            return vectors @ s
    low = max(0.0, -values[0])
    high = low + np.linalg.norm(b) / radius + 1e-300
    low = low + 1e-14 * max(1.0, low, size)
    if np.sum((b / (values + low)) ** 2) < radius**2:  # the hard case: along the last eigenvector
        s = -b / (values + low)
        s[0] += np.copysign(np.sqrt(max(radius**2 - s @ s, 0.0)), -b[0])
        return vectors @ s
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = np.sum((b / (values + middle)) ** 2) < radius**2
        low, high = (low, middle) if inside else (middle, high)
    return np.asarray(vectors @ (-b / (values + high)))
