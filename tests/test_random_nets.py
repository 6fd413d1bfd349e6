"""Random networks against their PyTorch twins: outputs, every gradient, 20 training steps.

A network is drawn by hypothesis, so a failing one is shrunk to a small one. Each test takes one
activation, one optimiser and one loss for sure; layers, shapes and precision are drawn.

Where a gradient is zero but for rounding, optimisers that divide by its size or look at its sign
follow the rounding. So no bias is drawn before a normalisation, which would cancel it, and float32 is
drawn only with optimisers that are smooth in the gradient.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import shoal as sh
from shoal.arrays import flatten
from shoal.nets import Mode

import oracle
from contracts.tables import ACTIVATIONS, LOSSES, OPTIMISERS, targets_for

B, STEPS, OUTPUTS = 6, 20, 3
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
SMOOTH = ("gradient descent", "sgd", "momentum", "nesterov", "ema momentum")
ACTS = ACTIVATIONS | {  # slopes that are drawn from a single point
    "rrelu": sh.RReLU(0.2, 0.2),
    "rrelu reciprocal": sh.RReLU(5.0, 5.0, reciprocal=True),
}
COMPARED = [name for name, o in OPTIMISERS.items() if not o.searches]
LOSS_NAMES = list(LOSSES)
COMPILED_FAST = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Rather than made fast: a network is run for a few milliseconds."""


# --- drawing -------------------------------------------------------------------------------------

few = st.integers(2, 5)


def normalisation(draw, shape):
    """A layer with units or filters but no bias, and what normalises it."""
    count = draw(st.sampled_from([4, 6]))  # of two numbers little but the signs would be left
    linear = sh.Dense(count, bias=False) if len(shape) == 1 else sh.Conv(count, 3, bias=False)
    kinds = (sh.BatchNorm(), sh.LayerNorm(), sh.RMSNorm(), sh.GroupNorm(2))
    if len(shape) == 1:
        kinds = kinds[:3]  # a group of two numbers would keep little but their signs
    return [linear, draw(st.sampled_from(kinds))]


def flat_layer(draw, shape, act):
    same = sh.Dense(shape[0])
    return draw(
        st.sampled_from(
            [
                [sh.Dense(draw(few)), act],
                [sh.Residual(same, act)],
                [sh.Residual(sh.Dense(draw(few)), act, shortcut="projection")],
                [sh.Concat(near=sh.Dense(2), far=sh.Sequential(sh.Dense(3), act))],
                [sh.Add(left=same, right=sh.Identity())],
                [sh.Dense(4), sh.Reshape((2, 2)), act],
            ]
        )
    )


def window(draw, shape):
    """Settings of a convolution whose window fits."""
    return {
        "kernel": draw(st.integers(1, 3)),
        "stride": draw(st.integers(1, 2)),
        "padding": draw(st.sampled_from(["same", 1])),
    }


def spatial_layer(draw, shape, act):
    settings, channels = window(draw, shape), shape[-1]
    settings |= {"kernel": max(settings["kernel"], settings["stride"])}
    plain = {name: settings[name] for name in ("kernel", "stride", "padding")}
    choices = [
        [sh.Conv(draw(few), **plain, dilation=1), act],
        [sh.Conv(2 * channels, 3, groups=channels), act],
        [sh.DepthwiseConv(3, multiplier=2), act],
        [sh.SeparableConv(draw(few), 3), act],
        [sh.ConvTranspose(draw(few), draw(st.integers(2, 3)), stride=draw(st.integers(1, 2))), act],
        [sh.MaxPool(2, stride=draw(st.integers(1, 2)), padding="same")],
        [sh.AvgPool(2, padding="same")],
        [sh.Residual(sh.Conv(draw(few), 3), act, shortcut="projection")],
        [sh.Concat(near=sh.Conv(2, 1), far=sh.Conv(2, 3)), act],
        [sh.Add(left=sh.Conv(channels, 3), right=sh.Identity()), act],
    ]
    if len(shape) == 2:
        reverse = draw(st.booleans())
        units = draw(few)
        choices += [
            [sh.RNN(units, return_sequences=True, reverse=reverse)],
            [
                sh.GRU(
                    units, return_sequences=True, reverse=reverse, reset_after=draw(st.booleans())
                )
            ],
            [sh.LSTM(units, reverse=reverse), act],
            [sh.Conv(4, 1), sh.SelfAttention(2, causal=draw(st.booleans()))],
            [sh.Positions(), act],
        ]
    return draw(st.sampled_from(choices))


@st.composite
def nets(draw, act):
    """A network with the activation in it, and the shape of its input."""
    in_shape = draw(st.sampled_from([(5,), (4, 3), (6, 2), (5, 4, 2), (4, 4, 3)]))
    layers, acts = [], [act, ACTS[draw(st.sampled_from(list(ACTS)))]]
    for position in range(draw(st.integers(1, 4))):
        shape, chosen = sh.Net(*layers, sh.Identity()).output_shape(in_shape), acts[position > 0]
        if draw(st.integers(0, 3)) == 0:
            layers += [*normalisation(draw, shape), chosen]
        else:
            layers += (flat_layer if len(shape) == 1 else spatial_layer)(draw, shape, chosen)
    layers.append(act)
    if len(sh.Net(*layers).output_shape(in_shape)) > 1:
        ends = (sh.Flatten(), sh.GlobalAvgPool(), sh.GlobalMaxPool())
        layers.append(draw(st.sampled_from(ends)))
    return sh.Net(*layers, sh.Dense(OUTPUTS)), in_shape


