"""Samplers: Optuna's own suites for each of ours, and what we promise beyond them."""

import functools
import importlib.util
import pickle
import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.trial import TrialState

from shoal.errors import RecipeError
from shoal.tune.samplers import BY_NAME, PRUNERS, pruner, sampler
from shoal.tune.samplers.history import Reading

optuna.logging.set_verbosity(optuna.logging.WARNING)

OURS = ["auto", "lipo", "pure-lipo", "adalipo", "bobyqa", "harmonica"]
SPACE = {
    "rate": FloatDistribution(1e-5, 1.0, log=True),
    "dropout": FloatDistribution(0.0, 0.9),
    "width": IntDistribution(4, 512, log=True),
    "depth": IntDistribution(1, 6),
    "act": CategoricalDistribution(["relu", "tanh", "gelu"]),
}
NUMBERS = {name: SPACE[name] for name in ("rate", "dropout", "width")}


@pytest.fixture(params=OURS)
def sampler_(request):
    return functools.partial(sampler, request.param, seed=0)


class TestBasic(BasicSamplerTestCase):
    @pytest.fixture(params=OURS)
    def sampler(self, request):
        return functools.partial(sampler, request.param, seed=0)


class TestRelative(RelativeSamplerTestCase):
    @pytest.fixture(params=OURS)
    def sampler(self, request):
        return functools.partial(sampler, request.param, seed=0)


class TestSingleOnly(SingleOnlySamplerTestCase):
    @pytest.fixture(params=OURS)
    def sampler(self, request):
        return functools.partial(sampler, request.param, seed=0)


