"""Cures: classic faults end to end, healthy trainings left alone, and what is said about both."""

import dataclasses
import json

import numpy as np
import pytest

import shoal as sh
from shoal.doctor import curing, words
from shoal.doctor.arena import Arena, Fork, each_seed
from shoal.doctor.cure_picture import cure_info
from shoal.doctor.evidence import Evidence
from shoal.doctor.ground import ground
from shoal.doctor.race import Race
from shoal.doctor.rules.rule import Measured, Rule
from shoal.doctor.scoring import metrics_of, scale
from shoal.doctor.verdicts import CURED, IMPROVES, NO_EFFECT, WORSE, Gain, gain, verdict
from shoal.train.progress import progress

SPLIT = sh.Split(validation=0.3, test=0.2)
PREPARED = sh.Preparation(split=SPLIT)


def rings(rows=240, factor=1.0):
    """Three classes that no line separates, in six columns."""
    rng = np.random.default_rng(5)
    labels = np.arange(rows) % 3
    angle = rng.uniform(0, 2 * np.pi, rows)
    radius = 1.0 + labels + 0.15 * rng.normal(size=rows)
    inputs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    inputs = np.concatenate([inputs, inputs**2], axis=1) * factor
    return sh.data.arrays(inputs, labels, task="classification", name="rings")


def recipe(*layers, **settings):
    net = sh.Net(*(layers or (sh.Dense(16), sh.ReLU(), sh.Dense(3))))
    usual = {"optimiser": sh.Adam(0.02), "epochs": 12, "preparation": PREPARED}
    return sh.Recipe(net, loss="cross_entropy", **(usual | settings))


CONSTANT = (sh.Dense(16, init=sh.Constant(0.1)), sh.ReLU(), sh.Dense(3, init=sh.Constant(0.1)))
DEEP = [layer for _ in range(4) for layer in (sh.Dense(16), sh.Sigmoid())]

FAULTS = {
    "rate too high": (
        recipe(optimiser=sh.SGD(100.0)), 1.0, ("rate_x0.01", "l2"), "rate_x0.01",
    ),
    "rate too low": (recipe(optimiser=sh.Adam(1e-5)), 1.0, ("rate_x100", "usual_rate", "l2"), None),
    "constant init": (recipe(*CONSTANT), 1.0, ("rate_x0.1", "usual_init"), "usual_init"),
    "too much L2": (recipe(l2=500.0), 1.0, ("rate_x0.1", "no_l2", "less_l2"), None),
    "ReLU head": (
        recipe(sh.Dense(16), sh.ReLU(), sh.Dense(3, bias_init=sh.Constant(-9.0)), sh.ReLU()),
        1.0, ("rate_x0.1", "fix_head"), None,
    ),
    "deep sigmoid": (recipe(*DEEP, sh.Dense(3)), 1.0, ("warm_up", "relu"), "relu"),
    "raw inputs": (
        recipe(preparation=sh.Preparation(inputs="none", split=SPLIT), optimiser=sh.SGD(0.02)),
        255.0, ("clip_gradients", "scale_inputs", "rate_x10"), None,
    ),
}  # fmt: skip
"""Sick recipe, factor on the inputs, remedies to try, and the one that must be found (any gain
where None)."""


ALWAYS = ("rate too high", "ReLU head", "deep sigmoid")


@pytest.mark.table(every=2)
@pytest.mark.parametrize(
    "name", [n if n in ALWAYS else pytest.param(n, marks=pytest.mark.slow) for n in FAULTS]
)
def test_a_classic_fault_is_cured(name):
    sick, factor, remedies, wanted = FAULTS[name]
    data = rings(factor=factor)
    found = sh.cure(sick, data, remedies=remedies, show=False)
    assert found.cured, found.text
    assert wanted is None or wanted in found.names
    assert found.proof is not None
    assert found.proof.holds
    assert found.proof.test_after > found.proof.test_before
    assert found.test_looks == 1
    assert "data:" not in found.changes
    # The recipe that is given trains, by the ordinary way, to the same score.
    again = sh.fit(found.recipe, found.cured_data, show=False)
    assert found.run is not None
    np.testing.assert_allclose(
        again.final["validation_accuracy"], found.run.final["validation_accuracy"], atol=0.03
    )


@pytest.fixture(scope="module")
def healthy():
    return sh.cure(recipe(epochs=30), rings(), show=False)


def test_a_healthy_training_is_left_alone(healthy):
    assert not healthy.cured
    assert healthy.recipe == healthy.sick
    assert healthy.summary.startswith("nothing needs a cure")
    assert healthy.changes == ""
    assert healthy.programs <= 2


