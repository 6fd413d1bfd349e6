"""The classic 2-2-2 network with sigmoids, worked through by hand in many courses.

Constants: M. Mazur, "A Step by Step Backpropagation Example" (2015), and the same sums in extended
precision. Inputs .05, .10; targets .01, .99; rate .5; E = ½ sum (target - output)².
"""

import numpy as np
import pytest

import shoal as sh
from shoal.describe import traced
from shoal.nets import Layer, Mode
from shoal.rules import Number
from shoal.train.pool import Pool

HIDDEN = np.array([[0.15, 0.20], [0.25, 0.30]])
OUTPUT = np.array([[0.40, 0.45], [0.50, 0.55]])


class HeldBias(Layer):
    """Adds a number that training does not change."""

    value: float = traced(must=Number())

    def output_shape(self, in_shape, strict=False):
        return in_shape

    def apply(self, parameters, statistics, x, mode):
        return x + self.value, {}


LEARNED = sh.Net(
    sh.Dense(2, bias_init=sh.Constant(0.35)),
    sh.Sigmoid(),
    sh.Dense(2, bias_init=sh.Constant(0.60)),
    sh.Sigmoid(),
)
HELD = sh.Net(
    sh.Dense(2, bias=False),
    HeldBias(0.35),
    sh.Sigmoid(),
    sh.Dense(2, bias=False),
    HeldBias(0.60),
    sh.Sigmoid(),
)
DATA = sh.data.arrays([[0.05, 0.10]], [[0.01, 0.99]], name="classic")


def pool_with_weights(net):
    recipe = sh.Recipe(
        net,
        loss="half_squared_error",
        optimiser=sh.GradientDescent(0.5),
        epochs=20_000,
        preparation=sh.Preparation("none", "none", sh.Split(validation=0)),
        precision="float64",
    )
    pool = Pool(recipe, recipe.prepare(DATA), 1)
    pool.place({0: recipe})
    members = pool.members
    weights = {name: dict(parts) for name, parts in members.parameters.items()}
    weights["dense1"]["weight"], weights["dense2"]["weight"] = HIDDEN[None], OUTPUT[None]
    pool.put_back(members._replace(parameters=weights))
    return pool


def outputs(pool):
    member, net = pool.member(0), pool.template.net
    x = np.array([[0.05, 0.10]])
    y, _ = net.apply(member.parameters, {}, x, Mode(False))
    return np.asarray(y[0])


@pytest.mark.parametrize("net", [HELD, LEARNED], ids=["biases held", "biases learned"])
def test_the_first_step(net, x64):
    pool = pool_with_weights(net)
    np.testing.assert_allclose(outputs(pool), [0.75136507, 0.772928465], atol=5e-9)
    info = pool.run(1)
    assert info["train_loss"][0, 0] == pytest.approx(0.298371109, abs=5e-10)
    after = pool.member(0).parameters
    w5_to_w8 = [0.35891648, 0.40866619, 0.51130127, 0.56137012]
    w1_to_w4 = [0.14978072, 0.19956143, 0.24975114, 0.29950229]
    np.testing.assert_allclose(after["dense2"]["weight"].ravel(), w5_to_w8, atol=5e-9)
    np.testing.assert_allclose(after["dense1"]["weight"].ravel(), w1_to_w4, atol=5e-9)


def after_ten_thousand_steps(net):
    pool = pool_with_weights(net)
    while pool.epoch < 10_000:
        pool.run(10_000 - pool.epoch)
    found = outputs(pool)
    return found, 0.5 * np.sum((found - [0.01, 0.99]) ** 2)


def test_ten_thousand_steps_with_biases_held(x64):
    found, error = after_ten_thousand_steps(HELD)
    assert error == pytest.approx(3.5102e-5, rel=2e-5)
    np.testing.assert_allclose(found, [0.01591362, 0.98406427], atol=5e-9)


def test_ten_thousand_steps_with_biases_learned(x64):
    _, error = after_ten_thousand_steps(LEARNED)
    assert error == pytest.approx(2.4476e-6, rel=2e-5)
