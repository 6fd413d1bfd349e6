"""The executor: trials equal their recipes alone, one compilation, repeatable, failures alone."""

import functools
from collections import deque

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import shoal as sh
from shoal.errors import DataError, DeviceError, RecipeError
from shoal.train.pool import Pool
from shoal.train.settings import Settings
from shoal.tune import executor as executors
from shoal.tune import planner as planners
from shoal.tune import tuning
from shoal.tune.account import account
from shoal.tune.lane import Lane
from shoal.tune.pictures import drawable
from shoal.tune.planner import Group
from shoal.tune.states import begun, tally

QUIET = {"show": False, "fresh": 2, "slots": 8}  # so that most tests share one program


def space(**changes):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    rate = sh.Float(1e-3, 1e-1, log=True)
    recipe = sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=6, batch_size=16)
    return recipe.replace(**changes)


def alone(study, number, data):
    """The losses of the first member of a trial, trained by itself."""
    recipe, start = study.repeat(number)
    run = sh.fit(recipe, data, start_epoch=start, show=False)
    return run.record["validation_loss"][:, 0]


def trials(study, *states):
    return study.optuna.get_trials(states=states or None)


@pytest.mark.parametrize(
    "precision, close", [("float32", 1e-3), pytest.param("float64", 1e-8, marks=pytest.mark.slow)]
)
def test_a_trial_equals_its_recipe_alone(small, precision, close):
    """Also one that began late: with 8 slots most of 20 trials begin at a later global epoch."""
    study = sh.tune(space(precision=precision), small, trials=20, **QUIET)
    starts = [trial.user_attrs["start_epochs"][0] for trial in trials(study)]
    assert len(set(starts)) > 2
    for number in (0, 9, 19):
        trial = trials(study)[number]
        losses = alone(study, number, small)
        assert len(losses) == 6
        assert losses[-1] == pytest.approx(trial.value, rel=close)
        reported = [losses[epoch - 1] for epoch in trial.intermediate_values]
        assert reported == pytest.approx(list(trial.intermediate_values.values()), rel=close)


def test_two_lanes_of_one_signature_share_program_and_queue(small, monkeypatch):
    """As on a device beside the processor: the host works for one while the other trains."""
    overlapping = functools.partial(executors.Executor, overlap=True)
    monkeypatch.setattr(tuning, "Executor", overlapping)
    study = sh.tune(space(), small, trials=20, pruner="median", **QUIET)
    assert study.compilations <= 1
    found = trials(study)
    assert [trial.user_attrs["trial"] for trial in found] == list(range(20))
    assert {trial.state for trial in found} <= {TrialState.COMPLETE, TrialState.PRUNED}
    complete = trials(study, TrialState.COMPLETE)
    for trial in (complete[0], complete[-1]):
        assert alone(study, trial.number, small)[-1] == pytest.approx(trial.value, rel=1e-3)


def test_the_last_seats_move_to_a_smaller_pool(small, monkeypatch):
    """Where compiling costs nothing, the slots follow the seats: 2, of 8, after the first 2 epochs."""
    seen = []

    def noted(self, *arguments):
        found = advance(self, *arguments)
        seen.append([len(lane.seats) for lane in self.lanes.values()])
        return found

    advance = executors.Executor.advance
    monkeypatch.setattr(executors.Executor, "advance", noted)
    monkeypatch.setattr(planners, "CPU", planners.CPU._replace(compilation=0.0))
    epochs = sh.Choice(6, 60)
    guesses = [{"epochs": 60 if k < 2 else 6} for k in range(8)]
    study = sh.tune(space(epochs=epochs), small, trials=8, guesses=guesses, **QUIET)
    assert [8] in seen and [2] in seen
    for number in (0, 1, 5):
        trial = trials(study)[number]
        assert alone(study, number, small)[-1] == pytest.approx(trial.value, rel=1e-3)


def test_only_groups_with_a_seat_are_computed(small):
    """32 slots on two devices, in groups of 8."""
    recipe = space().edit({"net.layers[2].rate": 0.1, "optimiser.learning_rate": 0.01})
    pool = Pool(recipe, recipe.prepare(small), 32, Settings())
    lane = Lane(pool, 2, Group(None), deque())
    assert lane.computed == 0
    for slot in (1, 6, 30):
        lane.seats[slot] = object()
    assert lane.computed == 16


