"""Metrics: values against scikit-learn, sums over batches equal the whole."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

import shoal as sh
from shoal.metrics import Facts
from shoal.metrics import metrics as by_name

N, C = 60, 5


def facts(loss, targets=None, scale=(1.0,)):
    scale = jnp.asarray(scale)
    variance = jnp.ones_like(scale) if targets is None else jnp.asarray(targets.var(axis=0))
    return Facts(loss, scale, variance)


def value(metric, z, t, known, mask=None):
    m = jnp.ones(len(z)) if mask is None else jnp.asarray(mask, float)
    return float(metric.value(metric.sums(jnp.asarray(z), jnp.asarray(t), m, known), known))


@pytest.fixture
def classes(x64, rng):
    z, t = rng.normal(size=(N, C)), rng.integers(0, C, size=N).astype(np.int32)
    z[np.arange(N), t] += 1.0
    z[:6] = 0.0  # ties
    return z, t, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def test_accuracy_and_top_k(classes):
    z, t, p = classes
    known = facts(sh.CrossEntropy())
    assert value(sh.Accuracy(), z, t, known) == sk.accuracy_score(t, p.argmax(axis=1))
    for k in (1, 2, 3):
        right = [t[i] in np.argsort(-p[i], kind="stable")[:k] for i in range(N)]
        assert value(sh.TopK(k), z, t, known) == pytest.approx(np.mean(right))
    theirs = sk.top_k_accuracy_score(t[6:], p[6:], k=3, labels=range(C))
    assert value(sh.TopK(3), z[6:], t[6:], known) == pytest.approx(theirs)


def test_log_loss(classes):
    z, t, p = classes
    wanted = sk.log_loss(t, p, labels=range(C))
    assert value(sh.LogLoss(), z, t, facts(sh.CrossEntropy())) == pytest.approx(wanted)
    # Probabilities trained by squared error on one-hot rows.
    one_hot, known = np.eye(C)[t], facts(sh.MeanSquaredError())
    assert value(sh.LogLoss(), p, one_hot, known) == pytest.approx(wanted)
    assert value(sh.Accuracy(), p, one_hot, known) == sk.accuracy_score(t, p.argmax(axis=1))


def test_area_under_the_roc_curve_with_ties(classes):
    z, t, p = classes
    wanted = sk.roc_auc_score(t, p, multi_class="ovr", labels=range(C))
    assert value(sh.ROCAUC(), z, t, facts(sh.CrossEntropy())) == pytest.approx(wanted)
    two = (t > 2).astype(np.int32)
    score = np.round(z[:, 0], 1)  # many ties
    pair = np.stack([np.zeros(N), score], axis=1)
    wanted = sk.roc_auc_score(two, score)
    assert value(sh.ROCAUC(), pair, two, facts(sh.CrossEntropy())) == pytest.approx(wanted)
    binary = facts(sh.BinaryCrossEntropy())
    assert value(sh.ROCAUC(), score[:, None], two[:, None].astype(float), binary) == pytest.approx(
        wanted
    )


def test_binary_targets(x64, rng):
    z, t = rng.normal(size=(N, 1)), rng.integers(0, 2, size=(N, 1)).astype(float)
    p, known = 1 / (1 + np.exp(-z)), facts(sh.BinaryCrossEntropy())
    assert value(sh.Accuracy(), z, t, known) == sk.accuracy_score(t, p > 0.5)
    assert value(sh.LogLoss(), z, t, known) == pytest.approx(sk.log_loss(t, p))
    squared = facts(sh.MeanSquaredError())
    assert value(sh.Accuracy(), p, t, squared) == sk.accuracy_score(t, p > 0.5)
    assert value(sh.LogLoss(), p, t, squared) == pytest.approx(sk.log_loss(t, p))


@pytest.mark.parametrize("targets", [1, 3])
def test_regression_in_units_of_the_target(targets, x64, rng):
    scale, shift = rng.uniform(1, 9, size=targets), rng.normal(size=targets)
    t = rng.normal(size=(N, targets))
    z = t + 0.3 * rng.normal(size=(N, targets))
    raw_t, raw_z = t * scale + shift, z * scale + shift
    known = facts(sh.MeanSquaredError(), raw_t, scale)
    assert value(sh.R2(), z, t, known) == pytest.approx(sk.r2_score(raw_t, raw_z))
    weighted = sk.r2_score(raw_t, raw_z, multioutput="variance_weighted")
    assert value(sh.R2("variance_weighted"), z, t, known) == pytest.approx(weighted)
    assert value(sh.MAE(), z, t, known) == pytest.approx(sk.mean_absolute_error(raw_t, raw_z))
    wanted = np.sqrt(sk.mean_squared_error(raw_t, raw_z))
    assert value(sh.RMSE(), z, t, known) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", [sh.Accuracy(), sh.TopK(2), sh.LogLoss()])
def test_sums_over_batches_and_padding(metric, classes):
    z, t, _ = classes
    known = facts(sh.CrossEntropy())
    whole = value(metric, z, t, known)
    sums = metric.nothing(known)
    for part in (slice(0, 25), slice(25, 50), slice(50, 60)):
        padded_z = np.concatenate([z[part], np.full((3, C), 9.0)])
        padded_t = np.concatenate([t[part], [0, 1, 2]]).astype(np.int32)
        mask = jnp.asarray([1.0] * len(z[part]) + [0.0] * 3)
        sums = sums + metric.sums(jnp.asarray(padded_z), jnp.asarray(padded_t), mask, known)
    assert float(metric.value(sums, known)) == pytest.approx(whole)


def test_names():
    found = by_name(("accuracy", "top_3", sh.R2()))
    assert found == (sh.Accuracy(), sh.TopK(3), sh.R2())
    assert by_name("roc_auc") == (sh.ROCAUC(),)
    assert [m.name for m in found] == ["accuracy", "top_3", "r2"]


@pytest.mark.parametrize("loss", ["kl_divergence", "mse", "cross_entropy"])
def test_the_record_the_model_and_scikit_learn_agree_on_log_loss(loss):
    data = sh.data.iris()
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3))
    recipe = sh.Recipe(net, loss=loss, metrics=("log_loss",), epochs=5)
    run = sh.fit(recipe, data, show=False, signals="none")
    part = data.part(run.prepared.parts.validation, "validation")
    found = run.model.predict_proba(part.inputs)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    theirs = sk.log_loss(part.targets, found)
    np.testing.assert_allclose(run.model.evaluate(part)["log_loss"], theirs, rtol=1e-4)
    recorded = run.record["validation_log_loss"][run.best_epochs[0] - 1, 0]
    np.testing.assert_allclose(recorded, theirs, rtol=1e-4)


def test_r2_of_a_target_that_does_not_vary_has_no_units():
    targets = np.stack([np.arange(20.0), np.full(20, 7.0)], axis=1)
    inputs = np.random.default_rng(0).normal(size=(20, 3))
    for scale in (1.0, 1e3):
        recipe = sh.Recipe(sh.Net(sh.Dense(2)), loss="mse", epochs=3)
        run = sh.fit(recipe, sh.data.arrays(inputs, scale * targets), show=False, signals="none")
        ours = run.model.evaluate((inputs, scale * targets))["r2"]
        theirs = sk.r2_score(scale * targets, run.model.predict(inputs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
