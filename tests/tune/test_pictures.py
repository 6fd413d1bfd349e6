"""Pictures of a search: what they show, and that they are drawn."""

import numpy as np
import pytest

import shoal as sh
from shoal.errors import RecipeError
from shoal.tune.pictures import axes_info, history_info, importance_info


@pytest.fixture(scope="module")
def study(small):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    rate = sh.Choice(1e-3, 1e-2, 1e30)
    l2 = sh.Choice(0.5, sh.Float(1e-3, 1.0, log=True))
    space = sh.Recipe(net, "cross_entropy", sh.SGD(rate), epochs=6, batch_size=16, l2=l2)
    return sh.tune(space, small, trials=60, pruner="median", slots=8, fresh=1, show=False)


def test_the_history_has_every_trial_and_the_best_so_far(study):
    info, trials = history_info(study), study.optuna.get_trials()
    assert len(info.numbers) + len(info.pruned) + len(info.failed) == len(trials) == 60
    assert len(info.failed) > 0
    for number, value in zip(info.numbers, info.values, strict=True):
        assert trials[number].value == value
    assert info.best.tolist() == [info.values[: i + 1].min() for i in range(len(info.values))]


def test_the_axes_have_every_parameter(study):
    info = axes_info(study)
    names = ["net.layers[2].rate", "optimiser.learning_rate", "l2", "l2(Float)"]
    assert [axis.name for axis in info.axes] == names
    rate, l2, inner = info.axes[1:]
    assert rate.labels == ("0.001", "0.01", "1e+30")
    complete = [t for t in study.optuna.get_trials() if t.state.name == "COMPLETE"]
    chosen = [(1e-3, 1e-2, 1e30).index(t.params["optimiser.learning_rate"]) for t in complete]
    assert rate.places.tolist() == chosen
    assert l2.labels == ("0.5", "Float") and inner.log
    assert (np.isnan(inner.places) == (l2.places == 0)).all()
    assert info.values.tolist() == [t.value for t in complete]


def test_importances_add_up_to_one_and_ascend(study):
    values = list(importance_info(study).values())
    assert values == sorted(values)
    assert sum(values) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["history", "parallel", "slice", "importance"])
def test_every_picture_is_drawn(study, tmp_path, kind):
    from matplotlib.image import imread

    image = imread(study.draw(tmp_path / f"{kind}.png", kind))
    assert image.shape[0] > 150 and image.shape[1] > 400
    assert image.std() > 0.02


def test_an_unknown_kind(study, tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'history'"):
        study.draw(tmp_path / "x.png", "histor")
