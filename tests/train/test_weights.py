"""Weights: of rows and of classes, in loss, metrics, validation, models."""

import numpy as np
import pytest
import sklearn.metrics

import shoal as sh
from shoal.arrays import flatten
from shoal.errors import DataError

PLAIN = sh.Preparation("none", "none", sh.Split(validation=0))
HALVES = sh.Preparation(split=sh.Split(validation=0.5))


def recipe(**changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.SGD(0.1), "batch_size": "full", "epochs": 30}
    usual |= {"precision": "float64", "preparation": PLAIN}
    return sh.Recipe(sh.Net(sh.Dense(5), sh.Tanh(), sh.Dense(3)), **(usual | changes))


def classes(rng, rows=60):
    labels = np.repeat([0, 1, 2], [rows // 6, rows // 3, rows // 2])
    return rng.normal(size=(rows, 4)) + labels[:, None], labels


def assert_same_weights(one, other, rtol=1e-9):
    for path, array in flatten(one.model.parameters).items():
        np.testing.assert_allclose(array, flatten(other.model.parameters)[path], rtol=rtol)


@pytest.mark.parametrize("l2", [None, 0.3])
def test_a_row_of_weight_two_counts_like_two_rows(l2, rng):
    x, y = classes(rng)
    weights = rng.integers(0, 4, size=len(y))
    weighted = sh.fit(
        recipe(l2=l2), sh.data.arrays(x, y, weights=weights), show=False, signals="none"
    )
    repeated = np.repeat(np.arange(len(y)), weights)
    plain = sh.fit(
        recipe(l2=l2), sh.data.arrays(x[repeated], y[repeated]), show=False, signals="none"
    )
    assert_same_weights(weighted, plain)
    for name in ("train_loss", "train_accuracy"):
        np.testing.assert_allclose(weighted.record[name], plain.record[name], rtol=1e-9)


def test_weights_of_a_regression_reach_loss_and_metrics(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    weights = rng.integers(0, 4, size=40)
    net, repeated = sh.Net(sh.Dense(1)), np.repeat(np.arange(40), weights)
    ours = recipe(loss="mse").replace(net=net)
    weighted = sh.fit(ours, sh.data.arrays(x, y, weights=weights), show=False, signals="none")
    plain = sh.fit(ours, sh.data.arrays(x[repeated], y[repeated]), show=False, signals="none")
    for name in ("train_loss", "train_r2", "train_rmse"):
        np.testing.assert_allclose(weighted.record[name], plain.record[name], rtol=1e-9)


def test_weights_of_classes_are_weights_of_their_rows(rng):
    x, y = classes(rng)
    by_class = (0.5, 2.0, 3.0)
    ours = sh.fit(recipe(class_weights=by_class), sh.data.arrays(x, y), show=False, signals="none")
    rows = sh.data.arrays(x, y, weights=np.array(by_class)[y])
    theirs = sh.fit(recipe(), rows, show=False, signals="none")
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.record["train_loss"], theirs.record["train_loss"])
    accuracy = np.mean(ours.predict(x) == y)  # not weighted by class
    assert ours.model.evaluate(sh.data.arrays(x, y))["accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    "loss, units", [("cross_entropy", 2), ("binary_cross_entropy", 1), ("mse", 2)]
)
def test_balanced_classes_count_the_same(loss, units, rng):
    """20 and 40 rows: weights 60 / (2 · 20) and 60 / (2 · 40)."""
    x, y = rng.normal(size=(60, 4)), np.repeat([0, 1], [20, 40])
    net = sh.Net(sh.Dense(units))
    balanced = recipe(loss=loss, class_weights="balanced").replace(net=net)
    explicit = balanced.replace(class_weights=(1.5, 0.75))
    data = sh.data.arrays(x, y)
    assert_same_weights(
        *(sh.fit(r, data, show=False, signals="none") for r in (balanced, explicit))
    )


def test_validation_and_a_saved_model_weigh_alike(rng, tmp_path):
    x, y = classes(rng)
    data = sh.data.arrays(x, y, weights=rng.random(len(y)))
    ours = recipe(class_weights="balanced", preparation=HALVES, metrics=("accuracy", "log_loss"))
    run = sh.fit(ours, data, show=False, signals="none")
    validated = run.validate()
    for name, value in validated.items():
        assert value == pytest.approx(run.record[f"validation_{name}"][-1, 0], rel=1e-9)
    again = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    part = data.part(run.prepared.parts.validation, "validation")
    assert again.evaluate(part) == pytest.approx(validated)


def test_metrics_are_scikit_learns_with_weights(rng):
    x, y = rng.normal(size=(50, 3)), np.arange(50) % 2
    weights = rng.random(50)
    ours = recipe(metrics=("accuracy", "roc_auc", "log_loss")).replace(net=sh.Net(sh.Dense(2)))
    run = sh.fit(ours, sh.data.arrays(x, y), show=False, signals="none")
    found = run.model.evaluate(sh.data.arrays(x, y, weights=weights))
    p, labels = run.predict_proba(x), run.predict(x)
    theirs = {
        "accuracy": sklearn.metrics.accuracy_score(y, labels, sample_weight=weights),
        "roc_auc": sklearn.metrics.roc_auc_score(y, p[:, 1], sample_weight=weights),
        "log_loss": sklearn.metrics.log_loss(y, p, sample_weight=weights),
    }
    assert {name: found[name] for name in theirs} == pytest.approx(theirs)


@pytest.mark.parametrize("settings", [{"block_rows": 20}, {"layout": "divided"}])
def test_weights_when_streaming_and_when_devices_share_batches(settings, rng):
    """Batches of 14 of 60 rows: the last is smaller."""
    x, y = classes(rng)
    data = sh.data.arrays(x, y, weights=rng.random(len(y)))
    ours = recipe(batch_size=14, class_weights="balanced", epochs=5)
    plain = sh.fit(
        ours, data, show=False, signals="none", settings=sh.Settings(layout="sequential")
    )
    other = sh.fit(ours, data, show=False, signals="none", settings=sh.Settings(**settings))
    assert_same_weights(plain, other)


def test_a_batch_without_weight_changes_nothing(rng):
    x, y = classes(rng)
    weights = np.zeros(len(y))
    weights[:3] = 1.0
    data = sh.data.arrays(x, y, weights=weights)
    run = sh.fit(recipe(batch_size=1, epochs=2), data, show=False, signals="none")
    assert run.reasons == (sh.Status.EPOCH_LIMIT,)
    assert np.isfinite(run.record["train_loss"]).all()


@pytest.mark.parametrize("weights", [np.ones(5), -np.ones(60), np.full(60, np.nan), np.zeros(60)])
def test_weights_that_cannot_be(weights, rng):
    with pytest.raises(DataError, match="a finite number >= 0 for each of 60 rows, not all 0"):
        sh.data.arrays(*classes(rng), weights=weights)


def test_class_weights_that_cannot_be(rng):
    x, y = classes(rng)
    with pytest.raises(DataError, match="a weight for each of its classes, got 2 weights"):
        sh.fit(recipe(class_weights=(1.0, 2.0)), sh.data.arrays(x, y), show=False, signals="none")
    numbers = recipe(loss="mse", class_weights="balanced").replace(net=sh.Net(sh.Dense(1)))
    with pytest.raises(DataError, match="a classification, .* got a regression"):
        sh.fit(numbers, sh.data.arrays(x, y + 0.5), show=False, signals="none")


def test_a_column_of_a_table_can_be_the_weight():
    columns = {"a": [1.0, 2.0, 3.0], "w": [1.0, 0.0, 2.0], "y": ["p", "q", "p"]}
    data = sh.data.table(columns, target="y", weights="w")
    assert data.weights.tolist() == [1.0, 0.0, 2.0]
    assert list(data.inputs.columns) == ["a"]


def test_data_with_weights_and_without_in_one_process(rng):
    """The same recipe on the same rows: what was compiled for one does not serve the other."""
    x, y = classes(rng)
    weighted = sh.fit(
        recipe(epochs=2), sh.data.arrays(x, y, weights=np.ones(60)), show=False, signals="none"
    )
    plain = sh.fit(recipe(epochs=2), sh.data.arrays(x, y), show=False, signals="none")
    assert_same_weights(weighted, plain)


def test_a_split_in_which_no_row_counts(rng):
    x, y = classes(rng)
    data = sh.data.arrays(x, y, weights=np.arange(60) == 0)
    with pytest.raises(DataError, match="a row that counts in the (train|validation) split"):
        sh.fit(recipe(preparation=HALVES), data, show=False, signals="none")
