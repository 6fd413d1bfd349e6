"""Signals: against PyTorch and NumPy, without effect on the training, in every layout."""

import numpy as np
import pytest
import torch

import shoal as sh
from shoal.arrays import flatten
from shoal.train import signals
from shoal.train.pool import Pool
from shoal.train.settings import plan_work

PLAIN = sh.Preparation("none", "none", sh.Split(validation=0))
NET = sh.Net(sh.Dense(7), sh.ReLU(), sh.Dense(5), sh.Tanh(), sh.Dense(3))
LAYERS = ("dense1", "relu1", "dense2", "tanh1", "dense3")
WEIGHTED = LAYERS[::2]


def recipe(**changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.SGD(0.1), "epochs": 3, "precision": "float64"}
    return sh.Recipe(**({"net": NET, "preparation": PLAIN} | usual | changes))


def fit(data, signals="basic", layout="sequential", epochs=1, **changes):
    settings = sh.Settings(layout=layout)
    ours = recipe(epochs=epochs, **changes)
    return sh.fit(ours, data, signals=signals, settings=settings, show=False)


def torch_net(run):
    """The NET of a run in PyTorch, in double precision."""
    modules = [torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 5), torch.nn.Tanh()]
    net = torch.nn.Sequential(*modules, torch.nn.Linear(5, 3)).double()
    for module, name in zip(net[::2], WEIGHTED, strict=True):
        for kind in ("weight", "bias"):
            values = np.array(run.model.parameters[name][kind][0])
            getattr(module, kind).data = torch.tensor(values)
    return net


def torch_step(net, data, rows, rate=0.1):
    """What the layers give for a batch, their gradient's norm and the update ratio; then a step."""
    net.zero_grad()
    outputs, x = {}, torch.tensor(data.inputs[rows])
    for module, name in zip(net, LAYERS, strict=True):
        outputs[name] = x = module(x)
    loss = torch.nn.functional.cross_entropy(x, torch.tensor(data.targets[rows]).long())
    loss.backward()
    norms, ratios = {}, {}
    for module, name in zip(net[::2], WEIGHTED, strict=True):
        grad = torch.cat([p.grad.flatten() for p in module.parameters()])
        weights = torch.cat([p.detach().flatten() for p in module.parameters()])
        norms[name] = grad.norm().item()
        ratios[name] = (rate * grad.norm() / weights.norm()).item()
    with torch.no_grad():
        for p in net.parameters():
            p -= rate * p.grad
    return {n: y.detach().numpy() for n, y in outputs.items()}, norms, ratios, loss.item()


def batches(ours, data, epoch):
    """The rows of each batch of an epoch."""
    from shoal.train.feed import order

    work = plan_work(ours, ours.prepare(data))
    rows = ours.prepare(data).parts.train
    return [rows[b[b >= 0]] for b in order(work, ours.order_seed, epoch)]


@pytest.mark.parametrize(
    ("layout", "size"), [("sequential", 16), ("divided", 16), ("sequential", 18)]
)
def test_they_are_pytorchs(layout, size, small):
    """The second epoch, step by step in PyTorch; its last four batches, one smaller, are read."""
    begun = fit(small, batch_size=size)
    run = fit(small, "full", layout, epochs=2, batch_size=size)
    last = {name: values[-1, 0] for name, values in run.record.items()}
    net, seen, losses, lengths = torch_net(begun), [], [], []
    for rows in batches(run.recipe, small, 1):
        outputs, norms, ratios, loss = torch_step(net, small, rows)
        seen.append(outputs)
        losses.append(loss)
        lengths.append(np.sqrt(sum(norm**2 for norm in norms.values())))
    assert len(seen) > signals.WINDOW
    window = {n: np.concatenate([s[n] for s in seen[-signals.WINDOW :]]) for n in LAYERS}
    for name, y in window.items():
        np.testing.assert_allclose(last[f"{name}:activation_mean"], y.mean(), rtol=1e-9)
        np.testing.assert_allclose(last[f"{name}:activation_std"], y.std(), rtol=1e-9)
    np.testing.assert_allclose(last["tanh1:saturated"], np.mean(np.abs(window["tanh1"]) > 0.9))
    assert 0 < last["relu1:zeros"] < 1
    np.testing.assert_allclose(last["relu1:zeros"], np.mean(window["relu1"] == 0))
    for name in ("relu1", "tanh1"):
        np.testing.assert_allclose(last[f"{name}:dead"], np.mean(np.ptp(window[name], 0) == 0))
    for name in WEIGHTED:
        np.testing.assert_allclose(last[f"{name}:gradient_norm"], norms[name], rtol=1e-9)
        np.testing.assert_allclose(last[f"{name}:update_ratio"], ratios[name], rtol=1e-9)
        size_of = norms[name] * 0.1 / ratios[name]
        np.testing.assert_allclose(last[f"{name}:weight_norm"], size_of, rtol=1e-9)
    np.testing.assert_allclose(last["gradient_norm"], np.mean(lengths), rtol=1e-9)
    np.testing.assert_allclose(last["gradient_norm_max"], np.max(lengths), rtol=1e-9)
    np.testing.assert_allclose(last["batch_loss_std"], np.std(losses), rtol=1e-6)
    np.testing.assert_allclose(last["batch_loss_max"], np.max(losses), rtol=1e-9)


