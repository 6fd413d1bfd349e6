"""Scaling against scikit-learn's scalers, and that only the training split is looked at."""

import numpy as np
import pytest
from sklearn import preprocessing

import shoal as sh
from shoal.data import scaling

SCALERS = {
    "standard": preprocessing.StandardScaler(),
    "minmax": preprocessing.MinMaxScaler(),
    "symmetric": preprocessing.MinMaxScaler((-1, 1)),
    "robust": preprocessing.RobustScaler(),
}


@pytest.mark.parametrize("kind", SCALERS)
def test_equals_scikit_learn(kind, rng):
    x = rng.normal(size=(50, 4)) * [1, 100, 1e-6, 1] + [0, 5, 0, 1e6]
    x[0] *= 50  # an outlier
    shift, scale = scaling.fit(x, kind)
    np.testing.assert_allclose(
        (x - shift) / scale, SCALERS[kind].fit_transform(x), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("kind", scaling.BY_NAME)
def test_a_feature_without_spread_stays_finite(kind):
    x = np.tile([3.0, 1e9, 0.0], (10, 1))
    x[:, 2] = np.arange(10)
    shift, scale = scaling.fit(x, kind)
    assert (scale[:2] == 1).all()
    assert np.isfinite((x - shift) / scale).all()


def test_channels_of_images_share_one_scale_each(rng):
    images = rng.normal(size=(20, 5, 6, 3)) * [1, 10, 100] + [0, 1, 2]
    shift, scale = scaling.fit(images, "standard")
    assert shift.shape == (3,)
    scaled = (images - shift) / scale
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1)


def test_it_is_fitted_on_the_training_split_alone(rng):
    x, y = rng.normal(size=(100, 3)), np.arange(100) % 2
    recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="cross_entropy")
    parts = recipe.preparation.split.parts(sh.data.arrays(x, y))
    spoilt = x.copy()
    spoilt[parts.validation] *= 1000
    a, b = (recipe.prepare(sh.data.arrays(inputs, y)).inputs for inputs in (x, spoilt))
    np.testing.assert_array_equal(a.shift, b.shift)
    np.testing.assert_array_equal(a.scale, b.scale)


def test_targets_of_a_regression_are_scaled_and_given_back(line):
    recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="mse")
    prepared = recipe.prepare(line)
    _, t = prepared.encoded(prepared.parts.train, np.dtype(np.float64))
    np.testing.assert_allclose(t.mean(axis=0), 0, atol=1e-12)
    back = prepared.targets.decode(t)
    np.testing.assert_allclose(back, line.targets[prepared.parts.train])
