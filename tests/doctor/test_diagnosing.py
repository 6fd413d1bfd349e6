"""Whole diagnoses: of trainings that are sick and of some that only look so."""

import numpy as np
import pytest

import shoal as sh
from shoal.doctor.curves import FALLS, FLAT, RISES, Curves, reading
from shoal.doctor.finding import Diagnosis


@pytest.fixture(scope="module")
def moons():
    """Two half circles, 400 rows, of which 100 validate."""
    random = np.random.default_rng(0)
    angle, side = np.pi * random.random(400), np.arange(400) % 2
    x = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + 0.5 * side], axis=1)
    x += 0.15 * random.normal(size=x.shape)
    split = slice(0, 300), slice(300, 400)
    rest = (x[split[1]], side[split[1]])
    return sh.data.arrays(
        x[split[0]], side[split[0]], validation=rest, classes=[0, 1], name="moons"
    )


def recipe(net=None, rate=1e-2, epochs=40, **more):
    return sh.Recipe(net or sh.mlp([16], 2), "cross_entropy", sh.Adam(rate), epochs=epochs, **more)


@pytest.fixture(scope="module")
def runs(moons):
    """One pool: the same network, well and sick in its numbers."""
    recipes = {
        "well": recipe(), "slow": recipe(rate=1e-6), "fast": recipe(rate=30.0),
        "short": recipe(rate=1e-3, epochs=2),
    }  # fmt: skip
    trained = sh.fit_many(list(recipes.values()), moons, signals=True, show=False)
    return dict(zip(recipes, trained, strict=True))


CAUSES = {"slow": "rate_too_low", "fast": "rate_too_high", "short": "too_few_epochs"}


def test_a_healthy_training_is_not_alarmed(runs):
    found = sh.diagnose(runs["well"])
    assert found.healthy
    assert "Nothing is wrong." in str(found)


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_comes_first(runs, name):
    found = sh.diagnose(runs[name])
    assert found.rules[0] == CAUSES[name]
    assert found.findings[0].where in ("optimiser.learning_rate", "epochs")
    assert found.remedies


def test_data_comes_before_everything(moons):
    """Labels and rate both wrong: the labels first."""
    labels = np.random.default_rng(1).permutation(moons.targets)
    from dataclasses import replace

    found = sh.diagnose(recipe(rate=30.0, epochs=10), replace(moons, targets=labels))
    assert found.rules[0] == "noisy_labels"


def test_a_loss_that_is_not_finite_names_the_place(moons):
    def root(z, t):
        import jax.numpy as jnp

        return jnp.sqrt(jnp.sum((z - t) ** 2, axis=-1) - 1e-3)

    bad = sh.Recipe(sh.mlp([16], 2), sh.CustomLoss(root), epochs=5)
    found = sh.diagnose(bad, moons)
    finding = next(f for f in found if f.rule == "not_finite")
    assert finding.where == "loss"
    assert "first in the loss" in finding.sentence


# --- before training --------------------------------------------------------------------------------


def alarms(recipe, data):
    return sh.preflight(recipe, data).rules


def test_a_sound_recipe_passes(moons):
    assert alarms(recipe(), moons) == ()


def test_heads_that_cannot_be(moons, small):
    one = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(1), sh.Softmax())
    assert alarms(sh.Recipe(one, "binary_cross_entropy"), moons) == ("wrong_head",)
    assert alarms(sh.Recipe(sh.mlp([8], 1), "cross_entropy"), small) == ("wrong_head",)


def test_a_head_that_cannot_reach_its_targets(line):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(2), sh.ReLU())
    found = sh.preflight(sh.Recipe(net, "mse"), line)
    share = (line.targets < line.targets.mean(axis=0)).mean()
    assert found.rules == ("wrong_head",)
    assert found.findings[0].value == pytest.approx(share, abs=0.15)


def flipped(z, t):
    import jax.numpy as jnp

    return -jnp.mean((z - t) ** 2, axis=-1)


def across(z, t):
    import jax.numpy as jnp

    return jnp.mean((z - t - jnp.mean(z - t, axis=0, keepdims=True)) ** 2, axis=-1)


@pytest.mark.parametrize("loss", [flipped, across])
def test_losses_that_reward_the_wrong_thing(line, loss):
    assert "wrong_loss" in alarms(sh.Recipe(sh.mlp([8], 2), sh.CustomLoss(loss)), line)


def test_what_shoal_refuses_is_a_finding(moons):
    large = sh.Recipe(sh.mlp([8], 2), "cross_entropy", batch_size=5000)
    assert alarms(large, moons) == ("batch_too_large",)
    assert alarms(sh.Recipe(sh.mlp([8], 3), "cross_entropy"), moons) == ("wrong_head",)
    values = sh.Data(moons.inputs, np.full((400, 1), 3.0), "regression", name="threes")
    wrong = sh.Recipe(sh.mlp([8], 1), "binary_cross_entropy")
    assert "impossible_labels" in alarms(wrong, values)


def test_nan_is_found_where_it_is(moons):
    x = moons.inputs.copy()
    x[7, 1] = np.nan
    found = sh.preflight(recipe(), sh.Data(x, moons.targets, "classification", (0, 1)))
    assert found.rules == ("nan_data",)
    assert found.findings[0].where == "row 7, position (1,)"


def test_bad_arguments_get_a_sentence(moons):
    with pytest.raises(sh.RecipeError, match="a run, or a recipe and data"):
        sh.diagnose("runs/digits")
    with pytest.raises(sh.RecipeError, match="the data to train on"):
        sh.diagnose(recipe())


# --- the pair of losses -----------------------------------------------------------------------------

DOWN, LEVEL, UP = np.linspace(2, 0.5, 30), np.full(30, 1.0), np.linspace(0.5, 2, 30)
SHAPES = {FALLS: DOWN, FLAT: np.concatenate([np.linspace(3, 1, 5), LEVEL[5:]]), RISES: UP}


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        (FALLS, FALLS, "still learning"),
        (FALLS, FLAT, "overfitting"),
        (FALLS, RISES, "overfitting"),
        (FLAT, FALLS, "suspect the data"),
        (FLAT, FLAT, "stuck"),
        (RISES, RISES, "structure, rate or data"),
    ],
)
def test_the_readings_of_a_pair_of_losses(train, validation, said):
    columns = {"train_loss": SHAPES[train], "validation_loss": SHAPES[validation]}
    curves = Curves(columns, 30, 30)
    assert curves.trends == (train, validation)
    assert said in reading(curves, sick=True)


def test_flat_curves_of_a_good_level_have_converged():
    columns = {"train_loss": SHAPES[FLAT], "validation_loss": SHAPES[FLAT]}
    assert "converged" in reading(Curves(columns, 30, 30), sick=False)


def test_nothing_is_wrong_is_an_answer():
    assert str(Diagnosis(())) == "Nothing is wrong."
