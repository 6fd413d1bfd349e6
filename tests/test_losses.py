"""Losses: values against PyTorch, gradients against central differences, stability at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.errors import ShapeError

import oracle
from contracts.tables import LOSSES

CASES = pytest.mark.parametrize("name", LOSSES)
B, C = 6, 4


def batch(loss, rng):
    z = rng.normal(size=(B, C)) * 3
    if loss.targets == "index":
        return z, rng.integers(0, C, size=B).astype(np.int32)
    if loss.targets == "binary":
        return z, rng.integers(0, 2, size=(B, C)).astype(float)
    return z, rng.normal(size=(B, C))


@CASES
def test_the_mean_over_the_batch_is_pytorchs(name, x64, rng):
    loss = LOSSES[name]
    z, t = batch(loss, rng)
    theirs = oracle.LOSSES[type(loss)](loss, torch.tensor(z), torch.tensor(t))
    per_example = loss.per_example(z, t)
    assert per_example.shape == (B,)
    assert float(jnp.mean(per_example)) == pytest.approx(theirs.item(), rel=1e-12)


@CASES
def test_the_gradient_equals_central_differences(name, x64, rng):
    loss = LOSSES[name]
    z, t = batch(loss, rng)
    exact = jax.grad(lambda z: jnp.sum(loss.per_example(z, t)))(z)
    h = 1e-6
    for i in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[i] = h
        up, down = (float(jnp.sum(loss.per_example(z + s, t))) for s in (step, -step))
        assert (up - down) / (2 * h) == pytest.approx(float(exact[i]), rel=1e-6, abs=1e-8)


@CASES
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_no_finite_output_gives_nan(name, size, rng):
    """In float32, up to |z| = 1e4, right and wrong, and all equal."""
    loss = LOSSES[name]
    _, t = batch(loss, rng)
    t = t if loss.targets == "index" else jnp.asarray(t, jnp.float32)
    for pattern in (np.ones(C), -np.ones(C), np.array([1, -1, 1, -1]), np.array([1, 0, 0, 0])):
        z = jnp.asarray(np.tile(size * pattern, (B, 1)), jnp.float32)
        value, gradient = jax.value_and_grad(lambda z: jnp.sum(loss.per_example(z, t)))(z)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_cross_entropies_keep_their_digits_where_probabilities_round_to_0_and_1():
    """-log softmax(200, 0)[1] is 200; log(1 + e^-200) is far below float32, so it is 0."""
    z = jnp.asarray([[200.0, 0.0]], jnp.float32)
    wrong, right = (float(sh.CrossEntropy().per_example(z, jnp.asarray([i]))[0]) for i in (1, 0))
    assert (wrong, right) == (200.0, 0.0)
    one = jnp.asarray([[200.0]], jnp.float32)
    assert float(sh.BinaryCrossEntropy().per_example(one, jnp.zeros_like(one))[0]) == 200.0


@CASES
def test_gradients_where_branches_meet_are_pytorchs(name, x64):
    """At z = t and at z = 0, where absolute values and maxima have a corner."""
    loss = LOSSES[name]
    for target in (0.0, 1.0):
        t = np.full(B, int(target)) if loss.targets == "index" else np.full((B, C), target)
        for value in (0.0, target):
            z = np.full((B, C), value)
            zt = torch.tensor(z, requires_grad=True)
            oracle.LOSSES[type(loss)](loss, zt, torch.tensor(t)).backward()
            ours = jax.grad(lambda z, t=t: jnp.mean(loss.per_example(z, t)))(z)
            np.testing.assert_allclose(ours, zt.grad, rtol=1e-12, atol=1e-15)


@CASES
def test_outputs_for_is_the_inverse_of_predictions(name, x64, rng):
    loss = LOSSES[name]
    z, _ = batch(loss, rng)
    p = loss.predictions(z)
    np.testing.assert_allclose(loss.predictions(loss.outputs_for(p)), p, rtol=1e-6)


def test_predictions_are_probabilities(rng):
    z = rng.normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(np.sum(sh.CrossEntropy().predictions(z), axis=1), 1, rtol=1e-6)
    p = np.asarray(sh.BinaryCrossEntropy().predictions(z))
    assert ((p > 0) & (p < 1)).all()
    np.testing.assert_array_equal(sh.MeanSquaredError().predictions(z), z)


@pytest.mark.parametrize(
    "loss, shape, width, message",
    [
        (sh.MeanSquaredError(), (3,), 2, r"needs 2 outputs, got 3; end it with Dense\(2\)"),
        (sh.MeanSquaredError(), (), 1, r"needs 1 output, got a single number"),
        (sh.CrossEntropy(), (4, 4, 3), 3, r"needs one output for each of 3 classes, got 4x4x3"),
        (sh.CrossEntropy(), (1,), 2, r'or use loss="binary_cross_entropy"'),
        (sh.BinaryCrossEntropy(), (2,), 1, r"needs 1 output, got 2"),
    ],
)
def test_outputs_that_do_not_fit(loss, shape, width, message):
    with pytest.raises(ShapeError, match=message):
        loss.check_output(shape, width)