# --- comparing -----------------------------------------------------------------------------------


def ours(recipe, in_shape, xs, ts):
    """Weights and statistics at the start and the end; outputs and gradients of every step."""
    mode = Mode(True, jax.random.key(0))

    def run(recipe, xs, ts):
        net, rate = recipe.body, recipe.optimiser.learning_rate
        before = net.init(jax.random.key(recipe.seed), in_shape, recipe.dtype)
        optimiser = recipe.optimiser.transformation(rate, net.decays(in_shape))

        def step(carry, batch):
            (parameters, statistics), state = carry

            def loss(parameters, x):
                z, gathered = net.apply(parameters, statistics, x, mode)
                return jnp.mean(recipe.loss.per_example(z, batch[1])), (z, gathered)

            gradients, (z, gathered) = jax.grad(loss, (0, 1), has_aux=True)(parameters, batch[0])
            with jax.numpy_dtype_promotion("standard"):
                change, state = optimiser.update(gradients[0], state, parameters)
            return ((optax.apply_updates(parameters, change), gathered), state), (z, *gradients)

        (after, _), seen = jax.lax.scan(step, (before, optimiser.init(before[0])), (xs, ts))
        return before, seen, after

    numbers = jax.tree.map(
        lambda v: jnp.asarray(v, jnp.int32 if isinstance(v, int) else recipe.dtype), recipe
    )
    program = jax.jit(run).lower(numbers, xs, ts)
    return program.compile(compiler_options=COMPILED_FAST)(numbers, xs, ts)


def close(a, b, tolerance, what):
    a, b = np.asarray(a), b.detach().numpy() if isinstance(b, torch.Tensor) else np.asarray(b)
    worst = np.abs(a - b).max(initial=0.0)
    assert worst <= tolerance * max(1.0, np.abs(b).max(initial=0.0)), f"{what}: off by {worst:g}"


def compare(net, in_shape, loss, optimiser, precision):
    rng = np.random.default_rng(0)
    recipe = sh.Recipe(net, loss=loss, optimiser=optimiser, precision=precision, epochs=1)
    with jax.enable_x64(precision == "float64"):
        xs = rng.normal(size=(STEPS, B, *in_shape)).astype(recipe.dtype)
        ts = np.stack([targets_for(loss, B, OUTPUTS, rng) for _ in range(STEPS)])
        if loss.form == "values" and loss.scales:
            ts -= 5.0  # centred, as training would see them
        ts = ts if loss.form == "index" else ts.astype(recipe.dtype)
        before, seen, after = ours(recipe, in_shape, xs, ts)
        z, dw, dx = jax.tree.map(lambda a: np.asarray(a[0]), seen)

    weights, statistics = (oracle.tensors(jax.tree.map(np.array, tree)) for tree in before)
    theirs = oracle.optimiser(optimiser, weights)
    tolerance = TOLERANCE[precision]
    for number, (x, t) in enumerate(zip(xs, ts, strict=True)):
        theirs.zero_grad()
        xt = torch.tensor(x, requires_grad=True)
        zt = oracle.forward(recipe.body.layers, weights, statistics, xt, True)
        oracle.LOSSES[type(loss)](loss, zt, torch.tensor(t)).backward()
        if number == 0:
            close(z, zt, tolerance, "outputs")
            close(dx, xt.grad, tolerance, "gradient of the input")
            for path, tensor in oracle.leaves(weights):
                close(flatten(dw)[path], tensor.grad, tolerance, f"gradient of {path}")
        theirs.step()
    kept = flatten(after[0]) | flatten(after[1])
    for path, tensor in [*oracle.leaves(weights), *oracle.leaves(statistics)]:
        close(kept[path], tensor, tolerance, f"{path} after {STEPS} steps")


def check(index, data):
    act = list(ACTS.values())[index % len(ACTS)]
    name = COMPARED[index % len(COMPARED)]
    loss = LOSSES[LOSS_NAMES[index % len(LOSS_NAMES)]]
    precision = "float64"
    if name in SMOOTH:
        precision = data.draw(st.sampled_from(["float64", "float32"]), "precision")
    net, in_shape = data.draw(nets(act), "network")
    compare(net, in_shape, loss, OPTIMISERS[name], precision)


def networks(count):
    """So many of them for each test, the same in every run."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # shrinking takes long; add Phase.shrink to study a failure
        suppress_health_check=list(HealthCheck),
    )


SHARDS = range(len(ACTS))


def run(index, count, first):
    """``count`` networks of the words of a shard."""

    @seed(first + index)
    @networks(count)
    @given(data=st.data())
    def each(data):
        check(index, data)

    each()


@pytest.mark.parametrize("index", SHARDS)
def test_a_few_random_networks(index):
    run(index, 1, first=0)


@pytest.mark.networks
@pytest.mark.parametrize("index", SHARDS)
def test_200_random_networks(index):
    run(index, -(-200 // len(SHARDS)), first=0)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(10 * len(SHARDS)))
def test_5000_random_networks(index):
    run(index, -(-5000 // (10 * len(SHARDS))), first=1000)


def test_every_word_appears():
    """Activations, losses and optimisers, by the rule that gives each test its own."""
    assert len(SHARDS) >= max(len(ACTS), len(LOSSES), len(COMPARED))
