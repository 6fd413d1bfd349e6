"""The gradient check: right derivatives pass, wrong ones are caught and named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli as commands
from shoal.explain.gradcheck.differences import Verdict, compare

from contracts.tables import LAYERS, LOSSES

SMALL = sh.Net(sh.Dense(5), sh.Tanh(), sh.Dense(3))


class WrongTanh(sh.Tanh):
    """tanh whose derivative is 2 % too large."""

    def function(self, x):
        return wrong_tanh(x)


@jax.custom_jvp
def wrong_tanh(x):
    return jnp.tanh(x)


@wrong_tanh.defjvp
def _(primals, tangents):
    y = jnp.tanh(primals[0])
    return y, 1.02 * (1.0 - y**2) * tangents[0]


@jax.custom_vjp
def crooked(z, t):
    return jnp.mean((z - t) ** 2, axis=-1)


def _forward(z, t):
    return crooked(z, t), (z, t)


def _backward(saved, g):
    z, t = saved
    pull = 2.0 * (z - t) / z.shape[-1] * g[:, None]
    return pull.at[:, 0].multiply(1.01), jnp.zeros_like(t)  # the first output alone is wrong


crooked.defvjp(_forward, _backward)


def stairs(z, t):
    return jnp.mean(jnp.round(z - t), axis=-1)


def roots(z, t):
    return jnp.mean(jnp.sqrt(z - t), axis=-1)


def narrow(z, t):
    return jnp.mean(((z - t) ** 2).astype(jnp.float32), axis=-1)


def comparing(z, t):
    return jnp.mean(z, axis=-1) if (z > t).all() else jnp.mean(t, axis=-1)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_passes_with_penalties_and_inputs(name):
    recipe = sh.Recipe(SMALL, loss=LOSSES[name], l2=0.3, l1=0.1)
    info = sh.gradcheck(recipe, 4, inputs=True, samples=9)
    assert info.passed, str(info)
    assert [array.path for array in info.arrays] == [
        "inputs", "dense1/bias", "dense1/weight", "dense2/bias", "dense2/weight",
    ]  # fmt: skip
    assert info.worst.worst.slope.error < 1e-5


@pytest.mark.parametrize("name", ["max pool", "batch norm", "dropout", "prelu of images"])
def test_layers_pass(name):
    check_layer(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_passes(name):
    check_layer(name)


def check_layer(name):
    layer, shape = LAYERS[name]
    net = sh.Net(layer, sh.Flatten(), sh.Dense(2))
    info = sh.gradcheck(net, shape, loss="mse", samples=6, inputs=True)
    assert info.passed, str(info)


def test_a_network_that_begins_with_an_embedding():
    net = sh.Net(sh.Embedding(7, 3), sh.Flatten(), sh.Dense(2))
    assert sh.gradcheck(net, 4, loss="cross_entropy", samples=6).passed


def test_a_wrong_derivative_of_a_loss_is_caught_and_named():
    info = sh.gradcheck(sh.Net(sh.Dense(3, bias=False)), 4, loss=sh.CustomLoss(crooked))
    assert not info.passed
    (array,) = info.failures
    wrong = {entry.place for entry in array.entries if not entry.slope.verdict.passed}
    assert wrong == {(0, column) for column in range(4)}  # the weights into the first output
    for entry in array.entries:
        ratio = entry.slope.analytic / entry.slope.numeric
        assert ratio == pytest.approx(1.01 if entry.place in wrong else 1.0, rel=1e-6)
    assert array.worst.place in wrong
    assert "FAILED: 4 of them wrong" in str(info)
    assert "where to look: dense1, and what follows it, the loss" in str(info)


def test_a_wrong_derivative_of_a_layer_is_caught_and_its_place_named():
    net = sh.Net(sh.Dense(4), sh.Tanh(), sh.Dense(4), WrongTanh(), sh.Dense(3))
    info = sh.gradcheck(net, 5, loss="cross_entropy")
    assert {a.path for a in info.failures} == {
        f"dense{n}/{k}" for n in (1, 2) for k in ("weight", "bias")
    }
    assert "where to look: dense2, and what stands between it and dense3" in str(info)
    bias = next(array for array in info.arrays if array.path == "dense2/bias")
    for entry in bias.entries:
        assert entry.slope.analytic / entry.slope.numeric == pytest.approx(1.02, rel=1e-6)


def test_one_wrong_entry_of_a_large_array_is_caught_by_the_random_direction():
    """The sample of 1 of 2,000 entries misses it; the direction in which all take part does not."""

    class Spoilt(sh.Dense):
        def apply(self, parameters, statistics, x, mode):
            weight = parameters["weight"]
            spoilt = weight[7, 13]
            hidden = jax.lax.stop_gradient(spoilt) - spoilt  # 0, but not its derivative
            y, after = super().apply(parameters, statistics, x, mode)
            return y + hidden, after

    info = sh.gradcheck(sh.Net(Spoilt(40)), 50, loss="mse", samples=1)
    weight = next(array for array in info.arrays if array.path.endswith("weight"))
    assert not weight.passed
    assert weight.worst.place is None
    assert "a random direction" in str(info)


def test_at_a_kink_any_slope_between_both_sides_is_right():
    """All weights 0: every unit is at the kink of its ReLU; with positive inputs and outward
    weights the slopes are 0 on one side and not on the other."""
    net = sh.Net(sh.Dense(2), sh.ReLU(), sh.Dense(1))
    parameters, _ = net.init(jax.random.key(0), (3,))
    parameters = jax.tree.map(jnp.zeros_like, parameters)
    parameters["dense2"]["weight"] = jnp.ones((1, 2))
    x = np.abs(np.random.default_rng(0).normal(size=(40, 3))) + 1
    data = sh.data.arrays(x, np.ones((40, 1)), task="regression")
    recipe = sh.Recipe(net, loss="mse", preparation=sh.Preparation(inputs="minmax", targets="none"))
    info = sh.gradcheck(recipe, data=data, parameters=parameters)
    assert info.passed
    first = [a for a in info.arrays if a.path.startswith("dense1")]
    assert all(a.worst.slope.verdict is Verdict.KINK for a in first)
    slope = first[0].worst.slope
    assert slope.analytic == 0.0
    assert slope.left == pytest.approx(0.0, abs=1e-6)
    assert slope.right == pytest.approx(-2.0, rel=1e-5)  # 2 (0 - 1) times the weight 1
    assert "at a kink" in str(info)


@pytest.mark.parametrize(
    "value, analytic, verdict, retries",
    [
        (lambda h: np.sin(1 + h), np.cos(1), Verdict.OK, 0),
        (lambda h: np.sin(1 + h), np.cos(1) * 1.0001, Verdict.WRONG, 2),
        (lambda h: abs(h), 0.3, Verdict.KINK, 2),
        (lambda h: abs(h), -1.0, Verdict.KINK, 2),
        (lambda h: abs(h), 1.2, Verdict.WRONG, 2),
        (lambda h: abs(h - 1e-6), -1.0, Verdict.OK, 1),  # a kink near by: smaller steps
        (lambda h: abs(h - 1e-6), 1.0, Verdict.WRONG, 2),
        (lambda h: h, np.nan, Verdict.NOT_FINITE, 2),
        (lambda h: 1e6 + h, 1.0, Verdict.OK, 0),
        (lambda h: 1e-9 * h, 0.0, Verdict.OK, 0),  # below what rounding can hide
    ],
)
def test_verdicts(value, analytic, verdict, retries):
    found = compare(lambda h: float(value(h)), analytic, 1.0, 1e-5)
    assert found.verdict is verdict
    assert verdict is Verdict.NOT_FINITE or found.retries == retries


def test_a_derivative_that_is_not_a_number_is_named():
    """sqrt at 0 has an infinite slope, and 0 times it is NaN."""

    def wild(z, t):
        return jnp.mean(jnp.where(z > -9.0, jnp.sqrt(jnp.maximum(z, 0.0)), z) + z, axis=-1)

    net = sh.Net(sh.Dense(1))
    parameters = {"dense1": {"weight": jnp.zeros((1, 2)), "bias": jnp.zeros(1)}}
    info = sh.gradcheck(net, 2, loss=sh.CustomLoss(wild), parameters=parameters)
    assert not info.passed
    assert "not finite" in str(info)


def test_a_trained_model_is_checked_where_it_stands(small):
    net = sh.Net(sh.Dense(4), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.3), sh.Dense(3))
    run = sh.fit(sh.Recipe(net, loss="cross_entropy", epochs=2), small, seeds=2, show=False)
    for training in (True, False):
        info = sh.gradcheck(run.model, data=small, rows=8, training=training)
        assert info.passed, str(info)
        assert "8 examples" in str(info)
    assert "predicting" in info.title


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"loss": sh.CustomLoss(stairs)},
            "needs a loss that changes with the weights, got derivatives all 0",
        ),
        ({"loss": sh.CustomLoss(roots)}, "needs a finite loss, got nan"),
        ({"loss": sh.CustomLoss(comparing)}, "needs a loss for each of 3 examples"),
        ({"loss": sh.CustomLoss(narrow)}, "needs a loss that computes in float64, got float32"),
        ({}, "needs a Net and a loss, or a Recipe or Model with its own, got no loss"),
        ({"loss": "mse", "in_shape": None}, "needs the shape of one input"),
        ({"loss": "mse", "in_shape": (2, 2)}, "needs a flat input, got 2x2"),
        ({"loss": "mse", "rows": 0}, "needs at least 1, got 0"),
        ({"loss": "mse", "tolerance": 2.0}, "needs a number in"),
        (
            {"loss": "mse", "parameters": {"dense1": {"weight": np.zeros((5, 4))}}},
            r"dense1/bias needs shape \(5,\), got none",
        ),
        ({"loss": "nonsense"}, "needs a known name"),
    ],
)
def test_what_cannot_be_checked(arguments, message):
    given = {"in_shape": 4} | arguments
    with pytest.raises(sh.ShoalError, match=message):
        sh.gradcheck(SMALL, **given)


def cli(*arguments):
    return CliRunner().invoke(commands, ["gradcheck", *map(str, arguments)])


def test_the_command(tmp_path):
    options = ("--hidden", "8", "--input", "4", "--outputs", "3")
    found = cli(*options, "--loss", "cross_entropy", "--l2", 0.1, "--inputs")
    assert found.exit_code == 0
    assert "dense2/weight" in found.output
    assert ": passed" in found.output
    path = tmp_path / "recipe.json"
    path.write_text(
        sh.Recipe(sh.Net(sh.Conv(2, 3), sh.Flatten(), sh.Dense(3)), loss="mse").to_json()
    )
    assert "conv1/weight" in cli(path, "--input", "6,6,1", "--samples", 5).output
    assert cli(path, "--input", "6,6,1", "--loss", "mae").exit_code == 2
    assert cli("--hidden", "8").exit_code == 2


def test_the_command_fails_when_a_derivative_is_wrong(tmp_path):
    path = tmp_path / "recipe.json"
    net = sh.Net(sh.Dense(4), WrongTanh(), sh.Dense(3))
    path.write_text(sh.Recipe(net, loss="cross_entropy").to_json())
    found = cli(path, "--input", "4")
    assert found.exit_code == 1
    assert "where to look: dense1, and what stands between it and dense2" in found.output
