"""Every formula of a trace, worked out from its own numbers, against the training's numbers.

Two oracles: ``jax.grad`` of the whole objective for the arrays, and the arithmetic of each formula,
computed by ``Expression.result`` from the values that stand in it, for single numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten
from shoal.explain.running import QUICK
from shoal.explain.updates import UPDATES
from shoal.explain.writers.table import WRITERS, writer
from shoal.nets import Layer, Mode
from shoal.train.step import step_key

from contracts.tables import ACTIVATIONS, LAYERS, LOSSES, OPTIMISERS, targets_for

MOST_CELLS = 14
"""Numbers of each array whose formula is worked out."""


def trace_of(layer, in_shape, training=True, rows=3, precision="float64", **settings):
    """A layer between two others, so that both its sides matter."""
    rng = np.random.default_rng(11)
    net = sh.Net(layer, sh.Flatten())
    width = net.output_shape(in_shape)[0]
    recipe = sh.Recipe(net, loss="half_squared_error", precision=precision, **settings)
    x, t = rng.normal(size=(rows, *in_shape)), rng.normal(size=(rows, width))
    parameters, statistics = weights_of(net, in_shape, recipe.dtype, rng)
    trace = sh.explain(
        recipe, x, t, parameters=parameters, statistics=statistics, training=training
    )
    return trace, whole_gradient(recipe, parameters, statistics, x, t, training)


def weights_of(net, in_shape, dtype, rng):
    """Random parameters and statistics, none of them 0 or 1 by chance; variances are positive."""
    with jax.enable_x64(dtype == np.float64):
        like = jax.eval_shape(lambda: net.init(jax.random.key(0), in_shape, dtype))
    parameters = jax.tree.map(lambda w: rng.normal(scale=0.5, size=w.shape).astype(dtype), like[0])
    return parameters, jax.tree.map(lambda w: rng.uniform(0.5, 2, w.shape).astype(dtype), like[1])


def whole_gradient(recipe, parameters, statistics, x, t, training=True):
    """The gradient of the mean loss by JAX through the whole network at once."""
    with jax.enable_x64(recipe.precision == "float64"):
        x = jnp.asarray(x, recipe.dtype)
        t = jnp.asarray(t, jnp.int32 if recipe.loss.form == "index" else recipe.dtype)
        key = step_key(recipe, type("Start", (), {"step": jnp.int32(0)})) if training else None

        def objective(parameters, x):
            z, _ = recipe.body.apply(parameters, statistics, x, Mode(training, key))
            return jnp.mean(recipe.loss.per_example(z, t))

        program = jax.jit(jax.value_and_grad(objective, (0, 1))).lower(parameters, x)
        value, (dw, dx) = program.compile(compiler_options=QUICK)(parameters, x)
        return float(value), flatten(dw, "."), np.asarray(dx)


def agree(trace, whole, tolerance):
    """The arrays of a trace against the gradient of the whole."""
    value, dw, dx = whole
    near(trace.loss, value, tolerance, "E")
    near(trace.start.gradient, dx, tolerance, "dA0")
    flows = {flow.path: flow for step in trace.steps for flow in step.weights.values()}
    assert set(flows) == set(dw)
    for path, gradient in dw.items():
        near(flows[path].gradient, gradient, tolerance, path)


def near(found, wanted, tolerance, what):
    wanted = np.asarray(wanted)
    worst = np.abs(np.asarray(found) - wanted).max(initial=0.0)
    assert worst <= tolerance * max(1.0, np.abs(wanted).max(initial=0.0)), f"{what}: {worst:g}"


def cells(array, count=MOST_CELLS):
    """Some indices of an array: all of a small one, else spread over it."""
    every = list(np.ndindex(*array.shape))
    return every if len(every) <= count else every[:: -(-len(every) // count)]


def formulas_hold(trace, tolerance=1e-9):
    """Each formula gives the number that it stands for; returns how many were worked out."""
    count = 0
    for step in trace.steps:
        wrote = writer(step)
        for i in cells(step.y.value):
            same(wrote.forward(step, i), step.y.value, i, tolerance, f"{step.y.symbol} {step!r}")
        for number, flow in enumerate(step.inputs):
            for i in cells(flow.value):
                same(wrote.backward(step, number, i), flow.gradient, i, tolerance, f"d{flow.symbol}")
        for name, flow in step.weights.items():
            for i in cells(flow.value):
                same(wrote.gradient(step, name, i), flow.gradient, i, tolerance, f"d{flow.symbol}")
        for inner in wrote.inner(step):
            flow = inner.flow
            for i in cells(flow.value):
                same(inner.forward(i), flow.value, i, tolerance, flow.symbol)
                if inner.backward is not None:
                    same(inner.backward(i), flow.gradient, i, tolerance, f"d{flow.symbol}")
        assert wrote.rules(step)
        assert wrote.back_rules(step)
        count += 1
    return count


def same(formula, array, i, tolerance, what):
    wanted = float(array[i])
    scale = max(1.0, abs(wanted), float(np.abs(array).max()))
    assert abs(formula.result() - wanted) <= tolerance * scale, (
        f"{what}{list(i)}: {formula.text()} = {formula.values(9)} = {formula.result()}, not {wanted}"
    )


# --- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_in_training(name):
    layer, in_shape = LAYERS[name]
    trace, whole = trace_of(layer, in_shape)
    agree(trace, whole, 1e-9)
    assert formulas_hold(trace)
    assert str(trace) and trace.markdown() and trace.html()


PREDICTING = [n for n, (layer, _) in LAYERS.items() if layer.random or "norm" in n]


@pytest.mark.parametrize("name", PREDICTING)
def test_layers_that_predict_otherwise(name):
    layer, in_shape = LAYERS[name]
    trace, whole = trace_of(layer, in_shape, training=False)
    agree(trace, whole, 1e-9)
    assert formulas_hold(trace)
    assert trace.update is None
