"""Descriptions: checked, frozen, compared, written as text and JSON, and pytrees."""

import dataclasses

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.arrays import stack
from shoal.describe import KINDS, build, from_json, to_json, walk
from shoal.errors import RecipeError
from shoal.nets import Layer


def test_fields_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        sh.Dense(3).units = 4


def test_numbers_are_brought_to_one_form():
    assert sh.Dropout(0) == sh.Dropout(0.0)
    assert type(sh.Dropout(0).rate) is float
    assert sh.Dense(np.int64(3)) == sh.Dense(3)
    assert hash(sh.Adam(np.float32(0.5))) == hash(sh.Adam(0.5))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sh.Dropout(1.0), r"Dropout\(rate\) needs a number in \[0, 1\), got 1.0"),
        (lambda: sh.Dropout(float("nan")), r"got nan"),
        (lambda: sh.Dense(0), r"Dense\(units\) needs a whole number >= 1, got 0"),
        (lambda: sh.Dense(2.5), r"needs a whole number >= 1, got 2.5"),
        (lambda: sh.Dense(True), r"needs a whole number >= 1, got True"),
        (lambda: sh.Adam(-1e-3), r"Adam\(learning_rate\) needs a number >= 0, got -0.001"),
        (lambda: sh.Adam(beta1=1.0), r"Adam\(beta1\) needs a number in \[0, 1\), got 1.0"),
        (lambda: sh.Dense(3, init="he_norml"), r"did you mean 'he_normal'\?"),
        (lambda: sh.Dense(3, init=3), r"needs an initialiser or the name of one, got 3"),
        (lambda: sh.Conv(4, 3, padding="sme"), r"or a whole number >= 0 or a sequence"),
        (lambda: sh.Conv(3, 3, groups=2), r"needs filters that its groups can share evenly"),
        (lambda: sh.Net(), r"Net\(layers\) needs a sequence of 1 or more items"),
        (lambda: sh.Net(3), r"each a layer, got \(3,\)"),
        (lambda: sh.Residual(sh.Dense(3), shortcut="identty"), r"did you mean 'identity'\?"),
    ],
)
def test_a_bad_value_names_field_requirement_value_and_remedy(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


def test_an_unknown_field_is_answered_by_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'units'"):
        build(sh.Dense, {"unit": 3})
    with pytest.raises(RecipeError, match=r"Dense\(units\) needs a value, got nothing"):
        build(sh.Dense, {})
    with pytest.raises(RecipeError, match="did you mean 'epsilon'"):
        sh.Adam().replace(epsilom=1.0)


def test_text_shows_what_is_not_default():
    assert repr(sh.Net(sh.Dense(64), sh.ReLU(), sh.Dropout(0.2))) == (
        "Net(Dense(64), ReLU(), Dropout(0.2))"
    )
    assert repr(sh.Conv(8, (3, 5), stride=2)) == "Conv(8, (3, 5), stride=2)"


def test_leaves_are_the_traced_numbers_and_structure_the_rest():
    net = sh.Net(sh.Dense(4), sh.LeakyReLU(0.2), sh.Dropout(0.5))
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(net)]
    assert paths == [".layers[0].init.scale", ".layers[1].slope", ".layers[2].rate"]
    other = sh.Net(sh.Dense(4), sh.LeakyReLU(0.9), sh.Dropout(0.1))
    assert jax.tree.structure(net) == jax.tree.structure(other)
    wider = sh.Net(sh.Dense(5), sh.LeakyReLU(0.2), sh.Dropout(0.5))
    assert jax.tree.structure(net) != jax.tree.structure(wider)


def test_members_are_recipes_with_their_numbers_stacked():
    stacked = stack([sh.EarlyStopping(k, 0.5 * k) for k in range(3)], np.dtype(np.float32))
    assert isinstance(stacked, sh.EarlyStopping)
    assert stacked.patience.dtype == np.int32
    np.testing.assert_array_equal(stacked.min_change, np.float32([0, 0.5, 1]))


def test_a_label_is_not_part_of_the_signature():
    net = sh.Net(sh.Dense(3))
    a, b = (sh.Recipe(net, loss="cross_entropy", name=name) for name in "ab")
    assert a.signature == b.signature
    assert a != b


def test_the_vocabulary_is_closed():
    with pytest.raises(
        RecipeError, match=r"needs a 'kind' out of the vocabulary, got 'Dens'.*mean"
    ):
        from_json({"kind": "Dens", "units": 3})
    with pytest.raises(RecipeError, match="got None"):
        from_json({"units": 3})
    with pytest.raises(RecipeError, match=r"Dense\(unit\) needs a field that it has"):
        from_json({"kind": "Dense", "unit": 3})
    for name in ("os.system", "__import__", "Layer", "Optimiser"):
        assert name not in KINDS


def test_json_holds_every_field():
    assert to_json(sh.LeakyReLU()) == {"kind": "LeakyReLU", "slope": 0.01}
    assert from_json(to_json(sh.Net(sh.Dense(3)))) == sh.Net(sh.Dense(3))


def test_walk_gives_every_leaf_with_its_path():
    paths = dict(walk(sh.Net(sh.Dense(3), sh.Dropout(0.1))))
    assert paths["layers[0].units"] == 3
    assert paths["layers[1].rate"] == 0.1


def test_two_descriptions_of_one_name_cannot_be():
    with pytest.raises(TypeError, match="exists already"):
        type("Dense", (Layer,), {})