def test_the_value_is_that_of_the_weights_that_the_recipe_keeps(small):
    stopping = sh.EarlyStopping(patience=sh.Int(0, 2))
    # In float64: at such rates Adam makes of the rounding of a gradient that is 0 a whole step.
    rate = sh.Float(0.05, 0.2)
    changes = {"early_stopping": stopping, "epochs": 30, "precision": "float64"}
    one = space(optimiser=sh.Adam(rate), **changes)
    study = sh.tune(one, small, trials=6, sampler="random", **QUIET)
    epochs = {trial.user_attrs["epochs"][0] for trial in trials(study)}
    assert min(epochs) < 30
    for trial in trials(study)[:3]:
        losses = alone(study, trial.number, small)
        assert len(losses) == trial.user_attrs["epochs"][0]
        assert trial.value == pytest.approx(losses.min(), rel=1e-8)


def test_the_same_seed_gives_the_same_study_twice(small):
    def once(seed):
        study = sh.tune(space(), small, trials=24, pruner="median", seed=seed, **QUIET)
        return [
            (t.params, t.value, t.state, t.user_attrs["start_epochs"]) for t in trials(study)
        ], (study.winner.validation.tolist())

    first = once(0)
    assert once(0) == first
    assert once(1) != first


def test_many_trials_of_one_signature_are_one_compilation(small):
    wide = {"show": False, "fresh": 2}
    tiny = space(net=sh.Net(sh.Dense(3)), l2=sh.Float(1e-4, 1.0, log=True), epochs=2, batch_size=32)
    study = sh.tune(tiny, small, trials=2000, sampler="random", **wide)
    assert len(trials(study, TrialState.COMPLETE)) == 2000
    assert study.compilations == 1
    assert study.wasted < 0.05


def test_a_few_slots_stay_full_while_trials_remain(small):
    study = sh.tune(space(), small, trials=40, pruner="median", **QUIET)
    assert trials(study, TrialState.PRUNED)
    assert study.wasted < 0.05


@pytest.mark.slow
def test_each_signature_is_compiled_once(small):
    optimiser = sh.Choice("sgd", sh.Adam(sh.Float(1e-3, 1e-1, log=True)))
    several = space(optimiser=optimiser, batch_size=sh.Choice(15, 30))
    study = sh.tune(several, small, trials=40, **QUIET)
    assert study.compilations == 4
    assert len(trials(study, TrialState.COMPLETE)) == 40
    for number in (3, 17):
        assert alone(study, number, small)[-1] == pytest.approx(
            trials(study)[number].value, rel=1e-3
        )


def test_a_pruned_trial_keeps_what_it_reported(small):
    study = sh.tune(space(), small, trials=40, pruner="median", **QUIET)
    for trial in trials(study, TrialState.PRUNED):
        assert trial.user_attrs["epochs"][0] < 6
        assert trial.value == list(trial.intermediate_values.values())[-1]
        losses = alone(study, trial.number, small)
        assert losses[trial.user_attrs["epochs"][0] - 1] == pytest.approx(trial.value, rel=1e-3)
        return
    raise AssertionError("nothing was pruned")


# --- failures ------------------------------------------------------------------------------------


def test_a_trial_that_diverges_fails_alone(line):
    net = sh.Net(sh.Dense(4), sh.ReLU(), sh.Dense(2))
    wild = sh.Recipe(net, "mse", sh.SGD(sh.Choice(0.01, 1e30)), epochs=5)
    study = sh.tune(wild, line, trials=12, sampler="random", **QUIET)
    failed = trials(study, TrialState.FAIL)
    assert {t.params["optimiser.learning_rate"] for t in failed} == {1e30}
    assert "not finite" in failed[0].user_attrs["reason"]
    assert {t.params["optimiser.learning_rate"] for t in trials(study, TrialState.COMPLETE)} == {
        0.01
    }
    assert study.recipe.optimiser == sh.SGD(0.01)


