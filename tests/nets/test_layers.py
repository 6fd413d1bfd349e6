"""Every layer: shapes, forward, gradient, statistics, against independent oracles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.arrays import flatten
from shoal.describe import from_json, to_json
from shoal.nets import Mode

import oracle
from contracts.tables import LAYERS

CASES = pytest.mark.parametrize("name", LAYERS)
B = 5


def _modes():
    """Every layer while training, and those that then differ also while predicting."""
    for name, (layer, in_shape) in LAYERS.items():
        yield pytest.param(name, True, id=f"{name}, training")
        if layer.random or layer.statistics(in_shape):
            yield pytest.param(name, False, id=f"{name}, predicting")


MODES = pytest.mark.parametrize("name, training", list(_modes()))

# Layers with a derivative of their own; the others are compared with PyTorch in every run.
OWN_DERIVATIVES = ("conv", "max pool", "depthwise", "separable")


def _differences():
    for param in _modes():
        quick = param.values[0].startswith(OWN_DERIVATIVES)
        yield param if quick else pytest.param(*param.values, id=param.id, marks=pytest.mark.slow)


def build(name, rng, dtype="float64"):
    layer, in_shape = LAYERS[name]
    net = sh.Net(layer)
    parameters, statistics = net.init(jax.random.key(3), in_shape, dtype)
    # Biases, scales and offsets away from their start, so that they matter.
    parameters = jax.tree.map(lambda a: a + 0.1 * rng.normal(size=a.shape), parameters)
    x = rng.normal(size=(B, *in_shape))
    return net, parameters, statistics, x


@CASES
def test_the_output_has_the_inferred_shape_without_a_device(name, x64, rng):
    layer, in_shape = LAYERS[name]
    net, x = sh.Net(layer), jax.ShapeDtypeStruct((B, *in_shape), np.float64)

    def run(key, x):
        return net.apply(*net.init(key, in_shape, np.float64), x, Mode(False))[0]

    y = jax.eval_shape(run, jax.random.key(0), x)
    assert y.shape == (B, *net.output_shape(in_shape))
    assert y.dtype == np.float64


@CASES
def test_the_parameters_are_those_counted(name, x64, rng):
    layer, in_shape = LAYERS[name]
    net = sh.Net(layer)
    parameters, _ = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    held = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    assert net.parameter_count(in_shape) == held


@pytest.mark.table(every=3)
@MODES
def test_forward_and_gradients_equal_pytorch(name, training, x64, rng):
    net, parameters, statistics, x = build(name, rng)
    if training and net.random:
        training = False  # dropout is compared where it drops nothing
    probe = rng.normal(size=(B, *net.output_shape(x.shape[1:])))

    @jax.jit
    def ours(parameters, x):
        y, after = net.apply(parameters, statistics, x, Mode(training))
        return jnp.sum(y * probe), (y, after)

    (_, (y, after)), (dw, dx) = jax.value_and_grad(ours, (0, 1), has_aux=True)(parameters, x)

    weights, gathered = oracle.tensors(_plain(parameters)), oracle.tensors(_plain(statistics))
    xt = torch.tensor(x, requires_grad=True)
    yt = oracle.forward(net.layers, weights, gathered, xt, training)
    torch.sum(yt * torch.tensor(probe)).backward()

    np.testing.assert_allclose(y, yt.detach(), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(dx, xt.grad, rtol=1e-10, atol=1e-11)
    for path, tensor in oracle.leaves(weights):
        np.testing.assert_allclose(flatten(dw)[path], tensor.grad, rtol=1e-10, atol=1e-11)
    for path, tensor in oracle.leaves(gathered):
        if training:
            np.testing.assert_allclose(flatten(after)[path], tensor.detach(), rtol=1e-12)


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name, training", list(_differences()))
def test_gradients_equal_central_differences(name, training, x64, rng):
    net, parameters, statistics, x = build(name, rng)
    probe = rng.normal(size=(B, *net.output_shape(x.shape[1:])))
    flat, restore = jax.flatten_util.ravel_pytree((parameters, jnp.asarray(x)))

    def scalar(flat):
        parameters, x = restore(flat)
        mode = Mode(training, jax.random.key(0), None)
        y, _ = net.apply(parameters, statistics, x, mode)
        return jnp.sum(y * probe)

    exact = jax.jit(jax.grad(scalar))(flat)
    # Directions instead of axes: every parameter takes part in every one of them.
    h, directions = 1e-6, rng.normal(size=(20, flat.size))
    slope = jax.vmap(lambda d: (scalar(flat + h * d) - scalar(flat - h * d)) / (2 * h))
    numeric, wanted = jax.jit(slope)(jnp.asarray(directions)), directions @ exact
    np.testing.assert_allclose(numeric, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.table(every=2)
@CASES
def test_a_padded_row_changes_nothing(name, x64, rng):
    net, parameters, statistics, x = build(name, rng)
    mode = Mode(not net.random)  # dropout draws for every row: compared where it drops nothing
    apply = jax.jit(lambda x, mask: net.apply(parameters, statistics, x, mode._replace(mask=mask)))
    y, after = apply(x, None)
    longer = np.concatenate([x, 1e3 * np.ones((2, *x.shape[1:]))])
    mask = jnp.arange(B + 2) < B
    y2, after2 = apply(longer, mask)
    np.testing.assert_allclose(y2[:B], y, rtol=1e-10, atol=1e-10)
    for path, value in flatten(after).items():
        np.testing.assert_allclose(flatten(after2)[path], value, rtol=1e-10)


@CASES
def test_json_there_and_back(name):
    layer, _ = LAYERS[name]
    assert from_json(to_json(layer)) == layer
    assert eval(repr(layer), vars(sh) | {n: getattr(sh, n) for n in sh.__all__}) == layer


def test_dropout_drops_its_share_and_keeps_the_mean():
    # Standard error of the mean of 10^6 values in {0, 1/0.7} is 0.00065.
    x = jnp.ones((1000, 1000))
    y, _ = sh.Dropout(0.3).apply({}, {}, x, Mode(True, jax.random.key(0)))
    assert set(np.unique(np.asarray(y))) == {np.float32(0), np.float32(1) / np.float32(0.7)}
    assert abs(float(jnp.mean(y == 0)) - 0.3) < 0.003
    assert abs(float(jnp.mean(y)) - 1.0) < 0.003


def test_spatial_dropout_drops_whole_channels():
    y, _ = sh.SpatialDropout(0.3).apply(
        {}, {}, jnp.ones((200, 3, 3, 50)), Mode(True, jax.random.key(0))
    )
    channels = np.asarray(y).reshape(200, 9, 50)
    assert (channels == channels[:, :1]).all()
    assert abs(float(np.mean(channels == 0)) - 0.3) < 0.02  # standard error 0.0046


def test_gaussian_noise_has_its_deviation():
    y, _ = sh.GaussianNoise(0.5).apply({}, {}, jnp.ones((1000, 100)), Mode(True, jax.random.key(0)))
    assert abs(float(jnp.mean(y)) - 1.0) < 0.01  # standard error 0.0016
    assert abs(float(jnp.std(y)) - 0.5) < 0.01


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (sh.GroupNorm(4), (3, 6), "channels that 4 groups can share evenly"),
        (sh.Reshape((5, 2)), (3, 3), "10 numbers in each example"),
        (sh.SpatialDropout(0.1), (6,), "channels over space"),
    ],
)
def test_shapes_that_do_not_fit(layer, shape, message):
    with pytest.raises(sh.ShapeError, match=message):
        sh.Net(layer).output_shape(shape)


def _plain(tree):
    return {k: _plain(v) for k, v in tree.items()} if isinstance(tree, dict) else np.array(tree)
