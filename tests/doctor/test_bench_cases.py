"""The table of cases: every case can be built, halves do not mix, enough of them are healthy."""

import json

import numpy as np
import pytest

import shoal as sh
from shoal.doctor.bench import mangling, programs, sources
from shoal.doctor.bench.bases import BASES
from shoal.doctor.bench.cases import FAULT, HEALTHY, PROGRAM, all_cases, quick_cases
from shoal.doctor.bench.datasets import SOURCES, TEST, TRAIN, VALIDATION, load
from shoal.doctor.bench.faults import KINDS, LEFT_OUT
from shoal.doctor.bench.keeping import Scores, key
from shoal.doctor.bench.labelling import Labeller, certify
from shoal.doctor.remedy import Remedy
from shoal.train.settings import plan_work

CASES = all_cases()
REFUSED_IS_THE_FAULT = ("F16a", "P 38648195", "P 34311586", "P 31880720", "P 50079585")


def test_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("half", "AB")
def test_two_fifths_of_each_half_are_healthy(half):
    mine = [case for case in CASES if case.half == half]
    assert sum(case.sort == HEALTHY for case in mine) >= 0.4 * len(mine)


def test_every_case_can_be_built_and_read_back():
    """Those that shoal refuses to train are the ones whose fault that is."""
    seen = set()
    for case in CASES:
        if case.kind in seen and case.sort != PROGRAM:
            continue
        seen.add(case.kind)
        recipe, data = case.make()
        assert len(data) > 0
        assert sh.Recipe.from_json(recipe.to_json()) == recipe, case.name
        if case.kind not in REFUSED_IS_THE_FAULT:
            plan_work(recipe, recipe.prepare(data))
        plan_work(case.reference()[0], case.reference()[0].prepare(case.reference()[1]))


@pytest.mark.parametrize("kind", REFUSED_IS_THE_FAULT)
def test_what_is_refused_is_refused(kind):
    recipe, data = next(case for case in CASES if case.kind == kind).make()
    with pytest.raises(sh.ShoalError):
        plan_work(recipe, recipe.prepare(data))


def test_a_fault_edits_something_and_levels_differ():
    for kind in KINDS:
        base = BASES[kind.bases[0]]
        made = [kind.inject(base.recipe, base.load(), level) for level in kind.levels]
        assert len({key(*pair, 1, False) for pair in made}) == 3, kind.id
        assert key(base.recipe, base.load(), 1, False) not in {key(*p, 1, False) for p in made}


def test_each_kind_is_in_some_half_and_names_its_cause():
    groups = {kind.id[:3] for kind in KINDS} | {name[:3] for name in LEFT_OUT}
    assert groups == {f"F{n:02d}" for n in range(1, 35)}
    assert all(kind.causes and kind.bases for kind in KINDS)
    for kind in KINDS:
        assert set(kind.bases) <= set(BASES)


def test_halves_share_no_data_set():
    for case in CASES:
        if case.sort == FAULT:
            assert SOURCES[case.name.split()[1].split("/")[0]].half == case.half


def test_programs_alternate():
    halves = [case.half for case in CASES if case.sort == PROGRAM]
    assert halves == ["AB"[k % 2] for k in range(len(programs.PROGRAMS))]


def test_quick_cases_are_few():
    assert 10 <= len(quick_cases(CASES)) <= 40


# --- data ----------------------------------------------------------------------------------------


def test_splits_are_of_the_sizes_said_and_folds_differ():
    for name in ("iris", "moons", "friedman"):
        data, other = load(name), load(name, 1)
        assert (data.parts == TRAIN).sum() == SOURCES[name].train
        assert (data.parts == VALIDATION).sum() == SOURCES[name].validation
        assert (data.parts != other.parts).any()
        assert load(name) is data


def test_bars_are_where_their_class_says():
    x, y = sources.bars(40, 0, noise=0.0)
    for image, kind in zip(x[..., 0], y, strict=True):
        if kind == 0:
            assert (image.sum(1) == 16).sum() == 1
        if kind == 1:
            assert (image.sum(0) == 16).sum() == 1