def test_a_trial_whose_recipe_cannot_be_fails_alone(small):
    clash = sh.Preparation(inputs=sh.Choice("standard", "none"))
    one = space(batch_size=sh.Choice(16, 500), preparation=clash)
    study = sh.tune(one, small, trials=12, sampler="random", **QUIET)
    failed = trials(study, TrialState.FAIL)
    assert {t.params["batch_size"] for t in failed} == {500}
    assert "at most the 72 rows" in failed[0].user_attrs["reason"]
    assert len(failed) + len(trials(study, TrialState.COMPLETE)) == 12


def test_trials_that_do_not_fit_into_memory_fail_alone(small, monkeypatch):
    plain = executors.roomy_pool

    def full(recipes, *arguments):
        if recipes[0].batch_size == 30:
            raise DeviceError("a pool", required="memory", got="none", remedy="buy some")
        return plain(recipes, *arguments)

    monkeypatch.setattr(executors, "roomy_pool", full)
    study = sh.tune(
        space(batch_size=sh.Choice(15, 30)), small, trials=10, sampler="random", **QUIET
    )
    assert {t.params["batch_size"] for t in trials(study, TrialState.FAIL)} == {30}
    assert "a pool needs memory" in trials(study, TrialState.FAIL)[0].user_attrs["reason"]
    assert {t.params["batch_size"] for t in trials(study, TrialState.COMPLETE)} == {15}


def test_when_every_trial_fails_the_reason_is_said(line):
    net = sh.Net(sh.Dense(2))
    wild = sh.Recipe(net, "mse", sh.SGD(sh.Float(1e30, 1e31)), epochs=3)
    with pytest.raises(RecipeError, match=r"none among 4; 4 of them: epoch 1: .* not finite"):
        sh.tune(wild, line, trials=4, **QUIET)


# --- members of one trial ------------------------------------------------------------------------


def test_every_trial_has_seeds_of_its_own(small):
    """One seed for all would let a search find what suits the weights that it draws."""
    study = sh.tune(space(epochs=2), small, trials=6, seeds=2, **QUIET)
    seeds = [seed for trial in trials(study) for seed in trial.user_attrs["seeds"]]
    assert len(set(seeds)) == 12
    shown = [run.recipe.seed for arm in (study.winner, study.default) for run in arm.runs]
    assert not set(seeds) & set(shown)


@pytest.mark.slow
def test_seeds_of_a_trial_are_members_and_its_value_is_their_mean(small):
    study = sh.tune(space(), small, trials=4, seeds=3, **QUIET)
    trial = trials(study)[2]
    base = study.space.at(trial.params)
    losses = [
        sh.fit(base.replace(seed=seed), small, start_epoch=start, show=False).final[
            "validation_loss"
        ]
        for seed, start in zip(
            trial.user_attrs["seeds"], trial.user_attrs["start_epochs"], strict=True
        )
    ]
    assert trial.value == pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.slow
def test_folds_of_a_trial_are_members_and_every_row_validates_once(small):
    from shoal.tune.folds import folds

    one = space(preparation=sh.Preparation(split=sh.Split(validation=0.2, test=0.2)))
    study = sh.tune(one, small, trials=4, folds=3, **QUIET)
    parts = folds(small, one.preparation.split, 3)
    tested = [np.flatnonzero(part.parts == 2) for part in parts]
    assert all(np.array_equal(tested[0], other) for other in tested)
    assert np.array_equal(tested[0], one.preparation.split.parts(small).test)
    validating = np.concatenate([np.flatnonzero(part.parts == 1) for part in parts])
    assert len(validating) == 72
    assert len(set(validating)) == 72
    for part in parts:  # each class in proportion
        counts = np.bincount(small.targets[part.parts == 1], minlength=3)
        assert np.ptp(counts) <= 1
    trial = trials(study)[3]
    recipe = study.space.at(trial.params).replace(seed=trial.user_attrs["seeds"][0])
    losses = [
        sh.fit(recipe, part, start_epoch=start, show=False).final["validation_loss"]
        for part, start in zip(parts, trial.user_attrs["start_epochs"], strict=True)
    ]
    assert trial.user_attrs["folds"] == [0, 1, 2]
    assert trial.value == pytest.approx(np.mean(losses), rel=1e-3)


