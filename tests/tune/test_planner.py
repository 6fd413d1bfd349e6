"""The planner: which recipes share a program, and that sharing changes nothing but the time."""

import numpy as np
import pytest

import shoal as sh
from shoal.tune.planner import Planner

ACTIVATIONS = sh.Choice(sh.ReLU(), sh.Tanh(), sh.LeakyReLU(sh.Float(0.1, 0.4)), sh.Sigmoid())


def space(units, activation=ACTIVATIONS, **changes):
    net = sh.Net(sh.Dense(units), activation, sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    settings = {"optimiser": sh.Adam(sh.Float(1e-3, 1e-1, log=True)), "batch_size": 18}
    return sh.Recipe(net, "cross_entropy", **{"epochs": 20, **settings, **changes})


def planner(open_space, trials=256, rows=1294, in_shape=(64,), **settings):
    return Planner(open_space, in_shape, rows, trials, **settings)


def groups(plan, recipes):
    return len({id(plan.group(recipe)) for recipe in recipes})


def at(open_space, **values):
    names = {"units": "net.layers[0].units", "activation": "net.layers[1]"}
    return open_space.at({names[name]: value for name, value in values.items()})


@pytest.mark.parametrize(
    "precision, close", [("float32", 1e-3), pytest.param("float64", 1e-8, marks=pytest.mark.slow)]
)
def test_trials_of_one_program_equal_their_recipes_alone(small, precision, close):
    several = space(sh.Int(2, 9), precision=precision, l2=sh.Float(1e-3, 1.0, log=True))
    study = sh.tune(several, small, trials=24, sampler="random", fresh=2, slots=8, show=False)
    assert study.compilations == 1
    trials = study.optuna.trials
    assert len({(t.params["net.layers[0].units"], t.params["net.layers[1]"]) for t in trials}) > 12
    for number in (3, 20):
        recipe, start = study.repeat(number)
        run = sh.fit(recipe, small, start_epoch=start, show=False)
        assert run.final["validation_loss"] == pytest.approx(trials[number].value, rel=close)
    best = study.best
    units = study.recipe.net.layers[0].units
    assert best.parameters["dense1"]["weight"].shape == (1, units, 6)
    assert best.recipes[0].net == study.recipe.net
    alone = sh.fit(study.run.recipe, small, start_epoch=study.run.start_epochs[0], show=False).model
    np.testing.assert_allclose(
        best.predict_proba(small.inputs), alone.predict_proba(small.inputs), atol=100 * close
    )


def test_few_trials_share_all_and_many_trials_of_wide_networks_do_not():
    widths = sh.Choice(16, 32, 64, 1024)
    one = space(widths)
    recipes = [at(one, units=u, activation=a) for u in widths.options for a in ("ReLU", "Tanh")]
    assert groups(planner(space(sh.Choice(16, 32, 64)), trials=12), recipes[:6]) == 1
    assert 1 < groups(planner(one, trials=2000), recipes) < 8
    few, many = planner(one, trials=500), planner(one, trials=10**6)
    narrow = [r for r in recipes if r.net.layers[0].units == 16]
    assert groups(few, narrow) == 1  # activations cost less than a program
    assert groups(many, recipes) > groups(few, recipes)


def test_a_group_is_the_same_for_all_numbers_and_found_again():
    one = space(sh.Int(16, 512))
    plan = planner(one)
    first, again = at(one, units=100), at(one, units=100).replace(seed=7)
    assert plan.group(first) is plan.group(again)
    form = plan.group(first).form(first)
    assert form.signature == plan.group(again).form(again).signature
    assert form.net.layers[0].layer.units >= 100


def test_every_width_of_a_range_is_foreseen():
    one = space(sh.Int(16, 512))
    plan = planner(one)
    assert groups(plan, [at(one, units=u) for u in range(16, 513, 4)]) <= 8
    known = groups(plan, [at(one, units=u) for u in (16, 512)])
    beyond = at(one, units=512).edit({"net.layers[0].units": 700})
    assert groups(plan, [at(one, units=u) for u in (16, 512)] + [beyond]) == known + 1
    assert plan.group(beyond).form(beyond).net.layers[0].layer.units == 1024


def test_shares_add_up():
    one = space(sh.Choice(16, 32, 64, 1024), optimiser=sh.Choice("sgd", "adam"))
    plan = planner(one, trials=2000)
    found = {id(plan.group(r)): plan.group(r) for r in _draws(one)}
    assert sum(group.share for group in found.values()) == pytest.approx(1.0)
    assert len(found) >= 2


def _draws(one):
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [one.suggest(study.ask()) for _ in range(64)]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": sh.Muon(sh.Float(1e-3, 1e-1))},
        {"precision": "bfloat16"},
    ],
)
def test_what_cannot_be_padded_keeps_a_program_for_each_width(changes):
    one = space(sh.Choice(16, 32), **changes)
    plan = planner(one)
    recipes = [at(one, units=u) for u in (16, 32)]
    assert groups(plan, recipes) == 2
    by_activation = [at(one, activation=a) for a in ("ReLU", "Tanh")]
    assert groups(plan, by_activation) == (2 if "precision" in changes else 1)


def test_nothing_is_shared_where_that_is_not_wanted():
    one = space(sh.Choice(16, 32))
    plan = planner(one, shares=False)
    recipes = _draws(one)
    assert groups(plan, recipes) == len({recipe.signature for recipe in recipes}) == 8
    assert plan.group(recipes[0]).form(recipes[0]) is recipes[0]


def test_a_budget_of_seconds_is_a_number_of_trials():
    one = space(sh.Choice(16, 32, 64, 1024))
    recipes = [at(one, units=u) for u in (16, 32, 64, 1024)]
    short = Planner(one, (64,), 1294, None, 1.0)
    long = Planner(one, (64,), 1294, None, 10_000.0)
    assert groups(short, recipes) < groups(long, recipes)