def test_counts_and_tokens_mean_what_they_say():
    x, y = sources.counts(200, 0)
    assert (y == (x[:, :, 0].sum(1) > x[:, :, 1].sum(1))).all()
    x, y = sources.tokens(500, 0)
    assert (x.sum(1).argmax(1) == y).mean() > 0.9


def test_mangling_does_what_it_says():
    wine = load("wine")
    train = wine.parts == TRAIN
    assert mangling.scaled_inputs(wine, 7.0).inputs[train].std() == pytest.approx(7.0)
    half = mangling.prepared_in_training_alone(wine, 1.0)
    np.testing.assert_allclose(half.inputs[train].mean(0), 0, atol=1e-9)
    np.testing.assert_array_equal(half.inputs[~train], wine.inputs[~train])
    whole = mangling.prepared_in_training_alone(wine, 0.0)
    mean, std = wine.inputs[train].mean(0), wine.inputs[train].std(0)
    np.testing.assert_allclose(whole.inputs, (wine.inputs - mean) / std)
    noisy = mangling.noisy_labels(wine, 1.0)
    assert (noisy.targets != wine.targets)[wine.parts != TEST].mean() > 0.4
    assert (noisy.targets == wine.targets)[wine.parts == TEST].all()
    assert np.isnan(mangling.with_nan(wine, 0.0).inputs).sum() == 1
    moons = mangling.imbalanced(load("moons"), 10.0)
    counts = np.bincount(moons.targets[moons.parts == TRAIN])
    assert counts[0] / counts[1] == pytest.approx(10, rel=0.1)
    leaky = mangling.leaked(wine, 1.0)
    rows = {row.tobytes() for row in leaky.inputs[leaky.parts == TRAIN]}
    assert all(row.tobytes() in rows for row in leaky.inputs[leaky.parts == VALIDATION])
    moved = mangling.shifted_labels(wine, 1)
    assert np.bincount(moved.targets).tolist() == np.bincount(wine.targets).tolist()


# --- measuring -----------------------------------------------------------------------------------


def test_scores_are_kept_and_used_again(tmp_path):
    recipe = BASES["iris/mlp"].recipe.replace(epochs=2)
    labeller = Labeller(Scores(tmp_path), seeds=2)
    found, refusal = labeller.measure(recipe, load("iris"))
    assert len(found) == 2
    assert refusal == ""
    labeller.scores.save()
    again = Labeller(Scores(tmp_path), seeds=2)
    assert again.measure(recipe, load("iris"))[0] == found
    assert (labeller.trained, again.trained) == (1, 0)
    renamed = key(recipe.replace(name="other"), load("iris"), 2, False)
    assert renamed in again.scores.known
    assert key(recipe, load("iris", 1), 2, False) not in again.scores.known


def test_a_damaged_file_of_scores_is_refused(tmp_path):
    (tmp_path / "scores.json").write_text(json.dumps({"a": [1]}))
    with pytest.raises(sh.DamagedFileError, match="remove the file"):
        Scores(tmp_path)


def test_a_refused_training_scores_chance():
    case = next(case for case in CASES if case.kind == "F16a")
    found, refusal = Labeller(Scores(None), seeds=2).measure(*case.make())
    assert "Softmax" in refusal
    data = case.make()[1]
    share = np.bincount(data.targets[data.parts == TEST]).max() / (data.parts == TEST).sum()
    assert found == [pytest.approx(share, abs=1e-5)] * 2


def test_certifying_tries_every_remedy_that_applies():
    base = BASES["iris/mlp"]

    def rate(recipe, data):
        return recipe.edit({"optimiser.learning_rate": 0.5}), data

    table = {
        name: Remedy(name, "rate", name, edit, "init", 1)
        for name, edit in (("good", rate), ("idle", lambda recipe, data: None))
    }
    tried = []

    def measure(recipe, data):
        tried.append(recipe.optimiser.learning_rate)
        return [0.7 if recipe == base.recipe else 0.95]

    assert certify(base, table, measure) == {"good": 0.95}
    assert tried == [base.recipe.optimiser.learning_rate, 0.5]
