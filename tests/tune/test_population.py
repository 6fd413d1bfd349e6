"""Population based training: what is copied, what changes, and that a lineage repeats alone."""

import itertools

import numpy as np
import optuna
import pytest

import shoal as sh
from shoal.errors import FileError, RecipeError
from shoal.spaces import Choice, Float, Int
from shoal.train.pool import Pool
from shoal.tune.lineage import Lineage
from shoal.tune.mirror import open_storage
from shoal.tune.population import perturbed

QUIET = {"show": False, "fresh": 2, "sampler": "pbt"}
SIZE = 12


def space(**changes):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    rate = sh.Float(1e-4, 0.3, log=True)
    recipe = sh.Recipe(net, "cross_entropy", sh.Momentum(rate), epochs=20, batch_size=16)
    return recipe.replace(**changes)


@pytest.fixture(scope="module")
def study(small):
    return sh.tune(space(), small, trials=SIZE, **QUIET)


def members(study):
    return sorted(study.optuna.get_trials(), key=lambda t: t.user_attrs["trial"])


def test_a_copied_member_goes_on_as_the_one_it_was_copied_from(small):
    """Weights, state of the optimiser, epoch: all of it, bit by bit; the others are not touched."""
    first, other = space().at({}), space().at({"optimiser.learning_rate": 0.01})
    pool = Pool(first, first.prepare(small), 4)
    pool.place({0: first, 1: other, 2: other.replace(seed=9)})
    pool.run(2)
    before = [pool.programs.put(pool.members, members=True)]
    kept = [np.asarray(leaf).copy() for leaf in _leaves(before[0])]
    pool.copy({2: 0, 3: 1})
    for old, new in zip(kept, _leaves(pool.members), strict=True):
        assert np.array_equal(np.asarray(new), old[[0, 1, 0, 1]])
    assert pool.recipes == [first, other, first, other]
    losses = pool.run(2)["validation_loss"]
    assert np.array_equal(losses[2], losses[0]) and np.array_equal(losses[3], losses[1])
    pool.change({2: other})
    losses = pool.run(2)["validation_loss"]
    assert not np.isclose(losses[2], losses[0]).any()


def _leaves(members):
    import jax

    return jax.tree.leaves(members)


def test_each_network_alone_along_its_lineage_is_the_same(study, small):
    inherited = [t for t in members(study) if len(t.user_attrs["lineage"]) > 1]
    assert inherited, "nothing was copied"
    deepest = max(inherited, key=lambda t: len(t.user_attrs["lineage"]))
    for trial in {deepest.number: deepest, 0: inherited[0]}.values():
        run = study.lineage(trial.user_attrs["trial"]).fit(small)
        losses = run.record["validation_loss"][:, 0]
        assert losses[-1] == pytest.approx(trial.value, rel=1e-3)
        for epoch, value in trial.intermediate_values.items():
            assert losses[epoch - 1] == pytest.approx(value, rel=1e-3)


def test_values_change_by_the_rules_and_the_worst_copy_the_best(study):
    trials = {t.user_attrs["trial"]: t for t in members(study)}
    leaves = {p.name: p.leaf for p in study.space.parameters}
    anew = changes = 0
    for trial in trials.values():
        steps = trial.user_attrs["lineage"]
        assert trial.params == pytest.approx(steps[-1][1])
        assert [epoch for epoch, _ in steps] == sorted({epoch for epoch, _ in steps})
        for (_, old), (epoch, new) in itertools.pairwise(steps):
            assert epoch % 2 == 0 and 0 < epoch < 20
            for name, leaf in leaves.items():
                assert leaf.low <= new[name] <= leaf.high
                ways = [np.clip(old[name] * factor, leaf.low, leaf.high) for factor in (0.8, 1.2)]
                changes += 1
                anew += not np.isclose(new[name], ways).any()
        for _epoch, parent in trial.user_attrs["copies"]:
            assert parent in trials and parent != trial.user_attrs["trial"]
    assert 0.05 < anew / changes < 0.6
    copies = [tuple(c) for t in trials.values() for c in t.user_attrs["copies"]]
    by_epoch = {epoch: [p for e, p in copies if e == epoch] for epoch, _ in copies}
    assert set(by_epoch) == set(range(2, 20, 2))
    assert all(len(parents) == 2 for parents in by_epoch.values())  # a fifth of 12


def test_the_result_is_a_study_with_fresh_seeds_of_the_whole_lineage(study, small):
    assert len(study.optuna.trials) == SIZE
    assert study.values == study.lineage().values[-1]
    winner = study.lineage()
    seeds = [run.recipe.seed for run in study.winner.runs]
    assert seeds == [2000, 2001]
    again = Lineage(
        winner.epochs, winner.values, tuple(r.replace(seed=2000) for r in winner.recipes)
    )
    alone = again.fit(small)
    assert alone.final["validation_loss"] == pytest.approx(study.winner.validation[0], rel=1e-3)
    assert study.run.recipe == study.recipe.replace(seed=2000)
    assert "epoch" in repr(winner) and "optimiser.learning_rate" in repr(winner)


