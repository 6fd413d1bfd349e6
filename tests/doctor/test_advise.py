"""Advice: the numbers against closed forms, and what may not happen to a training beside it."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

import shoal as sh
from shoal.doctor.advise import (
    activations,
    batches,
    comparison,
    inits,
    noise,
    rates,
    shapes,
    surgery,
)
from shoal.doctor.advise.drawing import bars
from shoal.doctor.advise.spread import spread
from shoal.doctor.advise.trials import Trials, mean_and_half
from shoal.train.epoch import Batches
from shoal.train.programs import COMPILED
from shoal.train.settings import plan_work

PLAIN = sh.Preparation("none", "none", sh.Split(validation=0))


def trials(kept, train=None, finite=None):
    """Trials with these losses kept; the curves fall from ``train`` to them."""
    kept = np.asarray(kept, float)
    first = np.full(kept.shape, 1.0) if train is None else np.asarray(train, float)
    curves = np.stack([first, np.where(np.isfinite(kept), kept, np.nan)], axis=-1)
    finite = np.isfinite(kept) if finite is None else np.asarray(finite)
    return Trials(kept, np.full(kept.shape, np.nan), curves, curves, finite, "train_loss", "")


# --- the noise of the gradient -------------------------------------------------------------------


@pytest.mark.parametrize("small, large, signal, noise_", [(1, 16, 0.3, 5.0), (8, 64, 2.0, 0.1)])
def test_two_sizes_undo_what_a_batch_does_to_a_gradient(small, large, signal, noise_):
    lengths = signal + noise_ / small, signal + noise_ / large
    assert noise.two_sizes(*lengths, small, large) == pytest.approx((signal, noise_))


def test_the_noise_of_a_linear_regression_is_the_closed_form(rng):
    """x ~ N(0, I_d), t = x·w + s e: the gradient 2 x (x·δ - s e) at error δ has mean 2 δ and

    tr(Sigma) = 4 ((d + 1) |δ|² + s² d)   (fourth moments of the normal law)
    """
    d, s, rows = 5, 2.0, 20000
    w, x = np.ones(d), rng.normal(size=(rows, d))
    t = x @ w + s * rng.normal(size=rows)
    recipe = sh.Recipe(
        sh.Net(sh.Dense(1, bias=False)), loss="mse", preparation=PLAIN, metrics=["r2"]
    )
    prepared = recipe.prepare(sh.data.arrays(x, t[:, None], task="regression"))
    work = plan_work(recipe, prepared)
    data = Batches(x.astype(np.float32), t[:, None].astype(np.float32))
    zeros = {"dense1": {"weight": jnp.zeros((1, d))}}  # δ = -w
    found = noise.gradient_noise(recipe, zeros, {}, data, work, draws=100)
    signal, spread_ = 4 * d, 4 * ((d + 1) * d + s**2 * d)
    assert found.signal == pytest.approx(signal, rel=0.1)
    assert found.noise == pytest.approx(spread_, rel=0.1)
    assert found.low < spread_ / signal < found.high
    each = 2 * x * (x @ -w - (t - x @ w))[:, None]  # the same, example by example
    assert found.noise == pytest.approx(each.var(axis=0).sum(), rel=0.1)


def test_a_lost_signal_is_an_infinite_scale():
    found = noise.noise_of(np.array([1.0, 1.2]), np.array([0.05, 0.04]), 1, 16)
    assert found.scale == math.inf
    assert found.low == 0.0


# --- rates ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow(small):
    """A recipe whose rate is far too low, and the advice on it."""
    recipe = sh.Recipe(sh.mlp([8], 3), loss="cross_entropy", optimiser=sh.SGD(1e-5), epochs=20)
    before = COMPILED["chunk"]
    advice = sh.advise(recipe, small, seeds=2, show=False)
    return recipe, advice, COMPILED["chunk"] - before


def test_rates_are_tried_in_one_compilation_and_the_low_one_is_raised(slow):
    recipe, advice, compiled = slow
    assert compiled == 1
    assert advice.trials.kept.shape == (len(advice.rates), 2)
    assert advice.low <= advice.rate <= advice.high < advice.edge
    assert advice.diff == f"optimiser.learning_rate: 1e-05 -> {advice.rate}"
    assert advice.recipe.edit({"optimiser.learning_rate": 1e-5}) == recipe
    assert recipe.optimiser.learning_rate in advice.rates
    text = str(advice)
    assert "advised" in text
    assert advice.summary in text


def test_advice_leaves_no_trace(slow, small):
    recipe, _, _ = slow
    recipe = recipe.replace(epochs=3)
    before = sh.fit(recipe, small, show=False)
    sh.advise(recipe, small, seeds=1, epochs=1, show=False)
    after = sh.fit(recipe, small, show=False)
    for name in before.record:
        np.testing.assert_array_equal(before.record[name], after.record[name])
    ours, theirs = (run.model.parameters["dense1"]["weight"] for run in (before, after))
    np.testing.assert_array_equal(ours, theirs)


def test_rates_that_are_not_finite_are_flagged_and_survived(line):
    recipe = sh.Recipe(sh.mlp([8], 2), loss="mse", optimiser=sh.SGD(1e-2), epochs=30)
    advice = sh.advise(recipe, line, seeds=2, show=False)
    assert not advice.trials.finite[-1].any()  # 10: squares explode
    assert np.isinf(advice.trials.kept[-1]).all()
    assert advice.unstable[-1].all()
    assert advice.edge < math.inf
    assert np.isfinite(advice.trials.kept[advice.good]).all()


def test_the_recipes_own_rate_is_kept_where_it_is_good(rng):
    recipe = sh.Recipe(sh.mlp([4], 1), loss="mse", optimiser=sh.SGD(0.1))
    grid = np.array([0.001, 0.01, 0.1, 1.0, 10.0])
    kept = [[0.9, 0.9], [0.20, 0.22], [0.21, 0.20], [0.8, 0.3], [np.inf, np.inf]]
    advice = rates.judge(recipe, grid, trials(kept), 2, 0.0)
    assert advice.recipe == recipe
    assert not advice.changes
    assert (advice.low, advice.high, advice.edge) == (0.01, 0.1, 1.0)
    assert advice.level == 1.0
    assert "keep it" in advice.summary
    other = rates.judge(recipe.edit({"optimiser.learning_rate": 0.001}), grid, trials(kept), 2, 0)
    assert other.rate in (0.01, 0.1)


def test_a_rate_whose_validation_loss_explodes_is_unstable_though_training_looks_well():
    recipe = sh.Recipe(sh.mlp([4], 1), loss="mse", optimiser=sh.SGD(0.1))
    found = trials([[0.9, 0.9], [0.2, 0.2], [0.3, 0.3]])
    exploded = found._replace(kept=np.array([[0.9, 0.9], [0.2, 0.2], [0.3, 1e16]]))
    advice = rates.judge(recipe, np.array([0.01, 0.1, 1.0]), exploded, 2, 0.0)
    assert advice.edge == 1.0
    assert advice.unstable.tolist() == [[False, False], [False, False], [False, True]]


def test_where_no_rate_learns_none_is_advised():
    recipe = sh.Recipe(sh.mlp([4], 1), loss="mse", optimiser=sh.SGD(0.1))
    advice = rates.judge(recipe, np.array([0.01, 0.1]), trials([[1.1, 1.0], [2.0, np.inf]]), 2, 0)
    assert not advice.changes
    assert "something other than the rate" in advice.reason
    assert not advice.good.any()


def test_a_line_search_has_no_rate_to_advise_on(small):
    recipe = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy", optimiser="lbfgs")
    with pytest.raises(sh.RecipeError, match="in proportion to its rate, got LBFGS"):
        sh.advise(recipe, small, show=False)


# --- comparisons ---------------------------------------------------------------------------------


def test_the_interval_is_students(rng):
    values = rng.normal(size=(3, 6))
    mean, half = mean_and_half(values)
    low, high = stats.t.interval(0.95, 5, values.mean(axis=1), stats.sem(values, axis=1))
    np.testing.assert_allclose(mean - half, low)
    np.testing.assert_allclose(mean + half, high)
    assert mean_and_half(np.array([[1.0, np.inf]]))[0][0] == np.inf


def test_no_interval_is_drawn_below_the_least_loss():
    for least, low in ((0.0, 0.0), (-math.inf, -0.3)):
        axes = Figure().add_subplot()
        bars(axes, ["one", "two"], np.array([0.2, np.nan]), np.array([0.5, np.nan]), "rb", least)
        (ends,) = axes.containers[0].lines[2][0].get_segments()
        assert ends[:, 0] == pytest.approx([low, 0.7])


def test_a_variant_is_better_only_by_an_interval_below_zero():
    sure = comparison.confirm(trials([[1.0, 1.1, 1.2], [0.5, 0.61, 0.7]]))
    unsure = comparison.confirm(trials([[1.0, 1.1, 1.2], [0.5, 1.61, 0.9]]))
    rescued = comparison.confirm(trials([[1.0, np.inf], [0.5, 0.5]]))
    assert (sure.better, unsure.better, rescued.better) == (True, False, True)
    assert sure.mean == pytest.approx(-0.49667, abs=1e-5)


def test_only_hidden_activations_are_replaced():
    net = sh.Net(
        sh.Residual(sh.Dense(4), sh.ReLU()), sh.Tanh(), sh.Dense(3), sh.ReLU(), sh.Dense(2),
        sh.Softmax(),
    )  # fmt: skip
    changed = surgery.with_activation(net, sh.Mish())
    assert repr(changed) == (
        "Net(Residual(Dense(4), Mish()), Mish(), Dense(3), Mish(), Dense(2), Softmax())"
    )
    assert [layer.kind for layer in surgery.hidden_activations(net)] == ["ReLU", "Tanh", "ReLU"]
    drawn = surgery.with_initialiser(net, sh.He())
    assert repr(drawn).count("init=He()") == 3


def test_depths_and_widths_are_those_of_the_hidden_blocks():
    net = sh.mlp([4, 6], 3, dropout=0.1)
    assert repr(shapes.deepened(net, 3)) == repr(sh.mlp([4, 6, 6], 3, dropout=0.1))
    assert repr(shapes.deepened(net, 1)) == repr(sh.mlp([4], 3, dropout=0.1))
    assert repr(shapes.widened(net, 0.5)) == repr(sh.mlp([2, 3], 3, dropout=0.1))
    found, notes = shapes.grid(net, (5,))
    assert len(found) == 8
    assert not notes
    assert shapes.grid(sh.Net(sh.Dense(3)), (5,)) == ([], [])
    stack = sh.Net(sh.Conv(4, 3), sh.GroupNorm(4), sh.Flatten(), sh.Dense(3))
    _, notes = shapes.grid(stack, (4, 4, 1))
    assert "x0.5: " in notes[0]
    assert "GroupNorm" in notes[0]


def test_the_smallest_network_that_is_as_good_is_named():
    recipe = sh.Recipe(sh.mlp([4], 1), loss="mse")
    names = ("own", "x0.5", "x0.25", "x2")
    advice = shapes.ShapeAdvice(
        before=recipe, recipe=recipe, reason="Kept.",
        variants=tuple(comparison.Variant(name, recipe) for name in names),
        trials=trials([[1.0, 1.2], [0.9, 1.2], [1.0, 1.5], [1.3, 0.8]]),
        parameters=np.array([100, 50, 25, 200]), best=0, confirmation=comparison.NONE, epochs=2,
    )  # fmt: skip
    assert advice.smallest.name == "x0.5"
    told = shapes._with_smallest(advice)
    assert told.reason == "Kept. x0.5 is as good with 50 parameters instead of 100."
    np.testing.assert_allclose(advice.differences[2], [0.0, 0.3])


def test_activations_are_compared_and_a_clearly_better_one_is_confirmed(rng):
    """|x| from a single hidden unit pair: tanh units that start saturated lose to what does not."""
    x = rng.uniform(-1, 1, size=(120, 2))
    data = sh.data.arrays(x, np.abs(x[:, :1]), task="regression")
    recipe = sh.Recipe(
        sh.Net(sh.Dense(6), sh.Identity(), sh.Dense(6), sh.Sigmoid(), sh.Dense(1)),
        loss="mse", optimiser=sh.Adam(0.01), epochs=40,
    )  # fmt: skip
    kinds = [layer.kind for layer in activations.candidates(every=True)]
    assert {"ReLU", "Mish", "Sigmoid", "HardSwish"} <= set(kinds)
    assert not {"Softmax", "Identity"} & set(kinds)
    variants = [
        comparison.Variant(
            "ReLU", recipe.replace(net=surgery.with_activation(recipe.net, sh.ReLU()))
        )
    ]
    line = _Silent()
    found = comparison.compare(recipe, variants, data, line, 4, None, lambda v: v.name)
    advice = activations.ActivationAdvice(before=recipe, **found._asdict())
    assert advice.confirmation.better
    assert advice.diff == "net.layers[3]: Sigmoid() -> ReLU()"
    assert len(advice.confirmation.differences) == 4
    assert "own" in str(advice)
    assert "over 4 fresh seeds" in advice.summary


class _Silent:
    def say(self, note):
        pass

    def show(self, status):
        pass


# --- spread --------------------------------------------------------------------------------------


def test_the_spread_is_that_of_a_linear_network_by_hand(rng):
    """y = x A^T B^T; the gradient by y is 2 (y - t) / B for a single output."""
    x = rng.normal(size=(40, 3))
    t = x @ rng.normal(size=(3, 1))
    data = sh.data.arrays(x, t, task="regression")
    net = sh.Net(sh.Dense(5, bias=False), sh.Dense(1, bias=False))
    recipe = sh.Recipe(net, loss="mse", preparation=PLAIN, precision="float64")
    prepared = recipe.prepare(data)
    start = sh.fit(
        recipe.edit({"optimiser.learning_rate": 0.0}).replace(epochs=1), data, show=False
    )
    a = start.model.parameters["dense1"]["weight"][0]
    b = start.model.parameters["dense2"]["weight"][0]
    order = prepared.parts.train
    hidden = x[order] @ a.T
    error = 2 * (hidden @ b.T - t[order])
    found = spread([recipe], prepared)
    assert found.layers == ("dense1", "dense2")
    np.testing.assert_allclose(found.forward[0], [hidden.std(), (hidden @ b.T).std()], rtol=1e-6)
    backward = [np.sqrt(np.mean((error @ b) ** 2)), np.sqrt(np.mean(error**2))]
    np.testing.assert_allclose(found.backward[0], backward, rtol=1e-6)


# --- batch size ----------------------------------------------------------------------------------


def test_the_limit_lies_on_the_line_through_the_two_largest():
    measured = [(1.0, 100), (1.0, 200), (1.0, 600)]
    assert batches._limit([8, 16, 32], measured, 1100) == (52, 1100)  # 600 + 25 (b - 32) = 1100


def test_the_epochs_to_a_loss_are_counted_from_one():
    curves = np.array([[[3.0, 2.0, 1.0], [3.0, np.nan, 2.5]]])
    np.testing.assert_array_equal(batches._epochs_to(curves, 2.0), [[2.0, np.inf]])


def test_batch_sizes_are_measured(small):
    recipe = sh.Recipe(sh.mlp([8], 3), loss="cross_entropy", optimiser=sh.SGD(0.05), batch_size=16)
    advice = sh.advise(recipe, small, "batch_size", seeds=2, epochs=6, sizes=(64,), show=False)
    assert [one.size for one in advice.sizes] == [16, 64]
    assert all(one.speed > 0 and one.bytes > 0 for one in advice.sizes)
    assert advice.confirmed == 64
    assert advice.limit > 64
    own = advice.sizes[0]
    assert own.rate == 0.05
    assert np.isfinite(own.epochs).any()
    assert [point for point, _ in advice.noise] == [0, 1, 3, 6]
    assert advice.critical == np.median([one.scale for _, one in advice.noise])
    assert "examples/s" in str(advice)


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"what": "rates"}, "did you mean 'rate'"),
        ({"seeds": 0}, r"advise\(seeds\) needs a whole number"),
        ({"epochs": 1.5}, r"advise\(epochs\) needs a whole number"),
        ({"sizes": (8,)}, "advise\\(sizes\\)"),
    ],
)
def test_mistakes_are_named(arguments, message, small):
    recipe = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy")
    with pytest.raises(sh.RecipeError, match=message):
        sh.advise(recipe, small, show=False, **arguments)
    with pytest.raises(sh.RecipeError, match="before the data"):
        sh.advise(small, recipe)


@pytest.mark.slow
def test_all_goes_from_one_advice_to_the_next(small, tmp_path, monkeypatch):
    """A linear network has no activations, no blocks: these are noted, the rest is advised."""
    two = [("He", sh.He()), ("Normal", sh.Normal(3.0))]
    monkeypatch.setattr(inits, "schemes", lambda every: two)
    recipe = sh.Recipe(sh.Net(sh.Dense(3)), loss="cross_entropy", optimiser=sh.SGD(1e-4), epochs=4)
    found = sh.advise(recipe, small, "all", seeds=1, epochs=2, sizes=(64,), show=False)
    assert list(found) == ["rate", "init", "batch_size"]
    assert len(found) == 3
    assert [len([n for n in found.notes if word in n]) for word in ("activation", "depth")] == [
        1,
        1,
    ]
    assert found["init"].before == found["rate"].recipe
    assert found.recipe == found["batch_size"].recipe
    pictures = found.draw(tmp_path)
    assert all(path.stat().st_size > 5000 for path in pictures)
    assert found.summary in str(found)
    with pytest.raises(sh.FileError, match=r"an ending \.png"):
        found["rate"].draw(tmp_path / "rate.txt")
