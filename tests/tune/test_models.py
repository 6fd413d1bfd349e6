"""The two models under the samplers, against closed forms, SciPy's solvers and brute force."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.optimize import minimize

from shoal.tune.samplers import harmonica, lipschitz, quadratic, surrogate
from shoal.tune.samplers.history import View
from shoal.tune.samplers.space import Space


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_quadratic_is_recovered(d, rng):
    h = rng.normal(size=(d, d))
    h, g = h + h.T, rng.normal(size=d)
    s = 0.5 * rng.normal(size=((d + 1) * (d + 2) // 2 + 3, d))
    y = 3 + s @ g + 0.5 * np.einsum("ni,ij,nj->n", s, h, s)
    model = quadratic.fit(s, y)
    assert np.allclose(model(s), y, atol=0.02 * np.ptp(y))
    assert np.allclose(model.g, g, atol=0.15)


def test_a_line_needs_no_curvature(rng):
    s = rng.normal(size=(4, 3))
    model = quadratic.fit(s, 1 + s @ [1.0, -2.0, 0.5])
    assert np.allclose(model.g, [1.0, -2.0, 0.5], atol=0.1)
    assert np.abs(model.h).max() < 0.1


def test_noise_is_recognised(rng):
    s = rng.uniform(-1, 1, size=(40, 2))
    clean = quadratic.fit(s, s @ [1.0, 1.0])
    noisy = quadratic.fit(s, s @ [1.0, 1.0] + rng.normal(size=40))
    assert noisy.noise >= 1e-2 > clean.noise


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("curved", [-1.0, 0.0, 1.0])
def test_the_minimum_in_the_ball_is_the_minimum(d, curved, rng):
    h = rng.normal(size=(d, d))
    h, g = h + h.T + 4 * curved * np.eye(d), rng.normal(size=d)
    model = quadratic.Quadratic(0.0, g, h, 0.0)
    far = np.full(d, 9.0)
    found = quadratic.minimise(model, -far, far)
    points = rng.normal(size=(20000, d))
    points *= (rng.random((20000, 1)) ** (1 / d)) / np.linalg.norm(points, axis=1, keepdims=True)
    assert np.linalg.norm(found) <= 1 + 1e-6
    assert model(found) <= model(points).min() + 1e-6


def test_the_minimum_respects_the_box(rng):
    for _ in range(50):
        h = rng.normal(size=(3, 3))
        model = quadratic.Quadratic(0.0, rng.normal(size=3), h @ h.T, 0.0)
        low, high = -rng.random(3), rng.random(3) * np.array([1.0, 1.0, 0.0])
        s = quadratic.minimise(model, low, high)
        assert (s >= low - 1e-12).all()
        assert (s <= high + 1e-12).all()
        assert model(s) <= 1e-12


def test_the_minimum_respects_box_and_ellipsoid(rng):
    excess = []
    for _ in range(40):
        h = rng.normal(size=(3, 3))
        model = quadratic.Quadratic(0.0, rng.normal(size=3), h @ h.T, 0.0)
        turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        metric = (turned / [1.0, 3.0, 10.0]) @ turned.T
        low, high = -2 * rng.random(3), 2 * rng.random(3)
        s = quadratic.minimise(model, low, high, metric)
        assert (s >= low - 1e-9).all()
        assert (s <= high + 1e-9).all()
        assert np.linalg.norm(metric @ s) <= 1 + 1e-9
        points = rng.uniform(low, high, (5000, 3))
        points = points[np.linalg.norm(points @ metric, axis=1) <= 1]
        least = float(model(points).min())
        excess.append((float(model(s)) - least) / abs(least))
    assert np.median(excess) <= 0.0  # as good as the best of 5,000 points; a box can cost more


def test_curvature_that_no_point_shows_is_in_doubt(rng):
    s = rng.normal(size=(12, 2)) * [1.0, 1e-4]
    found = quadratic.fit_with_doubts(s, 4 * s[:, 0] ** 2)
    across = int(np.argmax(np.abs(found.vectors[1])))
    assert found.doubts[across] > 100 * found.doubts[1 - across]
    assert found.curvatures[1 - across] == pytest.approx(8, rel=0.05)


def view_of(x, y, distributions, pending=()):
    space = Space(distributions)
    n, waiting = len(x), np.array(pending).reshape(-1, space.size)
    return View(
        space, n, x, y, np.ones(n, bool), np.arange(n), [None] * n, waiting, [None] * len(waiting)
    )


def test_the_process_tells_columns_that_matter_from_noise(rng):
    x = rng.random((60, 2))
    box = {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1)}
    values = (np.sin(9 * x[:, 0]), rng.normal(size=60), np.sum((x - 0.4) ** 2, axis=1))
    priors = [surrogate.Process(view_of(x, y, box), rng).prior for y in values]
    steep, noisy, smooth = priors
    assert steep.lengths[1] > 2 * steep.lengths[0]
    assert noisy.noise >= 10 * smooth.noise


def test_the_process_is_that_of_the_textbook(rng):
    """Means and deviations of the candidates beside scikit-learn's process, points pending too."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    x, box = rng.random((50, 2)), {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1)}
    y = np.sin(5 * x[:, 0]) + x[:, 1]
    process = surrogate.Process(view_of(x, y, box), rng)
    prior, pending = process.prior, rng.random((6, 2))
    kernel = Matern(prior.lengths, nu=2.5)
    peer = GaussianProcessRegressor(kernel, alpha=prior.noise + 1e-8, optimizer=None)
    z = surrogate._scores(y)
    means = peer.fit(x, z - z.mean()).predict(process.points)
    np.testing.assert_allclose(process._means, means, atol=1e-3)
    for some in (pending[:0], pending[:2], pending):
        rows = np.concatenate([x, some])
        deviations = peer.fit(rows, np.zeros(len(rows))).predict(process.points, return_std=True)[1]
        np.testing.assert_allclose(np.sqrt(process._left(some)), deviations, atol=1e-3)