def test_the_basic_level_reads_a_part_of_it(small):
    full, basic = (fit(small, level, epochs=2) for level in ("full", "basic"))
    left_out = {f"{n}:activation_{what}" for n in ("dense1", "dense2") for what in ("mean", "std")}
    left_out |= {"relu1:zeros", "tanh1:zeros", *(f"{name}:weight_norm" for name in WEIGHTED)}
    assert set(full.record) - set(basic.record) == left_out
    for name, values in basic.record.items():
        np.testing.assert_array_equal(values, full.record[name])


def test_dead_units_are_counted(small):
    """Units that begin so low that no input wakes them; and, of six, the two that do."""
    net = sh.Net(sh.Dense(6, bias_init=sh.Constant(-1e3)), sh.ReLU(), sh.Dense(3))
    np.testing.assert_array_equal(fit(small, net=net).record["relu1:dead"], 1.0)
    assert np.all(fit(small).record["relu1:dead"] < 1.0)


@pytest.mark.parametrize("window", [1, 4])
def test_a_unit_is_dead_only_if_it_is_in_the_whole_window(window, monkeypatch):
    """One unit wakes for one row in fifty: in any batch it may sleep, in all of them never."""
    monkeypatch.setattr(signals, "WINDOW", window)
    x = np.zeros((48, 2))
    x[:, 0], x[7, 1] = np.linspace(1, 2, 48), 1.0
    net = sh.Net(sh.Dense(2, init=sh.Constant(0.0), bias=False), sh.ReLU(), sh.Dense(3))
    data = sh.data.arrays(x, np.arange(48) % 3)
    ours = recipe(net=net, batch_size=12, optimiser=sh.SGD(0.0), epochs=1)
    pool = Pool(ours, ours.prepare(data), 1, sh.Settings(signals="basic"))
    pool.place({0: ours})
    weights = {"dense1": {"weight": np.eye(2)[None]}}
    pool.put_back(pool.members._replace(parameters=pool.members.parameters | weights))
    dead = pool.run(1)["relu1:dead"][0, 0]
    here = [7 in rows for rows in batches(ours, data, 0)][-window:]
    assert dead == (0.0 if any(here) else 0.5)
    assert window == 1 or any(here)


@pytest.mark.parametrize(
    ("clip", "limit"), [(sh.ClipByNorm, 0.6), (sh.ClipByValue, 0.12), (None, 0.0)]
)
def test_clipped_steps_are_counted(clip, limit, small):
    """Against PyTorch's gradients; clipping by value is counted in the steps that are read."""
    changes = {} if clip is None else {"clip": clip(limit)}
    run = fit(small, epochs=2, batch_size=16, **changes)
    if clip is None:
        assert "clipped" not in run.record
        return
    net, found = torch_net(fit(small, batch_size=16, **changes)), []
    for rows in batches(run.recipe, small, 1):
        net.zero_grad()
        z = net(torch.tensor(small.inputs[rows]))
        torch.nn.functional.cross_entropy(z, torch.tensor(small.targets[rows]).long()).backward()
        grads = [p.grad for p in net.parameters()]
        norm = torch.sqrt(sum((g**2).sum() for g in grads))
        if clip is sh.ClipByNorm:
            found.append((norm > limit).item())
            cut = [g * limit / max(norm, limit) for g in grads]
        else:
            found.append(any((g.abs() > limit).any().item() for g in grads))
            cut = [g.clip(-limit, limit) for g in grads]
        with torch.no_grad():
            for p, g in zip(net.parameters(), cut, strict=True):
                p -= 0.1 * g
    window = found if clip is sh.ClipByNorm else found[-signals.WINDOW :]
    assert 0 < np.mean(found) <= 1
    assert run.record["clipped"][1, 0] == np.mean(window)


