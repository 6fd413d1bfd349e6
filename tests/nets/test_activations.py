"""Activations: every fact derived numerically, no NaN on any finite input, gains, random slopes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import shoal as sh
from shoal.nets import Mode

from contracts.tables import ACTIVATIONS

DEFAULTS = {type(activation).__name__: type(activation)() for activation in ACTIVATIONS.values()}
KINDS = pytest.mark.parametrize("kind", DEFAULTS)
COUNTED = {"exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh", "erf", "erfc"}
FAR, NEAR = 1e4, 1e-3


def f(kind, x):
    """The activation with default arguments; a softmax with a second value 0 beside x."""
    x = jnp.asarray(x)
    if "Softmax" not in kind:
        return DEFAULTS[kind].function(x)
    return DEFAULTS[kind].function(jnp.stack([x, jnp.zeros_like(x)], axis=-1))[..., 0]


def slope(kind, x):
    return jax.jvp(lambda x: f(kind, x), (jnp.asarray(x),), (jnp.ones(np.shape(x)),))[1]


def dense_grid():
    return np.linspace(-12.0, 12.0, 240_001)


@KINDS
def test_the_range(kind, x64):
    low, high = DEFAULTS[kind].facts.range
    y = np.asarray(f(kind, np.concatenate([dense_grid(), [-1e6, -FAR, FAR, 1e6]])))
    for bound, reached in ((low, y.min()), (high, y.max())):
        if math.isinf(bound):
            assert abs(reached) > 100
        else:
            assert reached == pytest.approx(bound, abs=2e-5)
    assert low - 1e-12 <= y.min() and y.max() <= high + 1e-12


@KINDS
def test_whether_it_ever_falls(kind, x64):
    steps = np.diff(np.asarray(f(kind, dense_grid())))
    assert DEFAULTS[kind].facts.monotone == bool((steps >= -1e-12).all())


@KINDS
def test_whether_it_is_zero_centred(kind, x64):
    x = dense_grid()
    weight = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    y = np.asarray(f(kind, x))
    mean = np.sum(y * weight)
    deviation = math.sqrt(np.sum(y**2 * weight) - mean**2)
    assert DEFAULTS[kind].facts.zero_centred == (abs(mean) < 0.25 * deviation)


@KINDS
def test_where_it_saturates(kind, x64):
    left, right = np.abs(np.asarray(slope(kind, np.array([-FAR, FAR])))) < 1e-6
    name = {(True, True): "both", (True, False): "left", (False, True): "right"}
    assert DEFAULTS[kind].facts.saturates == name.get((bool(left), bool(right)), "")


@KINDS
def test_whether_it_is_the_identity_near_zero(kind, x64):
    x = np.array([-NEAR, NEAR])
    ratio = np.asarray(f(kind, x)) / x
    assert DEFAULTS[kind].facts.identity_near_zero == bool((np.abs(ratio - 1) < 0.01).all())


@KINDS
def test_whether_its_derivative_is_continuous(kind, x64):
    jumps = np.abs(np.diff(np.asarray(slope(kind, dense_grid()))))
    assert DEFAULTS[kind].facts.smooth == bool(jumps.max() < 0.01)


@KINDS
def test_what_it_computes(kind):
    counts = 0
    todo = [jax.make_jaxpr(lambda x: DEFAULTS[kind].function(x))(jnp.ones(3)).jaxpr]
    while todo:
        for equation in todo.pop().eqns:
            counts += equation.primitive.name in COUNTED and equation.outvars[0].aval.size == 3
            for inner in jax.tree.leaves(dict(equation.params), is_leaf=_is_jaxpr):
                if _is_jaxpr(inner):
                    todo.append(getattr(inner, "jaxpr", inner))
    expected = DEFAULTS[kind].facts.transcendentals
    if kind == "LogSoftmax":
        expected -= 1  # its logarithm is one for a whole row
    assert counts == expected


def _is_jaxpr(value):
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_finite_input_gives_nan(name):
    """In float32, over all magnitudes and both signs, alone and beside others; gradients too."""
    sizes = np.concatenate([[0.0], np.logspace(-45, 38.5, 400)]).astype(np.float32)
    x = np.concatenate([sizes, -sizes])
    pairs = np.stack([x, np.roll(x, 1), np.zeros_like(x)], axis=-1)
    net = sh.Net(ACTIVATIONS[name])
    for training in (False, True):
        parameters, _ = net.init(jax.random.key(0), (3,))

        def run(parameters, x, training=training):
            y, _ = net.apply(parameters, {}, x, Mode(training, jax.random.key(1)))
            return y

        y, pull = jax.vjp(run, parameters, jnp.asarray(pairs))
        assert not np.isnan(y).any()
        weights, dx = pull(jnp.ones_like(y))
        assert np.isfinite(dx).all()
        assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(weights))
        inside = (np.abs(pairs) <= 1e4).all(axis=-1)
        assert np.isfinite(np.asarray(y)[inside]).all()


@KINDS
def test_the_gain_keeps_the_mean_square(kind, x64):
    """Those that claim it: 1 / sqrt(E f(x)²) for x from N(0, 1), by the trapezoidal rule."""
    x = dense_grid()
    weight = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    exact = 1 / math.sqrt(np.sum(np.asarray(f(kind, x)) ** 2 * weight))
    known = {"Sigmoid", "HardSigmoid", "Softsign", "Softplus", "Softmax", "LogSoftmax", "Tanh"}
    tolerance = 2e-3 if kind == "GELU" else 1e-6
    assert kind in known or DEFAULTS[kind].gain == pytest.approx(exact, rel=tolerance)


@pytest.mark.parametrize("kind", DEFAULTS)
def test_the_derivative_is_the_slope(kind, x64, rng):
    x = rng.normal(size=(5, 4)) + 0.01
    h = 1e-6
    ours = DEFAULTS[kind]
    numeric = (ours.function(x + h) - ours.function(x - h)) / (2 * h)
    np.testing.assert_allclose(ours.derivative(jnp.asarray(x)), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("reciprocal, bounds", [(False, (1 / 8, 1 / 3)), (True, (3.0, 8.0))])
def test_rrelu_draws_slopes_evenly_while_training(reciprocal, bounds):
    layer = sh.RReLU(*bounds, reciprocal=reciprocal)
    y, _ = layer.apply({}, {}, -jnp.ones((500, 200)), Mode(True, jax.random.key(0)))
    slopes = -np.asarray(y, np.float64)
    drawn = np.sort((1 / slopes if reciprocal else slopes).ravel())
    even = bounds[0] + (bounds[1] - bounds[0]) * (np.arange(drawn.size) + 0.5) / drawn.size
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is passed by chance once in a thousand.
    assert np.abs(drawn - even).max() < 1.95 / math.sqrt(drawn.size) * (bounds[1] - bounds[0])
    still, _ = layer.apply({}, {}, -jnp.ones((1, 1)), Mode(False))
    middle = sum(bounds) / 2
    assert float(-still[0, 0]) == pytest.approx(1 / middle if reciprocal else middle, rel=1e-6)


def test_the_bounds_of_rrelu_are_checked():
    with pytest.raises(sh.RecipeError, match="lower <= upper"):
        sh.RReLU(0.5, 0.25)