def test_the_process_stands_on_the_best_and_on_points_of_all_times(rng):
    y = rng.random(2000)
    kept = surrogate._kept(y)
    assert len(kept) == surrogate.STANDS_ON
    assert set(np.argsort(y)[: surrogate.STANDS_ON // 3]) <= set(kept)
    assert all(((kept >= a) & (kept < a + 250)).sum() >= 8 for a in range(0, 2000, 250))


def test_the_hopeful_point_is_near_the_minimum_and_a_batch_is_spread(rng):
    x = np.concatenate([rng.random((40, 2)), rng.integers(0, 3, (40, 1))], axis=1)
    y = np.sum((x[:, :2] - 0.3) ** 2, axis=1) + (x[:, 2] != 1)
    box = {
        "a": FloatDistribution(0, 1),
        "b": FloatDistribution(0, 1),
        "c": CategoricalDistribution(["x", "y", "z"]),
    }
    process, asked = surrogate.Process(view_of(x, y, box), rng), []
    for _ in range(8):
        asked.append(process.hopeful(view_of(x, y, box, asked), rng))
    points = np.array(asked)
    close = np.abs(points[:, :2] - 0.3).max(axis=1) < 0.3
    assert ((points[:, 2] == 1) & close).sum() >= 4
    assert len(np.unique(points, axis=0)) == 8


def test_slopes_are_the_least_that_explain_the_values(rng):
    x = rng.random((15, 2))
    y = np.abs(x - 0.4) @ [1.0, 3.0]
    choice = np.zeros(2, dtype=bool)
    bound = lipschitz.fit(x, y, choice)
    i, j = np.nonzero(y[:, None] > y[None, :])
    apart, wanted = (x[i] - x[j]) ** 2, (y[i] - y[j]) ** 2
    noise = np.zeros((len(i), 15))
    noise[np.arange(len(i)), i] = lipschitz.NOISE
    a = np.concatenate([apart, noise], axis=1)
    exact = minimize(
        lambda w: 0.5 * w @ w,
        np.ones(17),
        jac=lambda w: w,
        method="SLSQP",
        bounds=[(0, None)] * 17,
        constraints={"type": "ineq", "fun": lambda w: a @ w - wanted, "jac": lambda w: a},
        options={"maxiter": 1000, "ftol": 1e-12},
    )
    assert exact.success
    assert np.allclose(bound.m, exact.x[:2], rtol=1e-3)


@pytest.mark.parametrize("make", [lipschitz.fit, lipschitz.one_slope])
def test_the_bound_lies_below_the_values(make, rng):
    x = np.concatenate([rng.random((30, 2)), rng.integers(0, 3, (30, 1))], axis=1)
    y = 2 * x[:, 0] - x[:, 1] + (x[:, 2] == 1)
    choice = np.array([False, False, True])
    bound = make(x, y, choice)
    assert (bound(x) <= y + 1e-6).all()
    assert np.allclose(bound(x), y, atol=0.2)


def test_the_lasso_finds_a_sparse_parity(rng):
    codes = rng.choice([-1.0, 1.0], size=(80, 10))
    y = 2 * codes[:, 1] * codes[:, 4] - codes[:, 7] + 0.1 * rng.normal(size=80)
    kept = harmonica.best_bits(codes, y, list(range(10)))
    assert kept[1] * kept[4] == -1
    assert kept[7] == 1


def test_bits_are_put_in_place(rng):
    space = Space(
        {
            "a": FloatDistribution(0, 1),
            "b": CategoricalDistribution(["x", "y", "z"]),
            "c": IntDistribution(1, 3),
        }
    )
    assert harmonica.bits_of(space) == 6
    for _ in range(50):
        point = space.snap(space.spread(rng.random(3)))
        kept = {0: -1, 1: 1, 3: -1}
        moved = space.snap(harmonica.keep(point, kept, space))
        assert 0.5 <= moved[0] <= 0.75
        assert moved[1] in (0, 1)


def test_every_value_survives_the_box():
    space = Space(
        {
            "a": FloatDistribution(1e-5, 10, log=True),
            "b": IntDistribution(1, 1000, log=True),
            "c": IntDistribution(0, 10, step=5),
            "d": FloatDistribution(-1, 1, step=0.25),
            "e": CategoricalDistribution([None, True, "x"]),
            "f": IntDistribution(7, 7),
        }
    )
    for n in range(1, 1001):
        values = {
            "a": 1e-5 * 1e6 ** (n / 1000),
            "b": n,
            "c": 5 * (n % 3),
            "d": -1 + 0.25 * (n % 9),
            "e": [None, True, "x"][n % 3],
            "f": 7,
        }
        back = space.decode(space.snap(space.encode(values)))
        assert back["a"] == pytest.approx(values["a"])
        assert {k: back[k] for k in "bcdef"} == {k: values[k] for k in "bcdef"}