SAME = (
    {"net": sh.mlp([8], 3), "optimiser": "adam"},
    {"net": sh.Net(sh.Dense(8), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.3), sh.Dense(3)),
     "optimiser": "adamw", "l2": 0.1},
    {"net": sh.mlp([8, 8, 8], 3, activation=sh.GELU()), "optimiser": "rmsprop",
     "clip": sh.ClipByValue(0.1)},
    {"net": sh.Net(sh.Residual(sh.Dense(6), sh.SiLU()), sh.LayerNorm(), sh.Dense(3)),
     "optimiser": "lion", "clip": sh.ClipByNorm(0.5)},
    {"net": sh.Net(sh.Reshape((6, 1)), sh.Conv(4, 3), sh.ReLU(), sh.Flatten(), sh.Dense(3)),
     "optimiser": "momentum", "precision": "float32"},
    {"net": sh.Net(sh.Reshape((6, 1)), sh.GRU(5), sh.Dense(3)), "optimiser": "adam"},
    {"net": sh.mlp([8], 3), "optimiser": "lbfgs", "batch_size": "full"},
    {"net": sh.mlp([8], 3), "optimiser": "adam", "precision": "bfloat16"},
)  # fmt: skip


SLOW = [pytest.param(i, "basic", marks=pytest.mark.slow) for i in (3, 5, 6, 7)]


@pytest.mark.table(every=2)
@pytest.mark.parametrize(
    ("case", "level"), [*((i, "basic") for i in (0, 1, 2, 4)), (1, "full"), *SLOW]
)
def test_the_training_is_the_same_to_the_last_bit(case, level, small):
    ours = recipe(**({"batch_size": 18, "precision": "float32"} | SAME[case]))
    with_, without = (
        sh.fit(ours, small, signals=s, settings=sh.Settings(layout="sequential"), show=False)
        for s in (level, "none")
    )
    same_bits(with_, without)
    assert any(":" in name for name in with_.record)


@pytest.mark.parametrize("layout", ["batched", "sequential"])
def test_so_is_that_of_a_pool(layout, small):
    ours = recipe(batch_size=18, optimiser="adam", precision="float32")
    with_, without = (
        sh.fit(ours, small, seeds=4, signals=s, settings=sh.Settings(layout=layout), show=False)
        for s in ("basic", "none")
    )
    same_bits(with_, without)


