"""The table of remedies: each applies where it should, changes what it says, and trains."""

from dataclasses import replace

import numpy as np
import pytest

import shoal as sh
from shoal.doctor.finding import GROUPS
from shoal.doctor.remedies import REMEDIES, apply, changes

RNG = np.random.default_rng(7)


def classes(rows=60, features=6, count=3, **settings):
    labels = np.arange(rows) % count
    inputs = RNG.normal(size=(rows, features)) + labels[:, None]
    return sh.data.arrays(inputs, labels, task="classification", **settings)


def values(rows=60):
    inputs = RNG.normal(size=(rows, 4))
    return sh.data.arrays(inputs, inputs.sum(axis=1) * 100.0, task="regression")


def with_nan():
    data = classes()
    inputs = data.inputs.copy()
    inputs[3, 2] = np.nan
    return replace(data, inputs=inputs)


def with_bad_label():
    data = classes()
    targets = data.targets.copy()
    targets[5] = 3
    return replace(data, targets=targets)


def with_constant():
    data = classes()
    return replace(data, inputs=np.column_stack([data.inputs, np.full(60, 4.0)]))


def twice():
    data = classes()
    return sh.data.arrays(np.concatenate([data.inputs] * 2), np.concatenate([data.targets] * 2))


def mismatched():
    data = classes(120)
    inputs = data.inputs.copy()
    inputs[90:] *= 50.0
    parts = np.repeat([0, 1, 2], [90, 15, 15])
    return replace(data, inputs=inputs, parts=parts)


def rare():
    labels = np.repeat([0, 1], [50, 10])
    inputs = RNG.normal(size=(60, 4)) + labels[:, None]
    return sh.data.arrays(inputs, labels, task="classification")


def recipe(*layers, loss="cross_entropy", **settings):
    layers = layers or (sh.Dense(8), sh.ReLU(), sh.Dense(3))
    return sh.Recipe(sh.Net(*layers), loss=loss, **({"epochs": 1} | settings))


def of_values(**settings):
    return recipe(sh.Dense(8), sh.ReLU(), sh.Dense(1), loss="mse", **settings)


DEEP = (*(layer for _ in range(6) for layer in (sh.Dense(8), sh.Sigmoid())), sh.Dense(3))
RAW = sh.Preparation(inputs="none", targets="none")

SICK = {
    "drop_nan_rows": (recipe(), with_nan),
    "repair_labels": (recipe(), with_bad_label),
    "drop_constant_columns": (recipe(), with_constant),
    "drop_duplicates": (recipe(), twice),
    "split_again": (recipe(), twice),
    "same_preparation": (recipe(), mismatched),
    "scale_inputs": (recipe(preparation=RAW), classes),
    "scale_inputs_minmax": (recipe(preparation=RAW), classes),
    "scale_targets": (of_values(preparation=RAW), values),
    "class_weights": (recipe(sh.Dense(2)), rare),
    "fix_head": (recipe(sh.Dense(8), sh.ReLU(), sh.Dense(1), sh.ReLU()), classes),
    "fix_loss": (recipe(sh.Dense(3), sh.Softmax(), loss="mse"), classes),
    "drop_head_softmax": (recipe(sh.Dense(3), sh.Softmax(), sh.Softmax()), classes),
    "rate_x0.1": (recipe(), classes),
    "rate_x0.01": (recipe(), classes),
    "rate_x10": (recipe(), classes),
    "rate_x100": (recipe(), classes),
    "usual_rate": (recipe(optimiser=sh.Adam(1.0)), classes),
    "usual_optimiser": (recipe(optimiser=sh.Adam(1e-3, epsilon=0.1)), classes),
    "lower_momentum": (recipe(optimiser=sh.Momentum(0.01, beta=0.99)), classes),
    "warm_up": (recipe(), classes),
    "constant_rate": (recipe(schedule=sh.ExponentialDecay(0.1)), classes),
    "clip_gradients": (recipe(), classes),
    "remove_clipping": (recipe(clip=sh.ClipByNorm(1e-4)), classes),
    "adam": (recipe(optimiser="sgd"), classes),
    "sgd_momentum": (recipe(), classes),
    "usual_init": (recipe(sh.Dense(8, init=sh.Zeros()), sh.ReLU(), sh.Dense(3)), classes),
    "relu": (recipe(*DEEP), classes),
    "leaky_relu": (recipe(), classes),
    "selu": (recipe(), classes),
    "mish": (recipe(), classes),
    "tanh": (recipe(), classes),
    "hidden_activation": (recipe(sh.Dense(8), sh.Dense(3)), classes),
    "batch_norm": (recipe(), classes),
    "layer_norm": (recipe(), classes),
    "residual": (recipe(*DEEP), classes),
    "wider": (recipe(), classes),
    "shallower": (recipe(*DEEP), classes),
    "deeper": (recipe(), classes),
    "no_dropout": (recipe(sh.Dense(8), sh.ReLU(), sh.Dropout(0.9), sh.Dense(3)), classes),
    "less_dropout": (recipe(sh.Dense(8), sh.ReLU(), sh.Dropout(0.9), sh.Dense(3)), classes),
    "dropout": (recipe(), classes),
    "no_l2": (recipe(l2=10.0), classes),
    "less_l2": (recipe(l2=10.0), classes),
    "l2": (recipe(), classes),
    "early_stopping": (recipe(), classes),
    "more_epochs": (recipe(), classes),
    "fewer_epochs": (recipe(epochs=8), classes),
    "no_early_stopping": (recipe(early_stopping=sh.EarlyStopping(0)), classes),
    "batch_32": (recipe(batch_size=1), classes),
    "larger_batch": (recipe(batch_size=4), classes),
    "smaller_batch": (recipe(), classes),
}  # fmt: skip
"""Each remedy with a training that it treats."""