def test_the_same_seed_gives_the_same_population_twice(study, small):
    def said(found):
        return [(t.params, t.value, t.user_attrs) for t in members(found)]

    assert said(sh.tune(space(), small, trials=SIZE, **QUIET)) == said(study)
    assert said(sh.tune(space(), small, trials=SIZE, seed=1, **QUIET)) != said(study)


def test_guesses_begin_the_population(small):
    guess = {"optimiser.learning_rate": 0.05, "net.layers[2].rate": 0.25}
    study = sh.tune(space(epochs=4), small, trials=3, guesses=[guess], **QUIET)
    firsts = [t.user_attrs["lineage"][0][1] for t in members(study)]
    assert guess in firsts
    assert study.default.recipe.optimiser == sh.Momentum(0.05)


def test_a_network_that_diverges_becomes_a_copy_of_another(small):
    wild = space(optimiser=sh.SGD(sh.Choice(0.05, 0.1, 1e30)), epochs=6)
    rates = [{"optimiser.learning_rate": rate} for rate in (0.05, 1e30)]
    study = sh.tune(wild, small, trials=6, guesses=rates, **QUIET)
    second = members(study)[1]
    assert second.user_attrs["copies"][0][0] == 1
    assert second.user_attrs["lineage"][0][1]["optimiser.learning_rate"] != 1e30
    for trial in members(study):  # 1e30 is the neighbour of 0.1: some die of it in the end
        steps = [values["optimiser.learning_rate"] for _, values in trial.user_attrs["lineage"]]
        assert (trial.state == optuna.trial.TrialState.FAIL) == (1e30 in steps)
        assert ("not finite" in trial.user_attrs.get("reason", "")) == (1e30 in steps)
    assert study.recipe.optimiser != sh.SGD(1e30)


def test_a_population_that_is_there_is_not_trained_again(small, tmp_path):
    first = sh.tune(space(epochs=4), small, trials=4, folder=tmp_path, **QUIET)
    again = sh.tune(space(epochs=4), small, trials=4, folder=tmp_path, **QUIET)
    assert [t.value for t in members(first)] == [t.value for t in members(again)]
    stored = optuna.load_study(study_name="study", storage=open_storage(tmp_path / "study.journal"))
    assert len(stored.trials) == 4
    read = Lineage.load(tmp_path / "lineage.json")
    assert read == first.lineage()
    with pytest.raises(RecipeError, match="needs the same population"):
        sh.tune(space(epochs=4), small, trials=5, folder=tmp_path, **QUIET)
    (tmp_path / "lineage.json").write_text("{}")
    with pytest.raises(FileError, match="a lineage as JSON"):
        Lineage.load(tmp_path / "lineage.json")


@pytest.mark.parametrize(
    "leaf, value, up, wanted",
    [
        (Float(0.0, 1.0), 0.5, True, 0.6),
        (Float(0.0, 1.0), 0.5, False, 0.4),
        (Float(1e-3, 1.0, log=True), 1e-3, False, 1e-3),
        (Float(0.0, 1.0, step=0.25), 0.5, True, 0.75),
        (Float(0.0, 1.0, step=0.25), 1.0, True, 1.0),
        (Int(1, 10), 2, True, 3),
        (Int(0, 100, step=10), 50, False, 40),
        (Choice(1, 2, 4), 2, True, 4),
        (Choice(1, 2, 4), 4, True, 4),
    ],
)
def test_values_are_perturbed_inside_their_space(leaf, value, up, wanted):
    assert perturbed(leaf, value, up) == pytest.approx(wanted)
    assert leaf.holds(perturbed(leaf, value, up))


def test_structure_cannot_change_under_weights(small):
    several = space(batch_size=sh.Choice(16, 32), l2=sh.Choice(None, sh.Float(0.1, 1.0)))
    with pytest.raises(RecipeError, match=r"structure or the length: .*batch_size.*l2") as found:
        sh.tune(several, small, trials=4, **QUIET)
    assert "learning_rate" not in str(found.value)
    with pytest.raises(RecipeError, match=r"the structure or the length: epochs"):
        sh.tune(space(epochs=sh.Int(3, 6)), small, trials=4, **QUIET)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "the size of the population"),
        ({"trials": 4, "seconds": 9}, "trains to its end"),
        ({"trials": 4, "pruner": "median"}, "no pruner"),
        ({"trials": 4, "folds": 3}, "one network for each trial"),
        ({"trials": 4, "seeds": 2}, "one network for each trial"),
    ],
)
def test_mistakes_are_explained(small, settings, message):
    with pytest.raises(RecipeError, match=message):
        sh.tune(space(), small, **settings, **QUIET)


def test_a_trial_that_inherited_is_not_repeated_by_one_recipe(study):
    inherited = next(t for t in members(study) if len(t.user_attrs["lineage"]) > 1)
    with pytest.raises(RecipeError, match=r"use study.lineage\("):
        study.repeat(inherited.user_attrs["trial"])
