"""Embedding: codes in, vectors out, the inputs not scaled and checked."""

import jax
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.errors import DataError, RecipeError
from shoal.nets import Mode

import oracle

NET = sh.Net(sh.Embedding(10, 3), sh.Positions(), sh.GRU(4), sh.Dense(2))


def codes(rng, rows=40, length=5):
    return rng.integers(0, 10, size=(rows, length))


def test_forward_and_gradient_equal_pytorch(x64, rng):
    net, x = sh.Net(sh.Embedding(10, 3)), codes(rng)
    parameters, _ = net.init(jax.random.key(0), (5,), np.float64)
    probe = rng.normal(size=(40, 5, 3))

    def ours(parameters):
        y, _ = net.apply(parameters, {}, x.astype(float), Mode(True))
        return (y * probe).sum(), y

    dw, y = jax.grad(ours, has_aux=True)(parameters)
    weights = oracle.tensors(jax.tree.map(np.array, parameters))
    yt = oracle.forward(net.layers, weights, {}, torch.tensor(x), True)
    torch.sum(yt * torch.tensor(probe)).backward()
    np.testing.assert_array_equal(y, yt.detach())
    theirs = weights["embedding1"]["vectors"].grad
    np.testing.assert_allclose(dw["embedding1"]["vectors"], theirs, rtol=1e-12)


def test_sequences_of_codes_are_learned_as_they_are(rng):
    x = codes(rng, 200)
    y = (x[:, 1] > 4).astype(int)
    recipe = sh.Recipe(NET, loss="cross_entropy", optimiser=sh.Adam(0.02), epochs=40)
    assert recipe.resolved_preparation.inputs == "none"
    run = sh.fit(recipe, sh.data.arrays(x, y), show=False)
    assert run.validate()["accuracy"] > 0.9
    with pytest.raises(DataError, match="whole numbers from 0 to 9, got 10"):
        run.predict(np.full((1, 5), 10))


@pytest.mark.parametrize("wrong", [10, -1, 0.5])
def test_codes_outside_of_the_vocabulary_are_refused(wrong, rng):
    x = codes(rng).astype(float)
    x[7, 2] = wrong
    recipe = sh.Recipe(NET, loss="cross_entropy")
    with pytest.raises(DataError, match=f"whole numbers from 0 to 9, got {wrong}"):
        sh.fit(recipe, sh.data.arrays(x, np.arange(40) % 2), show=False)


def test_scaled_codes_are_refused():
    with pytest.raises(RecipeError, match="inputs as they are, not scaled, got 'minmax'"):
        sh.Recipe(NET, loss="cross_entropy", preparation=sh.Preparation(inputs="minmax"))


def test_embeddings_inside_other_layers_get_the_codes_too(rng):
    """The branch that sees them learns what the embedding alone learns, from unscaled codes."""
    codes = rng.integers(0, 5, size=(60, 3))
    first = sh.Sequential(sh.Reshape((1, 3)), sh.Flatten(), sh.Embedding(5, 2), sh.Flatten())
    for net in (
        sh.Net(first, sh.Dense(3)),
        sh.Net(sh.Concat(words=first, others=sh.Dense(2)), sh.Dense(3)),
    ):
        recipe = sh.Recipe(net, loss="cross_entropy", epochs=1)
        assert recipe.resolved_preparation.inputs == "none"
        prepared = recipe.prepare(sh.data.arrays(codes, codes[:, 0] % 3))
        x, _ = prepared.encoded(prepared.parts.train, recipe.dtype)
        np.testing.assert_array_equal(x, codes[prepared.parts.train])
