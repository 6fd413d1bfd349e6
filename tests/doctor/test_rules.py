"""Every rule decides one sick and one healthy example rightly, from evidence made by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import shoal as sh
from shoal.doctor.baselines import Baseline, Baselines, baselines
from shoal.doctor.curves import Curves
from shoal.doctor.evidence import Evidence, Setting
from shoal.doctor.finding import GROUPS
from shoal.doctor.level import Level
from shoal.doctor.probe import Probe, Seen
from shoal.doctor.rows import Rows
from shoal.doctor.rules.rule import Rule
from shoal.doctor.rules.table import RULES, as_markdown
from shoal.errors import ShapeError

EVERY = np.random.default_rng(5)
CLASSES, WIDE = 3, 16


@cache
def rows(kind="classes"):
    """Three clouds of points, 120 to train and 60 to validate; or a line through them."""
    random = np.random.default_rng(0)
    t = np.arange(180) % CLASSES
    x = random.normal(size=(180, 4)) + 3.0 * np.eye(CLASSES, 4)[t]
    numbers = x @ random.normal(size=(4, 2))
    target = t if kind == "classes" else numbers
    return Rows(
        x[:120], target[:120], x[120:], target[120:],
        np.zeros((120, 0)) if kind == "classes" else (numbers / numbers.std())[:120],
        "classification" if kind == "classes" else "regression",
        CLASSES if kind == "classes" else 0, 120, (np.arange(120), np.arange(120, 180)),
    )  # fmt: skip


@cache
def simple(kind="classes"):
    return baselines(rows(kind))


def level(train=1.0, validation=1.0, of=None, base=None):
    """A network that gets these shares of the rows right."""
    of = of or rows()

    def says(t, share):
        right = np.arange(len(t)) < share * len(t)
        return np.eye(CLASSES)[np.where(right, t, (t + 1) % CLASSES)]

    return Level(of, says(of.t, train), says(of.t_validation, validation), base or simple())


def seen(name, outputs, weight=None, slope=1e-2, layer=None, fan=None, bias=None):
    """One layer of a probe: outputs (B, units), weights of its kind, a gradient of one size."""
    if weight is None:
        return Seen(name, type(layer).__name__, layer, outputs)
    weights = {"weight": weight} | ({} if bias is None else {"bias": bias})
    gradients = {path: np.full(w.shape, slope) for path, w in weights.items()}
    fans = {"weight": fan or weight.shape[1]}
    return Seen(name, "Dense", None, outputs, weights, gradients, ("weight",), fans)


def probe(depth=3, std=None, slopes=None, grow=1.0, bias=0.0, activation=None, silent=0, **more):
    """A perceptron of ``depth`` layers with weights of a size and gradients by layer."""
    random, layers = np.random.default_rng(1), []
    activation = activation or sh.ReLU()
    for n in range(depth):
        spread = (1.2 / np.sqrt(WIDE)) if std is None else std
        w = spread * random.normal(size=(WIDE, WIDE))
        y = grow**n * random.normal(size=(32, WIDE))
        slope = 1e-2 if slopes is None else slopes[n]
        layers.append(seen(f"dense{n + 1}", y, w, slope, bias=np.full(WIDE, bias)))
        if n < depth - 1:
            after = np.array(activation.function(y), dtype=float)
            after[:, :silent] = 0.0
            layers.append(seen(f"act{n + 1}", after, layer=activation))
    z = random.normal(size=(32, CLASSES))
    return Probe(tuple(layers), np.ones(32), z, np.arange(32) % CLASSES, **more)


FALLING = np.linspace(1.0, 0.2, 30)
FLAT = np.concatenate([np.geomspace(1.0, 0.05, 15), np.full(15, 0.05)])


def curves(train=FLAT, validation=None, epochs=None, finite=True, **columns):
    columns |= {"train_loss": train, "validation_loss": FLAT if validation is None else validation}
    kept = len(train) if epochs is None else epochs
    return Curves(columns, kept, kept, 1.1, 1.1, finite)


def setting(rate=1e-3, optimiser="Adam", usual=1e-3, batch=32, steps=10, adaptive=True):
    return Setting(optimiser, rate, usual, batch, steps, 30, 320, adaptive)


def recipe(net=None, loss="cross_entropy", **more):
    return sh.Recipe(net or sh.mlp([WIDE], CLASSES), loss=loss, **more)


def signals(what, *values):
    return {what: {f"dense{n + 1}": np.full(30, float(v)) for n, v in enumerate(values)}}


def data(x=None, t=None, classes=(0, 1, 2)):
    of = rows()
    return sh.Data(of.x if x is None else x, of.t if t is None else t, "classification", classes)


def spoilt():
    x = rows().x.copy()
    x[3, 1] = np.nan
    return x


def shuffled():
    of = rows()
    t = np.random.default_rng(4).permutation(of.t)
    return replace(of, t=t)


def rare(of):
    """Nine in ten rows of the first class."""
    t = np.where(np.arange(len(of)) % 20 == 0, 1, 0)
    t[1] = 2
    return t


def noisy():
    wrong = shuffled()
    return {"rows": wrong, "level": level(0.4, 0.35, of=wrong, base=baselines(wrong))}


def lopsided():
    of = replace(rows(), t=rare(rows().t), t_validation=rare(rows().t_validation))
    blind = [np.eye(CLASSES)[np.zeros(len(t), int)] for t in (of.t, of.t_validation)]
    return {"rows": of, "level": Level(of, *blind, baselines(of))}


def softmaxed():
    layers = list(probe().layers)
    layers[1] = seen("softmax1", layers[1].outputs, layer=sh.Softmax())
    net = sh.Net(sh.Dense(WIDE), sh.Softmax(), sh.Dense(WIDE), sh.ReLU(), sh.Dense(CLASSES))
    return {"recipe": recipe(net), "probe": replace(probe(), layers=tuple(layers))}


def equal_units():
    first, *others = probe().layers
    same = np.repeat(first.outputs[:, :1], WIDE, axis=1)
    return replace(probe(), layers=(replace(first, outputs=same), *others))


def three():
    return recipe(sh.mlp([WIDE, WIDE], CLASSES))


def constant():
    return sh.Net(sh.Dense(WIDE), sh.ReLU(), sh.Dense(1), sh.Softmax())


ONE = Probe((), np.ones(8), np.ones((8, 1)), np.zeros((8, 1)))
STUCK = {"level": level(0.4, 0.4), "curves": curves(FALLING)}
FITS = {"level": level(), "curves": curves()}
CURVED = {"recipe": three(), "probe": probe()}
STRAIGHT = recipe(sh.Net(sh.Dense(WIDE), sh.Dense(WIDE), sh.Dense(CLASSES)))

EXAMPLES = {
    "nan_data": ({"data": data(spoilt())}, {"data": data()}),
    "impossible_labels": (
        {"data": data(t=np.where(rows().t == 2, 7, rows().t)), "recipe": recipe()},
        {"data": data(), "recipe": recipe()},
    ),
    "leakage": ({"rows": replace(rows(), x_validation=rows().x[:60])}, {"rows": rows()}),
    "preparation_mismatch": (
        {"rows": replace(rows(), x_validation=30 * rows().x_validation + 5)}, {"rows": rows()},
    ),
    "noisy_labels": (noisy(), {"rows": rows(), "level": level()}),
    "imbalance": (lopsided(), {"rows": rows(), "level": level()}),
    "no_shuffle": (
        {"rows": rows(), "order": np.split(np.sort(rows().t), 6)},
        {"rows": rows(), "order": np.split(EVERY.permutation(rows().t), 6)},
    ),
    "input_scale": ({"rows": replace(rows(), x=255 * rows().x)}, {"rows": rows()}),
    "target_scale": (
        {"rows": replace(rows("numbers"), encoded=1e3 * rows("numbers").encoded)},
        {"rows": rows("numbers")},
    ),
    "duplicate_rows": (
        {"rows": replace(rows(), x=np.repeat(rows().x[:60], 2, axis=0))}, {"rows": rows()},
    ),
    "constant_columns": (
        {"rows": replace(rows(), x=rows().x * np.array([1.0, 0, 1, 1]))}, {"rows": rows()},
    ),
    "wrong_head": (
        {"recipe": recipe(constant(), "binary_cross_entropy"), "probe": ONE, "rows": rows()},
        {"recipe": recipe(), "probe": probe(), "rows": rows()},
    ),
    "wrong_loss": (
        {"recipe": recipe(), "probe": probe(right=2.0, wrong=0.1, usual=1.0), "rows": rows()},
        {"recipe": recipe(), "probe": probe(right=0.1, wrong=2.0, usual=1.0), "rows": rows()},
    ),
    "rate_too_high": (
        {"setting": setting(1.0), "probe": probe(), "recipe": recipe()},
        {"setting": setting(), "probe": probe(), "recipe": recipe()},
    ),
    "rate_too_low": (
        STUCK | {"setting": setting(1e-5), "probe": probe()},
        STUCK | {"setting": setting(1e-3), "probe": probe()},
    ),
    "unfit_optimiser": (
        STUCK | {"recipe": recipe(optimiser=sh.Adam(epsilon=1.0)), "setting": setting()},
        STUCK | {"recipe": recipe(optimiser=sh.Adam()), "setting": setting()},
    ),
    "clipping": (
        {"recipe": recipe(optimiser="sgd", clip=sh.ClipByNorm(1e-3)),
         "setting": setting(0.01, "SGD", 0.01, adaptive=False),
         "curves": curves(gradient_norm=np.ones(30))},
        {"recipe": recipe(optimiser="sgd", clip=sh.ClipByNorm(5.0)),
         "setting": setting(0.01, "SGD", 0.01, adaptive=False),
         "curves": curves(gradient_norm=np.ones(30))},
    ),
    "schedule": (
        {"recipe": recipe(), "level": level(0.4, 0.4),
         "curves": curves(learning_rate=1e-3 * 0.3 ** np.arange(30))},
        {"recipe": recipe(), "level": level(0.4, 0.4),
         "curves": curves(learning_rate=np.linspace(1e-3, 0, 30))},
    ),
    "not_finite": ({"curves": curves(finite=False)}, {"curves": curves()}),
    "divergence": ({"curves": curves(np.geomspace(0.5, 9.0, 30))}, {"curves": curves()}),
    "oscillation": ({"curves": curves(1 + 0.5 * (-1.0) ** np.arange(30))}, {"curves": curves()}),
    "symmetric_init": ({"probe": equal_units()}, {"probe": probe()}),
    "bad_init_scale": ({"probe": probe(std=3.0)}, {"probe": probe()}),
    "exploding_gradients": ({"probe": probe(6, grow=10.0)}, {"probe": probe(6)}),
    "dead_relu": ({"probe": probe(silent=14)}, {"probe": probe(silent=3)}),
    "saturation": (
        {"probe": probe(activation=sh.Tanh(), grow=50.0)}, {"probe": probe(activation=sh.Tanh())},
    ),
    "frozen_layers": (
        {"signals": signals("update_ratio", 0.0, 1e-3, 1e-3)},
        {"signals": signals("update_ratio", 1e-3, 1e-3, 1e-3)},
    ),
    "vanishing_gradients": (
        {"probe": probe(6, slopes=np.geomspace(1e-7, 1e-1, 6))},
        {"probe": probe(6, slopes=np.geomspace(1e-2, 1e-1, 6))},
    ),
    "hidden_softmax": (softmaxed(), CURVED),
    "no_hidden_activation": ({"recipe": STRAIGHT, "probe": probe()}, CURVED),
    "too_narrow": (
        STUCK | {"recipe": recipe(), "probe": replace(
            probe(), layers=(seen("dense1", np.ones((32, 1)), np.ones((1, 4))), *probe().layers))},
        STUCK | {"recipe": recipe(), "probe": probe()},
    ),
    "too_deep": (
        {"recipe": recipe(sh.mlp([WIDE] * 15, CLASSES)), "probe": probe(16)},
        {"recipe": recipe(), "probe": probe(3)},
    ),
    "too_much_regularisation": (
        STUCK | {"recipe": recipe(sh.mlp([WIDE], CLASSES, dropout=0.9))},
        STUCK | {"recipe": recipe(sh.mlp([WIDE], CLASSES, dropout=0.5))},
    ),
    "overfitting": ({"level": level(1.0, 0.6), "curves": curves()}, FITS),
    "over_training": (
        {"level": level(1.0, 0.9),
         "curves": curves(validation=np.concatenate([FLAT[:10], np.linspace(0.3, 1.5, 20)]))},
        {"level": level(1.0, 0.9), "curves": curves()},
    ),
    "too_few_epochs": (
        {"curves": curves(FALLING[:3], FALLING[:3]), "setting": setting(), "probe": probe()},
        {"curves": curves(), "setting": setting(), "probe": probe()},
    ),
    "batch_too_large": (
        STUCK | {"setting": setting(batch=320, steps=1)}, STUCK | {"setting": setting()},
    ),
    "batch_too_small": ({"setting": setting(batch=1)}, {"setting": setting()}),
    "evaluation_mode": ({"modes": (0.1, 2.0)}, {"modes": (0.1, 0.11)}),
    "plateau": ({"curves": curves(np.full(30, 1.09))}, {"curves": curves()}),
    "slow_convergence": (
        {"curves": curves(FALLING), "level": level(0.4, 0.4)},
        {"curves": curves(), "level": level(0.4, 0.4)},
    ),
}  # fmt: skip
HINTS = {"duplicate_rows", "constant_columns"}


def test_every_rule_has_an_example():
    assert set(EXAMPLES) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_sick_and_a_healthy_example_are_told_apart(name):
    rule, (sick, healthy) = RULES[name], EXAMPLES[name]
    found = rule.find(Evidence(dict(sick)), sick=True)
    assert found is not None
    assert found.hint == (name in HINTS)
    assert found.rule == name
    assert found.remedies
    assert 0.0 <= found.strength <= 1.0
    assert "{" not in found.sentence
    assert rule.find(Evidence(dict(healthy)), sick=True) is None


@pytest.mark.parametrize("name", RULES)
def test_a_rule_without_its_evidence_says_nothing(name):
    assert RULES[name].find(Evidence(), sick=True) is None


def test_the_table_is_whole():
    for rule in RULES.values():
        assert isinstance(rule, Rule)
        assert rule.group in GROUPS
        assert rule.source
        assert rule.measure.__doc__


def test_the_documents_show_the_table():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    assert as_markdown() in page


# --- numbers, against other ways to compute them ----------------------------------------------------


def test_copies_are_counted_as_numpy_counts_them():
    x = np.concatenate([rows().x, rows().x[:30], rows().x[:10]])
    found = RULES["duplicate_rows"].measure(Evidence({"rows": replace(rows(), x=x)}))
    assert found.value == pytest.approx(1 - len(np.unique(x, axis=0)) / len(x))


def test_leaks_are_counted_as_sets_count_them():
    held = np.concatenate([rows().x[:15], rows().x_validation[15:]])
    found = RULES["leakage"].measure(Evidence({"rows": replace(rows(), x_validation=held)}))
    seen_rows = {row.tobytes() for row in rows().x}
    assert found.value == np.mean([row.tobytes() in seen_rows for row in held])


def test_equal_rows_of_few_values_are_no_leak():
    corners = np.random.default_rng(0).integers(0, 2, (180, 4)).astype(float)
    of = replace(rows(), x=corners[:120], x_validation=corners[120:])
    assert RULES["leakage"].measure(Evidence({"rows": of})) is None


def test_shares_between_batches_are_the_correlation_ratio():
    t = np.random.default_rng(1).normal(size=(60, 1))
    of = rows("numbers")
    sorted_ = RULES["no_shuffle"].measure(
        Evidence({"rows": of, "order": np.split(np.sort(t, 0), 6)})
    )
    groups = np.sort(t, 0).reshape(6, 10)
    ratio = groups.mean(1).var() / t.var()
    expected = 5 / 59
    assert sorted_.value == pytest.approx((ratio - expected) / (1 - expected))


def test_rows_left_out_in_closed_form_are_those_of_fits_without_them():
    """Ridge with a fixed penalty, refitted without each row."""
    from shoal.doctor.baselines import _ridge

    random = np.random.default_rng(3)
    x = random.normal(size=(12, 3))
    y = x @ random.normal(size=(3, 1)) + 0.3 * random.normal(size=(12, 1))
    k = x @ x.T / 3
    left, _, wrong = _ridge(k, k[:2], y, (0.5,))
    for i in range(12):
        rest = np.delete(np.arange(12), i)
        mean = y.mean()  # the closed form keeps the mean of all rows
        a = np.linalg.solve(k[np.ix_(rest, rest)] + 0.5 * np.eye(11), y[rest] - mean)
        assert left[i] == pytest.approx(mean + k[i, rest] @ a, rel=1e-8)
    assert wrong == pytest.approx(((y - left) ** 2).mean())


def test_the_gap_is_the_lead_over_the_range():
    of = rows()
    perfect = Baseline("linear", np.eye(CLASSES)[of.t], np.eye(CLASSES)[of.t_validation], 1.0)
    found = level(1.0, 0.5, base=Baselines((perfect,), 1 / CLASSES, of.t))
    assert found.validation == 0.5
    assert found.gap == pytest.approx((1 - 0.5) / (1 - 1 / CLASSES))
    assert found.p < 1e-3
    assert level(1.0, 1.0, base=found.baselines).p == 1.0


def test_a_missing_head_is_read_from_the_refusal():
    error = ShapeError("a network for CrossEntropy()", required="3", got="1", remedy="end it")
    found = RULES["wrong_head"].find(Evidence({"recipe": recipe(), "refusal": error}), sick=False)
    assert found is not None
    assert not found.hint
