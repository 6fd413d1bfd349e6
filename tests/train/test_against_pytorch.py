"""50 training steps from the same weights on the same batches: every optimiser, loss and layer."""

import jax
import numpy as np
import pytest
import torch

import shoal as sh
from shoal.arrays import flatten
from shoal.train.pool import Pool

import oracle
from contracts.tables import LOSSES, OPTIMISERS, data_for

STEPS = 50
TOLERANCE = {"float64": 1e-8, "float32": 1e-4}
PRECISIONS = pytest.mark.parametrize("precision", TOLERANCE)

MLP = sh.Net(sh.Dense(8), sh.Tanh(), sh.Dense(7), sh.LeakyReLU(0.1), sh.Dense(3))
# One network with every layer that can be compared step by step.
EVERYTHING = sh.Net(
    sh.Conv(4, 3, padding=1),
    sh.BatchNorm(),
    sh.ReLU(),
    sh.MaxPool(2),
    sh.Residual(sh.Conv(6, 3), sh.Tanh(), shortcut="projection"),
    sh.Residual(sh.Conv(6, 3, groups=2), sh.LayerNorm()),
    sh.AvgPool(3, stride=1, padding="same"),
    sh.Conv(5, (1, 2), stride=(1, 2), padding="valid"),
    sh.Sigmoid(),
    sh.Sequential(sh.MaxPool(3, stride=2, padding=1), sh.Identity()),
    sh.Flatten(),
    sh.Dense(6),
    sh.BatchNorm(momentum=0.2),
    sh.Tanh(),
    sh.Dense(3),
)
SPACE = sh.Net(sh.Conv(5, 3), sh.Tanh(), sh.GlobalAvgPool(), sh.Softmax(), sh.Dense(3))
PEAK = sh.Net(sh.Conv(5, 3), sh.GlobalMaxPool(), sh.Dense(3))


