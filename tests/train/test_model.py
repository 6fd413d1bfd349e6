"""Models: predictions on raw data, ensembles, one file with everything in it."""

import json
import struct

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten
from shoal.errors import DamagedFileError, DataError, FileError, RecipeError

NET = sh.Net(sh.Dense(8), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.2), sh.Dense(3))


@pytest.fixture(scope="module")
def run(small):
    recipe = sh.Recipe(
        NET, loss="cross_entropy", epochs=40, optimiser=sh.Adam(0.02), precision="float64"
    )
    return sh.fit(recipe, small, seeds=3, show=False, signals="none")


def member(model, k):
    """One member of an ensemble as a model of its own."""
    together = (model.parameters, model.statistics)
    parameters, statistics = jax.tree.map(lambda a: a[k : k + 1], together)
    return sh.Model(model.recipes[k : k + 1], parameters, statistics, model.inputs, model.targets)


def test_an_ensemble_averages_the_probabilities_of_its_members(run, small):
    members = [member(run.model, k).predict_proba(small.inputs) for k in range(3)]
    mean = np.mean(members, axis=0)
    np.testing.assert_allclose(run.predict_proba(small.inputs), mean, rtol=1e-12)
    assert not np.allclose(members[0], members[1])
    wanted = np.array(small.classes)[mean.argmax(axis=1)]
    np.testing.assert_array_equal(run.predict(small.inputs), wanted)


def test_members_of_an_ensemble_are_the_networks_of_their_seeds(run, small):
    assert run.model.recipes[2].seed == 2
    alone = sh.fit(run.model.recipes[2], small, show=False, signals="none")
    mine = member(run.model, 2).predict_proba(small.inputs)
    np.testing.assert_allclose(mine, alone.predict_proba(small.inputs), rtol=1e-6)


def test_a_row_is_predicted_the_same_whatever_its_company(run, small):
    whole = run.predict_proba(small.inputs)
    for rows in ([0], [5, 3], list(range(40))):
        part = run.predict_proba(small.inputs[rows])
        np.testing.assert_allclose(part, whole[rows], rtol=1e-5, atol=1e-7)
    assert run.predict_proba(small.inputs[:0]).shape == (0, 3)
    many = np.tile(small.inputs, (30, 1))  # more than one block
    np.testing.assert_allclose(run.predict_proba(many)[-90:], whole, rtol=1e-5, atol=1e-7)


def test_a_model_is_printed_in_a_line(run, line):
    net = "Dense, BatchNorm, ReLU, Dropout, Dense"
    assert repr(run.model) == (
        f"Model(classification of 3 classes; {net}; 3 members of 99 parameters)"
    )
    deep = sh.Recipe(sh.Net(*[sh.Dense(2)] * 9), loss="mse", epochs=1)
    found = repr(sh.fit(deep, line, show=False, signals="none").model)
    assert found == "Model(regression of 2 numbers; 9 layers; 58 parameters)"


def test_it_learned(run, small):
    found = run.model.evaluate(small)
    assert found["accuracy"] > 0.75  # chance is a third
    assert found["loss"] < 0.5 * np.log(3)


def test_other_metrics_than_those_of_the_recipe(run, small):
    named = run.model.evaluate(small, ["log_loss", "top_3"])
    assert list(named) == ["loss", "log_loss", "top_3"]
    assert named["log_loss"] == pytest.approx(named["loss"], rel=1e-6)
    with pytest.raises(RecipeError, match="a task of regression"):
        run.model.evaluate(small, "r2")


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_saved_model_predicts_the_same(precision, small, tmp_path):
    recipe = sh.Recipe(NET, loss="cross_entropy", epochs=2, precision=precision)
    run = sh.fit(recipe, small, seeds=2, show=False, signals="none")
    model = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    assert model.recipes == run.model.recipes
    assert model.classes == small.classes
    np.testing.assert_array_equal(
        model.predict_proba(small.inputs), run.predict_proba(small.inputs)
    )
    for path, array in flatten(run.model.parameters).items():
        assert flatten(model.parameters)[path].dtype == np.dtype(precision)
        np.testing.assert_array_equal(array, flatten(model.parameters)[path])


