"""Spaces: what may be open, the names of what is, choosing, JSON."""

import math

import pytest

import shoal as sh
from shoal.errors import RecipeError


class Scripted:
    """A trial that answers from a list and notes what it was asked."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, {}

    def _answer(self, name, *what, **more):
        self.asked[name] = (*what, *more.values())
        return self.answers[name]

    suggest_float = suggest_int = suggest_categorical = _answer


def space(**changes):
    net = sh.Net(
        sh.Dense(sh.Int(16, 64, step=16)),
        sh.Choice(sh.ReLU(), sh.Tanh(), sh.LeakyReLU(sh.Float(0.01, 0.3))),
        sh.Dense(3),
    )
    optimiser = sh.Choice(
        sh.Adam(sh.Float(1e-4, 1e-1, log=True)),
        sh.Momentum(sh.Float(1e-3, 1.0, log=True)),
        "rmsprop",
    )
    return sh.Recipe(net, "cross_entropy", optimiser).replace(**changes)


def test_parameters_are_named_by_their_paths_and_options_where_paths_are_not_enough():
    found = space(l2=sh.Choice(None, sh.Float(1e-5, 0.1, log=True))).parameters
    assert found.names == (
        "net.layers[0].units",
        "net.layers[1]",
        "net.layers[1].slope",
        "optimiser",
        "optimiser(Adam).learning_rate",
        "optimiser(Momentum).learning_rate",
        "l2",
        "l2(Float)",
    )
    assert found[2].conditions == (("net.layers[1]", "LeakyReLU"),)
    assert "net.layers[1] is LeakyReLU" in repr(found)
    assert sh.Recipe(sh.Net(sh.Dense(2)), "mse").parameters == ()


def test_equal_parameters_of_several_options_are_one():
    rate = sh.Float(1e-4, 1e-1, log=True)
    both = space(optimiser=sh.Choice(sh.Adam(rate), sh.RMSprop(rate)))
    assert both.parameters.names[-2:] == ("optimiser", "optimiser.learning_rate")
    chosen = both.at({"optimiser": "RMSprop", "optimiser.learning_rate": 0.01})
    assert chosen.optimiser == sh.RMSprop(0.01)


def test_what_is_not_given_is_the_middle_or_the_first():
    recipe = space().at({})
    assert recipe.net == sh.Net(sh.Dense(32), sh.ReLU(), sh.Dense(3))
    assert recipe.optimiser == sh.Adam(math.sqrt(1e-4 * 1e-1))
    assert space(epochs=sh.Int(10, 1000, log=True)).at({}).epochs == 100
    stepped = space(l2=sh.Float(0.0, 1.0, step=0.4)).at({})
    assert stepped.l2 == 0.4


def test_a_trial_is_asked_for_what_exists_and_nothing_else():
    trial = Scripted(
        **{
            "net.layers[0].units": 48,
            "net.layers[1]": "Tanh",
            "optimiser": "Momentum",
            "optimiser(Momentum).learning_rate": 0.5,
        }
    )
    recipe = space().suggest(trial)
    assert recipe == space().at(trial.answers)
    assert recipe.net == sh.Net(sh.Dense(48), sh.Tanh(), sh.Dense(3))
    assert recipe.optimiser == sh.Momentum(0.5)
    assert set(trial.asked) == set(trial.answers)
    assert trial.asked["net.layers[0].units"] == (16, 64, False, 16)
    assert trial.asked["optimiser"] == (("Adam", "Momentum", "RMSprop"),)


def test_a_space_is_its_json():
    one = space(l2=sh.Choice(None, sh.Float(1e-5, 0.1, log=True)), batch_size=sh.Choice(8, "full"))
    again = sh.Recipe.from_json(one.to_json())
    assert again == one
    assert again.parameters == one.parameters


def test_options_may_be_whole_networks_with_open_values():
    nets = [
        sh.Net(sh.Dense(sh.Int(4, 8)), sh.ReLU(), sh.Dense(3)),
        sh.Net(sh.Dense(sh.Int(4, 8)), sh.ReLU(), sh.Dense(sh.Int(4, 8)), sh.ReLU(), sh.Dense(3)),
    ]
    depth = sh.Recipe(sh.Choice(*nets), "cross_entropy")
    assert depth.parameters.names == ("net", "net.layers[0].units", "net.layers[2].units")
    deep = depth.at({"net": nets[1], "net.layers[2].units": 8}).net
    assert deep == sh.Net(sh.Dense(6), sh.ReLU(), sh.Dense(8), sh.ReLU(), sh.Dense(3))


def test_checks_of_several_fields_wait_until_all_is_chosen():
    early = sh.Choice(None, sh.EarlyStopping(5))
    unsplit = sh.Preparation(split=sh.Split(validation=0.0))
    one = space(early_stopping=early, preparation=unsplit)
    assert one.at({}).early_stopping is None
    with pytest.raises(RecipeError, match="a validation split to watch"):
        one.at({"early_stopping": "EarlyStopping"})


def test_a_space_cannot_be_trained(small):
    paths = r"open at net\.layers\[0\]\.units.*sh\.tune\(space, data\)"
    for use in (
        lambda: sh.fit(space(), small),
        lambda: sh.fit_many([space()], small),
        lambda: space().signature,
        lambda: space().prepare(small),
    ):
        with pytest.raises(RecipeError, match=paths):
            use()
    for use in (
        lambda net: net.summary((6,)),
        lambda net: net.random,
        lambda net: net.decays((6,)),
    ):
        with pytest.raises(RecipeError, match=r"Net\(\.\.\.\) needs every choice made"):
            use(space().net)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sh.Dense(sh.Float(1, 2)), r"Dense\(units\) needs a whole number >= 1, got Float"),
        (lambda: sh.Dense(sh.Int(0, 2)), r"needs a whole number >= 1, got Int\(0, 2\)"),
        (lambda: sh.Dropout(sh.Float(0, 1)), r"needs a number in \[0, 1\), got Float\(0, 1\)"),
        (lambda: sh.Net(sh.Choice(sh.ReLU(), 3)), r"each a layer, got"),
        (lambda: sh.Recipe(sh.Net(sh.Dense(1)), "mse", sh.Choice("adm")), r"did you mean 'adam'"),
        (lambda: sh.Choice(), "a sequence of 1 or more"),
        (lambda: sh.Choice(sh.ReLU(), sh.ReLU()), "options that differ"),
        (lambda: sh.Float(2, 1), "low <= high"),
        (lambda: sh.Float(0, 1, log=True), "low > 0 for log=True, got 0"),
        (lambda: sh.Float(1, 2, log=True, step=0.1), "a step or log=True, got both"),
        (lambda: sh.Int(1.5, 2), "whole number"),
        (lambda: sh.Int(1, 5, step=10), "a step of at most 4, from low to high, got 10; make the"),
        (lambda: sh.Float(0, 1, step=2), "a step of at most 1, from low to high, got 2.0; make"),
        (lambda: space().at({"optimiser.rate": 1}), "the parameter 'optimiser.rate' needs one that"),
        (lambda: space().at({"net.layers[0].units": 17}), r"a value of Int\(16, 64, step=16\)"),
        (lambda: space().at({"optimiser": "SGD"}), r"a value of Choice\(Adam"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(make, message):
    with pytest.raises(RecipeError, match=message):
        make()
