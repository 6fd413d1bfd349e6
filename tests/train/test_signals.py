"""Signals: against PyTorch, without effect on the training, in every layout."""

import numpy as np
import pytest
import torch

import shoal as sh
from shoal.errors import DeviceError

PLAIN = sh.Preparation("none", "none", sh.Split(validation=0))
NET = sh.Net(sh.Dense(7), sh.ReLU(), sh.Dense(5), sh.Tanh(), sh.Dense(3))


def recipe(**changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.SGD(0.1), "epochs": 3, "precision": "float64"}
    return sh.Recipe(**({"net": NET, "preparation": PLAIN} | usual | changes))


def test_they_are_pytorchs(small):
    """One batch holds all rows, so the window is the training split; SGD moves by rate · gradient."""
    run = sh.fit(recipe(batch_size="full"), small, signals=True, show=False)
    weights = run.model.parameters
    modules = [torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 5), torch.nn.Tanh()]
    modules += [torch.nn.Linear(5, 3)]
    net = torch.nn.Sequential(*modules).double()
    for module, name in zip(net[::2], ("dense1", "dense2", "dense3"), strict=True):
        module.weight.data = torch.tensor(np.array(weights[name]["weight"][0]))
        module.bias.data = torch.tensor(np.array(weights[name]["bias"][0]))
    outputs, x = {}, torch.tensor(small.inputs)
    for module, name in zip(net, ("dense1", "relu1", "dense2", "tanh1", "dense3"), strict=True):
        outputs[name] = x = module(x)
    torch.nn.functional.cross_entropy(x, torch.tensor(small.targets).long()).backward()
    last = {name: values[-1, 0] for name, values in run.record.items()}
    for name, y in outputs.items():
        np.testing.assert_allclose(last[f"{name}:activation_mean"], y.mean().item(), rtol=1e-9)
        spread = y.std(correction=0).item()
        np.testing.assert_allclose(last[f"{name}:activation_std"], spread, rtol=1e-9)
    near = (outputs["tanh1"].abs() > 0.9).double().mean().item()
    np.testing.assert_allclose(last["tanh1:saturated"], near)
    for module, name in zip(net[::2], ("dense1", "dense2", "dense3"), strict=True):
        pairs = ((p.grad, p) for p in module.parameters())
        grads, values = (
            torch.cat([a.flatten() for a in part]) for part in zip(*pairs, strict=True)
        )
        np.testing.assert_allclose(last[f"{name}:gradient_norm"], grads.norm().item(), rtol=1e-9)
        ratio = 0.1 * grads.norm() / values.norm()
        np.testing.assert_allclose(last[f"{name}:update_ratio"], ratio.item(), rtol=1e-9)


def test_dead_units_are_counted(small):
    """Two of the units begin so low that no input wakes them."""
    net = sh.Net(sh.Dense(6, bias_init=sh.Constant(-1e3)), sh.ReLU(), sh.Dense(3))
    all_dead = sh.fit(recipe(net=net), small, signals=True, show=False)
    np.testing.assert_array_equal(all_dead.record["relu1:dead"], 1.0)
    alive = sh.fit(recipe(), small, signals=True, show=False)
    assert np.all(alive.record["relu1:dead"] < 1.0)


@pytest.mark.parametrize("slots", [1, 3])
def test_reading_them_changes_nothing(slots, small):
    net = sh.Net(sh.Dense(8), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.3), sh.Dense(3))
    ours = recipe(net=net, optimiser="adam", batch_size=16)
    settings = sh.Settings(layout="batched")
    with_, without = (
        sh.fit(ours, small, seeds=slots, signals=s, settings=settings, show=False)
        for s in (True, False)
    )
    for name in without.record:
        np.testing.assert_allclose(with_.record[name], without.record[name], rtol=1e-9)
    assert {n.split(":")[0] for n in with_.record if ":" in n} == {
        "dense1", "batchnorm1", "relu1", "dropout1", "dense2",
    }  # fmt: skip


def test_every_layout_reads_the_same(small):
    found = [
        sh.fit(recipe(batch_size=16), small, signals=True, show=False,
               settings=sh.Settings(layout=layout)).record
        for layout in ("sequential", "divided")
    ]  # fmt: skip
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-9, err_msg=name)


def test_members_that_stop_have_none_afterwards(small):
    many = [recipe(epochs=e, name=str(e)) for e in (1, 3)]
    runs = sh.fit_many(many, small, signals=True, show=False,
                       settings=sh.Settings(layout="sequential"))  # fmt: skip
    assert [run.record.epochs for run in runs] == [1, 3]
    assert np.isfinite(runs[1].record["relu1:dead"]).all()


def test_streamed_data_has_none(small):
    with pytest.raises(DeviceError, match="signals needs training data that lies on the device"):
        sh.fit(recipe(), small, signals=True, show=False, settings=sh.Settings(block_rows=32))


def test_a_resumed_training_goes_on_reading_them(small, tmp_path):
    sh.fit(recipe(epochs=2), small, signals=True, folder=tmp_path, show=False)
    resumed = sh.resume(tmp_path, small, show=False)[0]
    assert "relu1:dead" in resumed.record