def test_remedies_that_do_not_help_are_said_not_to():
    found = sh.cure(recipe(optimiser=sh.Adam(0.0)), rings(), remedies=["l2", "warm_up"], show=False)
    assert not found.cured
    assert found.summary.startswith("nothing helped")
    assert {t.verdict for t in found.trials if t.names} == {NO_EFFECT}
    assert found.proof is None


def test_two_faults_need_two_remedies():
    sick = recipe(*CONSTANT, optimiser=sh.Adam(3e-4))
    names = ["l2", "rate_x100", "usual_init"]
    found = sh.cure(sick, rings(), remedies=names, show=False)
    assert found.cured
    assert set(found.names) == {"usual_init", "rate_x100"}
    assert len(found.changes.split("\n")) == 3


def test_the_same_question_has_the_same_answer():
    sick, factor, remedies, _ = FAULTS["rate too high"]
    one, two = (sh.cure(sick, rings(factor=factor), remedies=remedies, show=False) for _ in "ab")
    assert one.text == two.text


def test_a_recipe_that_cannot_be_trained_is_cured():
    sick = recipe(sh.Dense(16), sh.ReLU(), sh.Dense(1), sh.Sigmoid())
    found = sh.cure(sick, rings(), remedies=["fix_head", "rate_x10"], show=False)
    assert found.names == ("fix_head",)
    assert found.recipe.net.layers[-1] == sh.Dense(3)


def test_what_cannot_be_trained_is_mended_and_diagnosed_again():
    """A softmax over one unit hides that the rate is too low as well."""
    layers = sh.Dense(16), sh.ReLU(), sh.Dense(1), sh.Softmax()
    sick, data = recipe(*layers, optimiser=sh.Adam(1e-5)), rings()
    found = sh.diagnose(sick, data)
    assert "usual_rate" not in found.remedies
    with progress(False) as line:
        several = curing._race(sick, data, found, None, None, line)
    assert several.hints[0] == "fix_head"
    assert "usual_rate" in several.hints


def test_leaked_rows_do_not_judge():
    data = rings()
    leaky = sh.data.arrays(
        data.inputs[:160], data.targets[:160], validation=(data.inputs[100:], data.targets[100:])
    )
    found = ground(recipe(), leaky)
    assert found.repairs == ("split_again",)
    assert np.bincount(found.data.parts).tolist() == [160, 80]
    assert "80 rows judge instead of 140" in found.notes[0]
    assert ground(recipe(), data).notes == ()


def test_rows_with_nan_do_not_judge_but_train():
    data = rings()
    data.inputs[[0, 50, 239], 1] = np.nan
    parts = SPLIT.parts(data)
    bad = np.isin([0, 50, 239], parts.train)
    found = ground(recipe(), data)
    assert np.isnan(found.data.inputs).any(axis=1).sum() == bad.sum()
    held = found.data.inputs[found.data.parts > 0]
    assert np.isfinite(held).all()


def test_a_training_with_nan_among_its_rows_is_cured():
    data = rings()
    data.inputs[SPLIT.parts(data).train[3], 1] = np.nan
    found = sh.cure(recipe(epochs=30), data, seeds=3, show=False)
    assert found.names == ("drop_nan_rows",)
    assert len(found.cured_data) == len(data) - 1


# --- the arena: forks train as fit does ----------------------------------------------------------

RAW = sh.Preparation(inputs="none", split=SPLIT)
EDITS = {
    "as it is": {},
    "numbers": {"l2": 3.0, "clip": sh.ClipByNorm(0.1), "schedule": sh.WarmUp(3.0)},
    "stopped": {"early_stopping": sh.EarlyStopping(0), "preparation": RAW},
    "other weights": {"net": sh.Net(sh.Dense(16, init=sh.Normal(1.0)), sh.ReLU(), sh.Dense(3))},
    "more epochs": {"epochs": 9},
}


def test_forks_of_one_program_train_as_fit_does():
    data, base = rings(), recipe(epochs=6)
    edited = {name: base.replace(**edit) for name, edit in EDITS.items()}
    arena = Arena(base, metrics_of(base, data))
    forks = {name: Fork(one.replace(seed=3), data) for name, one in edited.items()}
    arena.advance(
        list(forks.values()), lambda fork: fork.recipe.epochs // 2
    )  # paused, gone on with
    arena.advance(list(forks.values()), lambda fork: fork.recipe.epochs)
    assert arena.compilations <= 1
    for name, fork in forks.items():
        run = sh.fit(fork.recipe, data, show=False)
        assert fork.epochs == run.epochs[0], name
        np.testing.assert_allclose(fork.at("validation_loss"), run.final["validation_loss"], 1e-4)
        ours = arena.run([fork]).predict_proba(data.inputs)
        np.testing.assert_allclose(ours, run.predict_proba(data.inputs), atol=1e-4, err_msg=name)