def test_groups_stay_in_one_fold(rng):
    from shoal.tune.folds import folds

    inputs, groups = rng.normal(size=(60, 2)), np.arange(60) % 7
    data = sh.data.arrays(inputs, inputs[:, 0], groups=groups)
    for part in folds(data, sh.Split(), 3):
        inside = set(groups[part.parts == 1])
        assert inside.isdisjoint(groups[part.parts == 0])
    with pytest.raises(DataError, match="at least 8 rows, or groups"):
        folds(data, sh.Split(), 8)


# --- samplers, pruners, budgets ------------------------------------------------------------------


def test_guesses_are_tried_first_and_the_first_is_the_default(small):
    guesses = [
        {"optimiser.learning_rate": 0.05, "net.layers[2].rate": 0.25},
        {"net.layers[2].rate": 0.5},
    ]
    study = sh.tune(space(), small, trials=5, sampler="random", guesses=guesses, **QUIET)
    assert trials(study)[0].params == guesses[0]
    assert trials(study)[1].params["net.layers[2].rate"] == 0.5
    assert study.default.recipe.optimiser == sh.Adam(0.05)


def test_a_grid_has_every_point_once(small):
    leaky = sh.Choice(sh.ReLU(), sh.LeakyReLU(sh.Float(0.1, 0.3, step=0.1)))
    one = space(net=sh.Net(sh.Dense(4), leaky, sh.Dense(3)), optimiser="adam", epochs=2)
    one = one.replace(l2=sh.Float(0.1, 0.2, step=0.1))
    study = sh.tune(one, small, sampler="grid", **QUIET)
    points = [tuple(sorted(trial.params.items())) for trial in trials(study)]
    assert len(points) == len(set(points)) == 2 * (1 + 3)
    assert study.optuna.trials[0].state == TrialState.COMPLETE


def test_a_part_of_a_grid_is_no_corner_of_it(small):
    """Also of a large one with options, whose 20,000 points are told apart in a moment."""
    options = sh.Choice(*(sh.Net(sh.Dense(units), sh.ReLU(), sh.Dense(3)) for units in range(2, 6)))
    one = space(net=options, optimiser=sh.Adam(sh.Float(0.01, 0.1)), epochs=1)
    many = {"l2": sh.Float(0.0, 1.0, step=0.04), "l1": sh.Float(0.0, 1.0, step=0.04)}
    study = sh.tune(one.replace(**many), small, trials=8, sampler="grid", **QUIET)
    tried = [trial.params for trial in trials(study)]
    assert all(len({point[name] for point in tried}) > 1 for name in ("l1", "l2"))
    assert len(tried) == 8


def test_guesses_alone(small):
    guesses = [{"optimiser.learning_rate": rate, "net.layers[2].rate": 0.0} for rate in (0.01, 0.1)]
    study = sh.tune(space(), small, sampler="guess", guesses=guesses, **QUIET)
    assert [trial.params for trial in trials(study)] == guesses


@pytest.mark.parametrize("sampler", ["quasi-random", optuna.samplers.NSGAIISampler(seed=1)])
def test_other_samplers(small, sampler):
    study = sh.tune(space(), small, trials=8, sampler=sampler, **QUIET)
    values = [trial.params["net.layers[2].rate"] for trial in trials(study)]
    assert len(set(values)) == 8


@pytest.mark.parametrize("pruner", ["halving", "hyperband", "patient"])
def test_other_pruners(small, pruner):
    study = sh.tune(space(), small, trials=16, pruner=pruner, **QUIET)
    assert len(trials(study, TrialState.COMPLETE, TrialState.PRUNED)) == 16


def test_a_budget_of_seconds_ends(small):
    study = sh.tune(space(), small, seconds=0.5, **QUIET)
    assert len(trials(study, TrialState.COMPLETE)) >= 4
    assert not trials(study, TrialState.RUNNING)


