"""bfloat16: layers compute in it, weights and sums stay in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten
from shoal.nets import Mode

from contracts.tables import ACTIVATIONS, LAYERS

NET = sh.Net(
    sh.Conv(6, 3), sh.BatchNorm(), sh.PReLU(), sh.MaxPool(2),
    sh.Residual(sh.Conv(8, 3), sh.LayerNorm(), shortcut="projection"),
    sh.Concat(a=sh.SeparableConv(4, 3), b=sh.Sequential(sh.GroupNorm(2), sh.Dropout(0.1))),
    sh.Flatten(), sh.Dense(3),
)  # fmt: skip


def recipe(**changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.Adam(0.01), "batch_size": 16, "epochs": 12}
    return sh.Recipe(NET, **(usual | changes))


def test_it_learns_as_float32_does(pictures):
    narrow = sh.fit(recipe(precision="bfloat16"), pictures, show=False, signals="none")
    wide = sh.fit(recipe(), pictures, show=False, signals="none")
    ours, theirs = (run.record["train_loss"][:, 0] for run in (narrow, wide))
    # bfloat16 has 8 bits: losses differ by percents, the course does not.
    assert not np.array_equal(ours, theirs)
    np.testing.assert_allclose(ours[:3], theirs[:3], rtol=0.1)
    assert ours[-1] < 0.3 * ours[0]


def test_weights_are_kept_in_float32_and_a_saved_model_predicts_the_same(pictures, tmp_path):
    run = sh.fit(recipe(precision="bfloat16"), pictures, show=False, signals="none")
    kept = flatten(run.model.parameters) | flatten(run.model.statistics)
    assert {array.dtype for array in kept.values()} == {np.dtype(np.float32)}
    again = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(
        again.predict_proba(pictures.inputs), run.predict_proba(pictures.inputs)
    )


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", [n for n in LAYERS if n not in ACTIVATIONS] + list(ACTIVATIONS))
def test_every_layer_computes_in_the_precision_that_it_says(name):
    """Forward and backward in bfloat16, close to float32, for every word of the vocabulary."""
    layer, in_shape = LAYERS[name]
    net = sh.Net(layer)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, *in_shape)), jnp.float32)
    parameters, statistics = net.init(jax.random.key(0), in_shape)

    def run(parameters, narrow):
        mode = Mode(not net.random, jax.random.key(0), narrow=narrow)
        y, _ = net.apply(parameters, statistics, x, mode)
        return jnp.sum(y.astype(jnp.float32) ** 2), y

    both = jax.jit(lambda p: [jax.grad(run, has_aux=True)(p, narrow) for narrow in (True, False)])
    (slope, y), (wanted_slope, wanted) = both(parameters)
    expected = {"narrow": jnp.bfloat16, "wide": jnp.float32}.get(layer.computes)
    assert expected is None or y.dtype == expected
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(y.astype(np.float32), wanted, atol=0.05 * max(scale, 1.0))
    for path, array in flatten(slope).items():
        assert array.dtype == np.float32
        theirs = flatten(wanted_slope)[path]
        np.testing.assert_allclose(array, theirs, atol=0.1 * max(np.abs(theirs).max(), 1.0))
