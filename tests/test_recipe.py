"""Recipes: JSON, fingerprint, diff, edit, checks that concern several parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shoal as sh
from shoal.errors import RecipeError, ShapeError

from contracts.tables import LOSSES, OPTIMISERS, SCHEDULES

NET = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(0.1), sh.Dense(3))
BASE = sh.Recipe(NET, loss="cross_entropy")


def recipe_of(optimiser, schedule, clip, **others):
    """An optimiser that searches for its steps takes neither a schedule nor clipping."""
    if not optimiser.searches:
        others |= {"schedule": schedule, "clip": clip}
    return sh.Recipe(optimiser=optimiser, **others)


recipes = st.builds(
    recipe_of,
    net=st.just(NET),
    loss=st.sampled_from(list(LOSSES.values())),
    optimiser=st.sampled_from(list(OPTIMISERS.values())),
    schedule=st.sampled_from(list(SCHEDULES.values())),
    batch_size=st.one_of(st.none(), st.just("full"), st.integers(1, 512)),
    epochs=st.integers(1, 10**6),
    l2=st.one_of(st.none(), st.floats(0, 1e6)),
    clip=st.one_of(st.none(), st.builds(sh.ClipByNorm, st.floats(1e-6, 1e6))),
    early_stopping=st.one_of(st.none(), st.builds(sh.EarlyStopping, st.integers(0, 99))),
    convergence=st.one_of(st.none(), st.builds(sh.Convergence, st.floats(1e-9, 1))),
    metrics=st.one_of(st.none(), st.just(("accuracy", "top_3"))),
    precision=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**31 - 1),
    name=st.text(min_size=1),
)


@given(recipes)
def test_json_there_and_back(recipe):
    back = sh.Recipe.from_json(recipe.to_json())
    assert back == recipe
    assert back.fingerprint == recipe.fingerprint
    assert back.signature == recipe.signature
    assert recipe.diff(back) == ""


@given(recipes, recipes)
def test_a_diff_is_empty_exactly_for_equal_recipes(a, b):
    assert (a.diff(b) == "") == (a == b)
    assert (a.fingerprint == b.fingerprint) == (a == b)


def test_a_diff_reads_as_edits():
    other = BASE.edit({"optimiser.learning_rate": 0.01, "net.layers[2].rate": 0.5, "epochs": 5})
    assert BASE.diff(other).split("\n") == [
        "net.layers[2].rate: 0.1 -> 0.5",
        "optimiser.learning_rate: 0.001 -> 0.01",
        "epochs: 30 -> 5",
    ]
    layers = BASE.net.layers
    grown = BASE.edit({"net.layers": (*layers[:1], sh.BatchNorm(), *layers[1:3], layers[3])})
    assert BASE.diff(grown) == "net.layers[1]: insert BatchNorm()"
    assert grown.diff(BASE) == "net.layers[1]: remove BatchNorm()"
    assert BASE.diff(BASE.replace(optimiser="sgd")) == "optimiser: Adam() -> SGD()"


def test_an_edit_replaces_by_path_and_checks():
    assert BASE.edit({"net.layers[0].units": 9}).net.layers[0] == sh.Dense(9)
    assert BASE.edit({"preparation.split.validation": 0.5}).preparation.split.validation == 0.5
    with pytest.raises(RecipeError, match=r"path 'net\.layers\[9\]\.units' needs a part of tuple"):
        BASE.edit({"net.layers[9].units": 9})
    with pytest.raises(RecipeError, match="did you mean 'optimiser'"):
        BASE.edit({"optimizer": "sgd"})
    with pytest.raises(RecipeError, match=r"Dropout\(rate\) needs a number in \[0, 1\)"):
        BASE.edit({"net.layers[2].rate": 1.5})


def test_the_signature_is_what_members_of_a_pool_share():
    numbers = {"optimiser.learning_rate": 1.0, "net.layers[2].rate": 0.4, "epochs": 3, "seed": 8}
    assert BASE.signature == BASE.edit(numbers).signature
    for path, value in {
        "net.layers[0].units": 9,
        "optimiser": sh.SGD(),
        "batch_size": 7,
        "l2": 0.1,
        "order_seed": 1,
        "precision": "float64",
    }.items():
        assert BASE.signature != BASE.edit({path: value}).signature, path


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "needs JSON, got Expecting property name"),
        ("[1]", "got tuple"),
        ('{"kind": "Dense", "units": 3}', r'needs \{"kind": "Recipe", ...\}, got Dense'),
        ('{"kind": "Recipe", "net": {"kind": "Lambda"}}', "out of the vocabulary, got 'Lambda'"),
    ],
)
def test_json_that_is_no_recipe(text, message):
    with pytest.raises(RecipeError, match=message):
        sh.Recipe.from_json(text)


def test_json_names_a_bad_value_as_the_constructor_does():
    value = json.loads(BASE.to_json())
    value["optimiser"]["learning_rate"] = -1
    with pytest.raises(RecipeError, match=r"Adam\(learning_rate\) needs .* got -1"):
        sh.Recipe.from_json(json.dumps(value))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"loss": "cross_entropi"}, "did you mean 'cross_entropy'"),
        ({"optimiser": "adm"}, r"Recipe\(optimiser\) needs a known name, got 'adm'; did you"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"metrics": "acuracy"}, "did you mean 'accuracy'"),
        ({"batch_size": 0}, r"Recipe\(batch_size\) needs a whole number >= 1 or one of 'full'"),
        ({"epochs": 0}, r"Recipe\(epochs\) needs a whole number >= 1, got 0"),
        ({"l2": -0.1}, r"Recipe\(l2\) needs a number >= 0 or None, got -0.1"),
        ({"l2": float("nan")}, "got nan"),
        ({"precision": "float16"}, "needs one of 'float32', 'float64'"),
        ({"seed": -1}, "needs a whole number >= 0, got -1"),
        (
            {
                "early_stopping": sh.EarlyStopping(),
                "preparation": sh.Preparation(split=sh.Split(validation=0)),
            },
            "needs a validation split to watch",
        ),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(RecipeError, match=message):
        sh.Recipe(**({"net": NET, "loss": "cross_entropy"} | changes))


def test_the_batch_size_follows_the_optimiser_and_the_data():
    assert BASE.rows_per_batch(1000) == 32
    assert BASE.rows_per_batch(10) == 10
    assert BASE.replace(optimiser="gradient_descent").rows_per_batch(1000) == 1000
    assert BASE.replace(batch_size="full").rows_per_batch(77) == 77
    assert BASE.replace(batch_size=1).rows_per_batch(77) == 1
    with pytest.raises(RecipeError, match="at most the 77 rows of the training split, got 78"):
        BASE.replace(batch_size=78).rows_per_batch(77)


def test_a_cross_entropy_absorbs_its_activation():
    with_softmax = BASE.replace(net=sh.Net(*NET.layers, sh.Softmax()))
    assert with_softmax.body == NET
    assert BASE.body == NET
    assert with_softmax.replace(loss="mse").body == with_softmax.net


def test_a_network_that_does_not_fit_the_data_is_refused_before_anything_runs():
    with pytest.raises(
        ShapeError, match=r"needs one output for each of 4 classes, got 3.*Dense\(4\)"
    ):
        BASE.check_against((6,), 4)
    single = sh.Recipe(sh.Net(sh.Dense(1)), loss="cross_entropy")
    with pytest.raises(ShapeError, match="binary_cross_entropy"):
        single.check_against((6,), 2)
    with pytest.raises(ShapeError, match=r"layer 1: Dense\(8\) needs a flat input, got 8x8x1"):
        BASE.check_against((8, 8, 1), 3)


def test_metrics_must_fit_the_task():
    assert [m.name for m in BASE.metrics_for("classification")] == ["accuracy"]
    assert [m.name for m in BASE.replace(loss="mse").metrics_for("regression")] == ["r2", "rmse"]
    with pytest.raises(RecipeError, match="the metric R2"):
        BASE.replace(metrics="r2").metrics_for("classification")
