"""Built-in data equals what scikit-learn's own loaders give."""

import numpy as np
import pytest
from sklearn import datasets

import shoal as sh
from shoal.data import builtin

LOADERS = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("there", [True, False], ids=["read directly", "by its loader"])
def test_equals_the_loader(name, there, monkeypatch):
    if not there:
        monkeypatch.setattr(builtin, "_read", lambda *_: None)
    data, theirs = builtin.BY_NAME[name](), LOADERS[name]()
    np.testing.assert_array_equal(data.inputs, theirs.data)
    np.testing.assert_array_equal(data.targets.reshape(-1), theirs.target)
    if name != "diabetes":
        assert list(data.classes) == list(theirs.target_names)
    assert data.shape == theirs.data.shape[1:]


def test_digit_images_have_a_channel():
    images = sh.data.digit_images()
    assert images.shape == (8, 8, 1)
    np.testing.assert_array_equal(images.inputs[5].reshape(-1), sh.data.digits().inputs[5])