def test_trials_that_have_not_begun_when_the_time_is_up_are_given_up(small):
    """Each batch size is a program of its own, and compiling takes longer than there is time."""
    several = space(batch_size=sh.Choice(9, 12, 18, 24, 36))
    study = sh.tune(several, small, seconds=0.01, sampler="random", **QUIET)
    states = [trial.state for trial in trials(study)]
    assert states.count(TrialState.COMPLETE) >= 1
    waiting = trials(study, TrialState.FAIL)
    assert waiting and TrialState.RUNNING not in states
    assert {t.user_attrs["reason"] for t in waiting} == {"the time was up before it began"}
    assert "failed" not in repr(study) and f", {len(waiting)} not begun; " in repr(study)
    assert list(study.frame()["state"]).count("not begun") == len(waiting)
    assert ["trials", tally(trials(study))] in account(study)["facts"]


def test_trials_that_had_not_begun_begin_when_the_search_goes_on(small, tmp_path):
    several = space(batch_size=sh.Choice(9, 12, 18, 24))
    arguments = {"sampler": "random", "storage": tmp_path / "study.journal", **QUIET}
    first = sh.tune(several, small, seconds=0.01, **arguments)
    waiting = {t.user_attrs["trial"]: t.params for t in trials(first) if not begun(t)}
    more = sh.tune(several, small, trials=len(trials(first)), **arguments)
    assert waiting and len(trials(more)) == len(trials(first)) and all(map(begun, trials(more)))
    for trial in trials(more, TrialState.COMPLETE):
        number = trial.user_attrs["trial"]
        assert trial.params == waiting.get(number, trial.params)


def test_a_choice_of_one_option_is_no_choice(small, tmp_path):
    one = space(optimiser=sh.Adam(sh.Choice(0.01)), l2=sh.Choice(None))
    study = sh.tune(one, small, trials=4, **QUIET)
    assert study.recipe.optimiser == sh.Adam(0.01) and study.recipe.l2 is None
    for kind in drawable(study):
        study.draw(tmp_path / f"{kind}.png", kind)


def test_epochs_may_be_open(small):
    study = sh.tune(space(epochs=sh.Int(2, 6)), small, trials=10, sampler="random", **QUIET)
    assert study.compilations <= 1  # 0 where a test before has used the program
    for trial in trials(study):
        assert trial.user_attrs["epochs"] == [trial.params["epochs"]]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, r"tune\(trials, seconds\) needs a budget, got neither"),
        ({"trials": 0}, r"tune\(trials\) needs a whole number >= 1"),
        ({"trials": 3, "seconds": -1}, r"tune\(seconds\) needs a number > 0"),
        ({"trials": 3, "folds": 1}, r"tune\(folds\) needs a whole number >= 2"),
        ({"trials": 3, "sampler": "tpee"}, "did you mean 'tpe'"),
        ({"trials": 3, "pruner": "medan"}, "did you mean 'median'"),
        ({"trials": 3, "guesses": [{"rate": 1}]}, "the parameter 'rate' needs one that is open"),
        ({"trials": 3, "sampler": "guess"}, "points to try"),
        ({"trials": 3, "sampler": 3}, r"tune\(sampler\) needs .* got 3; known: .*, pbt, "),
        ({"trials": 3, "sampler": "ptb"}, "did you mean 'pbt'"),
        ({"trials": 3, "guesses": {"a": 1}}, r"one point .*; write guesses=\[{'a': 1}\]"),
        ({"trials": 3, "guesses": [0.1]}, r"a list of points, {name: value} each, got \[0.1\]"),
    ],
)
def test_mistakes_are_explained(small, settings, message):
    with pytest.raises(RecipeError, match=message):
        sh.tune(space(), small, **settings, **QUIET)


def test_spaces_that_cannot_be_searched(small):
    with pytest.raises(RecipeError, match="a Recipe with something open in it, got one without"):
        sh.tune(space().at({}), small, trials=3)
    with pytest.raises(RecipeError, match="validation losses can be compared"):
        sh.tune(space(loss=sh.Choice("cross_entropy", "focal")), small, trials=3)
    unsplit = sh.Preparation(split=sh.Split(validation=0.0))
    with pytest.raises(DataError, match="a validation split to compare trials on"):
        sh.tune(space(preparation=unsplit), small, trials=3, **QUIET)
    with pytest.raises(RecipeError, match="one output for each of 3 classes, got 4"):
        sh.tune(space(net=sh.Net(sh.Dense(sh.Int(4, 5)))), small, trials=3, **QUIET)
