"""When a training stops, and the reason that it gives; the schedule inside a training."""

import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten

NET = sh.Net(sh.Dense(16), sh.ReLU(), sh.Dense(3))


def fit(data, **changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.Adam(0.03), "epochs": 60}
    return sh.fit(sh.Recipe(NET, **(usual | changes)), data, show=False, signals="none")


def test_the_epoch_limit(small):
    run = fit(small, epochs=4)
    assert run.reasons == (sh.Status.EPOCH_LIMIT,)
    assert run.epochs == (4,)
    assert run.record.epochs == 4
    assert run.reasons[0].sentence == "reached the epoch limit"


def test_early_stopping_by_hand(small):
    """The rule, run again on the recorded validation losses of a training without it."""
    losses = fit(small, optimiser=sh.Adam(0.1)).record["validation_loss"][:, 0]
    best, waited, best_epoch, stop = np.inf, 0, 0, None
    for epoch, loss in enumerate(losses, start=1):
        better = loss < best - np.float32(0.001)
        best, best_epoch = (loss, epoch) if better else (best, best_epoch)
        waited = 0 if better else waited + 1
        if waited > 4:
            stop = epoch
            break
    assert stop is not None
    rule = sh.EarlyStopping(patience=4, min_change=0.001)
    run = fit(small, optimiser=sh.Adam(0.1), early_stopping=rule)
    assert run.reasons == (sh.Status.EARLY_STOP,)
    assert run.epochs == (stop,)
    assert run.best_epochs == (best_epoch,)
    assert run.final["validation_loss"] == np.float32(best)


def test_the_weights_of_the_best_epoch_are_kept(small):
    rule = sh.EarlyStopping(patience=4)
    run = fit(small, optimiser=sh.Adam(0.1), early_stopping=rule)
    until_best = fit(small, optimiser=sh.Adam(0.1), epochs=run.best_epochs[0])
    for path, array in flatten(until_best.model.parameters).items():
        np.testing.assert_array_equal(array, flatten(run.model.parameters)[path])
    last = fit(small, optimiser=sh.Adam(0.1), early_stopping=rule.replace(restore_best=False))
    assert last.epochs == run.epochs
    assert last.final["validation_loss"] > run.final["validation_loss"]
    found = run.validate()["loss"]
    assert found == pytest.approx(run.final["validation_loss"], rel=1e-5)


def test_convergence_by_hand(small):
    losses = fit(small, optimiser="sgd").record["train_loss"][:, 0]
    calm = np.abs(np.diff(losses, prepend=np.inf)) < np.float32(0.01)
    runs = [calm[max(0, e - 3) : e].sum() for e in range(1, len(calm) + 1)]
    stop = next(e for e, n in enumerate(runs, start=1) if n >= 3)
    run = fit(small, optimiser="sgd", convergence=sh.Convergence(0.01, epochs=3))
    assert run.reasons == (sh.Status.CONVERGED,)
    assert run.epochs == (stop,)
    assert stop < 60


def test_divergence(small):
    run = fit(small, optimiser=sh.SGD(1e25))
    assert run.reasons == (sh.Status.NOT_FINITE,)
    assert run.epochs[0] < 60
    assert all(np.isfinite(a).all() for a in flatten(run.model.parameters).values())
    assert "not finite" in repr(run)


def test_when_a_member_stops_does_not_depend_on_the_chunk(small):
    rule = sh.EarlyStopping(patience=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shoal.train.campaign.CHUNK_SECONDS", 0.0)
        by_one = fit(small, optimiser=sh.Adam(0.1), early_stopping=rule)
    at_once = fit(small, optimiser=sh.Adam(0.1), early_stopping=rule)
    assert by_one.epochs == at_once.epochs
    np.testing.assert_array_equal(by_one.record["train_loss"], at_once.record["train_loss"])


def test_members_stop_each_on_their_own(small):
    recipes = [
        sh.Recipe(NET, loss="cross_entropy", epochs=epochs, optimiser=sh.SGD(rate))
        for epochs, rate in ((3, 0.1), (9, 1e25), (17, 0.1), (30, 0.1))
    ]
    runs = sh.fit_many(recipes, small, show=False, signals="none")
    assert [run.epochs[0] for run in runs] == [3, 0, 17, 30]
    assert [run.reasons[0].name for run in runs] == [
        "EPOCH_LIMIT",
        "NOT_FINITE",
        "EPOCH_LIMIT",
        "EPOCH_LIMIT",
    ]


def test_without_validation_the_training_loss_is_watched(small):
    no_validation = sh.Preparation(split=sh.Split(validation=0))
    run = fit(small, preparation=no_validation, schedule=sh.ReduceOnPlateau(patience=0))
    assert "validation_loss" not in run.record
    rates = run.record["learning_rate"][:, 0]
    worse = np.flatnonzero(np.diff(run.record["train_loss"][:, 0]) >= 0) + 1
    assert len(worse)
    assert rates[-1] < rates[0]


def test_the_recorded_learning_rate_is_the_schedules(small):
    run = fit(small, schedule=sh.StepDecay(0.1, every=2), epochs=6)
    wanted = 0.03 * np.array([1, 1, 0.1, 0.1, 0.01, 0.01])
    np.testing.assert_allclose(run.record["learning_rate"][:, 0], wanted, rtol=1e-5)


def test_the_recorded_penalty_is_lambda_over_two_m_times_squares(small):
    still = {"optimiser": sh.SGD(0.0), "l2": 0.8, "batch_size": "full", "epochs": 1}
    run = fit(small, **still)
    squares = sum((a**2).sum() for p, a in flatten(run.model.parameters).items() if "weight" in p)
    rows = len(run.prepared.parts.train)
    assert run.final["penalty"] == pytest.approx(0.8 / (2 * rows) * squares, rel=1e-5)
