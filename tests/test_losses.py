"""Losses: values against PyTorch, gradients against central differences, stability at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.errors import DataError, RecipeError, ShapeError

import oracle
from contracts.tables import LOSSES, targets_for

CASES = pytest.mark.parametrize("name", LOSSES)
B, C = 6, 4


def batch(loss, rng):
    return rng.normal(size=(B, C)) * 3, targets_for(loss, B, C, rng)


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
        assert (up - down) / (2 * h) == pytest.approx(float(exact[i]), rel=1e-5, abs=1e-6)


@CASES
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_no_finite_output_gives_nan(name, size, rng):
    """In float32, up to |z| = 1e4, right and wrong, and all equal."""
    loss = LOSSES[name]
    _, t = batch(loss, rng)
    t = t if loss.form == "index" else jnp.asarray(t, jnp.float32)
    for pattern in (np.ones(C), -np.ones(C), np.array([1, -1, 1, -1]), np.array([1, 0, 0, 0])):
        z = jnp.asarray(np.tile(size * pattern, (B, 1)), jnp.float32)
        value, gradient = jax.value_and_grad(lambda z: jnp.sum(loss.per_example(z, t)))(z)
        # The exponential of 1e4 is infinite in float32, which no other loss computes.
        good = np.isfinite if not (name == "poisson" and size > 80) else lambda v: ~np.isnan(v)
        assert good(value)
        assert good(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_is_below_its_least(name, rng):
    loss = LOSSES[name]
    for spread in (1e-3, 1.0, 30.0):
        z = jnp.asarray(rng.normal(scale=spread, size=(64, 4)), jnp.float32)
        losses = loss.per_example(z, jnp.asarray(targets_for(loss, 64, 4, rng)))
        assert (np.asarray(losses) >= loss.least - 1e-6).all()


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
        t = np.full(B, int(target)) if loss.form == "index" else np.full((B, C), target)
        if name == "kl divergence":
            t = np.eye(C)[np.zeros(B, int)]
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


# --- losses written by the user ------------------------------------------------------------------


def test_a_custom_loss_trains_and_comes_back_by_its_name():
    def squares(z, t):
        return jnp.mean((z - t) ** 2, axis=-1)

    recipe = sh.Recipe(sh.Net(sh.Dense(1)), loss=sh.CustomLoss(squares), epochs=3)
    data = sh.data.diabetes()
    ours = sh.fit(recipe, data, show=False, signals="none")
    same = sh.fit(recipe.replace(loss="mse"), data, show=False, signals="none")
    np.testing.assert_allclose(ours.record["train_loss"], same.record["train_loss"], rtol=1e-6)
    assert repr(recipe.loss) == "CustomLoss(squares)"
    assert sh.Recipe.from_json(recipe.to_json()) == recipe


def test_a_custom_loss_of_classes_gives_probabilities():
    def of_logits(z, t):
        return -jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], axis=1)[:, 0]

    loss = sh.CustomLoss(of_logits, targets="index")
    run = sh.fit(
        sh.Recipe(sh.Net(sh.Dense(3)), loss=loss, epochs=3),
        sh.data.iris(),
        show=False,
        signals="none",
    )
    np.testing.assert_allclose(run.predict_proba(sh.data.iris().inputs).sum(axis=1), 1, rtol=1e-6)


def test_a_changed_function_is_another_program():
    """As in a notebook whose cell is run again: the name stays, the loss does not."""

    def make(power):
        def mine(z, t):
            return jnp.mean(jnp.abs(z - t) ** power, axis=-1)

        return sh.Recipe(sh.Net(sh.Dense(1)), loss=sh.CustomLoss(mine), epochs=1)

    first, second = (
        sh.fit(make(p), sh.data.diabetes(), show=False, signals="none") for p in (1, 4)
    )
    assert first.final["train_loss"] != second.final["train_loss"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sh.CustomLoss(lambda z, t: z), "a function with a name"),
        (lambda: sh.CustomLoss("unheard_of"), "its function, which files do not contain"),
        (lambda: sh.CustomLoss(total).check_output((2,), 2), r"a loss for each of 3 examples"),
        (lambda: sh.CustomLoss(in_numpy).check_output((2,), 2), r"got TracerArrayConversionError"),
    ],
)
def test_custom_losses_that_cannot_be(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


def total(z, t):
    return jnp.sum(z - t)


def in_numpy(z, t):
    return np.asarray(z).sum(axis=1)


@pytest.mark.parametrize(
    "loss, targets, message",
    [
        ("poisson", [[-1.0], [2.0]], "counts >= 0, got -1"),
        ("kl_divergence", [[0.5, 0.6], [0.5, 0.5]], r"sum to 1, got a sum of 1.1 in row 0"),
        ("kl_divergence", [[1.5, -0.5], [0.5, 0.5]], r"got -0.5"),
    ],
)
def test_targets_that_cannot_be(loss, targets, message):
    targets = np.array(targets)
    no_split = sh.Preparation(split=sh.Split(validation=0))
    net = sh.Net(sh.Dense(targets.shape[1]))
    recipe = sh.Recipe(net, loss=loss, batch_size=1, preparation=no_split)
    data = sh.data.arrays(np.zeros((2, 3)), targets, task="regression")
    with pytest.raises(DataError, match=message):
        sh.fit(recipe, data, show=False, signals="none")


def test_counts_and_distributions_are_not_scaled():
    recipe = sh.Recipe(sh.Net(sh.Dense(1)), loss="poisson")
    assert recipe.resolved_preparation.targets == "none"
    with pytest.raises(RecipeError, match="targets as they are, not scaled, got 'standard'"):
        recipe.replace(preparation=sh.Preparation(targets="standard"))


def test_poisson_learns_the_mean_of_counts():
    """With one constant input the best prediction is the mean, which maximises the likelihood."""
    counts = np.random.default_rng(0).poisson(3.0, size=400)
    data = sh.data.arrays(np.ones((400, 1)), counts, task="regression")
    split = sh.Preparation(split=sh.Split(validation=0))
    recipe = sh.Recipe(
        sh.Net(sh.Dense(1)), loss="poisson", optimiser=sh.Adam(0.05), epochs=300,
        batch_size="full", preparation=split, precision="float64",
    )  # fmt: skip
    run = sh.fit(recipe, data, show=False, signals="none")
    assert run.predict(np.ones((1, 1)))[0] == pytest.approx(counts.mean(), rel=1e-6)
