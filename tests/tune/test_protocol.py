"""The protocol: fresh seeds, one look at the test, a verdict that can be negative."""

import numpy as np
import pytest
from scipy import stats

import shoal as sh
from shoal.tune import account, protocol

QUIET = {"show": False, "slots": 8}


@pytest.fixture(scope="module")
def searched(small):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(0.1), sh.Dense(3))
    rate = sh.Float(1e-5, 0.1, log=True)
    split = sh.Split(validation=0.25, test=0.2)
    recipe = sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=20, batch_size=16)
    space = recipe.replace(preparation=sh.Preparation(split=split))
    guess = {"optimiser.learning_rate": 1e-5}
    return sh.tune(space, small, trials=40, guesses=[guess], fresh=8, **QUIET)


def test_the_interval_is_that_of_student():
    values = np.array([0.3, 0.1, 0.4, 0.15, 0.92])
    found = protocol.interval(values)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert found.mean - found.half == pytest.approx(low)
    assert found.mean + found.half == pytest.approx(high)
    assert str(protocol.interval([2.0])) == "2"


def test_the_best_tenth_is_trained_again_and_the_best_of_that_wins(searched):
    complete = sorted(t.value for t in searched.optuna.get_trials())
    assert sorted(c.value for c in searched.candidates) == complete[:4]
    again = [candidate.again for candidate in searched.candidates]
    assert again == sorted(again)
    assert searched.recipe == searched.candidates[0].recipe
    assert searched.space.at(searched.values) == searched.recipe


def test_the_last_seeds_are_fresh(searched):
    seeds = [run.recipe.seed for run in searched.winner.runs]
    assert seeds == list(range(2000, 2008)) == [run.recipe.seed for run in searched.default.runs]
    assert not {0, 1000, 1001, 1002} & set(seeds)
    assert len(set(searched.winner.validation)) == 8


def test_the_table_compares_with_the_default_on_rows_that_the_search_did_not_see(searched, small):
    parts = searched.space.preparation.split.parts(small)
    test = small.part(parts.test, "test")
    losses = [run.model.evaluate(test)["loss"] for run in searched.winner.runs]
    assert [found["loss"] for found in searched.winner.test] == pytest.approx(losses)
    lines = searched.table().split("\n")
    assert lines[0].split("  ")[-1].strip() == "test accuracy"
    assert lines[1].startswith("winner") and lines[2].startswith("default")
    assert str(protocol.interval(losses)) in lines[1]
    assert searched.default.recipe.optimiser == sh.Adam(1e-5)
    assert searched.verdict.startswith("tuning helped")


def test_looks_at_the_test_split_are_counted_and_said(searched, capsys):
    before = searched.test_looks
    assert before >= 1
    searched.test()
    assert searched.test_looks == before + 1
    assert f"look {before + 1} at the test split" in capsys.readouterr().err


def test_tuning_that_did_not_help_says_so(small):
    """What is searched changes nothing at all: weights are not decayed by 1e-30."""
    space = sh.Recipe(sh.Net(sh.Dense(3)), "cross_entropy", "adam", epochs=3)
    space = space.replace(l2=sh.Float(1e-30, 2e-30))
    study = sh.tune(space, small, trials=12, fresh=3, **QUIET)
    assert study.verdict.startswith("tuning did not help")
    assert "did not help" in repr(study)
    assert study.test_looks == 0
    assert "test" not in study.table()


def test_the_model_is_the_winner_trained_alone(searched, small):
    run = searched.run
    again = sh.fit(run.recipe, small, start_epoch=run.start_epochs[0], show=False)
    assert again.final["validation_loss"] == pytest.approx(searched.winner.validation[0], rel=1e-3)
    assert searched.best.predict_proba(small.inputs) == pytest.approx(
        again.model.predict_proba(small.inputs), abs=1e-3
    )


def test_importance_names_the_parameter_that_matters(small):
    rate, l2 = sh.Float(1e-5, 1.0, log=True), sh.Float(1e-30, 2e-30)
    space = sh.Recipe(sh.Net(sh.Dense(3)), "cross_entropy", sh.Adam(rate), epochs=3, l2=l2)
    study = sh.tune(space, small, trials=40, sampler="random", fresh=1, **QUIET)
    found = study.importance()
    assert found["optimiser.learning_rate"] > 0.8
    assert sum(found.values()) == pytest.approx(1.0)
    frame = study.frame()
    assert frame.height == 40
    assert frame["value"].min() == study.optuna.best_value


def test_a_search_that_is_called_again_ends_the_same_and_counts_its_looks(small, tmp_path, capsys):
    """Though the first trained its last seeds after a search and the second without one."""
    rate = sh.Float(1e-3, 1e-1, log=True)
    split = sh.Split(validation=0.3, test=0.2)
    space = sh.Recipe(
        sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(0.2), sh.Dense(3)), loss="cross_entropy",
        optimiser=sh.Adam(rate), epochs=4, batch_size=16, preparation=sh.Preparation(split=split),
    )  # fmt: skip
    first, again = (
        sh.tune(space, small, trials=12, sampler="random", fresh=2, folder=tmp_path, **QUIET)
        for _ in range(2)
    )
    assert first.run.recipe == again.run.recipe
    np.testing.assert_allclose(again.winner.validation, first.winner.validation, rtol=1e-5)
    np.testing.assert_allclose(again.default.validation, first.default.validation, rtol=1e-5)
    assert (first.test_looks, again.test_looks) == (1, 2)
    again.test()
    assert account.load(tmp_path)["test_looks"] == 3


def test_one_fresh_seed_proves_nothing(small):
    space = sh.Recipe(
        sh.Net(sh.Dense(3)), loss="cross_entropy", epochs=2, optimiser=sh.SGD(sh.Float(1e-4, 1.0))
    )
    guesses = [{"optimiser.learning_rate": rate} for rate in (1e-4, 0.5)]
    study = sh.tune(space, small, sampler="guess", guesses=guesses, fresh=1, **QUIET)
    assert study.values["optimiser.learning_rate"] == 0.5
    assert study.verdict.startswith("it is not known whether tuning helped: with one fresh seed")
