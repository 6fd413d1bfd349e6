"""Nested cross-validation: whole searches inside outer folds, judged on rows they have not seen."""

import numpy as np
import pytest
from scipy import stats

import shoal as sh
from shoal.errors import DataError, RecipeError
from shoal.tune.nested import corrected, outer_folds

QUIET = {"show": False, "slots": 8, "fresh": 2}


def space(**split):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3))
    rate = sh.Float(1e-4, 0.1, log=True)
    recipe = sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=6, batch_size=20)
    return recipe.replace(preparation=sh.Preparation(split=sh.Split(**split)))


@pytest.fixture(scope="module")
def iris():
    return sh.data.iris()


@pytest.fixture(scope="module")
def study(iris):
    guess = {"optimiser.learning_rate": 1e-4}
    return sh.tune(space(), iris, trials=8, outer=3, guesses=[guess], **QUIET)


def test_every_row_judges_once_and_is_seen_by_no_search_that_it_judges(study, iris):
    rows = study.nested.rows
    assert np.sort(np.concatenate(rows)).tolist() == list(range(150))
    for held, inner in zip(rows, study.nested.studies, strict=True):
        parts = inner.data.parts
        assert (inner.data.inputs[parts == 2] == iris.inputs[held]).all()
        others = np.delete(np.arange(150), held)
        assert (inner.data.inputs[parts != 2] == iris.inputs[others]).all()
        assert np.bincount(iris.targets[held]).tolist() == pytest.approx([50 / 3] * 3, abs=1)
        assert (parts == 1).sum() == pytest.approx(20, abs=1)


def test_the_scores_are_those_of_the_models_on_the_rows_held_out(study, iris):
    for what in ("winner", "default"):
        found = getattr(study.nested, what)
        for fold, (held, inner) in enumerate(
            zip(study.nested.rows, study.nested.studies, strict=True)
        ):
            arm = getattr(inner, what)
            rows = (iris.inputs[held], np.array(iris.classes)[iris.targets[held]])
            scores = [run.model.evaluate(rows) for run in arm.runs]
            for name in ("loss", "accuracy"):
                mean = np.mean([score[name] for score in scores])
                assert found[name][fold] == pytest.approx(mean, rel=1e-6)
            share = [np.mean(run.model.predict(rows[0]) == rows[1]) for run in arm.runs]
            assert found["accuracy"][fold] == pytest.approx(np.mean(share), rel=1e-6)


def test_looks_are_counted_and_the_table_is_shown(study):
    assert study.nested.looks == 3 and study.test_looks == 0
    text = repr(study)
    assert "3 looks at held-out rows" in text
    assert str(corrected(study.nested.winner["loss"])) in text
    assert str(corrected(study.nested.default["loss"])) in text
    assert "outer accuracy" in text and "searching helps" in text


def test_the_interval_is_that_of_nadeau_and_bengio():
    values = np.array([0.3, 0.1, 0.4, 0.15, 0.92])
    low, high = stats.t.interval(
        0.95, 4, values.mean(), values.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    )
    found = corrected(values)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


def test_rows_of_the_test_split_stay_out_of_every_outer_fold(iris):
    split = sh.Split(validation=0.2, test=0.2)
    test = split.parts(iris).test
    held = np.concatenate([rows for _, rows in outer_folds(iris, split, 4)])
    assert sorted(held) == sorted(set(range(150)) - set(test))
    for data, rows in outer_folds(iris, split, 4):
        assert len(data) == 120 and (data.parts == 2).sum() == len(rows)
        assert (data.parts == 1).sum() == pytest.approx(0.25 * 90, abs=1)


def test_groups_stay_together(rng):
    inputs, groups = rng.normal(size=(60, 2)), np.arange(60) % 9
    data = sh.data.arrays(inputs, inputs[:, 0], groups=groups)
    for part, rows in outer_folds(data, sh.Split(), 3):
        assert set(groups[rows]).isdisjoint(part.groups[part.parts != 2])
        assert set(part.groups[part.parts == 1]).isdisjoint(part.groups[part.parts == 0])
    with pytest.raises(DataError, match="at least 10 rows, or groups"):
        outer_folds(data, sh.Split(), 10)


def test_a_nested_search_that_is_called_again_goes_on(iris, tmp_path):
    folder = {"folder": tmp_path, **QUIET}
    first = sh.tune(space(), iris, trials=4, outer=2, folds=2, sampler="random", **folder)
    again = sh.tune(space(), iris, trials=4, outer=2, folds=2, sampler="random", **folder)
    for one, other in zip(first.nested.studies, again.nested.studies, strict=True):
        assert [t.value for t in one.optuna.trials] == [t.value for t in other.optuna.trials]
        assert len(other.optuna.trials) == 4


def test_one_outer_fold_is_refused(iris):
    with pytest.raises(RecipeError, match=r"tune\(outer\) needs a whole number >= 2"):
        sh.tune(space(), iris, trials=4, outer=1)
