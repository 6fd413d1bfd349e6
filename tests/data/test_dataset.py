"""Arrays: what is accepted, what is refused, and with which words."""

import numpy as np
import pytest

import shoal as sh
from shoal.errors import DataError

X = np.arange(12.0).reshape(6, 2)


def spoilt(value):
    x = X.copy()
    x[4, 1] = value
    return x


@pytest.mark.parametrize(
    "inputs, targets, options, message",
    [
        (
            spoilt(np.nan),
            [0, 1] * 3,
            {},
            r"the inputs of arrays needs finite numbers, got nan in row 4, position \[1\]",
        ),
        (spoilt(np.inf), [0, 1] * 3, {}, "got inf in row 4"),
        (X[:0], [], {}, "needs at least one row, got 0 rows"),
        (X, [0, 1, 0], {}, "needs as many targets as inputs, got 6 inputs and 3 targets"),
        (X[:, 0], [0, 1] * 3, {}, r"needs a row for each example.*got shape \(6,\)"),
        (
            X.astype(str),
            [0, 1] * 3,
            {},
            "needs numbers, got an array of <U32; use shoal.data.table",
        ),
        (
            X,
            [0, 0, 0, 0, 0, 0],
            {"task": "classification"},
            "needs two classes or more, got only 0",
        ),
        (
            X,
            [0, 1, 2, 0, 1, 9],
            {"classes": [0, 1, 2]},
            r"needs one of the 3 classes \[0, 1, 2\], got 9 in row 5",
        ),
        (X, [0.5, np.nan, 1, 2, 3, 4], {}, "needs finite numbers, got .*nan.* in row 1"),
        (
            X,
            [0, 1, np.nan, 0, 1, 0],
            {"task": "classification"},
            "needs a class label in every row, got nan in row 2",
        ),
        (
            X,
            [[0, 1]] * 6,
            {"task": "classification"},
            "needs one class label for each row, got 2 columns",
        ),
        (
            X,
            [(1,), (2,), (1,), (2,), (1,), {}],
            {"task": "classification"},
            "as class labels, got a",
        ),
        (
            X,
            [0, 1] * 3,
            {"groups": [1, 2]},
            r"needs one label for each of 6 rows, got shape \(2,\)",
        ),
        (
            X,
            [0, 1] * 3,
            {"validation": (X[:, :1], [0, 1] * 3)},
            "needs inputs of one shape in every split",
        ),
    ],
)
def test_arrays_that_cannot_be_used(inputs, targets, options, message):
    if isinstance(targets, list) and targets and isinstance(targets[-1], dict):
        targets = np.array([*map(str, targets[:-1]), targets[-1]], dtype=object)
    with pytest.raises(DataError, match=message):
        sh.data.arrays(inputs, targets, **options)


def test_labels_of_any_kind_become_codes():
    data = sh.data.arrays(X, ["b", "a", "c", "b", "a", "c"])
    assert data.classes == ("a", "b", "c")
    np.testing.assert_array_equal(data.targets, [1, 0, 2, 1, 0, 2])
    assert repr(data) == "Data('arrays', 6 rows, classification of 3 classes)"
    ordered = sh.data.arrays(X, [3, 1, 2, 3, 1, 2], classes=[3, 2, 1])
    np.testing.assert_array_equal(ordered.targets, [0, 2, 1, 0, 2, 1])


def test_regressions_keep_their_targets():
    data = sh.data.arrays(X, np.linspace(0, 1, 6))
    assert data.task == "regression"
    assert data.targets.shape == (6, 1)
    assert data.width == 1
    assert repr(data) == "Data('arrays', 6 rows, regression of target)"


def test_a_memory_mapped_array_is_not_read_whole(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = sh.data.arrays(mapped, [0, 1] * 3)
    assert data.inputs is mapped


def test_fit_takes_a_pair_and_nothing_else():
    recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="cross_entropy", epochs=1)
    assert sh.fit(recipe, (X, [0, 1] * 3), show=False).epochs == (1,)
    with pytest.raises(DataError, match="needs a Data object or a pair .* got a list"):
        sh.fit(recipe, [X, [0, 1] * 3], show=False)


def test_a_loss_for_classes_refuses_a_regression():
    recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="cross_entropy")
    with pytest.raises(DataError, match="needs a classification, got a regression"):
        sh.fit(recipe, (X, np.linspace(0, 1, 6)), show=False)
