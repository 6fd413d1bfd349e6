"""Pictures of a search: what they show, and that they are drawn."""

from contextlib import contextmanager

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import shoal as sh
from shoal.errors import DataError, RecipeError
from shoal.explain.page import page
from shoal.tune import pictures
from shoal.tune.labels import short_labels
from shoal.tune.pictures import drawable
from shoal.tune.views import axes_info, contour_info, history_info, importance_info, lineage_info


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


@pytest.mark.parametrize("kind", ["history", "parallel", "slice", "importance", "contour"])
def test_every_picture_is_drawn(study, tmp_path, kind):
    from matplotlib.image import imread

    image = imread(study.draw(tmp_path / f"{kind}.png", kind))
    assert image.shape[0] > 150 and image.shape[1] > 400
    assert image.std() > 0.02


@pytest.fixture
def drawn(study, tmp_path, monkeypatch):
    """Draws a kind of picture and gives its figure."""
    figures = []

    @contextmanager
    def noted(*arguments):
        with page(*arguments) as found:
            figures.append(found[0])
            yield found

    monkeypatch.setattr(pictures, "page", noted)

    def draw(kind, *names):
        study.draw(tmp_path / "x.png", kind, names)
        return figures[-1]

    return draw


def test_dark_is_good_in_every_picture(study, drawn):
    def light(colour):
        return sum(to_rgb(colour))

    values = np.sort(axes_info(study).values)
    for kind in ("parallel", "contour"):
        axes, bar = drawn(kind).axes
        assert bar.get_ylabel().startswith("validation loss")
        assert "dark: low validation loss" in axes.get_title()
        if kind == "parallel":  # the worst first
            lights = [light(line.get_color()) for line in axes.lines[: len(values)]]
        else:
            shown = axes.collections[-1]
            lights = [light(shown.cmap(shown.norm(value))) for value in values[::-1]]
        assert lights[0] > lights[-1] and lights == sorted(lights, reverse=True)


def test_the_history_says_what_became_of_the_trials(study, drawn):
    info, title = history_info(study), drawn("history").axes[0].get_title()
    assert title == (
        f"60 trials on small: {len(info.values)} complete, {len(info.pruned)} pruned, "
        f"{len(info.failed)} failed"
    )


@pytest.mark.parametrize(
    "options, labels",
    [
        ((0.1, "full", None), ("0.1", "full", "None")),
        ((sh.ReLU(), sh.LeakyReLU(0.1), sh.LeakyReLU(0.2)), ("ReLU", "LeakyReLU(0.1)", "LeakyReLU(0.2)")),
        ([sh.mlp(h, 3, a) for h in ([64], [128, 64]) for a in (sh.ReLU(), sh.Tanh())], ("ReLU", "Tanh", "128 ReLU", "128 Tanh")),
        ([sh.Net(*[sh.Dense(8), sh.ReLU()] * n, sh.Dense(3)) for n in (1, 2, 3)], ("3 layers", "5 layers", "7 layers")),
        ([sh.Net(*[sh.Dense(units) for units in order]) for order in ((64, 32, 3), (32, 64, 3))], ("Net 1", "Net 2")),
    ],
)  # fmt: skip
def test_labels_of_options_are_short_and_differ(options, labels):
    assert short_labels(sh.Choice(*options)) == labels


def test_long_labels_are_rotated(drawn, monkeypatch):
    turned = []
    for crowded in (100, 3):
        monkeypatch.setattr(pictures, "CROWDED", crowded)
        axes = drawn("contour", "l2", "net.layers[2].rate").axes[0]
        turned.append(axes.get_xticklabels()[0].get_rotation())
    assert turned == [0, 30]


