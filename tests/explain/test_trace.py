"""Every formula of a trace, worked out from its own numbers, against the training's numbers.

Two oracles: ``jax.grad`` of the whole objective for the arrays, and the arithmetic of each formula,
computed by ``Expression.result`` from the values that stand in it, for single numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

import shoal as sh
from shoal.arrays import flatten
from shoal.explain.trace.running import QUICK
from shoal.explain.trace.updates import UPDATES
from shoal.explain.trace.writers.table import WRITERS, writer
from shoal.nets import Layer, Mode
from shoal.train.step import step_key

from contracts.tables import ACTIVATIONS, LAYERS, LOSSES, OPTIMISERS, targets_for
from test_random_nets import nets, networks

MOST_CELLS = 14
"""Numbers of each array whose formula is worked out."""


def trace_of(layer, in_shape, training=True, rows=3, precision="float64", **settings):
    """A layer with random weights after one that learns, and the gradient of the whole by JAX."""
    rng = np.random.default_rng(11)
    net = sh.Net(sh.PReLU(), layer, sh.Flatten())
    width = net.output_shape(in_shape)[0]
    settings |= {"optimiser": "sgd", "precision": precision}  # of which the program is small
    recipe = sh.Recipe(net, loss="half_squared_error", **settings)
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
            same(wrote.forward(step, i), step.y.value, i, tolerance, step.y.symbol)
        for number, flow in enumerate(step.inputs):
            for i in cells(flow.value):
                same(
                    wrote.backward(step, number, i), flow.gradient, i, tolerance, f"d{flow.symbol}"
                )
        for name, flow in step.weights.items():
            for i in cells(flow.value):
                same(wrote.gradient(step, name, i), flow.gradient, i, tolerance, f"d{flow.symbol}")
        for inner in wrote.inner(step):
            flow = inner.flow
            for i in cells(flow.value):
                same(inner.forward(i), flow.value, i, tolerance, flow.symbol)
                if inner.backward is not None:
                    same(inner.backward(i), flow.gradient, i, tolerance, f"d{flow.symbol}")
        whole = trace.slope_formula(step.y.symbol)
        for i in cells(step.y.value):
            same(whole(i), step.y.gradient, i, tolerance, f"d{step.y.symbol}")
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


@pytest.mark.table(every=7)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_in_training(name):
    layer, in_shape = LAYERS[name]
    trace, whole = trace_of(layer, in_shape)
    agree(trace, whole, 1e-9)
    assert formulas_hold(trace)
    assert str(trace).count("nan") == 0


PREDICTING = [n for n, (layer, _) in LAYERS.items() if layer.random or "norm" in n]


@pytest.mark.parametrize("name", PREDICTING)
def test_layers_that_predict_otherwise(name):
    layer, in_shape = LAYERS[name]
    trace, whole = trace_of(layer, in_shape, training=False)
    agree(trace, whole, 1e-9)
    assert formulas_hold(trace)
    assert trace.update is None


class Cubed(Layer):
    """A layer of one's own, which no writer knows: written by the chain rule."""

    def output_shape(self, in_shape, strict=False):
        return in_shape

    def parameters(self, in_shape):
        return sh.Dense(in_shape[0]).parameters(in_shape)

    def apply(self, parameters, statistics, x, mode):
        return (x @ parameters["weight"].T) ** 3 + parameters["bias"][None, :], {}


@pytest.mark.parametrize(
    "layer", [Cubed(), sh.Sequential(Cubed(), sh.Tanh())], ids=["alone", "nested"]
)
def test_a_layer_of_ones_own(layer):
    trace, whole = trace_of(layer, (3,))
    agree(trace, whole, 1e-9)
    assert formulas_hold(trace)
    assert "dZ" not in str(trace["dE/dA0[1,2]"])


def test_every_kind_of_layer_has_a_writer():
    kinds = {type(layer).__name__ for layer, _ in LAYERS.values()}
    assert kinds - set(WRITERS) == {"Sequential", "SeparableConv"}  # made of others, without a join
    assert set(WRITERS) - kinds == {"Embedding"}  # which takes codes: below


def test_an_embedding_looks_rows_up():
    net = sh.Net(sh.Embedding(5, 3), sh.Positions(), sh.Flatten(), sh.Dense(2))
    codes, targets = np.array([[4, 1, 4], [0, 2, 1]]), np.ones((2, 2))
    trace = sh.explain(net, codes, targets, loss="mse")
    parameters = drawn(trace)
    agree(trace, whole_gradient(trace.recipe, parameters, {}, codes, targets), 1e-9)
    assert formulas_hold(trace)
    assert trace["A1[0,0,2]"].workings[0].formula.text() == "vectors1[4,2]"
    # Code 4 is looked up twice, code 3 never.
    assert len(trace["embedding1.vectors[4,0]"].workings[0].formula.parts) == 2
    assert trace["embedding1.vectors[3,0]"].result == 0.0


def drawn(trace):
    """The parameters that a trace started from, as a nest."""
    nest = {}
    for step in trace.steps:
        for flow in step.weights.values():
            *outer, last = flow.path.split(".")
            here = nest
            for word in outer:
                here = here.setdefault(word, {})
            here[last] = flow.value
    return nest


# --- losses and optimisers -----------------------------------------------------------------------


