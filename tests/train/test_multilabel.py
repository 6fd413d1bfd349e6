"""Several labels for a row, each of which is there or not."""

import numpy as np
import pytest
import sklearn.metrics

import shoal as sh
from shoal.errors import DataError


@pytest.fixture(scope="module")
def topics():
    """120 rows, 5 features, 3 labels that go together at random."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(120, 5))
    y = (x @ rng.normal(size=(5, 3)) + 0.3 * rng.normal(size=(120, 3)) > 0).astype(int)
    return x, y


@pytest.fixture(scope="module")
def run(topics):
    recipe = sh.Recipe(
        sh.mlp([16], 3), loss="binary_cross_entropy", epochs=40, optimiser=sh.Adam(0.02),
        metrics=("accuracy", "roc_auc", "log_loss"),
    )  # fmt: skip
    return sh.fit(recipe, sh.data.arrays(*topics), show=False)


def test_columns_of_zeros_and_ones_are_labels(topics):
    data = sh.data.arrays(*topics)
    assert (data.task, data.width, data.classes) == (
        "multilabel",
        3,
        ("target0", "target1", "target2"),
    )
    assert "multilabel (change it with task='regression')" in data.notes[0]
    assert sh.data.arrays(*topics, task="regression").task == "regression"
    columns = {"x": [0.5, 1.0, 2.0], "sun": [True, False, True], "rain": [0, 1, 1]}
    table = sh.data.table(columns, target=["sun", "rain"])
    assert (table.task, table.classes) == ("multilabel", ("sun", "rain"))


def test_labels_are_learned_and_predicted(run, topics, tmp_path):
    x, y = topics
    assert run.predict(x).shape == (120, 3)
    assert np.mean(run.predict(x) == y) > 0.9
    np.testing.assert_array_equal(run.predict(x), run.predict_proba(x) > 0.5)
    again = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(again.predict(x), run.predict(x))


def test_metrics_are_scikit_learns(run, topics):
    x, y = topics
    p = run.predict_proba(x).astype(float)
    found = run.model.evaluate(sh.data.arrays(x, y))
    assert found["roc_auc"] == pytest.approx(sklearn.metrics.roc_auc_score(y, p))
    assert found["accuracy"] == pytest.approx(1 - sklearn.metrics.hamming_loss(y, p > 0.5))
    by_label = [sklearn.metrics.log_loss(y[:, i], p[:, i]) for i in range(3)]
    assert found["loss"] == pytest.approx(np.mean(by_label), rel=1e-4)


def test_losses_of_one_class_are_refused(topics):
    recipe = sh.Recipe(sh.mlp([16], 3), loss="cross_entropy")
    with pytest.raises(DataError, match='use loss="binary_cross_entropy"'):
        sh.fit(recipe, sh.data.arrays(*topics), show=False)


def test_labels_that_cannot_be():
    with pytest.raises(DataError, match="a column of zeros and ones for each of 2 labels"):
        sh.data.arrays(np.zeros((2, 1)), [[0, 2], [1, 1]], task="multilabel")