def test_dropout_of_rate_0_is_no_dropout():
    data = rings()
    sick = recipe(sh.Dense(16), sh.ReLU(), sh.Dropout(0.9), sh.Dense(3), epochs=4)
    mended = sick.replace(net=sh.Net(sh.Dense(16), sh.ReLU(), sh.Dense(3)))
    arena = Arena(sick, metrics_of(sick, data))
    assert arena.program(sick, data) == arena.program(mended, data)
    (fork,) = each_seed(mended, data, 0, 1)
    arena.advance([fork], lambda fork: 4)
    run = sh.fit(mended, data, show=False)
    np.testing.assert_allclose(fork.at("train_loss"), run.final["train_loss"], rtol=1e-5)


SEVERAL = recipe(
    sh.Dense(16), sh.ReLU(), sh.Dense(3), sh.Sigmoid(), optimiser=sh.SGD(1e-4),
    preparation=sh.Preparation(inputs="none", split=SPLIT),
)  # fmt: skip


def race(hints, rows=240):
    data = rings(rows, factor=255.0)
    metrics = metrics_of(SEVERAL, data)
    prepared = SEVERAL.prepare(data)
    return Race(Arena(SEVERAL, metrics), SEVERAL, data, scale(prepared, metrics), hints)


def test_first_remedies_of_different_causes_are_tried_together():
    """Inputs, head and rate at once: no two remedies of one cause, none that does not apply."""
    causes = [("scale_inputs", "batch_norm"), ("no_l2", "fix_head"), ("usual_rate", "rate_x10")]
    several = race(causes)
    assert several.hints[:4] == ("scale_inputs", "batch_norm", "fix_head", "usual_rate")
    wanted = ("scale_inputs", "fix_head", "usual_rate")
    several._round(several.sick, first=True, room=4)
    assert wanted in several.arms and wanted[:2] in several.arms
    assert ("scale_inputs", "batch_norm") not in several.arms
    assert several.best.names == wanted


def test_a_remedy_that_takes_back_another_is_not_tried_on_top_of_it():
    several = race([])
    assert several._undoes(("l2", "no_l2")) and several._undoes(("l2", "fix_head", "no_l2"))
    assert not several._undoes(("l2", "fix_head"))
    assert several._wanted(("l2", "no_l2"), set(), 9) is None


def test_several_targets_are_judged_together():
    """One that hardly varies says little: R² is over all of their variance."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 3))
    targets = np.stack([inputs @ [1.0, -2.0, 0.5], 1e-4 * rng.normal(size=300)], axis=1)
    data = sh.data.arrays(inputs, targets)
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(2))
    plain = sh.Preparation(targets="none", split=SPLIT)
    sick = sh.Recipe(net, "mse", sh.Adam(1e-5), epochs=10, preparation=plain)
    found = sh.cure(sick, data, remedies=["rate_x100", "l2"], show=False)
    assert found.names == ("rate_x100",)
    assert found.proof.test_after > found.proof.test_before


def test_smaller_gains_are_worth_an_edit_where_a_cause_is_known():
    known, unknown = race([("scale_inputs",)], 720), race([], 720)
    assert known.worth < unknown.worth


# --- verdicts and scales -------------------------------------------------------------------------


def test_gain_is_students_interval():
    """By scipy's own interval of the mean."""
    from scipy import stats

    after, before = np.array([0.9, 0.8, 0.95, 0.85]), np.array([0.2, 0.3, 0.25, 0.1])
    found = gain(after, before)
    low, high = stats.t.interval(0.95, 3, np.mean(after - before), stats.sem(after - before))
    np.testing.assert_allclose([found.low, found.high], [low, high])


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (Gain(0.60, 0.05, 5), CURED),
        (Gain(0.40, 0.05, 5), IMPROVES),
        (Gain(0.40, 0.50, 5), NO_EFFECT),
        (Gain(0.40, 0.50, 5, 0.01, 0.9), IMPROVES),
        (Gain(0.40, 0.50, 4, 0.01, 0.9), NO_EFFECT),
        (Gain(-0.40, 0.50, 5, -0.9, -0.01), WORSE),
        (Gain(0.01, 0.001, 5), NO_EFFECT),
        (Gain(-0.30, 0.05, 5), WORSE),
        (Gain(0.60, float("nan"), 2), IMPROVES),
        (Gain(-0.30, float("nan"), 2), WORSE),
    ],
)
def test_verdicts(found, wanted):
    assert verdict(found, gap=0.62, worth=0.05) == wanted


