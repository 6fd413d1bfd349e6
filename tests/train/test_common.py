"""Recipes of different widths and activations in one program: each equals itself alone."""

from functools import reduce

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.describe import KINDS, unchecked
from shoal.nets import Activation, Layer, Mode
from shoal.nets.sharing import Padded, switchable
from shoal.optim.optimiser import Optimiser
from shoal.train.common import Common, Place, places, skeleton
from shoal.train.pool import Pool
from shoal.train.settings import Settings

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


FAST = ("SGD, L2, clipping",)


@pytest.mark.table(every=5)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in CASES]
)
def test_each_recipe_equals_itself_alone(small, name):
    check(recipes_of(name, precision="float64"), small, 1e-8)


@pytest.mark.slow
def test_also_in_float32(small):
    check(recipes_of("dropout"), small, 1e-3)


@pytest.mark.slow
def test_units_that_pad_stay_zero(small):
    """Also in an optimiser that measures the length of whole arrays."""
    recipes = recipes_of("norms", precision="float64", optimiser=sh.LAMB(0.01, weight_decay=0.1))
    members = together(recipes, small)[2]
    padding = members[0].parameters["dense1"]["weight"][5:]
    assert padding.shape == (7, 6)
    np.testing.assert_array_equal(padding, 0.0)
    np.testing.assert_array_equal(members[0].parameters["dense2"]["weight"][:, 5:], 0.0)
    np.testing.assert_array_equal(members[0].parameters["prelu1"]["slope"][10:], 0.0)
    assert (members[1].parameters["dense1"]["weight"] != 0).all()


# --- the tables: what each word says about zeros -------------------------------------------------


def words(base):
    found = [k for k in KINDS.values() if issubclass(k, base) and k.__module__.startswith("shoal.")]
    return sorted(found, key=lambda kind: kind.kind)


def example(kind):
    given = {"Dense": (3,), "Dropout": (0.4,), "GaussianNoise": (0.4,)}
    return kind(*given.get(kind.kind, ()))


LAYERS = [kind for kind in words(Layer) if kind.zeros != "unknown"]


def test_the_table_of_layers():
    assert {k.kind for k in LAYERS if k.zeros == "kept"} == {
        "BatchNorm", "Dropout", "Flatten", "LayerNorm", "RMSNorm"
    }  # fmt: skip
    assert len(LAYERS) == 5 + 1 + 18  # GaussianNoise, and all activations but two over classes


@pytest.mark.table(every=2)
@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.kind)
def test_a_padded_layer_gives_what_the_layer_gives(kind, rng, x64):
    """Outputs, gradients and statistics, while training with the same randomness."""
    layer = example(kind)
    x, cotangent = rng.normal(size=(2, 7, 3))
    wide = np.pad(x, ((0, 0), (0, 2)))
    padded = Padded(layer, 3, 3)
    mode = Mode(True, jax.random.key(3))

    def arrays(net, features):
        return net.init(jax.random.key(0), (features,), np.float64)

    def outputs(layers, x, parameters, statistics):
        return layers.apply(parameters, statistics, x, mode)

    plain, net = sh.Net(layer), unchecked(sh.Net, layers=(padded,))
    own, beside = arrays(plain, 3), arrays(net, 5)
    for mine, its in zip(map(jax.tree.leaves, own), map(jax.tree.leaves, beside), strict=True):
        for a, b in zip(mine, its, strict=True):
            np.testing.assert_allclose(b[: a.shape[0]], a)
    y, statistics = outputs(plain, x, *own)
    z, gathered = outputs(net, wide, *beside)
    np.testing.assert_allclose(z[:, :3], y, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(z[:, 3:], 0.0)
    for a, b in zip(jax.tree.leaves(statistics), jax.tree.leaves(gathered), strict=True):
        np.testing.assert_allclose(b[:3], a, rtol=1e-12, atol=1e-15)
    back = jax.grad(lambda x: (outputs(plain, x, *own)[0] * cotangent).sum())(x)
    wider = np.pad(cotangent, ((0, 0), (0, 2)))
    beyond = jax.grad(lambda x: (outputs(net, x, *beside)[0] * wider).sum())(wide)
    np.testing.assert_allclose(beyond[:, :3], back, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(beyond[:, 3:], 0.0)


@pytest.mark.parametrize("kind", words(Optimiser), ids=lambda kind: kind.kind)
def test_an_optimiser_that_keeps_zeros_does(kind, rng):
    """Zeros stay, and the numbers beside them take the steps that they take without them."""
    if not kind.keeps_zeros:
        assert kind.kind in {"LBFGS", "Muon"}
        return
    small, steps = {"w": rng.normal(size=(3, 2))}, rng.normal(size=(4, 3, 2))
    wide = {"w": np.pad(small["w"], ((0, 2), (0, 1)))}

    def path(weights, gradients):
        weights = jax.tree.map(lambda w: jax.numpy.asarray(w, "float32"), weights)
        rule = kind().transformation(jax.numpy.float32(0.1), {"w": True})
        state = rule.init(weights)
        with jax.numpy_dtype_promotion("standard"):
            for gradient in gradients:
                g = {"w": jax.numpy.asarray(gradient, "float32")}
                update, state = rule.update(g, state, weights)
                weights = jax.tree.map(jax.numpy.add, weights, update)
        return np.array(weights["w"])

    padded = path(wide, np.pad(steps, ((0, 0), (0, 2), (0, 1))))
    np.testing.assert_allclose(padded[:3, :2], path(small, steps), rtol=1e-5)
    padded[:3, :2] = 0.0
    np.testing.assert_array_equal(padded, 0.0)


@pytest.mark.parametrize(
    "activation", [k() for k in words(Activation) if switchable(k(), (3,))], ids=repr
)
def test_an_activation_not_chosen_harms_no_other(activation):
    """Switching multiplies its derivative by 0, which only a finite one stands."""
    x = np.array([0.0, 1e-30, -1e-30, 1e4, -1e4, 1e18, -1e18], np.float32)
    derivative = jax.grad(lambda x: activation.function(x).sum())(x)
    assert np.isfinite(derivative).all()


# --- what is not shared --------------------------------------------------------------------------


def place_of(*layers, at=0, **changes):
    net = sh.Net(*layers, sh.Dense(3))
    recipe = sh.Recipe(net, loss="cross_entropy", **changes)
    return places(recipe, (6,))[at]


def test_what_can_be_padded():
    assert place_of(sh.Dense(5), sh.ReLU()).units == 5
    assert place_of(sh.Dense(5), sh.ReLU(), at=2).units == 0  # the outputs
    assert place_of(sh.Dense(5), sh.Softmax()).units == 0
    assert place_of(sh.Dense(6), sh.Reshape((3, 2)), sh.Flatten()).units == 0
    assert place_of(sh.Dense(5, init="orthogonal")).units == 0
    assert place_of(sh.Dense(5), sh.Dense(4, init="orthogonal")).units == 0
    assert place_of(sh.Dense(5), optimiser="muon").units == 0
    assert place_of(sh.Dense(5), precision="bfloat16") == Place()


def test_what_can_be_switched():
    def options(*layers, **changes):
        return len(place_of(*layers, at=len(layers) - 1, **changes).options)

    assert options(sh.Dense(5), sh.ELU(), optimiser="muon") == 1
    for never in (sh.RReLU(), sh.PReLU(), sh.Swish(learned=True), sh.Softmax(), sh.Dropout(0.1)):
        assert options(sh.Dense(5), never) == 0
    last = sh.Recipe(sh.Net(sh.Dense(3), sh.Sigmoid()), loss="mse")
    assert places(last, (6,))[1] == Place()
