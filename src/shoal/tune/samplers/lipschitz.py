"""How low the objective can still be: the bound of Lipschitz and the point where it is lowest.

If a column k changes the objective by at most √M_k per unit, and each value carries noise, then

    L(x) = max_i [ y_i - √( v_i + Σ_k M_k (x_k - x_ik)² ) ]

lies below the objective. M and v are the smallest that explain the data: M >= 0, v >= 0 minimise
Σ M² + Σ (v / ρ)² such that L(x_j) <= y_j for all j (King, "A Global Optimization Algorithm Worth
Using", 2017; the method of dlib's find_min_global). For M = k² (one constant for all columns) and
v = 0 this is LIPO of Malherbe and Vayatis, "Global optimization of Lipschitz functions", 2017.

Notation: n points x (n, D), values y (n,) standardised, candidates (m, D). A category differs by 1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from shoal.tune.samplers.space import Floats

NOISE = 1e-3
"""ρ: how dear noise is beside slopes; the value of dlib's relative_noise_magnitude."""
ROUNDS = 3
"""Rounds of adding the constraints that are violated most."""
PER_ROUND = 40
"""Constraints added in one round; also bounds the work."""


@dataclass(frozen=True)
class Bound:
    """The lower bound: points x (n, D), values y (n,), squared slopes m (D,), noise v (n,)."""

    x: Floats
    y: Floats
    m: Floats
    v: Floats
    choice: Any

    def __call__(self, points: Floats) -> Floats:
        """L at points (m, D)."""
        reach = np.sqrt(squares(points, self.x, self.choice, self.m) + self.v)
        return np.asarray((self.y - reach).max(axis=1))


def squares(a: Floats, b: Floats, choice: Any, m: Floats) -> Floats:
    """Σ_k m_k (a_ik - b_jk)², where categories differ by 1; shape (len(a), len(b))."""
    root = np.sqrt(m[~choice])
    p, q = a[:, ~choice] * root, b[:, ~choice] * root
    total = (p * p).sum(1)[:, None] + (q * q).sum(1) - 2.0 * p @ q.T
    for k in np.flatnonzero(choice):
        total += m[k] * (a[:, k, None] != b[None, :, k])
    return np.maximum(total, 0.0)


def fit(x: Floats, y: Floats, choice: Any) -> Bound:
    """The least slopes and noises that explain values y (n,) at x (n, D).

    A pair i, j with y_i > y_j asks for v_i + Σ M_k d_ijk² >= (y_i - y_j)². The least-norm answer is
    a distance problem that Lawson and Hanson solve by non-negative least squares (1974, chapter
    23).
    """
    n, d = x.shape
    m, v = np.zeros(d), np.zeros(n)
    i, j = np.nonzero(y[:, None] > y[None, :])
    if not len(i):
        return Bound(x, y, np.ones(d), v, choice)
    apart = np.where(choice, x[i] != x[j], (x[i] - x[j]) ** 2)
    wanted = (y[i] - y[j]) ** 2
    chosen = np.zeros(0, dtype=int)
    for _ in range(ROUNDS):
        lacking = wanted - v[i] - apart @ m
        worst = np.argsort(-lacking / (apart.sum(1) + NOISE), kind="stable")[:PER_ROUND]
        worst = worst[lacking[worst] > 1e-9 * wanted.max()]
        if not len(worst):
            break
        chosen = np.union1d(chosen, worst)
        m, v = _least(apart[chosen], i[chosen], wanted[chosen], n)
    return Bound(x, y, m, v, choice)


def one_slope(x: Floats, y: Floats, choice: Any) -> Bound:
    """The bound with one constant for all columns, the largest slope between two points."""
    n, d = x.shape
    apart = squares(x, x, choice, np.ones(d))
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (y[:, None] - y[None, :]) ** 2 / apart
    slopes = slopes[np.isfinite(slopes)]
    largest = float(slopes.max()) if len(slopes) else 1.0
    return Bound(x, y, np.full(d, largest), np.zeros(n), choice)


def _least(apart: Floats, i: Any, wanted: Floats, n: int) -> tuple[Floats, Floats]:
    """M and v of least norm with apart·M + v_i >= wanted, by the dual non-negative problem."""
    rows, columns = np.unique(i, return_inverse=True)
    noise = np.zeros((len(i), len(rows)))
    noise[np.arange(len(i)), columns] = NOISE
    a = np.concatenate([apart, noise], axis=1)
    scale = float(wanted.max())
    target = np.zeros(a.shape[1] + 1)
    target[-1] = 1.0
    system = np.concatenate([a, (wanted / scale)[:, None]], axis=1).T
    dual, _ = nnls(system, target, maxiter=50 * len(i))
    residual = system @ dual - target
    w = np.maximum(-residual[:-1] / min(residual[-1], -1e-12), 0.0) * scale
    d = apart.shape[1]
    v = np.zeros(n)
    v[rows] = w[d:] * NOISE
    return w[:d], v
