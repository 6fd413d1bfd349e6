"""Recipes of different widths and activations in one program: each equals itself alone."""

from functools import reduce

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.train.common import Common, Place, places, skeleton
from shoal.train.pool import Pool, Settings

EPOCHS = 20


def common_of(recipes, in_shape):
    """The common form of recipes, everything that may vary padded or switched."""
    found = [places(recipe, in_shape) for recipe in recipes]
    assert len({skeleton(r, f) for r, f in zip(recipes, found, strict=True)}) == 1
    joined = tuple(reduce(Place.joined, column) for column in zip(*found, strict=True))
    varies = tuple(any(f[i] != place for f in found) for i, place in enumerate(joined))
    return Common(joined, varies, in_shape)


def together(recipes, data):
    """Losses, weights and gradient norms of recipes trained in one pool."""
    prepared = recipes[0].prepare(data)
    common = common_of(recipes, prepared.inputs.out_shape)
    forms = [common.form(recipe) for recipe in recipes]
    assert len({form.signature for form in forms}) == 1
    pool = Pool(forms[0], prepared, len(recipes), Settings("batched"))
    pool.place(dict(enumerate(forms)))
    left, parts = EPOCHS, []
    while left:
        parts.append(pool.run(left))
        left -= parts[-1]["train_loss"].shape[1]
    info = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    members = list(pool.results(range(len(recipes))))
    arrays = [
        common.plain(r, m.parameters, m.statistics) for r, m in zip(recipes, members, strict=True)
    ]
    return info, arrays, members


def nets(body, outputs):
    """Networks of three widths and three activations."""
    chosen = [(5, sh.ReLU()), (12, sh.Sigmoid()), (9, sh.LeakyReLU(0.2))]
    return [sh.Net(*body(width, activation), sh.Dense(outputs)) for width, activation in chosen]


def plain(width, activation):
    return sh.Dense(width), activation, sh.Dense(width // 2), activation


def dropped(width, activation):
    return (
        sh.Dense(width), activation, sh.Dropout(0.3), sh.GaussianNoise(0.2), sh.Dense(6), sh.RReLU()
    )  # fmt: skip


def normalised(width, activation):
    return (
        sh.Dense(width), sh.BatchNorm(), activation, sh.Dense(width + 3, init="glorot_uniform"),
        sh.LayerNorm(), activation, sh.Dense(2 * width, bias=False), sh.RMSNorm(), sh.PReLU(),
    )  # fmt: skip


CASES = {
    "Adam": (plain, {}),
    "dropout": (dropped, {}),
    "norms": (normalised, {}),
    "SGD, L2, clipping": (plain, {"optimiser": sh.SGD(0.1), "l2": 0.3, "clip": sh.ClipByNorm(0.5)}),
    "AdamW, L1": (plain, {"optimiser": sh.AdamW(0.01, weight_decay=0.1), "l1": 0.01}),
    "LAMB with norms": (normalised, {"optimiser": sh.LAMB(0.01, weight_decay=0.1)}),
    "Lion": (plain, {"optimiser": sh.Lion(0.001, weight_decay=0.1)}),
    "momentum, ragged batches": (plain, {"optimiser": sh.Momentum(0.02), "batch_size": 25}),
    "stopping": (normalised, {"early_stopping": sh.EarlyStopping(3)}),
}


def recipes_of(name, outputs=3, **changes):
    body, settings = CASES[name]
    settings = {"optimiser": sh.Adam(0.01), "batch_size": 18} | settings | changes
    return [
        sh.Recipe(net, loss="cross_entropy", epochs=EPOCHS, seed=seed, **settings)
        for seed, net in enumerate(nets(body, outputs))
    ]


def check(recipes, data, close):
    info, arrays, members = together(recipes, data)
    for k, recipe in enumerate(recipes):
        run = sh.fit(recipe, data, show=False)
        epochs = run.epochs[0]
        for name in ("validation_loss", "train_loss", "gradient_norm"):
            mine = info[name][k, :epochs]
            np.testing.assert_allclose(mine, run.record[name][:, 0], rtol=close, err_msg=name)
        own = jax.tree.map(lambda a: a[0], (run.model.parameters, run.model.statistics))
        if members[k].best:
            continue
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=100 * close, atol=100 * close),
            arrays[k],
            own,
        )


@pytest.mark.parametrize("name", CASES)
def test_each_recipe_equals_itself_alone(small, name):
    check(recipes_of(name, precision="float64"), small, 1e-8)


def test_also_in_float32(small):
    check(recipes_of("dropout"), small, 1e-3)


def test_zeros_stay_zero(small):
    """Units that only pad: every weight, statistic of the optimiser and best weight is 0."""
    recipes = recipes_of("norms", precision="float64", optimiser=sh.LAMB(0.01, weight_decay=0.1))
    _, _, members = together(recipes, small)
    padding = members[0].parameters["dense1"]["weight"][5:]
    assert padding.shape == (7, 6)
    np.testing.assert_array_equal(padding, 0.0)
    np.testing.assert_array_equal(members[0].parameters["dense2"]["weight"][:, 5:], 0.0)
    np.testing.assert_array_equal(members[0].parameters["prelu1"]["slope"][10:], 0.0)
    assert (members[1].parameters["dense1"]["weight"] != 0).all()
