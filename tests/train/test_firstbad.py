"""First bad: faults put in by hand, at a place that is known."""

import json

import numpy as np
import pytest

import shoal as sh
from shoal.train.firstbad import FirstBad

PLAIN = sh.Preparation("none", "none", sh.Split(validation=0))


def fit(data, net, folder=None, **changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.SGD(0.1), "epochs": 3, "batch_size": 16}
    ours = sh.Recipe(net, preparation=PLAIN, **(usual | changes))
    return sh.fit(ours, data, folder=folder, show=False)


def test_a_healthy_run_has_none(small):
    assert fit(small, sh.mlp([4], 3)).first_bad is None


def test_an_activation_that_overflows(small):
    """3e38 in the second layer's weights; the third layer never computes a finite number."""
    net = sh.Net(sh.Dense(4), sh.Softplus(), sh.Dense(4, init=sh.Constant(3e38)), sh.Dense(3))
    found = fit(small, net).first_bad
    assert found[:5] == (0, 1, 1, "dense2", "activation")
    assert 0 < found.share <= 1
    assert "epoch 1, step 1: the first bad tensor is the activation of dense2" in found.sentence


def test_one_row_that_is_the_source(small):
    """The square of one row's output overflows; the loss names the row."""
    x, y = small.inputs.copy(), small.inputs[:, :1].copy()
    y[13] = 1e20
    data = sh.data.arrays(x, y)
    found = fit(data, sh.mlp([4], 1), loss="mean_squared_error").first_bad
    assert (found.layer, found.tensor, found.rows) == ("", "loss of an example", (13,))


def test_a_gradient_that_overflows(small):
    """The last weights are so large that what goes back overflows; forward, zeros hide them."""
    net = sh.Net(
        sh.Dense(4, init=sh.Constant(1e20)),
        sh.Dense(4, init=sh.Constant(0.0)),
        sh.Dense(1, init=sh.Constant(3e30)),
    )
    data = sh.data.arrays(small.inputs, 1e10 + small.inputs[:, :1])
    found = fit(data, net, loss="mean_squared_error").first_bad
    assert (found.layer, found.tensor) == ("dense2", "gradient")


def test_a_rate_that_overflows(small):
    """At the second step of the second epoch the schedule lets the rate jump."""
    found = fit(small, sh.mlp([4], 3), optimiser=sh.SGD(3e38), batch_size="full").first_bad
    assert found.tensor in ("length of the step", "activation", "loss of an example", "gradient")
    assert found.epoch == 2


@pytest.mark.parametrize("start_epoch", [0, 3])
def test_the_step_is_the_right_one(start_epoch, small):
    """A row that is bad dies in the batch that holds it, whatever the order; with dropout."""
    from shoal.train.feed import order
    from shoal.train.settings import plan_work

    y = small.inputs[:, :1].copy()
    y[41] = 1e20
    net = sh.Net(sh.Dense(4), sh.Dropout(0.5), sh.Dense(1))
    ours = sh.Recipe(net, loss="mean_squared_error", preparation=PLAIN, batch_size=16, epochs=2)
    data = sh.data.arrays(small.inputs, y)
    run = sh.fit(ours, data, start_epoch=start_epoch, show=False)
    prepared = ours.prepare(data)
    batches = order(plan_work(ours, prepared), ours.order_seed, start_epoch)
    step = next(s for s, rows in enumerate(batches) if 41 in prepared.parts.train[rows[rows >= 0]])
    assert (run.first_bad.epoch, run.first_bad.step) == (1, step + 1)
    assert run.first_bad.rows == (41,)


def test_the_best_weights_are_not_taken_for_the_last(small, tmp_path):
    """With early stopping the model keeps the best epoch; the step is repeated from the last."""
    ours = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy", optimiser=sh.SGD(1e38), epochs=9,
                     batch_size="full", early_stopping=sh.EarlyStopping(5),
                     preparation=sh.Preparation("none", split=sh.Split(validation=0.2)))  # fmt: skip
    run = sh.fit(ours, small, folder=tmp_path, show=False)
    assert run.reasons == (sh.Status.NOT_FINITE,)
    assert run.first_bad.tensor
    kept = json.loads((tmp_path / "about.json").read_text())["first_bad"]
    assert kept["tensor"] == run.first_bad.tensor
    assert kept["epoch"] == run.first_bad.epoch


def test_a_finished_member_is_read_from_disk_with_it(small, tmp_path):
    from shoal.train import outcome

    run = fit(small, sh.mlp([4], 3), tmp_path, optimiser=sh.SGD(3e38), batch_size="full")
    loaded = outcome.load(tmp_path, 0, run.recipe)
    assert loaded.failing.step == run.failing[0].step
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(
            loaded.failing.parameters["dense1"][name], run.failing[0].parameters["dense1"][name]
        )


def test_a_step_that_cannot_be_repeated_says_so():
    assert "on the brink" in FirstBad(0, 2, 3, "", "", 0.0, ()).sentence