REPEATS = {
    "rate_x0.1", "rate_x0.01", "rate_x10", "rate_x100", "wider", "deeper", "less_dropout",
    "less_l2", "shallower", "more_epochs", "fewer_epochs", "larger_batch", "smaller_batch",
}  # fmt: skip
"""Remedies that do something again when they are repeated."""


def test_every_remedy_is_tried_here():
    assert set(SICK) == set(REMEDIES)
    assert {remedy.group for remedy in REMEDIES.values()} == set(GROUPS)
    order = [GROUPS.index(remedy.group) for remedy in REMEDIES.values()]
    assert order == sorted(order)


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_changes_something_and_says_what(name):
    sick, make = SICK[name]
    data = make()
    found = apply(name, sick, data)
    assert found is not None
    assert found[0] != sick or found[1] is not data
    assert changes((sick, data), found)
    assert sh.Recipe.from_json(found[0].to_json()) == found[0]


@pytest.mark.parametrize("name", sorted(set(REMEDIES) - REPEATS))
def test_a_remedy_taken_twice_does_nothing_more(name):
    sick, make = SICK[name]
    once = apply(name, sick, make())
    assert once is not None
    assert apply(name, *once) is None


NOT_FOR_A_HEALTHY_ONE = set(REMEDIES) - REPEATS - {
    "scale_inputs_minmax", "warm_up", "clip_gradients", "sgd_momentum", "leaky_relu", "selu",
    "mish", "tanh", "batch_norm", "layer_norm", "dropout", "l2", "early_stopping",
} | {"less_dropout", "less_l2", "shallower"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NOT_FOR_A_HEALTHY_ONE))
def test_what_mends_a_fault_leaves_a_healthy_training_alone(name):
    assert apply(name, recipe(), classes()) is None


@pytest.mark.parametrize("name", REMEDIES)
def test_an_edited_training_fits_its_data(name):
    """What is wrong in data may be left; recipe and network go together."""
    from shoal.train.settings import plan_work

    sick, make = SICK[name]
    found = apply(name, sick, make())
    assert found is not None
    edited, data = found
    assert plan_work(edited, edited.prepare(data)).rows > 0


def test_residual_keeps_the_variance_of_a_deep_network():
    """Closed form: n shortcuts with weights scaled by 1/sqrt(n) grow the variance at most e-fold
    for ReLU blocks whose outputs are uncorrelated with their inputs; the mean part adds to it."""
    import jax

    layers = [layer for _ in range(32) for layer in (sh.Dense(64), sh.ReLU())]
    sick = recipe(sh.Dense(64), sh.ReLU(), *layers, sh.Dense(3))
    data = classes(features=64)
    found = apply("residual", sick, data)
    assert found is not None
    from shoal.nets import Mode

    net = found[0].net
    parameters, statistics = net.init(jax.random.key(0), (64,))
    x = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32)
    y, _ = net.apply(parameters, statistics, x, Mode(False))
    assert np.isfinite(y).all()
    assert np.std(y) < 1e5


def test_split_again_leaves_no_row_in_two_splits():
    from shoal.doctor.remedies_data import digests

    data = classes(100)
    copied = sh.data.arrays(
        data.inputs[:60], data.targets[:60],
        validation=(data.inputs[:30], data.targets[:30]), test=(data.inputs[50:], data.targets[50:]),
    )  # fmt: skip
    found = apply("split_again", recipe(), copied)
    assert found is not None
    keys, parts = digests(found[1]), found[1].parts
    split = [set(keys[parts == part]) for part in range(3)]
    assert not split[0] & split[1]
    assert not split[0] & split[2]
    assert not split[1] & split[2]
    assert (parts == 2).sum() == 50
    assert len(split[1]) >= 10


def test_partly_leaked_validation_gives_up_its_leaked_rows():
    data = classes(100)
    leaky = sh.data.arrays(
        data.inputs[:80], data.targets[:80], validation=(data.inputs[70:], data.targets[70:])
    )
    found = apply("split_again", recipe(), leaky)
    assert found is not None
    assert np.bincount(found[1].parts).tolist() == [80, 20]


def test_where_everything_is_in_the_test_split_none_is_given_up():
    data = classes(100)
    copied = sh.data.arrays(
        data.inputs, data.targets, validation=(data.inputs[:20], data.targets[:20]),
        test=(data.inputs, data.targets),
    )  # fmt: skip
    assert apply("split_again", recipe(), copied) is None


def test_same_preparation_makes_moments_equal():
    found = apply("same_preparation", recipe(), mismatched())
    assert found is not None
    inputs, parts = found[1].inputs, found[1].parts
    for part in (1, 2):
        np.testing.assert_allclose(inputs[parts == part].mean(0), inputs[parts == 0].mean(0))
        np.testing.assert_allclose(inputs[parts == part].std(0), inputs[parts == 0].std(0))


def test_an_unknown_remedy_is_refused():
    with pytest.raises(sh.RecipeError, match="batch_norm"):
        apply("batchnorm", recipe(), classes())
