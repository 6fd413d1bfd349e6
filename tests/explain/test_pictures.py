"""Pictures of rows: the data behind each against brute force, and that each can be drawn."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, r2_score

import shoal as sh
from shoal.data.dataset import Column, Table
from shoal.errors import DataError
from shoal.explain.pictures.confusion import confusion_info
from shoal.explain.pictures.curves import curves_info
from shoal.explain.pictures.examples import examples
from shoal.explain.pictures.features import features_info
from shoal.explain.pictures.health import health_info
from shoal.explain.pictures.predictions import predictions_info
from shoal.explain.pictures.surface import surface_info
from shoal.explain.pictures.weights import weights_info
from shoal.explain.pictures.worst import worst_info
from shoal.train.outcome import Outcome
from shoal.train.run import Run

SPLIT = sh.Preparation(split=sh.Split(validation=0.3, test=0.2))


def trained(net, data, **settings):
    settings = {"loss": "cross_entropy", "epochs": 3, "preparation": SPLIT} | settings
    return sh.fit(sh.Recipe(net, **settings), data, show=False, signals="none")


def untrained(net, data, **settings):
    """A run with the weights that training would start from: nothing is compiled for it."""
    recipe = sh.Recipe(net, **({"loss": "cross_entropy", "preparation": SPLIT} | settings))
    prepared = recipe.prepare(data)
    with jax.enable_x64(recipe.precision == "float64"):
        weights = recipe.body.init(jax.random.key(0), prepared.inputs.out_shape, recipe.dtype)
    parameters, statistics = jax.tree.map(np.asarray, weights)
    outcome = Outcome(recipe, sh.Status.EPOCH_LIMIT, 0, 0, 0, parameters, statistics, {})
    return Run.of([outcome], prepared, 0.0, None)


@pytest.fixture(scope="module")
def classes(small):
    return trained(sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3)), small, optimiser=sh.Adam(0.02))


@pytest.fixture(scope="module")
def numbers(line):
    return untrained(sh.Net(sh.Dense(2)), line, loss="mse")


@pytest.fixture(scope="module")
def convolution(pictures):
    net = sh.Net(
        sh.Conv(4, 3), sh.ReLU(), sh.MaxPool(2), sh.Residual(sh.Conv(4, 3), sh.Tanh()),
        sh.Flatten(), sh.Dropout(0.5), sh.Dense(3),
    )  # fmt: skip
    return untrained(net, pictures)


@pytest.fixture(scope="module")
def mixed():
    """A table: two numbers (one with a missing value), a flag, a category."""
    rng = np.random.default_rng(5)
    n = 60
    labels = np.arange(n) % 2
    width = rng.normal(size=n) + labels
    width[3] = np.nan
    place = np.array(["sun", "shade", "shade"], dtype=object)[np.arange(n) % 3]
    columns = {
        "height": Column("number", rng.normal(size=n) + 2 * labels),
        "width": Column("number", width),
        "wild": Column("flag", (np.arange(n) % 4 == 0).astype(float)),
        "place": Column("category", place),
    }
    return sh.Data(Table(columns), labels.astype(np.int32), "classification", ("a", "b"), "mixed")


@pytest.fixture(scope="module")
def table(mixed):
    return untrained(sh.Net(sh.Dense(2)), mixed)


def drawn(path):
    return path.stat().st_size > 4000


# --- rows ----------------------------------------------------------------------------------------


def test_rows_are_those_of_the_validation_split_unless_another_is_asked_for(classes):
    found = examples(classes)
    np.testing.assert_array_equal(found.rows, classes.prepared.parts.validation)
    assert classes.test_looks == 0
    mine = replace(classes)
    assert len(examples(mine, split="test").rows) == len(mine.prepared.parts.test)
    assert mine.test_looks == 1
    assert examples(mine, split="all").predictions.shape == (90, 3)
    assert mine.test_looks == 2
    examples(mine, split="train")
    assert mine.test_looks == 2
    assert classes.test_looks == 0


def test_a_model_splits_its_data_as_in_training(classes, tmp_path, small):
    model = sh.Model.load(classes.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(examples(model, small).rows, examples(classes).rows)
    np.testing.assert_allclose(examples(model, small).losses, examples(classes).losses)
    with pytest.raises(DataError, match="a picture of a model needs data, got none"):
        examples(model)
    with pytest.raises(DataError, match="the classes of the model"):
        examples(model, sh.data.iris())
    with pytest.raises(DataError, match="split needs one of"):
        examples(classes, split="tset")


def test_losses_of_rows_have_the_mean_that_validation_has(classes, numbers, convolution):
    for run in (classes, numbers, convolution):
        loss = run.validate()["loss"]
        np.testing.assert_allclose(examples(run).losses.mean(), loss, rtol=1e-5)


# --- classification ------------------------------------------------------------------------------


def test_confusion_against_scikit_learn(classes, small, tmp_path):
    info = confusion_info(classes)
    rows = classes.prepared.parts.validation
    predicted = classes.predict(small.inputs[rows])
    expected = confusion_matrix(small.targets[rows], predicted, labels=[0, 1, 2])
    np.testing.assert_array_equal(info.counts, expected)
    np.testing.assert_allclose(info.accuracy, np.trace(expected) / len(rows))
    np.testing.assert_allclose(info.shares.sum(axis=1), 1.0)
    for ending in ("png", "svg", "pdf"):
        assert drawn(sh.draw_confusion(classes, tmp_path / f"c.{ending}"))


def test_confusion_is_for_classes_and_predictions_for_numbers(classes, numbers, tmp_path):
    with pytest.raises(DataError, match="needs a classification, got a regression; use draw_pred"):
        sh.draw_confusion(numbers, tmp_path / "c.png")
    with pytest.raises(DataError, match="needs a regression, got a classification; use draw_conf"):
        sh.draw_predictions(classes, tmp_path / "p.png")


def test_worst_examples_by_brute_force(classes, small, tmp_path):
    info = worst_info(classes, 5)
    rows = classes.prepared.parts.validation
    p = classes.predict_proba(small.inputs[rows])
    losses = -np.log(p[np.arange(len(rows)), small.targets[rows]])
    order = np.argsort(-losses)[:5]
    assert [wrong.row for wrong in info.examples] == rows[order].tolist()
    np.testing.assert_allclose([w.loss for w in info.examples], losses[order], rtol=1e-4)
    first = info.examples[0]
    assert first.true == str(small.targets[first.row])
    assert first.predicted == str(p[order[0]].argmax())
    assert first.certainty == pytest.approx(p[order[0]].max())
    assert first.image is None
    assert first.text.startswith(f"x0 = {small.inputs[first.row, 0]:.4g}\nx1 = ")
    assert drawn(sh.draw_worst(classes, tmp_path / "w.png"))
    with pytest.raises(DataError, match="count needs a whole number >= 1, got 0"):
        worst_info(classes, 0)


def test_worst_examples_show_images_tables_and_values(numbers, table, tmp_path):
    digits = sh.data.digits()
    run = untrained(sh.Net(sh.Dense(10)), digits)
    wrong = worst_info(run, 1).examples[0]
    np.testing.assert_array_equal(wrong.image, digits.inputs[wrong.row].reshape(8, 8))
    assert worst_info(run, 1, image=()).examples[0].text.endswith("…")
    assert worst_info(run, 1, image=(4, 16)).examples[0].image.shape == (4, 16)
    with pytest.raises(DataError, match="image needs a height and width .* 64 numbers"):
        worst_info(run, 1, image=(8, 9))
    assert drawn(sh.draw_worst(run, tmp_path / "images.png", 3))
    assert "place = s" in worst_info(table, 1).examples[0].text
    assert drawn(sh.draw_worst(table, tmp_path / "table.png", 3))
    values = worst_info(numbers, 2).examples
    assert ", " in values[0].true and np.isnan(values[0].certainty)
    assert drawn(sh.draw_worst(numbers, tmp_path / "values.png", 2))


def test_worst_examples_of_labels_that_go_together(tmp_path):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3))
    data = sh.data.arrays(inputs, (inputs > 0).astype(int), task="multilabel", name="labels")
    run = untrained(sh.Net(sh.Dense(3)), data, loss="binary_cross_entropy")
    assert drawn(sh.draw_worst(run, tmp_path / "w.png", 2))
    with pytest.raises(DataError, match="needs a classification, got a multilabel; use draw_worst"):
        sh.draw_confusion(run, tmp_path / "c.png")
    with pytest.raises(DataError, match="several labels"):
        sh.draw_surface(run, tmp_path / "s.png", (0, 1))


# --- regression ----------------------------------------------------------------------------------


def test_predictions_against_scikit_learn(numbers, line, tmp_path):
    info = predictions_info(numbers)
    rows = numbers.prepared.parts.validation
    predicted = numbers.predict(line.inputs[rows])
    assert [values.name for values in info.targets] == ["target0", "target1"]
    for t, values in enumerate(info.targets):
        np.testing.assert_allclose(values.residuals, predicted[:, t] - line.targets[rows, t])
        assert values.r2 == pytest.approx(r2_score(line.targets[rows, t], predicted[:, t]))
    assert drawn(sh.draw_predictions(numbers, tmp_path / "p.png"))


# --- weights and features ------------------------------------------------------------------------


def test_weights_are_those_of_the_model(convolution, classes, tmp_path):
    info = weights_info(convolution)
    assert [layer.name for layer in info.layers] == [
        "conv1/weight", "residual1/conv1/weight", "dense1/weight",
    ]  # fmt: skip
    kernel = convolution.model.parameters["residual1"]["conv1"]["weight"][0]
    tiles = info.layers[1].tiles
    assert info.layers[1].across == 4
    np.testing.assert_array_equal(tiles[4 * 2 + 1], kernel[:, :, 1, 2])  # filter 2, channel 1
    assert info.layers[2].kind == "matrix"
    assert drawn(sh.draw_weights(convolution, tmp_path / "c.png"))
    assert drawn(sh.draw_weights(classes, tmp_path / "d.png"))


def test_units_that_see_an_image_are_images(tmp_path):
    data = sh.data.digit_images()
    run = untrained(sh.Net(sh.Flatten(), sh.Dense(10)), data)
    (layer,) = weights_info(run).layers
    weight = run.model.parameters["dense1"]["weight"][0]
    np.testing.assert_array_equal(layer.tiles[3], weight[3].reshape(8, 8))
    assert weights_info(run, image=()).layers[0].kind == "matrix"
    assert drawn(sh.draw_weights(run, tmp_path / "w.png"))
    with pytest.raises(DataError, match="member needs a whole number from 0 to 0, got 1"):
        sh.draw_weights(run, tmp_path / "w.png", member=1)


def test_a_wide_image_of_colours_is_seen_in_colours():
    rng = np.random.default_rng(0)
    data = sh.data.arrays(rng.normal(size=(20, 4, 4, 3)), np.arange(20) % 2, name="colours")
    run = untrained(sh.Net(sh.Conv(5, 3), sh.GlobalAvgPool(), sh.Dense(2)), data)
    layer = weights_info(run).layers[0]
    assert layer.kind == "colours" and layer.tiles.shape == (5, 3, 3, 3)
    assert layer.tiles.min() >= 0.0 and layer.tiles.max() <= 1.0


def test_features_end_in_what_the_model_predicts(convolution, pictures, tmp_path):
    info = features_info(convolution, 2)
    assert info.row == convolution.prepared.parts.validation[2]
    shapes = [layer.shape for layer in info.layers]
    assert shapes == [(8, 8, 2), (8, 8, 4), (8, 8, 4), (4, 4, 4), (4, 4, 4), (64,), (64,), (3,)]
    z = info.layers[-1].values
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    expected = convolution.predict_proba(pictures.inputs[info.row : info.row + 1])[0]
    np.testing.assert_allclose(p, expected, rtol=1e-4)
    # ReLU of the layer before it, and the largest of each window after that.
    np.testing.assert_allclose(info.layers[2].values, np.maximum(info.layers[1].values, 0))
    windows = info.layers[2].values.reshape(4, 4, 2, 4, 2)
    np.testing.assert_allclose(info.layers[3].values, windows.max(axis=(2, 4)))
    assert drawn(sh.draw_features(convolution, tmp_path / "f.png", 2))
    with pytest.raises(DataError, match="a whole number from 0 to 18"):
        features_info(convolution, 19)


def test_features_of_sequences_and_of_double_precision(tmp_path, line):
    rng = np.random.default_rng(0)
    steps = sh.data.arrays(rng.normal(size=(30, 7, 2)), np.arange(30) % 2, name="steps")
    run = untrained(sh.Net(sh.Conv(5, 3), sh.GlobalAvgPool(), sh.Dense(2)), steps)
    kinds = [layer.kind for layer in features_info(run).layers]
    assert kinds == ["sequence", "sequence", "bars", "bars"]
    assert drawn(sh.draw_features(run, tmp_path / "f.png"))
    assert drawn(sh.draw_weights(run, tmp_path / "w.png"))
    exact = untrained(sh.Net(sh.Dense(2)), line, loss="mse", precision="float64")
    assert drawn(sh.draw_features(exact, tmp_path / "d.png"))
    assert drawn(sh.draw_worst(exact, tmp_path / "v.png", 1))


# --- surfaces ------------------------------------------------------------------------------------


def test_a_surface_says_what_the_model_predicts(classes, small, tmp_path):
    info = surface_info(classes, (0, "x1"), resolution=12)
    rows = classes.prepared.parts.validation
    usual = small.inputs[rows].mean(axis=0)
    for i, j in ((0, 0), (3, 7), (11, 2)):
        point = usual.copy()
        point[:2] = info.xs[j], info.ys[i]
        p = classes.predict_proba(point[None])[0]
        assert info.values[i, j] == p.argmax()
        assert info.certainty[i, j] == pytest.approx(p.max(), rel=1e-4)
    np.testing.assert_array_equal(info.points, small.inputs[rows][:, :2])
    np.testing.assert_array_equal(info.targets, small.targets[rows])
    assert info.others
    assert drawn(sh.draw_surface(classes, tmp_path / "s.png", (0, 1), resolution=20))


def test_a_surface_of_a_table(table, mixed, tmp_path):
    run = table
    info = surface_info(run, ("height", "width"), resolution=5)
    rows = mixed.rows(run.prepared.parts.validation).columns
    usual = "shade" if (rows["place"].values == "shade").sum() * 2 > len(rows) else "sun"
    flag = float(np.nansum(rows["wild"].values) * 2 > len(rows["wild"].values))
    point = Table(
        {
            "height": Column("number", info.xs[[1]]),
            "width": Column("number", info.ys[[4]]),
            "wild": Column("flag", np.array([flag])),
            "place": Column("category", np.array([usual], dtype=object)),
        }
    )
    assert info.certainty[4, 1] == pytest.approx(run.model.predict_proba(point).max(), rel=1e-4)
    assert np.isfinite(info.points).all()
    assert drawn(sh.draw_surface(run, tmp_path / "s.png", ("height", "width"), resolution=20))


def test_a_surface_of_values(numbers, line, tmp_path):
    info = surface_info(numbers, (0, 3), resolution=4)
    assert np.isnan(info.certainty).all() and info.classes == ()
    assert drawn(sh.draw_surface(numbers, tmp_path / "s.png", (0, 3), resolution=20))


@pytest.mark.parametrize(
    "features, message",
    [
        (None, "needs two features, got 4"),
        ((0, 0), "two different features"),
        ((0, 9), "a name or a place that it has, got 9"),
        (("height", "widht"), "did you mean 'width'"),
        (("height", "place"), "the feature 'place' needs numbers, got categories"),
    ],
)
def test_features_that_make_no_surface(table, features, message):
    with pytest.raises(DataError, match=message):
        surface_info(table, features)


def test_images_make_no_surface(convolution):
    with pytest.raises(DataError, match="rows of features, got examples of 3 axes"):
        surface_info(convolution, (0, 1))


# --- health and curves ---------------------------------------------------------------------------

SIGNALS = ("gradient_norm", "dead", "activation_mean", "own")


@pytest.fixture
def signalled(classes):
    """A run whose record has signals, made by hand: layer l, signal s, epoch e: 100 l + 10 s + e."""
    columns = dict(classes.record.columns)
    for layer in (10, 2, 1):
        for s, signal in enumerate(SIGNALS):
            if (layer, signal) != (10, "dead"):
                values = 100.0 * layer + 10 * s + np.arange(3)[:, None]
                columns[f"{layer}_Dense:{signal}"] = values / 1e4 if signal == "dead" else values
    return replace(classes, record=sh.Record(columns))


def test_health_reads_whatever_signals_there_are(signalled, tmp_path):
    info = health_info(signalled)
    names = [heat.signal for heat in info.maps]
    assert names == ["activation_mean", "dead", "gradient_norm", "own"]  # the unknown one last
    assert [heat.scale for heat in info.maps] == ["signed", "share", "log", "plain"]
    gradient = info.maps[2]
    assert gradient.layers == ("1_Dense", "2_Dense", "10_Dense")  # as numbers, not as texts
    np.testing.assert_array_equal(gradient.values[2], [1000, 1001, 1002])
    assert info.maps[1].layers == ("1_Dense", "2_Dense")
    assert drawn(sh.draw_health(signalled, tmp_path / "h.png"))
    signalled.record.columns["1_Dense:gradient_norm"][:] = np.nan
    signalled.record.columns["2_Dense:gradient_norm"][:] = 0.0
    assert drawn(sh.draw_health(signalled, tmp_path / "h.png"))


def test_health_needs_signals_and_a_member(classes, signalled):
    with pytest.raises(DataError, match=r"train with sh.fit\(..., signals='basic'\)"):
        health_info(classes)
    with pytest.raises(DataError, match="member needs a whole number from 0 to 0, got -1"):
        health_info(signalled, -1)


def test_curves_say_when_and_why_a_training_stopped(small, tmp_path):
    run = trained(
        sh.Net(sh.Dense(3)), small, epochs=40, optimiser=sh.Adam(0.3), schedule="cosine",
        early_stopping=sh.EarlyStopping(2),
    )  # fmt: skip
    info = curves_info([run], findings=[(4, "late"), (2, "early")])
    assert [panel.title for panel in info.panels] == ["loss", "accuracy", "learning rate"]
    curve = info.panels[0].curves[0]
    assert curve.stop == run.epochs[0] < 40
    assert curve.reason == "the validation loss stopped improving"
    assert info.findings == ((2, "early"), (4, "late"))
    rate = info.panels[2].curves[0].train
    # Cosine: half of (1 + cos(pi t)), at the last step of the first of 40 epochs.
    steps = -(-len(run.prepared.parts.train) // 32)
    t = (steps - 1) / steps / 40
    assert rate[0] == pytest.approx(0.3 * 0.5 * (1 + np.cos(np.pi * t)), rel=1e-4)
    plain = sh.draw_curves(run, tmp_path / "a.svg").read_text()
    marked = sh.draw_curves(run, tmp_path / "b.svg", findings=[(2, "early")]).read_text()
    assert len(marked) > len(plain)