def same_bits(with_, without):
    for name, values in without.record.items():
        np.testing.assert_array_equal(with_.record[name], values, err_msg=name)
    for one, other in zip(
        *(flatten(run.model.parameters).values() for run in (with_, without)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_every_layout_reads_the_same(small):
    found = [
        fit(small, layout=layout, batch_size=16).record for layout in ("sequential", "divided")
    ]
    pool = sh.fit(recipe(batch_size=16, epochs=1), small, seeds=2, show=False,
                  settings=sh.Settings(layout="batched")).record  # fmt: skip
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(found[0][name][:, 0], pool[name][:, 0], rtol=1e-9, err_msg=name)


def test_networks_without_activations_are_read_in_a_pool(small):
    recipe = sh.Recipe(sh.Net(sh.Dense(3)), "cross_entropy", epochs=2)
    for run in sh.fit_many([recipe.replace(seed=k) for k in range(4)], small, show=False):
        assert np.isfinite(run.record["dense1:gradient_norm"]).all()


def test_streamed_data_is_read_too(small):
    ours = recipe(batch_size=16, epochs=2)
    resident, streamed = (
        sh.fit(ours, small, show=False, settings=sh.Settings("sequential", block_rows=rows)).record
        for rows in (None, 32)
    )
    assert set(resident) == set(streamed)
    for name in resident:
        np.testing.assert_allclose(streamed[name], resident[name], rtol=1e-9, err_msg=name)


def test_members_that_stop_have_none_afterwards(small):
    many = [recipe(epochs=e, name=str(e)) for e in (1, 3)]
    runs = sh.fit_many(many, small, show=False, settings=sh.Settings(layout="sequential"))
    assert [run.record.epochs for run in runs] == [1, 3]
    assert np.isfinite(runs[1].record["relu1:dead"]).all()


@pytest.mark.parametrize("layout", ["batched", "sequential"])
def test_a_dead_member_does_not_touch_the_others(layout, small):
    """Its signals end with it; those of the others are as without it."""
    rates, more = (0.1, 1e38, 0.2), {"epochs": 2, "precision": "float32", "batch_size": "full"}
    many = [recipe(optimiser=sh.SGD(rate), **more) for rate in rates]
    runs = sh.fit_many(many, small, show=False, settings=sh.Settings(layout=layout))
    assert runs[1].reasons == (sh.Status.NOT_FINITE,)
    assert np.isnan(runs[1].record["relu1:dead"][1:]).all()
    for rate, run in zip(rates[::2], runs[::2], strict=True):
        alone = fit(small, optimiser=sh.SGD(rate), **more)
        for name, values in alone.record.items():
            np.testing.assert_allclose(run.record[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_resumed_training_reads_the_same(small, tmp_path, monkeypatch):
    ours = recipe(epochs=40, batch_size=16)
    whole = sh.fit(ours, small, show=False)
    run, calls = Pool.run, []

    def interrupted(pool, epochs):
        calls.append(epochs)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return run(pool, min(epochs, 7))

    monkeypatch.setattr(Pool, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sh.fit(ours, small, folder=tmp_path, checkpoint_every=0, show=False)
    monkeypatch.setattr(Pool, "run", run)
    resumed = sh.resume(tmp_path, small, show=False)[0]
    for name, values in whole.record.items():
        np.testing.assert_array_equal(resumed.record[name], values, err_msg=name)


def test_short_epochs_are_read_now_and_then(small):
    """Of 6 steps, 4 are looked at in every 43rd epoch and after 1, 2, 4, 8, 16, 32, ..."""
    ours = recipe(batch_size=16, epochs=50)
    work = plan_work(ours, ours.prepare(small), "basic")
    looks = signals.looks(work, 0, 50)
    read = np.flatnonzero(looks < work.steps) + 1
    period = signals.every(work)
    assert period == -(-4 * 64 // work.steps) == 43
    want = {1, 2, 4, 8, 16, 32} | {e for e in range(1, 51) if e % period == 0}
    assert set(read) == want
    np.testing.assert_array_equal(looks[read - 1], work.steps - 4)
    np.testing.assert_array_equal(signals.looks(work, 17, 9), looks[17:26])
    values = sh.fit(ours, small, show=False).record["dense1:gradient_norm"][:, 0]
    assert np.isfinite(values).all()
    changes = np.flatnonzero(np.diff(values) != 0) + 2
    assert set(changes) == want - {1}


def test_long_epochs_are_always_read():
    ours = recipe(batch_size=1, epochs=1)
    data = sh.data.arrays(np.zeros((300, 2)), np.arange(300) % 3)
    assert signals.every(plan_work(ours, ours.prepare(data), "basic")) == 1


def test_numbers_that_overflow_are_the_largest_there_is(small):
    """A first layer of 1e30 whose squares no longer fit; the loss itself stays finite."""
    net = sh.Net(sh.Dense(4, init=sh.Constant(1e30)), sh.Tanh(), sh.Dense(3))
    run = fit(small, "full", net=net, precision="float32", optimiser=sh.SGD(0.0))
    assert np.isfinite([values[-1, 0] for values in run.record.values()]).all()
    assert run.record["dense1:activation_std"][0, 0] > 1e18


@pytest.mark.parametrize("level", ["some", 3, None])
def test_other_levels_are_refused(level, small):
    with pytest.raises(sh.RecipeError, match=r"fit\(signals\) needs 'none' or 'basic' or 'full'"):
        sh.fit(recipe(), small, signals=level, show=False)


def test_true_and_false_are_levels(small):
    assert not any(":" in n for n in sh.fit(recipe(), small, signals=False, show=False).record)
    assert any(":" in n for n in sh.fit(recipe(), small, signals=True, show=False).record)


def test_their_cost_is_measured(small):
    run = fit(small, epochs=2)
    assert 0.0 <= run.signals_cost(2.0) < 1.0
    assert run.signals_cost(0.0) is None
    assert fit(small, "none").signals_cost(0.05) is None
