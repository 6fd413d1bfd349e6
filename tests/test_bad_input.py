"""Bad input: each a typed error that names the thing, the requirement, the value and the remedy.

Most are tested where they belong; here are those that come up on the way through ``fit``, and that
nothing half-written stays behind.
"""

import errno
import os

import numpy as np
import pytest

import shoal as sh
from shoal.errors import DataError, FileError, RecipeError, ShapeError, ShoalError, did_you_mean

NET = sh.Net(sh.Dense(4), sh.ReLU(), sh.Dense(3))
X = np.random.default_rng(0).normal(size=(30, 5))
Y = np.arange(30) % 3


def fit(inputs=X, targets=Y, folder=None, **changes):
    recipe = sh.Recipe(**({"net": NET, "loss": "cross_entropy", "epochs": 2} | changes))
    return sh.fit(recipe, (inputs, targets), folder=folder, show=False)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"inputs": np.where(X[3, 2] == X, np.nan, X)}, DataError, r"got nan in row 3, position \[2\]"),
        ({"inputs": np.where(X[3, 2] == X, np.inf, X)}, DataError, r"got inf in row 3"),
        ({"targets": np.arange(30) % 4}, ShapeError, r"one output for each of 4 classes, got 3; end it with Dense\(4\)"),
        ({"targets": np.zeros(30, int)}, DataError, "needs two classes or more, got only 0"),
        ({"inputs": X[:0], "targets": Y[:0]}, DataError, "needs at least one row, got 0 rows"),
        ({"inputs": X.astype(object)}, DataError, "needs numbers, got an array of object"),
        ({"batch_size": 25}, RecipeError, "at most the 24 rows of the training split, got 25"),
        ({"optimiser": "sgd", "loss": "mse", "targets": X[:, :2]}, ShapeError, r"needs 2 outputs, got 3; end it with Dense\(2\)"),
        ({"net": sh.Net(sh.Conv(3, 3), sh.Dense(3))}, ShapeError, r"layer 1: Conv\(3, 3\) needs a sequence"),
        ({"loss": "mse", "metrics": "r2"}, RecipeError, "the metric R2.* needs a task of regression, got a classification"),
    ],
)  # fmt: skip
def test_what_fit_refuses(arguments, error, message, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(error, match=message) as raised:
        fit(folder=folder, **arguments)
    assert isinstance(raised.value, ShoalError)
    assert raised.value.remedy
    assert not folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="needs a folder that can be written and enough free space"):
        fit(folder=tmp_path / "file" / "run")