def train_both(recipe, data):
    """Our pool and PyTorch side by side: losses of every step and final weights of both."""
    recipe = recipe.replace(epochs=1000)
    prepared = recipe.prepare(data)
    pool = Pool(recipe, prepared, 1)
    pool.place({0: recipe})
    before = pool.member(0)
    epochs = -(-STEPS // pool.work.steps)
    info = pool.run(epochs)
    after = pool.member(0)

    weights = oracle.tensors(jax.tree.map(np.array, before.parameters))
    statistics = oracle.tensors(jax.tree.map(np.array, before.statistics))
    optimiser = oracle.optimiser(recipe.optimiser, weights)
    x, t = prepared.encoded(prepared.parts.train, np.dtype(recipe.precision))
    losses = []
    for epoch in range(epochs):
        rows, total = pool.feed.orders(epoch, 1, 1)[0], 0.0
        for batch in rows:
            batch = batch[batch >= 0]
            optimiser.zero_grad()
            xb, tb = torch.tensor(x[batch]), torch.tensor(t[batch])
            z = oracle.forward(recipe.body.layers, weights, statistics, xb, True)
            loss = oracle.LOSSES[type(recipe.loss)](recipe.loss, z, tb)
            objective = loss
            if recipe.l2 is not None:
                squares = sum((w**2).sum() for n, w in oracle.leaves(weights) if "weight" in n)
                objective = loss + recipe.l2 / (2 * len(batch)) * squares
            if recipe.l1 is not None:
                lengths = sum(w.abs().sum() for n, w in oracle.leaves(weights) if "weight" in n)
                objective = objective + recipe.l1 / len(batch) * lengths
            objective.backward()
            _clip(recipe, [w for _, w in oracle.leaves(weights)])
            optimiser.step()
            total += loss.item() * len(batch)
        losses.append(total / len(x))
    return info, after, losses, weights, statistics


def _clip(recipe, tensors):
    if isinstance(recipe.clip, sh.ClipByNorm):
        # By hand: PyTorch's own function divides by the norm plus 1e-6.
        norm = torch.sqrt(sum((w.grad**2).sum() for w in tensors))
        for w in tensors:
            w.grad *= min(1.0, recipe.clip.limit / norm)
    if isinstance(recipe.clip, sh.ClipByValue):
        torch.nn.utils.clip_grad_value_(tensors, recipe.clip.limit)


def assert_equal(recipe, data):
    tolerance = TOLERANCE[recipe.precision]
    info, after, losses, weights, statistics = train_both(recipe, data)
    np.testing.assert_allclose(info["train_loss"][0], losses, rtol=tolerance)
    ours = flatten(after.parameters) | flatten(after.statistics)
    for path, tensor in [*oracle.leaves(weights), *oracle.leaves(statistics)]:
        theirs = tensor.detach().numpy()
        assert np.abs(ours[path] - theirs).max() <= tolerance * max(1.0, np.abs(theirs).max())


def recipe_for(data, precision, **changes):
    split = sh.Preparation(split=sh.Split(validation=0))
    usual = {"loss": "cross_entropy" if data.classes else "mse", "batch_size": 16}
    return sh.Recipe(**(usual | changes), precision=precision, preparation=split)


@pytest.mark.table(every=5)
@pytest.mark.parametrize(
    "name, precision",
    [
        (name, precision)
        for name, optimiser in OPTIMISERS.items()
        for precision in ("float32", "float64")
        if not optimiser.searches and (name, precision) != ("lbfgs", "float32")
    ],
)
def test_every_optimiser(name, precision, small):
    """Those that search for the length of a step are compared by where they arrive.

    L-BFGS divides by differences of gradients: in float32 the roundings of any two programs have
    grown to 0.1 % after 30 steps, so it is compared in float64 alone.
    """
    optimiser = OPTIMISERS[name]
    batch = "full" if optimiser.full_batch else 16
    assert_equal(
        recipe_for(small, precision, net=MLP, optimiser=optimiser, batch_size=batch), small
    )


def test_a_line_search_arrives_where_scipy_does(small):
    """Multinomial regression with L2 is convex: there is one minimum, and it is found."""
    import scipy.optimize

    plain = sh.Preparation("none", "none", sh.Split(validation=0))
    recipe = sh.Recipe(
        sh.Net(sh.Dense(3)), loss="cross_entropy", optimiser="lbfgs", epochs=60, l2=1.0,
        precision="float64", preparation=plain,
    )  # fmt: skip
    run = sh.fit(recipe, small, show=False)
    x, y = small.inputs, small.targets

    def objective(flat):
        w, b = flat[:18].reshape(3, 6), flat[18:]
        z = x @ w.T + b
        losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(90), y]
        return losses.mean() + (w**2).sum() / (2 * 90)

    theirs = scipy.optimize.minimize(objective, np.zeros(21), method="BFGS", options={"gtol": 1e-9})
    ours = run.record["train_loss"][-1, 0] + run.record["penalty"][-1, 0]
    assert ours == pytest.approx(theirs.fun, rel=1e-10)
    w = run.model.parameters["dense1"]["weight"][0]
    np.testing.assert_allclose(w, theirs.x[:18].reshape(3, 6), atol=1e-4)


@pytest.mark.table(every=3)
@PRECISIONS
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name, precision):
    loss = LOSSES[name]
    data = data_for(loss)
    net = MLP.replace(layers=(*MLP.layers[:-1], sh.Dense(data.width)))
    assert_equal(recipe_for(data, precision, net=net, loss=loss, optimiser=sh.Adam(0.01)), data)


@pytest.mark.table(every=5)
@PRECISIONS
@pytest.mark.parametrize("net", [EVERYTHING, SPACE, PEAK], ids=["everything", "space", "peak"])
def test_every_layer(net, precision, pictures):
    assert_equal(recipe_for(pictures, precision, net=net, optimiser=sh.SGD(0.02)), pictures)


@pytest.mark.table(every=3)
@PRECISIONS
@pytest.mark.parametrize(
    "changes",
    [
        {"l2": 0.3},
        {"l1": 0.3, "l2": 0.1},
        {"clip": sh.ClipByNorm(0.2)},
        {"clip": sh.ClipByValue(0.01)},
        {"batch_size": 1},
        {"batch_size": "full"},
        {"net": sh.Net(*MLP.layers, sh.Softmax())},
    ],
    ids=[
        "l2",
        "l1 and l2",
        "clip by norm",
        "clip by value",
        "single",
        "full batch",
        "softmax head",
    ],
)
def test_every_setting(changes, precision, small):
    assert_equal(
        recipe_for(small, precision, **({"net": MLP, "optimiser": "sgd"} | changes)), small
    )