def small_trace(loss, optimiser="sgd", rows=4, seed=3, **settings):
    rng = np.random.default_rng(seed)
    net = sh.Net(sh.Dense(4), sh.Tanh(), sh.Dense(3))
    targets = targets_for(loss, rows, 3, rng)
    recipe = sh.Recipe(net, loss=loss, optimiser=optimiser, precision="float64", **settings)
    x = rng.normal(size=(rows, 5))
    return sh.explain(recipe, x, targets), x, targets


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name):
    trace, x, targets = small_trace(LOSSES[name])
    agree(trace, whole_gradient(trace.recipe, drawn(trace), {}, x, targets), 1e-9)
    objective = trace.objective
    for b in range(4):
        same(objective.example(b), objective.each.value, (b,), 1e-9, f"L of {name}")
        for k in range(3):
            same(objective.slope((b, k)), objective.z.gradient, (b, k), 1e-9, f"slope of {name}")
    assert objective.total().result() == pytest.approx(trace.loss, rel=1e-12)
    if objective.makes_probabilities():
        for i in cells(objective.p.value):
            same(objective.prediction(i), objective.p.value, i, 1e-12, "p")


def test_weights_of_classes_count_in_the_loss():
    trace, _, targets = small_trace(sh.CrossEntropy(), class_weights=(1.0, 2.5, 0.5))
    w = np.array([1.0, 2.5, 0.5])[targets]
    assert trace.loss == pytest.approx((trace.objective.each.value @ w) / w.sum(), rel=1e-12)
    for i in cells(trace.objective.z.value):
        same(trace.objective.slope(i), trace.objective.z.gradient, i, 1e-12, "slope")


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_for_two_steps(name):
    """The second step starts from a memory that is not 0."""
    optimiser = OPTIMISERS[name]
    first, x, targets = small_trace(sh.MeanSquaredError(), optimiser)
    second = sh.explain(first.recipe, x, targets, after=first)
    for trace in (first, second):
        updates_hold(trace)
    assert second.update.count == 2
    assert second.loss != first.loss
    start = {path: changed.flow.value for path, changed in second.update.weights.items()}
    for path, changed in first.update.weights.items():
        assert (start[path] == changed.after).all()
    known = type(optimiser).__name__ in UPDATES
    assert ("the rule above" in str(first["dense1.weight[0,0]"])) == (not known)


def updates_hold(trace, tolerance=1e-9):
    """The formula of each update gives the weight that the training's own step gave."""
    for path, changed in trace.update.weights.items():
        for i in cells(changed.after):
            name, formula = trace.update.lines(changed, i)[-1]
            assert name.text.endswith("+")
            same(formula, changed.after, i, tolerance, path)


@pytest.mark.parametrize(
    "settings",
    [
        {"l2": 0.7},
        {"l1": 0.3, "l2": 0.2, "clip": sh.ClipByNorm(0.1)},
        {"clip": sh.ClipByValue(0.05)},
        {"clip": sh.ClipByNorm(100.0)},
    ],
    ids=["l2", "l1, l2, clipped by norm", "clipped by value", "a limit that is not reached"],
)  # fmt: skip
def test_penalties_and_clipping(settings):
    trace, _, _ = small_trace(sh.MeanSquaredError(), sh.AdamW(0.01), **settings)
    updates_hold(trace)
    for changed in trace.update.weights.values():
        for i in cells(changed.passed):
            same(trace.update.lines(changed, i)[0][1], changed.passed, i, 1e-12, "g")


def test_the_update_is_that_of_a_training():
    """One epoch of one batch by ``fit`` gives the weights that the trace says."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    recipe = sh.Recipe(
        sh.Net(sh.Dense(4, bias=False), sh.BatchNorm(), sh.Tanh(), sh.Dense(2)),
        loss="mse",
        optimiser=sh.Adam(0.01),
        batch_size=8,
        epochs=1,
        preparation=sh.Preparation("none", "none", sh.Split(validation=0)),
        precision="float64",
    )
    run = sh.fit(recipe, sh.data.arrays(x, t), show=False)
    trace = sh.explain(recipe, x, t)
    assert run.record["train_loss"][0, 0] == pytest.approx(trace.loss, rel=1e-12)
    trained = flatten(jax.tree.map(lambda a: a[0], run.model.parameters))
    for path, array in flatten(trace.parameters).items():
        near(array, trained[path], 1e-9, path)
    gathered = jax.tree.map(lambda a: a[0], run.model.statistics)["batchnorm1"]["mean"]
    near(trace.after.statistics["batchnorm1"]["mean"], gathered, 1e-12, "running mean")


# --- random networks -----------------------------------------------------------------------------


def random_network(index):
    """A network with its loss, of those that are also compared with PyTorch."""
    found = []

    @seed(5000 + index)
    @networks(1)
    @given(data=st.data())
    def run(data):
        act = list(ACTIVATIONS.values())[index % len(ACTIVATIONS)]
        found.append((*data.draw(nets(act)), data.draw(st.sampled_from(["float64", "float32"]))))

    run()
    loss = list(LOSSES.values())[index % len(LOSSES)]
    return (*found[0], loss)


def check_random(index):
    net, in_shape, precision, loss = random_network(index)
    rng = np.random.default_rng(index)
    recipe = sh.Recipe(net, loss=loss, optimiser=sh.Adam(0.01), precision=precision)
    x, t = rng.normal(size=(3, *in_shape)), targets_for(loss, 3, 3, rng)
    parameters, statistics = weights_of(recipe.body, in_shape, recipe.dtype, rng)
    trace = sh.explain(recipe, x, t, parameters=parameters, statistics=statistics)
    tolerance = 1e-9 if precision == "float64" else 1e-6
    agree(trace, whole_gradient(recipe, parameters, statistics, x, t), tolerance)
    if precision == "float64":  # in float32 some formulas lose digits that the layers keep
        formulas_hold(trace, 1e-8)
        updates_hold(trace, 1e-6)  # where a gradient is nearly 0, Adam divides by it


@pytest.mark.table(every=4)
@pytest.mark.parametrize("index", range(20))
def test_random_networks(index):
    check_random(index)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(20, 200))
def test_more_random_networks(index):
    check_random(index)