def test_a_disk_that_fills_up_while_training(tmp_path, monkeypatch):
    """The error comes with the save that failed; the checkpoints before it stay whole."""
    monkeypatch.setattr("shoal.train.campaign.CHUNK_SECONDS", 0.0)
    real, left = os.fsync, [8]

    def fsync(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    recipe = sh.Recipe(NET, loss="cross_entropy", epochs=20)
    folder = tmp_path / "run"
    with pytest.raises(FileError, match="No space left on device"):
        sh.fit(recipe, (X, Y), folder=folder, checkpoint_every=0, show=False)
    monkeypatch.setattr(os, "fsync", real)
    assert not list(folder.rglob(".*"))
    resumed = sh.resume(folder, (X, Y), show=False)[0]
    whole = sh.fit(recipe, (X, Y), show=False)
    np.testing.assert_array_equal(resumed.record["train_loss"], whole.record["train_loss"])


def test_fit_many_wants_a_recipe():
    with pytest.raises(RecipeError, match=r"fit_many\(recipes\) needs a recipe, got none"):
        sh.fit_many([], (X, Y))
    for seeds in (0, 2.5, "a"):
        with pytest.raises(RecipeError, match=r"fit\(seeds\) needs a whole number >= 1, got"):
            sh.fit(sh.Recipe(NET, loss="cross_entropy"), (X, Y), seeds=seeds)


CODES = np.random.default_rng(1).integers(0, 7, size=(30, 5))
WORDS = sh.Sequential(sh.Embedding(5, 3), sh.Flatten())
UNIT = np.random.default_rng(2).uniform(size=(30, 5))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: sh.fit(NET, (X, Y)), RecipeError, r"fit\(recipe\) needs Recipe.* got a Net"),
        (lambda: sh.fit_many([NET], (X, Y)), RecipeError, r"fit_many\(recipes\) needs Recipe"),
        (lambda: sh.data.arrays([[1, 2], [3]], [0, 1]), DataError, "got rows of unequal lengths"),
        (lambda: sh.data.arrays(X, None), DataError, "the targets of arrays needs .* got a NoneType"),
        (lambda: sh.data.table({"a": [1.0, 2], "y": [1.0]}, "y"), DataError, "columns of one length"),
        (lambda: sh.data.table({"a": X[:, 0], "y": Y}, "y", weights=Y), DataError, "needs a name, got"),
        (lambda: fit(sh.data.arrays(X, Y)), DataError, "the inputs of arrays needs an array"),
        (lambda: sh.zoo.mlp(16, 1), RecipeError, r"write mlp\(\[16\], ...\)"),
        (lambda: NET.summary(10), ShapeError, r"a tuple of whole numbers >= 1, got 10"),
        (lambda: sh.Concat(sh.Dense(2), sh.Dense(3)), RecipeError, r"write Concat\(left=Dense\(2\)"),
        (lambda: sh.Recipe(NET, loss=fit), RecipeError, r"wrap it: CustomLoss\(fit\)"),
        (lambda: sh.Recipe(NET, "mse", "lbfgs", "cosine"), RecipeError, "leave schedule out"),
        (lambda: sh.Recipe(NET, "mse", "lbfgs", clip=sh.ClipByNorm(1)), RecipeError, "leave clip out"),
        (lambda: sh.Net(sh.Dense(5), sh.Embedding(5, 2)), RecipeError, "the inputs as they are"),
        (lambda: sh.Net(sh.Dropout(0.1), WORDS), RecipeError, "the inputs as they are"),
        (lambda: fit(CODES, net=sh.Net(sh.Concat(a=WORDS, b=sh.Dense(3)), sh.Dense(3))), DataError, "whole numbers from 0 to 4, got [56]"),
        (lambda: fit(loss="binary_cross_entropy"), DataError, 'use loss="cross_entropy"'),
        (lambda: fit(targets=Y % 2, loss="binary_cross_entropy"), ShapeError, "needs 1 output, got 3"),
        (lambda: fit(targets=X, loss="binary_cross_entropy"), DataError, r"numbers in \[0, 1\], got -"),
        (lambda: fit(loss="poisson"), DataError, 'or task="regression" when reading'),
        (lambda: fit(targets=np.eye(3)[Y]), DataError, r"targets.argmax\(axis=1\)"),
        (lambda: fit(targets=Y % 2, loss="kl_divergence", net=sh.Net(sh.Dense(1))), ShapeError, "needs 2 outputs, got 1"),
        (lambda: fit(X.reshape(30, 5, 1), net=sh.Net(sh.GRU(2), sh.GRU(2), sh.Dense(3))), ShapeError, "return_sequences=True"),
    ],
)  # fmt: skip
def test_mistakes_in_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_error_tree():
    assert issubclass(ShapeError, RecipeError)
    assert issubclass(RecipeError, ValueError)
    assert issubclass(DataError, ValueError)
    assert issubclass(sh.DeviceError, RuntimeError)
    assert issubclass(sh.DamagedFileError, FileError)
    assert issubclass(FileError, OSError)
    error = DataError("a thing", required="this", got="that", remedy="do so")
    assert str(error) == "a thing needs this, got that; do so"


def test_the_nearest_word():
    assert did_you_mean("adm", ["adam", "sgd"]) == "did you mean 'adam'?"
    assert did_you_mean("zzz", ["sgd", "adam"]) == "known: adam, sgd"