class TestGuessBasic(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return functools.partial(sampler, "guess", seed=0, points=[], then="lipo")


class TestGuessRelative(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return functools.partial(sampler, "guess", seed=0, points=[], then="lipo")


class TestGuessMultiObjective(MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return functools.partial(sampler, "guess", seed=0, points=[], then="random")


def loss(params):
    """A smooth bowl over the logarithm of the rate, with a bonus for one category."""
    x = np.log10(params["rate"]) + 2.2
    y = params["dropout"] - 0.37
    z = np.log(params["width"] / 60)
    return float(x**2 + 3 * y**2 + 0.3 * z**2 + x * y + (params.get("act", "gelu") != "gelu"))


def searched(study, trials, space, at_once=1):
    for _ in range(trials // at_once):
        asked = [study.ask(space) for _ in range(at_once)]
        for trial in asked:
            study.tell(trial, loss(trial.params))
    return study


def points(study):
    return [tuple(t.params.values()) for t in study.trials]


def test_the_same_seed_gives_the_same_points(sampler_):
    first, second = (
        points(searched(optuna.create_study(sampler=sampler_()), 24, SPACE, 4)) for _ in range(2)
    )
    other = sampler_.func(*sampler_.args, seed=1)
    assert first == second
    assert first != points(searched(optuna.create_study(sampler=other), 24, SPACE, 4))


@pytest.mark.parametrize("space", [NUMBERS, SPACE], ids=["numbers", "mixed"])
def test_a_new_sampler_goes_on_exactly_where_the_old_one_was(sampler_, space):
    whole = searched(optuna.create_study(sampler=sampler_()), 40, space, 2)
    parts = optuna.create_study(sampler=sampler_())
    for _ in range(10):  # a new sampler, as after a restart, every four trials
        parts.sampler = sampler_()
        searched(parts, 4, space, 2)
    assert points(whole) == points(parts)


def test_a_sampler_kept_in_a_file_goes_on_where_it_was(sampler_):
    study = searched(optuna.create_study(sampler=sampler_()), 12, SPACE)
    copy = pickle.loads(pickle.dumps(study.sampler))
    assert isinstance(copy, type(study.sampler))
    other = optuna.create_study(sampler=copy)
    other.add_trials(study.trials)
    assert other.ask(SPACE).params == study.ask(SPACE).params


@pytest.mark.parametrize("space", [NUMBERS, SPACE], ids=["numbers", "mixed"])
def test_a_new_sampler_asks_in_the_middle_of_a_batch_as_the_old_one(sampler_, space):
    """At every place of the batch: nothing may depend on which of its trials came first."""
    for before in (15, 40):
        study = searched(optuna.create_study(sampler=sampler_()), before, space, 2)
        twin = optuna.create_study(sampler=sampler_())
        twin.add_trials(study.trials)
        for _ in range(16):
            twin.sampler = sampler_()
            assert study.ask(space).params == twin.ask(space).params


@pytest.mark.parametrize("space", [NUMBERS, SPACE], ids=["numbers", "mixed"])
@pytest.mark.parametrize("finished", [0, 20])
def test_32_pending_trials_differ_and_are_spread(sampler_, space, finished):
    study = searched(optuna.create_study(sampler=sampler_()), finished, space)
    asked = [study.ask(space).params for _ in range(32)]
    assert len({tuple(p.values()) for p in asked}) == 32
    depth = [np.log10(p["rate"]) for p in asked]
    assert np.ptp(depth) > 1.0


def test_a_direction_is_only_a_sign(sampler_):
    down, up = (
        optuna.create_study(sampler=sampler_(), direction=d) for d in ("minimize", "maximize")
    )
    for _ in range(20):
        a, b = down.ask(NUMBERS), up.ask(NUMBERS)
        down.tell(a, loss(a.params))
        up.tell(b, -loss(b.params))
    assert points(down) == points(up)


def test_failed_and_pruned_trials_do_not_stop_a_search(sampler_):
    study = optuna.create_study(sampler=sampler_())
    for i in range(30):
        trial = study.ask(SPACE)
        value = loss(trial.params)
        if i % 5 == 2:
            study.tell(trial, state=TrialState.FAIL)
        elif i % 5 == 3:
            trial.report(value + 10, 1)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, float("inf") if i == 10 else value)
    assert len(set(points(study))) == 30


def test_conditional_parameters(sampler_):
    def objective(trial):
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            return (trial.suggest_float("x", -1, 1) - 0.3) ** 2
        return 0.5 + abs(trial.suggest_int("n", 1, 50, log=True) - 7)

    study = optuna.create_study(sampler=sampler_())
    study.optimize(objective, n_trials=60)
    assert study.best_value < 0.05


@pytest.mark.parametrize("name", ["auto", "lipo", "bobyqa"])
def test_a_bowl_is_found(name):
    study = searched(optuna.create_study(sampler=sampler(name, seed=0)), 60, NUMBERS)
    best = min(loss(t.params) for t in study.trials)
    rivals = searched(optuna.create_study(sampler=sampler("random", seed=0)), 60, NUMBERS)
    assert best < 2e-3  # whole widths leave about this much
    assert best < 0.1 * rivals.best_value


def test_no_category_is_given_up_after_few_noisy_trials():
    rng = np.random.default_rng(0)
    study = optuna.create_study(sampler=sampler("auto", seed=0))
    for _ in range(4):
        asked = [study.ask(SPACE) for _ in range(32)]
        for trial in asked:
            study.tell(trial, loss(trial.params) + 2 * rng.normal())
    late = [t.params["act"] for t in study.trials[32:]]
    assert all(late.count(act) >= 3 for act in ("relu", "tanh", "gelu"))


def test_a_small_box_is_exhausted_before_a_point_repeats(sampler_):
    space = {"a": IntDistribution(0, 2), "b": CategoricalDistribution(["x", "y"])}
    study = optuna.create_study(sampler=sampler_())
    for _ in range(8):
        trial = study.ask(space)
        study.tell(trial, trial.params["a"] + (trial.params["b"] == "x"))
    assert study.best_value == 0


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_name_makes_a_sampler_that_searches(name):
    options = {"grid": {"space": NUMBERS}, "guess": {"points": [{"rate": 0.01}]}}.get(name, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "cma-es" and importlib.util.find_spec("cmaes") is None:
            with pytest.raises(RecipeError, match="pip install"):
                sampler(name)
            return
        study = optuna.create_study(sampler=sampler(name, seed=0, **options))
        searched(study, 12, NUMBERS)
    assert len(study.trials) == 12
    if name == "guess":
        assert study.trials[0].params["rate"] == 0.01


@pytest.mark.parametrize("name", sorted(PRUNERS))
def test_every_pruner_can_judge(name):
    study = optuna.create_study(pruner=pruner(name), sampler=sampler("random", seed=0))
    for i in range(12):
        trial = study.ask(NUMBERS)
        for step in range(10):
            trial.report(float(i), step)
            stopped = trial.should_prune()
            if stopped and name != "none":
                break
        study.tell(trial, float(i))
    lengths = [len(t.intermediate_values) for t in study.trials]
    assert (min(lengths) < 10) == (name in ("median", "halving", "hyperband"))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_median_is_that_of_all_that_came_as_far(direction):
    """Of 9 side by side the worse four are stopped at once, and one without a number."""
    study = optuna.create_study(direction=direction, pruner=pruner("median"))
    sign = 1.0 if direction == "minimize" else -1.0
    trials = [study.ask() for _ in range(10)]
    for value, trial in zip([*range(9), float("nan")], trials, strict=True):
        trial.report(sign * value, 1)
    assert [trial.should_prune() for trial in trials] == [False] * 5 + [True] * 5
    # The best so far counts: a trial that was good once goes on.
    trials[0].report(sign * 99.0, 2)
    for trial in trials[1:5]:
        trial.report(sign * 3.0, 2)
    assert not trials[0].should_prune()
    late = study.ask()
    late.report(sign * 3.5, 2)
    assert late.should_prune()


def test_what_finished_is_compared_too_and_a_median_of_no_numbers_stops_nothing():
    study = optuna.create_study(pruner=pruner("median"))
    for value in (0.0, 1.0, 2.0, 3.0, 4.0):
        trial = study.ask()
        trial.report(value, 1)
        trial.report(float("nan"), 2)
        study.tell(trial, value)
    better, worse = study.ask(), study.ask()
    better.report(1.5, 1)
    worse.report(2.5, 1)
    assert [better.should_prune(), worse.should_prune()] == [False, True]
    better.report(float("nan"), 2)
    assert not better.should_prune()


def test_a_trial_is_read_when_it_finishes_whatever_the_order():
    """Reading looks at each trial until it has finished, and at it no more then."""
    study, reading = optuna.create_study(), Reading()
    trials = [study.ask() for _ in range(4)]
    assert reading.finished(study) == []
    study.tell(trials[2], 1.0)
    assert [trial.number for trial in reading.finished(study)] == [2]
    assert [trial.number for trial in reading.running] == [0, 1, 3]
    study.ask()
    study.tell(trials[0], 0.0)
    study.tell(trials[3], state=optuna.trial.TrialState.FAIL)
    assert [trial.number for trial in reading.finished(study)] == [0, 3]
    assert reading.finished(study) == []
    assert [trial.number for trial in reading.running] == [1, 4]


def test_nothing_is_stopped_while_few_came_as_far():
    study = optuna.create_study(pruner=pruner("median", n_startup_trials=3, n_warmup_steps=2))
    trials = [study.ask() for _ in range(3)]
    for step in (1, 2):
        for value, trial in enumerate(trials[: 2 if step == 2 else 3]):
            trial.report(float(value), step)
    assert not any(trial.should_prune() for trial in trials)
    trials[2].report(2.0, 2)
    assert [trial.should_prune() for trial in trials] == [False, False, True]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sampler("lippo"), "did you mean 'lipo'"),
        (lambda: sampler("lipo", seed=-1), "whole number of at least 0"),
        (lambda: sampler("lipo", speed=3), "options that this sampler has"),
        (lambda: sampler("grid"), "space beforehand"),
        (lambda: sampler("guess", points=[3]), "list of dicts"),
        (lambda: sampler("bobyqa", method="newton"), "one of cobyqa"),
        (lambda: pruner("medium"), "did you mean 'median'"),
        (lambda: pruner("median", speed=3), "options that this pruner has"),
    ],
)
def test_mistakes_are_explained(make, words):
    with pytest.raises(RecipeError, match=words):
        make()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("cma-es", "gp"):
        with pytest.raises(RecipeError, match="pip install"):
            sampler(name)
    with pytest.raises(RecipeError, match="pip install nlopt"):
        sampler("bobyqa", method="nlopt")