def test_a_regression_predicts_in_units_of_its_target(line, tmp_path):
    recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="mse", epochs=200, optimiser=sh.Adam(0.05))
    run = sh.fit(recipe, line, show=False, signals="none")
    errors = run.predict(line.inputs) - line.targets
    assert np.sqrt((errors**2).mean()) < 0.2  # the noise is 0.1
    model = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(model.predict(line.inputs), run.predict(line.inputs))
    with pytest.raises(RecipeError, match="predict_proba needs a classification"):
        model.predict_proba(line.inputs)
    single = sh.data.arrays(line.inputs, line.targets[:, 0])
    one = sh.fit(
        recipe.replace(net=sh.Net(sh.Dense(1)), epochs=1), single, show=False, signals="none"
    )
    assert one.predict(line.inputs).shape == (80,)


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [False, True], [3, 7]], ids=["texts", "booleans", "numbers"]
)
def test_two_classes_by_one_output(labels, rng, tmp_path):
    codes = np.arange(60) % 2
    x = rng.normal(size=(60, 3)) + 3 * codes[:, None]
    y = np.array(labels)[codes]
    net = sh.Net(sh.Dense(1), sh.Sigmoid())
    for loss in ("binary_cross_entropy", "mse"):
        recipe = sh.Recipe(net, loss=loss, epochs=100, optimiser=sh.Adam(0.1))
        run = sh.fit(
            recipe, sh.data.arrays(x, y, task="classification"), show=False, signals="none"
        )
        model = sh.Model.load(run.save(tmp_path / "model.safetensors"))
        predicted = model.predict(x)
        assert predicted.dtype == y.dtype
        assert (predicted == y).mean() > 0.95
        proba = model.predict_proba(x)
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
        assert ((proba[:, 1] > 0.5) == (predicted == labels[1])).all()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda x: x[:, :5], "needs examples of shape 6, as in training, got 5"),
        (lambda x: x.astype(str), "needs numbers, as in training, got an array of <U32"),
        (lambda x: np.where(np.arange(6) == 2, np.nan, x), r"got nan in row 0, position \[2\]"),
    ],
)
def test_inputs_that_do_not_fit(spoil, message, run, small):
    with pytest.raises(DataError, match=message):
        run.predict(spoil(small.inputs))


def rewrite(path, change):
    """The file with its JSON header changed, as someone with a hex editor would."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    about = json.loads(header["__metadata__"]["shoal"])
    change(header, about)
    header["__metadata__"]["shoal"] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda h, a: a.update(format=99), DamagedFileError, "got format 99"),
        (lambda h, a: a.update(recipes=[]), DamagedFileError, "got no recipe"),
        (lambda h, a: a.pop("preparation"), DamagedFileError, "needs the preparation of the data"),
        (
            lambda h, a: a["recipes"][0]["net"]["layers"][0].update(kind="os.system"),
            RecipeError,
            "needs a 'kind' out of the vocabulary, got 'os.system'",
        ),
        (
            lambda h, a: a["recipes"][0]["net"]["layers"][0].update(units=9),
            DamagedFileError,
            r"got parameters/batchnorm1/offset of shape \(3, 8\)",
        ),
        (
            lambda h, a: h.update(other=h.pop("parameters/dense1/bias")),
            DamagedFileError,
            "got no array 'parameters/dense1/bias'",
        ),
        (
            lambda h, a: a["recipes"][0].update(kind="Dense", units=3),
            (RecipeError, DamagedFileError),
            "needs",
        ),
    ],
)
def test_a_file_that_was_tampered_with(change, error, message, run, tmp_path):
    path = run.save(tmp_path / "model.safetensors")
    rewrite(path, change)
    with pytest.raises(error, match=message):
        sh.Model.load(path)


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        sh.Model.load(tmp_path / "nothing.safetensors")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DamagedFileError, match="needs a safetensors file with shoal's description"):
        sh.Model.load(tmp_path / "text")


def test_the_summary_is_of_the_network(run):
    assert run.model.summary().parameters == NET.parameter_count((6,))