def test_an_unknown_kind(study, tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'history'"):
        study.draw(tmp_path / "x.png", "histor")


def brute(info, gx, gy):
    """The weighted mean at a point, by the definition, trial for trial."""
    near = []
    for i in range(len(info.values)):
        away = 0.0
        for axis, g in ((info.x, gx), (info.y, gy)):
            if axis.labels:
                away += 0.0 if g == axis.places[i] else np.inf
                continue
            places, g = (np.log(axis.places), np.log(g)) if axis.log else (axis.places, g)
            away += ((g - places[i]) / np.ptp(places) / 0.08) ** 2
        near.append(away)
    if min(near) > 2.5**2:
        return np.nan
    weights = [np.exp(-0.5 * (away - min(near))) for away in near]
    return sum(w * v for w, v in zip(weights, info.values, strict=True)) / sum(weights)


@pytest.mark.parametrize(
    "names", [(), ("net.layers[2].rate", "l2(Float)"), ("l2", "optimiser.learning_rate")]
)
def test_the_contour_is_a_mean_of_the_trials_near_by(study, names):
    info = contour_info(study, names)
    if names:
        assert (info.x.name, info.y.name) == names
    else:
        two = sorted(study.importance().items(), key=lambda pair: -pair[1])[:2]
        assert [info.x.name, info.y.name] == [name for name, _ in two]
    assert info.surface.shape == (len(info.grid_y), len(info.grid_x))
    known = ~np.isnan(info.surface)
    assert known.any()
    for j in range(0, len(info.grid_y), 7):
        for i in range(0, len(info.grid_x), 5):
            wanted = brute(info, info.grid_x[i], info.grid_y[j])
            assert info.surface[j, i] == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    inside = info.surface[known]
    assert info.values.min() - 1e-12 <= inside.min() and inside.max() <= info.values.max() + 1e-12


def test_contours_of_other_parameters(study, tmp_path):
    for names in (("l2", "l2(Float)"), ("net.layers[2].rate", "l2(Float)")):
        assert study.draw(tmp_path / "c.png", "contour", names).exists()
    with pytest.raises(RecipeError, match="one that complete trials have, got none of that name"):
        study.draw(tmp_path / "c.png", "contour", ("l2", "rate"))
    with pytest.raises(RecipeError, match="two names"):
        study.draw(tmp_path / "c.png", "contour", ("l2",))
    with pytest.raises(RecipeError, match="leave parameters out"):
        study.draw(tmp_path / "c.png", "slice", ("l2", "l2(Float)"))


def test_a_study_too_small_for_some_pictures(small, tmp_path):
    one = sh.Recipe(sh.Net(sh.Dense(3)), "cross_entropy", sh.Adam(sh.Float(0.01, 0.1)), epochs=2)
    study = sh.tune(one, small, trials=1, fresh=1, show=False)
    assert drawable(study) == ["history", "parallel", "slice"]
    for kind in drawable(study):
        study.draw(tmp_path / "x.png", kind)
    for kind, needs in (("importance", "two complete trials"), ("contour", "two parameters"),
                        ("lineage", "a population")):  # fmt: skip
        with pytest.raises(DataError, match=needs):
            study.draw(tmp_path / "x.png", kind)


def test_lineages_are_drawn(small, tmp_path):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    rate = sh.Float(1e-4, 0.3, log=True)
    space = sh.Recipe(net, "cross_entropy", sh.Momentum(rate), epochs=20, batch_size=16)
    study = sh.tune(space, small, trials=12, sampler="pbt", fresh=1, show=False)
    info = lineage_info(study)
    assert info.names == ("net.layers[2].rate", "optimiser.learning_rate")
    assert info.trials[-1] == study.candidates[0].number and info.epochs == 20
    winner = study.lineage()
    for place, name in enumerate(info.names):
        wanted = [(e, v[name]) for e, v in zip(winner.epochs, winner.values, strict=True)]
        assert info.steps[-1][place].tolist() == [list(pair) for pair in wanted]
    assert "lineage" in drawable(study)
    assert study.draw(tmp_path / "lineage.png", "lineage").stat().st_size > 5000