def test_the_scale_of_a_task():
    data = rings()
    one = recipe()
    found = scale(one.prepare(data), metrics_of(one, data))
    held = data.targets[SPLIT.parts(data).validation]
    np.testing.assert_allclose(found.floor, np.bincount(held).max() / len(held), atol=0.02)
    assert found.simple > 0.9
    assert found.least == 3 / len(held)
    assert found.quality(float("nan")) == found.floor


def test_a_metric_of_the_recipe_judges(line):
    one = sh.Recipe(sh.Net(sh.Dense(2)), loss="mse", metrics=("mae",), epochs=2)
    names = [metric.name for metric in metrics_of(one, line)]
    assert names == ["mae", "r2_variance_weighted"]
    found = scale(one.prepare(line), metrics_of(one, line))
    assert found.bounds == (-np.inf, 0.0)
    assert found.quality(2.0) == -2.0


# --- what is given back --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cured():
    sick, factor, remedies, _ = FAULTS["rate too high"]
    return sh.cure(sick, rings(factor=factor), remedies=remedies, show=False)


def test_the_picture_shows_arms_and_curves(cured, healthy, tmp_path):
    info = cure_info(cured)
    assert info.after_label == cured.names[0]
    assert "as it is" in info.labels
    assert len(info.after) == 12
    assert max(info.before) < 0.5 < min(info.after)
    assert info.qualities == tuple(sorted(info.qualities, reverse=True))
    for one in (cured, healthy):
        assert one.draw(tmp_path / "cure.png").read_bytes()[:4] == b"\x89PNG"


def test_no_interval_goes_beyond_what_the_metric_can_be(cured):
    info = cure_info(cured)._replace(qualities=(0.98, 0.01, 0.5), halves=(0.05, 0.05, 0.05))
    assert info.bounds == (0.0, 1.0)
    wanted = [(0.05, 0.02), (0.01, 0.05), (0.05, 0.05)]
    assert [info.reach(row) for row in range(3)] == [pytest.approx(pair) for pair in wanted]
    free = info._replace(bounds=(-np.inf, np.inf))
    assert free.reach(0) == (0.05, 0.05)


def test_the_table_says_that_rows_have_seeds_of_their_own(cured):
    assert {trial.gain.seeds for trial in cured.trials} == {5}
    assert "seeds of the row" not in cured.table
    first, *others = cured.trials
    given_up = dataclasses.replace(first, gain=first.gain._replace(seeds=2))
    table = dataclasses.replace(cured, trials=(given_up, *others)).table
    assert table.split("\n")[-1].startswith("values: over the seeds of the row; gains: ")


def test_numbers_are_written_as_people_read_them():
    assert str(Gain(12345.678, 1.5, 5)) == "+12,345.678 ± 1.500"
    assert words.number(10000.0, 3) == "10,000" and words.number(1e12) == "1e+12"
    assert words.plain("1.2e+04 times, 1e-05, 3e+12.") == "12,000 times, 1e-05, 3e+12."
    rule = Rule("r", "rate", (), lambda e: Measured(2e4), 1, "{value:.2g} times.", "", ())
    assert rule.find(Evidence(), sick=True).sentence == "20,000 times."


def test_a_folder_keeps_everything(cured, tmp_path):
    cured.save(tmp_path / "kept")
    text = (tmp_path / "kept" / "cure.txt").read_text()
    assert "optimiser.learning_rate: 100.0 -> 1.0" in text
    back = sh.Recipe.from_json((tmp_path / "kept" / "recipe.json").read_text())
    assert back == cured.recipe
    assert json.loads(back.to_json())["optimiser"]["learning_rate"] == 1.0
    model = sh.Model.load(tmp_path / "kept" / "model.safetensors")
    inputs = cured.data.inputs[:20]
    assert (model.predict(inputs) == cured.model.predict(inputs)).all()
    with pytest.raises(sh.FileError, match="a folder"):
        cured.save(tmp_path / "kept" / "cure.txt")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"remedies": ["aspirin"]}, "remedy"),
        ({"remedies": []}, "a list of names of remedies"),
        ({"remedies": "rate_x10"}, "a list of names of remedies"),
        ({"seeds": 2}, ">= 3"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(sh.RecipeError, match=match):
        sh.cure(recipe(), rings(), show=False, **settings)


def test_what_cannot_be_cured_is_refused():
    with pytest.raises(sh.RecipeError, match=r"run\.recipe"):
        sh.cure("digits", rings())
    bare = recipe(preparation=sh.Preparation(split=sh.Split(validation=0.0)))
    with pytest.raises(sh.RecipeError, match="validation"):
        sh.cure(bare, rings())
    nets = sh.Choice(sh.Net(sh.Dense(2)), sh.Net(sh.Dense(3), sh.Dense(2)))
    left_open = recipe().replace(net=nets)
    with pytest.raises(sh.RecipeError, match="open"):
        sh.cure(left_open, rings())
