"""Many machines: workers in plain values, and a Ray cluster of two nodes of which one is killed."""

import importlib.util
from collections import Counter

import jax
import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import shoal as sh
from shoal.errors import DeviceError, RecipeError
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.lineage import Lineage
from shoal.tune.mirror import open_storage
from shoal.tune.planner import plan
from shoal.tune.worker import Order, Worker, begin_again, order_of, take_in

RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not RAY, reason="the package ray is not installed")


def space(**changes):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    rate = sh.Float(1e-3, 1e-1, log=True)
    recipe = sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=20, batch_size=16)
    return recipe.replace(**changes)


# --- workers, without Ray ------------------------------------------------------------------------


def worker(data, **changes):
    return Worker(data, [], 2, None, 8, space(**changes).to_json(), 20, None)


def trained(data, seats):
    """Seats trained by a worker, message by message."""
    found, orders = worker(data), [order_of(n, seat) for n, seat in enumerate(seats)]
    while not all(seat.done for seat in seats):
        report = found.advance(orders, [], False, float("inf"))
        orders = []
        for news in report.news:
            take_in(seats[news.number], news)
    return report


def test_a_worker_trains_what_an_executor_trains(small):
    recipes = [space().at({"optimiser.learning_rate": rate}) for rate in (1e-3, 1e-2, 0.05)]
    seats, alone = [Seat(r, keep=True) for r in recipes], [Seat(r, keep=True) for r in recipes]
    report = trained(small, seats)
    executor = Executor(small, [], 2, None, plan(space(), small, 20, None, None), 8)
    executor.submit(alone)
    while executor.busy:
        executor.advance()
    for one, other in zip(seats, alone, strict=True):
        assert np.array_equal(one.losses, other.losses) and one.start_epoch == other.start_epoch
        assert one.status == other.status and one.best_epoch == other.best_epoch
        assert one.outcome.recipe == other.outcome.recipe
        assert one.outcome.history.keys() == other.outcome.history.keys()
    assert report.used == 30 and report.offered == 80


def test_a_lineage_travels(small):
    one, two = (space().at({"optimiser.learning_rate": rate}) for rate in (1e-3, 0.05))
    lineage = Lineage((0, 6), ({}, {}), (one, two))
    seat = lineage.seat(keep=True)
    trained(small, [seat])
    alone = lineage.fit(small)
    assert seat.losses == pytest.approx(alone.record["validation_loss"][:, 0], rel=1e-3)
    assert seat.outcome.recipe == two


def test_what_is_not_wanted_is_given_up(small):
    found = worker(small)
    order = order_of(7, Seat(space().at({})))
    first = found.advance([order], [], True, float("inf"))
    assert [news.number for news in first.news] == [7] and len(first.news[0].losses) == 2
    assert found.advance([], [7, 99], True, float("inf")).news == []
    assert not found.executor.busy


def test_a_seat_begins_again(small):
    seat, recipe = Seat(space().at({})), space().at({})
    found = worker(small)
    take_in(seat, found.advance([order_of(0, seat)], [], False, float("inf")).news[0])
    assert len(seat.losses) == 2
    begin_again(seat)
    assert seat == seat and len(seat.losses) == 0 and seat.start_epoch == -1
    assert seat.restarts == 1 and not seat.done
    assert order_of(0, seat) == Order(0, recipe.to_json(), {}, None, False)


def test_ray_that_is_not_installed_is_said(small, monkeypatch):
    plain = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "ray" else plain(name, *a)
    )
    with pytest.raises(DeviceError, match=r"pip install 'shoal\[ray\]'"):
        sh.tune(space(), small, trials=3, cluster="local", show=False)


# --- Ray -----------------------------------------------------------------------------------------


@pytest.fixture
def cluster():
    """Two nodes; what a test does to them is its business."""
    import ray
    from ray.cluster_utils import Cluster

    quiet = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    found = Cluster(initialize_head=True, head_node_args={**quiet, "include_dashboard": False})
    found.second = found.add_node(**quiet)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield found
    ray.shutdown()
    found.shutdown()


class Killing(optuna.samplers.RandomSampler):
    """A random sampler that does something once, when so many trials have finished."""

    def __init__(self, seed, finished, act):
        super().__init__(seed)
        self.left, self.act = finished, act

    def after_trial(self, study, trial, state, values):
        super().after_trial(study, trial, state, values)
        self.left -= 1
        if self.left == 0:
            self.act()


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_node_that_is_killed_loses_no_trial(small, cluster, tmp_path):
    kill = Killing(0, 20, lambda: cluster.remove_node(cluster.second, allow_graceful=False))
    study = sh.tune(
        space(), small, trials=60, sampler=kill, slots=8, fresh=2, show=False, cluster="auto",
        storage=tmp_path / "study.journal",
    )  # fmt: skip
    trials = study.optuna.get_trials()
    assert kill.left < 0
    assert sorted(t.user_attrs["trial"] for t in trials) == list(range(60))
    assert {t.state for t in trials} == {TrialState.COMPLETE}
    again = [t for t in trials if "restarts" in t.user_attrs]
    assert again, "nothing was in training on the node that was killed"
    assert study.compilations == 2  # one in each actor
    for trial in [*again[:3], trials[0], trials[-1]]:
        recipe, start = study.repeat(trial.user_attrs["trial"])
        run = sh.fit(recipe, small, start_epoch=start, show=False)
        assert run.final["validation_loss"] == pytest.approx(trial.value, rel=1e-3)
    stored = optuna.load_study(study_name="study", storage=open_storage(tmp_path / "study.journal"))
    assert sorted(t.user_attrs["trial"] for t in stored.trials) == list(range(60))
    best = sh.fit(study.run.recipe, small, start_epoch=study.run.start_epochs[0], show=False)
    assert best.final["validation_loss"] == pytest.approx(study.winner.validation[0], rel=1e-3)


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pruning_folds_and_a_default_sampler_on_a_cluster(small, cluster):
    several = space(batch_size=sh.Choice(15, 30), epochs=10)
    study = sh.tune(
        several, small, trials=24, folds=2, pruner="median", slots=8, fresh=2, show=False,
        cluster=cluster.address,
    )  # fmt: skip
    states = Counter(t.state for t in study.optuna.trials)
    assert sum(states.values()) == 24 and TrialState.RUNNING not in states
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert study.wasted < 1.0
    with pytest.raises(RecipeError, match="one pool"):
        sh.tune(space(), small, trials=4, sampler="pbt", cluster="auto")
    settings = sh.Settings(devices=jax.devices())
    with pytest.raises(RecipeError, match="no devices of this machine"):
        sh.tune(space(), small, trials=4, cluster="auto", settings=settings)


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_answer(small):
    with pytest.raises(DeviceError, match="a head node that answers"):
        sh.tune(space(), small, trials=4, cluster="127.0.0.1:1", show=False)
