"""The zoo: published parameter counts, shapes, and that each network trains."""

import jax
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.nets import Mode

import oracle

# torchvision's documentation of its models, version 0.20; LeNet-5 as in its docstring.
PUBLISHED = {
    "lenet5": ((32, 32, 1), 10, 61_706),
    "alexnet": ((224, 224, 3), 1000, 61_100_840),
    "vgg11": ((224, 224, 3), 1000, 132_863_336),
    "vgg16": ((224, 224, 3), 1000, 138_357_544),
    "resnet18": ((224, 224, 3), 1000, 11_689_512),
    "resnet34": ((224, 224, 3), 1000, 21_797_672),
    "resnet50": ((224, 224, 3), 1000, 25_557_032),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_as_many_as_published(name):
    shape, classes, count = PUBLISHED[name]
    net = getattr(sh.zoo, name)(classes)
    assert net.parameter_count(shape) == count
    assert net.output_shape(shape) == (classes,)


def slow(*values, id):
    return pytest.param(*values, id=id, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "net, shape, rate",
    [
        pytest.param(sh.zoo.logistic_regression(3), (8,), 0.05, id="logistic regression"),
        pytest.param(sh.zoo.mlp([16], 3), (8,), 0.01, id="mlp"),
        pytest.param(sh.zoo.lenet5(3), (32, 32, 1), 0.003, id="lenet5"),
        slow(sh.zoo.alexnet(3), (63, 63, 3), 1e-4, id="alexnet"),
        slow(sh.zoo.vgg11(3), (32, 32, 3), 1e-4, id="vgg11"),
        slow(sh.zoo.vgg16(3), (32, 32, 3), 1e-4, id="vgg16"),
        slow(sh.zoo.resnet18(3), (64, 64, 3), 1e-3, id="resnet18"),
        slow(sh.zoo.resnet18(3, small=True), (16, 16, 3), 1e-3, id="resnet18 small"),
        slow(sh.zoo.resnet34(3), (32, 32, 3), 1e-3, id="resnet34"),
        slow(sh.zoo.resnet50(3), (32, 32, 3), 1e-3, id="resnet50"),
    ],
)
def test_it_learns_its_training_rows(net, shape, rate):
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    x = rng.normal(size=(24, *shape)) + labels.reshape(-1, *[1] * len(shape))
    plain = sh.Preparation(split=sh.Split(validation=0))
    recipe = sh.Recipe(
        net,
        loss="cross_entropy",
        optimiser=sh.Adam(rate),
        batch_size=8,
        epochs=12,
        preparation=plain,
    )
    run = sh.fit(recipe, sh.data.arrays(x, labels), show=False, signals="none")
    losses = run.record["train_loss"][:, 0]
    assert losses[-1] < 0.7 * losses[0]


def test_an_autoencoder_learns_its_input():
    """Eight numbers that are linear in two: a code of two suffices."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8))
    data = sh.data.reconstruction(x)
    recipe = sh.Recipe(sh.zoo.autoencoder(8, [], 2), loss="mse", optimiser=sh.Adam(0.02), epochs=60)
    run = sh.fit(recipe, data, show=False, signals="none")
    assert run.validate()["r2"] > 0.99
    np.testing.assert_array_equal(data.targets, x)
    assert sh.zoo.autoencoder(64, [32, 16], 4).output_shape((64,)) == (64,)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_resnet_computes_what_pytorch_does(name, x64):
    net = getattr(sh.zoo, name)(10)
    parameters, statistics = jax.jit(lambda k: net.init(k, (64, 64, 3), np.float64))(
        jax.random.key(0)
    )
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3))
    y = jax.jit(lambda x: net.apply(parameters, statistics, x, Mode(False))[0])(x)
    weights, gathered = (
        oracle.tensors(jax.tree.map(np.array, t)) for t in (parameters, statistics)
    )
    theirs = oracle.forward(net.layers, weights, gathered, torch.tensor(x), False)
    np.testing.assert_allclose(y, theirs.detach(), rtol=1e-9, atol=1e-9)
