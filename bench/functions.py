"""Test functions of known minimum, with random shifts and rotations by instance.

Written from the formulas in Hansen, Finck, Ros and Auger, "Real-Parameter Black-Box Optimization
Benchmarking 2009: Noiseless Functions Definitions", INRIA RR-6829 (f numbers below are theirs).
Shifts and rotations are drawn by our own generator, so values differ from other implementations.
Domain [-5, 5]^D, minimum 0 at a point of [-4, 4]^D.
"""

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], float]


class Instance:
    """One instance: shift, two rotations, and the transformations of section 0.2 of the report."""

    def __init__(self, d: int, seed: int) -> None:
        rng = np.random.default_rng([d, seed])
        self.d = d
        self.shift = rng.uniform(-4.0, 4.0, d)
        self.r, self.q = (np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2))
        self.sign = np.where(rng.random(d) < 0.5, -1.0, 1.0)
        self.i = np.arange(d) / max(d - 1, 1)

    def scale(self, condition: float) -> np.ndarray:
        """The diagonal of Λ^condition."""
        return condition ** (0.5 * self.i)

    @staticmethod
    def osz(x: np.ndarray) -> np.ndarray:
        """T_osz: small smooth waves on a logarithmic scale."""
        log = np.log(np.where(x == 0.0, 1.0, np.abs(x)))
        c1, c2 = np.where(x > 0, 10.0, 5.5), np.where(x > 0, 7.9, 3.1)
        return np.sign(x) * np.exp(log + 0.049 * (np.sin(c1 * log) + np.sin(c2 * log)))

    def asy(self, x: np.ndarray, beta: float) -> np.ndarray:
        """T_asy: the positive side is steeper."""
        power = 1.0 + beta * self.i * np.sqrt(np.maximum(x, 0.0))
        return np.where(x > 0, np.abs(x) ** power, x)


def sphere(p: Instance, x: np.ndarray) -> float:
    """f1."""
    return float(np.sum((x - p.shift) ** 2))


def linear_slope(p: Instance, x: np.ndarray) -> float:
    """f5: the minimum is a corner."""
    s = p.sign * 10.0**p.i
    z = np.where(x * p.sign < 5.0, x, 5.0 * p.sign)
    return float(np.sum(5.0 * np.abs(s) - s * z))


def attractive_sector(p: Instance, x: np.ndarray) -> float:
    """f6."""
    z = p.q @ (p.scale(10) * (p.r @ (x - p.shift)))
    s = np.where(z * p.shift > 0, 100.0, 1.0)
    return float(p.osz(np.array([np.sum((s * z) ** 2)]))[0] ** 0.9)


def rosenbrock(p: Instance, x: np.ndarray) -> float:
    """f8, the optimum within the box."""
    z = max(1.0, np.sqrt(p.d) / 8) * (x - 0.75 * p.shift) + 1.0
    return float(np.sum(100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2))


def ellipsoid(p: Instance, x: np.ndarray) -> float:
    """f10."""
    return float(np.sum(10 ** (6 * p.i) * p.osz(p.r @ (x - p.shift)) ** 2))


def discus(p: Instance, x: np.ndarray) -> float:
    """f11."""
    z = p.osz(p.r @ (x - p.shift))
    return float(1e6 * z[0] ** 2 + np.sum(z[1:] ** 2))


def bent_cigar(p: Instance, x: np.ndarray) -> float:
    """f12."""
    z = p.r @ p.asy(p.r @ (x - p.shift), 0.5)
    return float(z[0] ** 2 + 1e6 * np.sum(z[1:] ** 2))


def sharp_ridge(p: Instance, x: np.ndarray) -> float:
    """f13."""
    z = p.q @ (p.scale(10) * (p.r @ (x - p.shift)))
    return float(z[0] ** 2 + 100 * np.sqrt(np.sum(z[1:] ** 2)))


def different_powers(p: Instance, x: np.ndarray) -> float:
    """f14."""
    z = p.r @ (x - p.shift)
    return float(np.sqrt(np.sum(np.abs(z) ** (2 + 4 * p.i))))


def rastrigin(p: Instance, x: np.ndarray) -> float:
    """f15."""
    z = p.asy(p.osz(p.r @ (x - p.shift)), 0.2)
    z = p.r @ (p.scale(10) * (p.q @ z))
    return float(10 * (p.d - np.sum(np.cos(2 * np.pi * z))) + z @ z)


def schaffer(p: Instance, x: np.ndarray) -> float:
    """f17."""
    z = p.scale(10) * (p.q @ p.asy(p.r @ (x - p.shift), 0.5))
    s = np.sqrt(z[:-1] ** 2 + z[1:] ** 2)
    return float(np.mean(np.sqrt(s) + np.sqrt(s) * np.sin(50 * s**0.2) ** 2) ** 2)


def griewank_rosenbrock(p: Instance, x: np.ndarray) -> float:
    """f19, shifted."""
    z = max(1.0, np.sqrt(p.d) / 8) * (p.r @ (x - 0.5 * p.shift)) + 1.0
    s = 100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2
    return float(10 / max(p.d - 1, 1) * np.sum(s / 4000 - np.cos(s)) + 10)


FUNCTIONS: dict[str, Callable[[Instance, np.ndarray], float]] = {
    f.__name__: f
    for f in (
        sphere, linear_slope, attractive_sector, rosenbrock, ellipsoid, discus, bent_cigar,
        sharp_ridge, different_powers, rastrigin, schaffer, griewank_rosenbrock,
    )
}  # fmt: skip


def function(name: str, d: int, instance: int) -> Function:
    """One function with minimum 0."""
    drawn = Instance(d, 1000 * instance + list(FUNCTIONS).index(name))
    return lambda x: FUNCTIONS[name](drawn, np.asarray(x, dtype=float))
